"""What an answer loses without tokens: against slow passes, one choice of tokens at a time; the masks; what cannot be masked."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.capture.slow_passes import hidden_logits
from tests.capture.test_answer_passes import GIVEN, passes_of
from tests.plans import plan, records, written
from tests.plans import tables as tables_of
from tests.prefill.cases import TOKENS, model_of, prompt
from tokenrank.evaluation.answer_losses import (
    AnswerLosses,
    Masks,
    all_hidden,
    chunks_masked,
    visible_under_masks,
)
from tokenrank.evaluation.stored_losses import StoredLosses
from tokenrank.metrics.answer_loss import CLIP
from tokenrank.records.store import StoreUnwritable
from tokenrank.report.printed.table import summary
from tokenrank.report.rows.contestant_rows import kind
from tokenrank.report.rows.loading import load
from tokenrank.report.sentences.sentences import parts
from tokenrank.tasks.task import Prompt
from tokenrank.work.collecting import collect

RANKED = range(4, 36)
CONTEXT = range(10, 30)


def asked(context: range | None = CONTEXT) -> Prompt:
    return Prompt("p", "test", tuple(prompt().tolist()), len(GIVEN), context=context)


def losses_of(architecture: str) -> AnswerLosses:
    return AnswerLosses(passes_of(model_of(architecture)))


def slow_loss(architecture: str, hidden: set[int]) -> float:
    """Mean over the answer's tokens of what each loses, limited to 5 nats."""
    each = []
    for places in (set[int](), hidden):
        logits = hidden_logits(model_of(architecture), prompt(), GIVEN, places).float().log_softmax(dim=1)
        each.append(logits[torch.arange(len(GIVEN)), torch.tensor(GIVEN)])
    return float((each[0] - each[1]).clamp(-CLIP, CLIP).mean())


@pytest.mark.parametrize("architecture", ["llama", "gemma2", "qwen3", "gpt_oss"])
def test_losses_are_those_of_slow_passes(architecture: str) -> None:
    losses = losses_of(architecture)
    visible = torch.rand(5, len(RANKED), generator=torch.Generator().manual_seed(3)) < 0.5
    wanted = [slow_loss(architecture, {RANKED[place] for place in (~row).nonzero()[:, 0].tolist()}) for row in visible]
    assert losses.of(RANKED, visible).tolist() == pytest.approx(wanted, abs=1e-4)
    assert max(wanted) > 1e-3  # hidden tokens matter
    assert losses.of(RANKED, torch.ones(1, len(RANKED), dtype=torch.bool)).tolist() == pytest.approx([0], abs=1e-5)


def test_the_context_effect_is_the_loss_without_the_context() -> None:
    losses = losses_of("llama")
    for context in (CONTEXT, range(30, 39)):  # the second goes on behind the ranked tokens
        without = losses.of(context, all_hidden(context)).tolist()
        assert without == pytest.approx([slow_loss("llama", set(context))], abs=1e-4)
    to_the_end = range(30, len(asked().input_ids))
    assert losses.of(to_the_end, all_hidden(to_the_end)).tolist() == without  # the last token stays visible


def chunks_visible(masked: Tensor) -> set[tuple[int, ...]]:
    return {tuple(row.tolist()) for row in masked}


def test_masks_hide_chunks_of_the_context_equally_many_in_each() -> None:
    visible = visible_under_masks(asked(), RANKED, None, 5, Masks(count=16))
    inside = slice(CONTEXT.start - RANKED.start, CONTEXT.stop - RANKED.start)
    outside = torch.ones(len(RANKED), dtype=torch.bool)
    outside[inside] = False
    assert visible[:, outside].all()
    chunks = visible[:, inside].view(16, 4, 5)
    assert torch.equal(chunks.all(dim=2), chunks.any(dim=2))  # a chunk is visible whole or not at all
    assert chunks.any(dim=2).sum(dim=1).tolist() == [2] * 16
    assert len(chunks_visible(visible)) > 1
    whole = visible_under_masks(asked(None), RANKED, None, 5, Masks(count=4))
    assert not whole[:, outside].all()  # of a prompt without a context every chunk may be hidden


