"""universe=: which tokens are ranked, in numbers, in levels, in stored values, and what is refused before weights are loaded."""

import json
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from tests.plans import composed, plan, records
from tokenrank.evaluation.levels import levels_of
from tokenrank.evaluation.ranking import RankingAgreement
from tokenrank.evaluation.stored import stored_rank
from tokenrank.evaluation.universe import CONTEXT, PROMPT, Universe
from tokenrank.metrics.metric import tokens_kept
from tokenrank.models.tiny import Tiny
from tokenrank.planning.making import make_plan
from tokenrank.records.record import Record
from tokenrank.records.token_levels import OUTSIDE, TokenLevels
from tokenrank.tasks.task import Prompt
from tokenrank.work.collecting import collected

MINE = Prompt("one", "mine", tuple(range(20)), 1)
RUN = ("heuristic=[claa,recency]", "metric=[recall,needle_recall,spearman]", "k=[10]", "task.depths=[50]")


@pytest.mark.parametrize("of", [PROMPT, CONTEXT])
@pytest.mark.parametrize(
    ("window", "start", "count"), list(product((0, 1, 3, 19, 20, 25), (0, 1, 7, 19), (1, 2, 12, 20)))
)
def test_the_places_are_those_that_a_count_token_by_token_gives(of: str, window: int, start: int, count: int) -> None:
    context = range(start, min(start + count, 20))
    slow = [place for place in range(20) if place < 20 - window and (of == PROMPT or place in context)]
    universe = Universe(of, window)
    if not slow:
        with pytest.raises(ValueError, match=rf"universe\.window={window}"):
            universe.places(replace(MINE, context=context))
    else:
        assert list(universe.places(replace(MINE, context=context))) == slow


def test_a_context_that_is_not_known_is_refused_only_where_it_is_needed() -> None:
    assert Universe(window=4).places(MINE) == range(16)
    with pytest.raises(
        ValueError, match=r"^universe=context, and the context of prompt one of mine is not known: set universe=prompt"
    ):
        Universe(CONTEXT, 4).places(MINE)


def test_a_context_within_the_window_is_refused() -> None:
    assert Universe(CONTEXT, 4).places(replace(MINE, context=range(15, 19))) == range(15, 16)
    with pytest.raises(
        ValueError,
        match=r"^universe=context leaves no token of prompt one of mine: its context of 3 tokens lies within",
    ):
        Universe(CONTEXT, 4).places(replace(MINE, context=range(16, 19)))


def test_a_needle_outside_of_the_universe_is_refused() -> None:
    prompt = replace(MINE, context=range(5, 15), evidence=(range(5, 15),))
    assert Universe(CONTEXT, 4).places(prompt) == range(5, 15)
    for needle in (range(4, 8), range(12, 16), range(2, 4)):
        with pytest.raises(
            ValueError, match=rf"evidence of prompt one of mine, tokens {needle.start} to {needle[-1]}, lies outside"
        ):
            Universe(CONTEXT, 4).places(replace(prompt, evidence=(needle,)))
        assert Universe(PROMPT, 4).places(replace(prompt, evidence=(needle,))) == range(16)
    with pytest.raises(ValueError, match=r"^universe\.window=4 reaches into the evidence"):
        Universe(PROMPT, 4).places(replace(prompt, evidence=(range(14, 17),)))


@cache
def measured(universe: str) -> Record:
    (record,) = records(plan(*RUN, f"universe={universe}"))
    assert not record.failed, record.sample
    return record


def test_values_are_those_of_the_context_alone() -> None:
    """Context of the needle prompt: tokens 80 to 240; recency ranks by place, so its best tenth are the context's last 16 tokens."""
    made = plan(*RUN)
    (prompt,) = made.prompts
    assert prompt.context == range(80, 241)
    truth = stored_rank(made, Tiny(name="tiny").model(), prompt, {}).truth.importance[0, 80:241]
    best = set(truth.argsort(descending=True, stable=True)[:16].tolist())
    rows = {
        (row["heuristic"], row["metric"], row["layer"]): row["value"]
        for row in measured("context").measured.to_pylist()
    }
    for layer in range(4):
        assert rows["recency", "recall", layer] == len(best & set(range(145, 161))) / 16
        needle = range(177 - 80, 218 - 80)
        assert rows["recency", "needle_recall", layer] == len(set(needle) & set(range(145, 161))) / 41
    assert rows[None, "recall", None] == rows[None, "needle_recall", None] == 16 / 161
    whole = {
        (row["heuristic"], row["metric"], row["layer"]): row["value"] for row in measured("prompt").measured.to_pylist()
    }
    assert whole[None, "recall", None] == 29 / 292
    assert {key for key, value in whole.items() if value != rows[key]}


