"""prompts=agnostic of evaluation=ranking: no ranking sees the question, the truth sees all, and what is refused before weights are loaded."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.heuristics.test_heuristic import NAMES
from tests.plans import composed, plan, records
from tokenrank.capture import reading
from tokenrank.evaluation.plan import Plan
from tokenrank.evaluation.ranking import RankingAgreement
from tokenrank.evaluation.scoring import Ranked, rank
from tokenrank.evaluation.stored import stored_rank
from tokenrank.models.tiny import Tiny
from tokenrank.planning.making import make_plan
from tokenrank.records.token_levels import OUTSIDE
from tokenrank.tasks.before_question import before_question
from tokenrank.tasks.task import Prompt
from tokenrank.work.loading import load_model

MODEL = Tiny(name="tiny").model()
ALLOWED = [name for name in NAMES if name != "speculative"]
AGNOSTIC, ONE = "prompts=agnostic", "task.depths=[50]"


def made(*overrides: str) -> Plan:
    """A plan of one prompt, whose heuristics are ready."""
    found = plan(ONE, *overrides)
    load_model(found)
    return found


def ranked(found: Plan, prompt: Prompt) -> Ranked:
    """What the plan's evaluation ranks of a prompt."""
    evaluation: Any = found.evaluation
    assert isinstance(evaluation, RankingAgreement)
    return evaluation._ranked(found, MODEL, prompt)


def asked_otherwise(prompt: Prompt) -> Prompt:
    """The same prompt with other tokens in its question."""
    assert prompt.question is not None
    ids, ask = list(prompt.input_ids), prompt.question
    ids[ask.start : ask.stop] = [(each + 7) % 100 + 3 for each in ids[ask.start : ask.stop]]
    assert tuple(ids) != prompt.input_ids
    return replace(prompt, input_ids=tuple(ids))


def changed_by_the_question(prompts: str) -> set[str]:
    """Heuristics whose ranking of the tokens before the question is another when the question is."""
    found = made(f"heuristic=[{','.join(ALLOWED)}]", f"prompts={prompts}")
    (prompt,) = found.prompts
    end = len(before_question(prompt).input_ids)
    one, other = (ranked(found, each).scores for each in (prompt, asked_otherwise(prompt)))
    return {name for name in ALLOWED if not torch.equal(one[name][:, :end], other[name][:, :end])}


def test_no_heuristic_sees_the_question() -> None:
    assert changed_by_the_question("agnostic") == set()


def test_of_whole_prompts_those_that_read_the_end_do() -> None:
    """The control: those whose scores depend on the last tokens, or on all."""
    assert changed_by_the_question("aware") >= {"claa", "fastkv", "snapkv", "tova", "gemfilter", "random"}


def test_rankings_are_those_of_the_first_tokens_alone_and_truths_those_of_the_whole_prompt() -> None:
    found = made("heuristic=[claa,random]", AGNOSTIC)
    (prompt,) = found.prompts
    head = before_question(prompt)
    alone = rank(MODEL, head, found.heuristics, found.oracles)
    whole = rank(MODEL, prompt, {}, found.oracles)
    own = ranked(found, prompt)
    assert own.answer == whole.answer
    assert torch.equal(own.truth.importance, whole.truth.importance)
    assert not torch.equal(own.truth.importance[:, : len(head.input_ids)], alone.truth.importance)
    for name in found.heuristics:
        assert torch.equal(own.scores[name], alone.scores[name])


@pytest.mark.parametrize("universe", ["prompt", "context"])
def test_values_are_over_what_is_before_the_question_without_the_window(universe: str) -> None:
    """Recall counted by hand."""
    found = made("heuristic=[claa,recency,oracle]", "universe.window=5", f"universe={universe}", AGNOSTIC, "k=[10]")
    (prompt,) = found.prompts
    assert prompt.context is not None
    (record,) = records(found)
    assert not record.failed, record.sample
    assert record.sample["prompts"] == "agnostic"
    start, stop = (prompt.context.start if universe == "context" else 0), prompt.context.stop - 5
    k = (stop - start) // 10
    truth, claa = (
        each[:, start:stop] for each in (ranked(found, prompt).truth.importance, ranked(found, prompt).scores["claa"])
    )

    def best(row: Tensor) -> set[int]:
        return set(row.argsort(descending=True, stable=True)[:k].tolist())

    rows = [row for row in record.measured.to_pylist() if row["metric"] == "recall"]
    values = {row["layer"]: row["value"] for row in rows if row["heuristic"] == "claa"}
    assert len(values) == 4
    assert [values[layer] for layer in sorted(values)] == pytest.approx(
        [len(best(row) & best(truth[0])) / k for row in claa]
    )
    assert {row["value"] for row in rows if row["heuristic"] == "oracle"} == {1.0}
    levels = found.evaluation.measure(found, MODEL, found.units[0], lambda _: None).levels
    assert levels is not None
    outside = np.ones(300, dtype=bool)
    outside[start:stop] = False
    for each in (levels.truth, *levels.rankings.values()):
        assert ((each == OUTSIDE) == outside).all()
    assert levels.texts is not None
    assert len(levels.texts) == levels.tokens == 300


def test_the_context_effect_is_that_of_the_whole_context() -> None:
    """The last tokens of a context are no ranked ones without the question, and hidden all the same."""
    aware, agnostic = (
        records(made("heuristic=claa", "metric=[drop]", f"prompts={each}"))[0] for each in ("aware", "agnostic")
    )
    assert agnostic.sample["context_effect"] == aware.sample["context_effect"] != 0