def test_every_prompt_has_masks_of_its_own() -> None:
    one, other = asked(), Prompt("q", "test", tuple(range(TOKENS)), 4)
    assert torch.equal(Masks().draw(one, 8), Masks().draw(one, 8))
    assert not torch.equal(Masks().draw(one, 8), Masks().draw(other, 8))
    assert not torch.equal(Masks().draw(one, 8), Masks(seed=1).draw(one, 8))
    assert [set(Masks(keep=keep).draw(one, 8).sum(dim=1).tolist()) for keep in (1, 25, 99)] == [{1}, {2}, {7}]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"count": 1}, r"masks\.count is 1, must be a whole number, at least 2"),
        ({"seed": -1}, r"masks\.seed is -1, must be a whole number, at least 0"),
        ({"keep": 0.0}, r"masks\.keep is 0 percent, must be above 0 and below 100"),
        ({"keep": 100.0}, r"masks\.keep is 100 percent, must be above 0 and below 100"),
    ],
)
def test_masks_that_cannot_be_are_refused(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        Masks(**given)


def test_a_single_chunk_cannot_be_masked() -> None:
    with pytest.raises(
        ValueError,
        match=r"^chunk=20 makes 1 chunk of the ranked tokens of prompt p of test, must make at least 2, as random masks hide some",
    ):
        chunks_masked(asked(), RANKED, None, 20)


def test_only_chunks_with_ranked_tokens_are_masked() -> None:
    """Of the context's four chunks of five tokens the last has none."""
    assert chunks_masked(asked(), range(4, 25), None, 5)[1] == chunks_masked(asked(), RANKED, None, 5)[1][:3]
    visible = visible_under_masks(asked(), range(4, 25), None, 5, Masks(count=16))
    assert set(visible.sum(dim=1).tolist()) == {6 + 2 * 5}
    with pytest.raises(ValueError, match=r"^chunk=5 makes 1 chunk of the ranked tokens"):
        chunks_masked(asked(), range(4, 15), None, 5)


def test_passes_over_the_answer_that_fail_cost_their_own_values_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    given = ("metric=[recall,lds,drop]", "heuristic=[claa]", "task.depths=[50]")
    (right,) = records(plan(*given))

    def broken(self: AnswerLosses, places: range, visible: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("no room for passes")

    monkeypatch.setattr(AnswerLosses, "of", broken)
    (found,) = records(plan(*given))
    recall = [row for row in right.measured.to_pylist() if row["metric"] == "recall"]
    assert [row for row in found.measured.to_pylist() if row["value"] == row["value"]] == recall
    assert recall
    assert found.sample["context_effect"] is None
    said = str(found.sample["error"])
    why = "OutOfMemoryError: no room for passes"
    assert said == f"lds: {why}; context_effect: {why}; metric drop of claa, chance: {why}" or said.count(why) == 3, (
        said
    )


def test_a_store_that_cannot_be_written_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: StoredLosses, places: range, visible: Tensor) -> Tensor:
        raise StoreUnwritable("full")

    monkeypatch.setattr(StoredLosses, "stored", broken)
    with pytest.raises(StoreUnwritable, match=r"^full$"):
        records(plan("metric=[recall,lds]", "heuristic=[claa]", "task.depths=[50]"))


def test_a_run_of_metrics_without_a_chance_level_has_a_report(tmp_path: Path) -> None:
    made = plan("metric=[drop,kept]", "heuristic=[claa,random]", "save_levels=false")
    folder = written(tmp_path, records(made))
    assert collect(folder, made.evaluation) == []
    read, k = load(folder, {"plots": {"k": 10}}, None)
    assert kind(read) == "ranking"
    shown = summary(read, k)
    assert "drop@10" in shown
    assert "kept@10" in shown
    assert shown.splitlines()[-1].split()[:2] == ["(chance)", "-"]
    assert not any("nan" in each for part in parts(read, {"plots": {"k": 10}}) for each in part.sentences)


def test_a_run_measures_drop_and_kept_at_the_select_layer_and_lds_everywhere() -> None:
    tables = tables_of(
        "metric=[lds,drop,kept]", "heuristic=[claa,oracle]", "task.depths=[0]", "chunk=16", "masks.count=8"
    )
    rows = tables.metrics[tables.metrics["heuristic"] == "claa"]
    layers = {name: sorted(own["layer"].unique()) for name, own in rows.groupby("metric")}
    assert layers == {"lds": [0, 1, 2, 3], "drop": [1], "kept": [1]}
    assert rows["truth"].isna().all()
    everything = tables_of(
        "metric=[drop,kept]", "heuristic=claa", "task.depths=[0]", "k=[100]", "plots.k=100", "compare.k=100"
    )
    values = everything.metrics.dropna(subset=["layer"]).set_index("metric")["value"]
    assert values["kept"] == pytest.approx(0, abs=1e-5)  # all ranked tokens are visible
    assert values["drop"] > float(tables.samples["context_effect"].iloc[0]) > 0.1  # and none is
