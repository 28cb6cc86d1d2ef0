"""prompts=agnostic of engines: what is before the question is pruned as a prompt of its own, and the rest is read through what is left."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from tests.evaluation.contests import CONTESTANTS, RATES, WINDOW, close, contestants, given, measured, plan_of, values
from tests.evaluation.slow_fidelity import fidelity, logits_after
from tests.plans import plan, tables
from tests.prefill.cases import ANSWER, layers_of, model_of
from tokenrank.capture.decoding import Decoding
from tokenrank.capture.operations import counted
from tokenrank.capture.rows import Rows
from tokenrank.evaluation.accuracy import Accuracy
from tokenrank.evaluation.agnostic_checks import check_lengths
from tokenrank.evaluation.contest import logits_of
from tokenrank.evaluation.evaluation import Measurement
from tokenrank.evaluation.fidelity import Fidelity
from tokenrank.evaluation.shared_prompt import SharedPrompt
from tokenrank.models.architectures import ARCHITECTURES, tiny_of
from tokenrank.prefill.engine import Job
from tokenrank.prefill.precomputed import Precomputed
from tokenrank.tasks.before_question import before_question
from tokenrank.tasks.task import Prompt

PARTS: dict[str, range] = {"context": range(5, 28), "question": range(30, 34)}  # of 40 tokens: 28 are ranked, 12 follow
NAMES = [name for name in CONTESTANTS if "speculative" not in name]
FEW = ("claa", "gemfilter")
KEPT = {20.0: 5, 45.0: 12, 100.0: 28}


def asked(**settings: Any) -> Prompt:
    """The prompt of the tests, with its parts."""
    return given(**(PARTS | settings))


def shared(
    model: PreTrainedModel, architecture: str, names: Sequence[str] = FEW, protect: str = "window"
) -> SharedPrompt:
    """The prompt of the tests, read for these contestants."""
    made = plan_of(contestants(layers_of(architecture), names), Fidelity(keep=[20.0]))
    return SharedPrompt(made, model, asked(), protect, ANSWER, prompts="agnostic")


def run(
    architecture: str, names: Sequence[str] = FEW, rates: Sequence[float] = RATES, kind: Any = Fidelity, **settings: Any
) -> Measurement:
    """What an evaluation measures of the prompt of the tests."""
    evaluation = kind(keep=list(rates), save_levels=False, prompts="agnostic", **settings)
    return measured(plan_of(contestants(layers_of(architecture), names), evaluation), model_of(architecture), asked())


@pytest.mark.parametrize("architecture", ["llama", "gemma2"])
@pytest.mark.parametrize("name", ["claa", "fastkv", "tova", "gemfilter"])
def test_the_rest_sees_what_is_kept_and_itself_in_every_layer(architecture: str, name: str) -> None:
    """Against one pass over prompt and answer in which what is dropped is masked by position, without a cache."""
    model = model_of(architecture, "eager")
    (who,) = contestants(layers_of(architecture), [name])
    made, ids = shared(model, architecture, [name]), torch.tensor(asked().input_ids)
    answer = [7, 3, 50, 21]
    for rate in RATES:
        done = made.prefilled(who, rate)
        made.shared.forget_halves()
        found = logits_of(made.read_on(done), torch.tensor(answer))
        wanted = logits_after(model, ids[:28], [*ids[28:].tolist(), *answer], who.engine, who.ranker, KEPT[rate])[12:]
        assert found.shape == wanted.shape == (4, 64)
        assert float((found - wanted).abs().max()) < 1e-4
        without = logits_after(model, ids[:28], answer, who.engine, who.ranker, KEPT[rate])
        assert float((found - without).abs().max()) > 1e-2  # the control: the rest matters


@cache
def one_by_one() -> dict[tuple[str, float], Any]:
    return dict(values(run("llama", NAMES, together=False)))


def test_the_measures_of_an_answer_are_those_of_the_slow_version() -> None:
    model, ids = model_of("llama", "eager"), torch.tensor(asked().input_ids)
    found = values(
        measured(
            plan_of(contestants(layers_of("llama"), ["claa"]), Fidelity(keep=RATES, prompts="agnostic")), model, asked()
        )
    )
    answer = list(shared(model, "llama", ["claa"]).ranked.answer.token_ids)
    (who,) = contestants(layers_of("llama"), ["claa"])
    fed = [*ids[28:].tolist(), *answer]
    full = logits_after(model, ids, answer, who.engine, who.ranker, 40)
    for rate in RATES:
        wanted = fidelity(full, logits_after(model, ids[:28], fed, who.engine, who.ranker, KEPT[rate])[12:], answer)
        own = found["claa", rate]
        assert {name: own[name] for name in wanted} == pytest.approx(wanted, abs=1e-4)
        assert own["loss"] > 0.1


def test_answers_together_are_those_one_by_one_whatever_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    together = values(run("llama", NAMES))
    assert together.keys() == one_by_one().keys()
    assert all(close(each, one_by_one()[name], 1e-4) for name, each in together.items())
    several = [run("llama", FEW, kind=Accuracy, together=each).runs for each in (True, False)]
    assert [row["answer"] for row in several[0]] == [row["answer"] for row in several[1]]

    def broken(self: Rows, *_: Any) -> Any:
        raise torch.OutOfMemoryError("no room for all")

    monkeypatch.setattr(Rows, "logits_of", broken)
    again = values(run("llama", NAMES))
    assert again == one_by_one()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_with_all_kept_nothing_is_lost_on_any_architecture(architecture: str) -> None:
    found = values(run(architecture, rates=[45.0, 100.0], kind=Fidelity))
    for name in (*FEW, "full"):
        rate = 100.0
        assert abs(found[name, rate]["loss"]) < 1e-5
        assert found[name, rate]["same_token"] == 1
    assert all(abs(found[name, 45.0]["kl"]) > 1e-6 for name in FEW)  # the control: something is pruned
    alone = values(run(architecture, rates=[45.0], kind=Fidelity, together=False))
    assert all(close(alone[name, 45.0], found[name, 45.0], 1e-4) for name in FEW)


def test_all_that_is_kept_and_spent_is_of_the_first_tokens_and_of_the_rest() -> None:
    model, head = model_of("llama"), torch.tensor(asked().input_ids[:28])
    made = shared(model, "llama", NAMES)
    for who in contestants(layers_of("llama"), NAMES):
        ranking = made._truth if isinstance(who.ranker, Precomputed) else who.ranker
        for rate in RATES:
            done = made.prefilled(who, rate)
            made.shared.forget_halves()
            found = made.read_on(done)
            job = Job(model, ranking, head, KEPT[rate], answer_tokens=12 + ANSWER)
            with counted() as spent:
                alone = who.engine.prefill(job)
                logits = alone.run.read_on(torch.tensor(asked().input_ids[28:]), alone.next_position)
            assert found.kept.tolist() == [*alone.kept.tolist(), *range(28, 40)]
            assert set(range(28 - WINDOW, 28)) <= set(alone.kept.tolist())
            assert torch.equal(found.logits, logits)
            assert found.operations == spent.total
            assert found.next_position == alone.next_position + 12
            assert found.kv_bytes() > alone.run.kv_bytes() - 1 > 0
    assert made.full().kept.tolist() == list(range(40))


def test_the_bound_ranks_by_the_truth_of_the_whole_prompt() -> None:
    made = shared(model_of("llama"), "llama", ["oracle"])
    whole = SharedPrompt(
        plan_of(contestants(layers_of("llama"), ["oracle"]), Fidelity(keep=[20.0])),
        model_of("llama"),
        asked(),
        "window",
        ANSWER,
    )
    assert made.ranked.answer == whole.ranked.answer
    assert all(torch.equal(rows, whole._truth.rows[layer][:28]) for layer, rows in made._truth.rows.items())


def test_the_frame_before_the_context_stays() -> None:
    (who,) = contestants(layers_of("llama"), ["fastkv"])
    kept = {
        each: shared(model_of("llama"), "llama", ["fastkv"], each).prefilled(who, 45.0).kept.tolist()
        for each in ("frame", "window")
    }
    assert {*range(5), *range(24, 28)} <= set(kept["frame"])
    assert not set(range(5)) <= set(kept["window"])
    assert len(kept["frame"]) == len(kept["window"]) == 12


def kept_with(prompts: str, prompt: Prompt) -> dict[str, list[int]]:
    """Contestant -> what it keeps of the tokens before the question."""
    who = contestants(layers_of("llama"), NAMES)
    found = measured(plan_of(who, Fidelity(keep=[45.0], prompts=prompts), [5, 6]), model_of("llama"), prompt)
    return {row["heuristic"]: [each for each in row["kept"] if each < 28] for row in found.runs if row["heuristic"]}


def test_no_contestant_chooses_by_the_question() -> None:
    """But the bounds, which rank by the truth; for whole prompts, the control, others do too."""
    ids = list(asked().input_ids)
    ids[30:34] = [1, 2, 3, 4]
    other = asked(tokens=ids)
    changed = {
        prompts: {name for name, kept in kept_with(prompts, asked()).items() if kept != kept_with(prompts, other)[name]}
        for prompts in ("agnostic", "aware")
    }
    assert all(name.startswith("oracle") for name in changed["agnostic"])
    assert changed["aware"] >= {"claa", "fastkv", "gemfilter"}


@pytest.mark.parametrize("together", [True, False])
def test_rules_of_decoding_see_the_whole_prompt(together: bool) -> None:
    """Tokens of question and context are avoided, as by plain generation on the whole prompt."""
    model = deepcopy(model_of("llama"))
    ids = torch.tensor([asked().input_ids])

    def plain() -> list[int]:
        out: Tensor = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=ANSWER)  # type: ignore[operator]
        return out[0, 40:].tolist()

    before = plain()
    model.generation_config.repetition_penalty = 50.0
    assert plain() != before
    assert not set(plain()) & set(asked().input_ids[28:])
    who = contestants(layers_of("llama"), FEW)
    made = SharedPrompt(plan_of(who, Fidelity(keep=[20.0])), model, asked(), "window", ANSWER, prompts="agnostic")
    assert made.full().answer(ANSWER) == plain()
    found = measured(plan_of(who, Accuracy(keep=[20.0, 100.0], together=together, prompts="agnostic")), model, asked())
    texts = {(row["heuristic"], row["keep"]): row["answer"] for row in found.runs}
    assert texts["claa", 100.0] == texts["gemfilter", 100.0] == texts[None, 100.0]
    assert made._decoding == Decoding.of(model)


def test_a_whole_run_says_so() -> None:
    found = tables(
        "task.depths=[50]", "heuristic=[claa,gemfilter]", "prefill.keep=[20]", "prompts=agnostic", evaluation="accuracy"
    )
    runs = found.runs.dropna(subset=["heuristic"])
    assert set(runs["prompts"]) == {"agnostic"}
    (prompt,) = plan("task.depths=[50]").prompts
    head = len(before_question(prompt).input_ids)
    assert set(runs["kept_tokens"]) == {head // 5 + 300 - head}


def test_what_is_refused() -> None:
    given = ("task.depths=[50]", "prompts=agnostic")
    with pytest.raises(
        ValueError,
        match=r"^prompts=agnostic ranks before the question is read, and heuristic\.speculative ranks after an answer",
    ):
        plan(*given, "heuristic=speculative", evaluation="accuracy")
    draft = "prefill.engine.any={_target_: tokenrank.prefill.draft.Draft, window: 8}"
    with pytest.raises(
        ValueError,
        match=r"^prompts=agnostic prunes before the question is read, and the draft engine of recency ranks with a draft",
    ):
        plan(*given, "heuristic=[recency]", "~prefill.engine.any", f"+{draft}", evaluation="fidelity")
    with pytest.raises(
        ValueError,
        match=r"^prompts=agnostic prunes what is before the question: prefill\.keep holds 3 percent: of the 241 tokens ",
    ):
        plan(*given, "prefill.keep=[3]", evaluation="fidelity")
    assert plan(*given, "prefill.keep=[4]", evaluation="fidelity").evaluation.kind == "fidelity"


@pytest.mark.parametrize(("last", "refused"), [(27, False), (28, True), (39, True), (40, False)])
def test_rotary_factors_that_depend_on_the_length_are_refused_where_they_change(last: int, refused: bool) -> None:
    """They change behind token ``last``: 28 tokens are read alone, 40 in all."""
    model = tiny_of("llama")
    factors = {"rope_type": "longrope", "rope_theta": 1e4, "short_factor": [1.0] * 4, "long_factor": [2.0] * 4}
    model.config.rope_parameters = factors | {"original_max_position_embeddings": last}
    if refused:
        with pytest.raises(
            ValueError,
            match=r"^prompts=agnostic reads 28 of the 40 tokens of prompt one of mine alone, and LlamaForCausalLM has",
        ):
            check_lengths(model, [asked()])
    else:
        check_lengths(model, [asked()])
    check_lengths(model_of("llama"), [asked()])


def test_prompts_without_such_parts_are_refused() -> None:
    made = plan("task.depths=[50]", "prompts=agnostic", evaluation="fidelity")
    (unit,) = made.units
    lacks = replace(unit, prompt=replace(unit.prompt, question=None))
    with pytest.raises(ValueError, match=r"the question of prompt niah_300_50_0 of niah is not known"):
        made.evaluation.check(replace(made, units=(lacks,)))
    made.evaluation.check(made)