def test_levels_are_of_the_context_alone() -> None:
    levels = plan_levels()
    inside = np.zeros(300, bool)
    inside[80:241] = True
    for rows in (levels.truth, levels.rankings["claa"]):
        assert ((rows == OUTSIDE) == ~inside).all()
        assert ((rows == 1).sum(axis=1) == tokens_kept(10, 161)).all()
    assert levels.importance.shape == (1, 300)


def test_stored_values_of_another_universe_are_not_taken(tmp_path: Path) -> None:
    """One store: the second run reads what the first computed of the prompt, but measures it anew."""
    found: dict[str, pa.Table] = {}
    for name in ("prompt", "context", "prompt", "context"):
        (record,) = records(plan(*RUN, f"universe={name}", f"store={tmp_path}"))
        assert found.setdefault(name, record.measured).equals(record.measured)
    assert not found["prompt"].equals(found["context"])
    assert found["context"].equals(measured("context").measured)


def test_the_default_is_the_prompt_without_its_window() -> None:
    assert composed("model=tiny").universe == {"of": "prompt", "window": 8}
    given = composed("model=tiny", "universe=context", "universe.window=3")
    assert (given.universe, given.evaluation.universe, given.evaluation.window) == (
        {"of": "context", "window": 3},
        "context",
        3,
    )
    assert RankingAgreement([5]).places(MINE) == range(12)


def test_a_task_without_contexts_is_refused_before_weights_are_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tiny, "model", lambda _: pytest.fail("weights were loaded"))
    file = tmp_path / "mine.jsonl"
    file.write_text(json.dumps({"id": "a", "prompt": "Ada wrote it. " * 20}) + "\n")
    mine = ("model=tiny", "store=null", "task=prompts", f"task.path={file}", "task.chat_template=false")
    with pytest.raises(ValueError, match=r"^universe=context, and the context of prompt a of prompts is not known"):
        make_plan(composed(*mine, "universe=context"))
    assert make_plan(composed(*mine)).evaluation.kind == "ranking"


def plan_levels() -> TokenLevels:
    """The levels of the run over the context."""
    made = plan(*RUN)
    (prompt,) = made.prompts
    ranked = stored_rank(made, Tiny(name="tiny").model(), prompt, made.heuristics)
    return levels_of(made, prompt, ranked, ranked.scores, [10], Universe(CONTEXT).places(prompt))


def test_scores_are_those_of_the_whole_prompt_in_every_universe() -> None:
    """The universe decides what is measured, not how a heuristic ranks."""
    made = plan(*RUN, "universe=context")
    (prompt,) = made.prompts
    ranked = stored_rank(made, Tiny(name="tiny").model(), prompt, made.heuristics)
    assert ranked.scores["claa"].shape == (4, 300)
    assert torch.isfinite(ranked.scores["claa"]).all()


MANY = (
    "task=ruler",
    "task.kind=[niah_multiquery,cwe]",
    "task.lengths=[1700]",
    "metric=[recall,needle_recall,evidence_recall]",
    "k=[10]",
)


@pytest.mark.parametrize("universe", ["prompt", "context"])
def test_evidence_of_several_spans_through_a_whole_run(universe: str) -> None:
    """Recency has the last tenth of the universe among its best: the share of evidence there is counted by hand."""
    config = composed(
        "model=tiny", "store=null", "heuristic=[recency]", *MANY, "task.max_new_tokens=4", f"universe={universe}"
    )
    made = make_plan(config)
    several, counted = made.prompts
    assert (len(several.evidence), several.needle, counted.evidence) == (4, None, ())
    found = collected(made.evaluation, records(made))
    places = Universe(universe).places(several)
    best = set(places[-(len(places) // 10) :])
    tokens = [token for span in several.evidence for token in span]
    rows = found.metrics[found.metrics["metric"] == "evidence_recall"]
    assert set(rows["sample"]) == {several.id}
    own = rows[rows["heuristic"] == "recency"]
    assert own["value"].tolist() == [pytest.approx(sum(token in best for token in tokens) / len(tokens))] * 4
    assert rows.loc[rows["heuristic"].isna(), "value"].tolist() == [len(places) // 10 / len(places)]
    assert not (found.metrics["metric"] == "needle_recall").any()
    samples = found.samples.set_index("id")
    spans = [list(map(int, each)) for each in samples["evidence"].to_dict()[several.id]]
    assert spans == [[span.start, span.stop] for span in several.evidence]
    assert samples["needle_start"].isna().all()
    assert samples["evidence"].to_dict()[counted.id] is None