def test_questions_about_one_context_share_its_rankings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three questions: three prompts are read whole, and what is before the question once."""
    read: list[int] = []
    before = reading._prefill

    def noted(model: Any, feed: Any, recorder: Any, shared: Any) -> Tensor:
        read.append(len(recorder.input_ids))
        return before(model, feed, recorder, shared)

    monkeypatch.setattr(reading, "_prefill", noted)
    story = "Ada wrote the first program. Grace found the first bug. Alan asked whether machines think. " * 3
    file = tmp_path / "mine.jsonl"
    questions = ["Who wrote it?", "Who found it?", "Who asked it then?"]
    rows = [{"prompt": f"{story}\n\n{each}", "context": story.strip(), "question": each} for each in questions]
    file.write_text("".join(json.dumps(row | {"id": str(number)}) + "\n" for number, row in enumerate(rows)))
    given = ("model=tiny", "task=prompts", f"task.path={file}", "task.chat_template=false", "task.max_new_tokens=3")
    sizes: dict[str, Sequence[int]] = {}
    for prompts in ("agnostic", "aware", "agnostic"):
        found = make_plan(
            composed(
                *given, "heuristic=[claa,tova]", "metric=[recall]", f"prompts={prompts}", f"store={tmp_path / 'store'}"
            )
        )
        load_model(found)
        read.clear()
        for record in records(found):
            assert not record.failed, record.sample
        sizes[prompts if prompts not in sizes else "again"] = list(read)
    whole = [len(prompt.input_ids) for prompt in found.prompts]
    (head,) = {len(before_question(prompt).input_ids) for prompt in found.prompts}
    assert sizes["agnostic"] == [head, *whole]
    assert sizes["aware"] == whole  # for rankings of their own: answers and truths are those of the first run
    assert sizes["again"] == []


def test_stored_values_are_not_those_of_whole_prompts(tmp_path: Path) -> None:
    """With no window, the same tokens are measured in both: what ranks them differs."""
    given = (ONE, "heuristic=[claa]", "universe=context", "universe.window=0", f"store={tmp_path}")
    first = records(plan(*given))[0]
    agnostic = [records(plan(*given, AGNOSTIC))[0] for _ in range(2)]
    rows = [each.measured.to_pylist() for each in (first, *agnostic)]
    assert rows[1] == rows[2]
    assert [row["layer"] for row in rows[0]] == [row["layer"] for row in rows[1]]
    assert rows[0] != rows[1]


def test_keys_of_runs_that_were_made_before_stay() -> None:
    aware, agnostic = (plan(ONE, f"prompts={each}").units[0] for each in ("aware", "agnostic"))
    assert aware.key != agnostic.key
    assert "prompts" not in aware.key_fields["evaluation"]
    assert agnostic.key_fields["evaluation"]["prompts"] == "agnostic"
    one, other = (plan(ONE, f"prompts={each}") for each in ("aware", "agnostic"))
    assert one.parts == other.parts


def test_what_is_refused_before_weights_are_loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Tiny, "model", lambda _: pytest.fail("weights were loaded"))
    with pytest.raises(
        ValueError,
        match=r"^prompts=agnostic ranks before the question is read, and heuristic\.speculative ranks after an answer",
    ):
        plan(ONE, "heuristic=[claa,speculative]", AGNOSTIC)
    with pytest.raises(
        ValueError, match=r"^prompts is agnostic, must be aware with evaluation=ttft, which reads prompts whole$"
    ):
        plan(AGNOSTIC, evaluation="ttft")
    with pytest.raises(ValueError, match=r"^prompts is 'both', must be aware or agnostic$"):
        plan(ONE, "prompts=both")
    with pytest.raises(
        ValueError,
        match=r"^heuristic\.claa needs prompts of at least 251 tokens \(window=250, kernel=7\), and what is before the question of prompt niah_300_50_0 of niah, which prompts=agnostic ranks, has 241",
    ):
        plan(ONE, "heuristic.claa.window=250", AGNOSTIC)
    with pytest.raises(
        ValueError,
        match=r"^prompts=agnostic ranks what is before the question: universe\.window=241 is not below the 241 tokens",
    ):
        plan(ONE, "universe.window=241", AGNOSTIC)
    assert plan(ONE, "heuristic.claa.window=240", "universe.window=20", AGNOSTIC).evaluation.kind == "ranking"
    file = tmp_path / "mine.jsonl"
    file.write_text(json.dumps({"id": "a", "prompt": "Ada wrote it. " * 20}) + "\n")
    mine = ("model=tiny", "store=null", "task=prompts", f"task.path={file}", "task.chat_template=false")
    with pytest.raises(
        ValueError, match=r"^prompts=agnostic needs to know where the question begins, and the context of prompt a of"
    ):
        make_plan(composed(*mine, AGNOSTIC))


def test_an_oracle_and_answers_of_the_whole_prompt_are_stored_once(tmp_path: Path) -> None:
    """What aware runs left is what agnostic ones take."""
    aware, agnostic = (plan(ONE, f"prompts={each}", f"store={tmp_path}") for each in ("aware", "agnostic"))
    (prompt,) = aware.prompts
    first = stored_rank(aware, MODEL, prompt, {})
    second = ranked(agnostic, prompt)
    assert first.answer == second.answer
    assert torch.equal(first.truth.importance, second.truth.importance)
    assert "oracle" not in second.seconds  # it was not made again
