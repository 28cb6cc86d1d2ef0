"""From scores to rows: every metric at every layer and k, between layers, its chance level, over the universe."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor

from tokenrank.evaluation.measuring import Asked, MetricFailures
from tokenrank.evaluation.rows_by_truth import measured_rows
from tokenrank.evaluation.scoring import Ranked
from tokenrank.metrics.mass import mass_at_k
from tokenrank.metrics.metric import Metric, Target, no_association, share_kept
from tokenrank.metrics.needle import needle_recall_at_k
from tokenrank.metrics.ranked_tokens import Ranking
from tokenrank.metrics.recall import recall_at_k
from tokenrank.metrics.spearman import spearman
from tokenrank.oracle.oracle import Answer, Truth
from tokenrank.planning.building import build
from tokenrank.tasks.task import Prompt

CONFIG = Path(__file__).parents[2] / "configs" / "metric" / "jaccard.yaml"
DRAW = torch.Generator().manual_seed(0)
TOKENS, LAYERS, PERCENTS = 40, [2, 5, 7], [10, 50]  # 4 and 20 of the tokens
SCORES = {name: torch.rand(3, TOKENS, generator=DRAW).mul(30).round() for name in ("a", "b")}  # with ties
TRUTH = Ranking(torch.rand(1, TOKENS, generator=DRAW))
METRICS = {
    "recall": Metric(recall_at_k, share_kept, at_k=True),
    "spearman": Metric(spearman, no_association, at_k=False),
    "needle_recall": Metric(needle_recall_at_k, share_kept, at_k=True, against="needle"),
}


def jaccard() -> Metric:
    built: Metric = build(OmegaConf.select(OmegaConf.load(CONFIG), "jaccard"), "metric.jaccard", Metric)
    return built


def measure(
    scores: Mapping[str, Tensor],
    target: Target,
    layers: Sequence[int],
    metrics: Mapping[str, Metric],
    percents: Sequence[float],
    failures: MetricFailures | None = None,
) -> Iterator[dict[str, Any]]:
    """The chance levels, then the rows of each ranking; all tokens are the universe."""
    asked = Asked(target, tuple(layers), metrics, percents, range(TOKENS), "attention")
    yield from asked.chance(failures)
    for name, each in scores.items():
        yield from ({"heuristic": name} | row for row in asked.of_ranking(name, Ranking(each), failures))


def at(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in ("heuristic", "layer", "other_layer", "metric", "k"))


def test_every_row_is_the_metric_itself() -> None:
    rows = list(measure(SCORES, Target(TRUTH, [range(4, 9)]), LAYERS, METRICS, PERCENTS))
    values = {at(row): row["value"] for row in rows}
    assert len(values) == len(rows) == 5 + 2 * 3 * 5  # chance; heuristics, layers, metrics and their k
    for name, scores in SCORES.items():
        for place, layer in enumerate(LAYERS):
            one = Ranking(scores[place : place + 1])
            for percent, k in zip(PERCENTS, (4, 20), strict=True):
                assert values[name, layer, None, "recall", percent] == float(recall_at_k(one, TRUTH, k))
                found = values[name, layer, None, "needle_recall", percent]
                assert found == float(needle_recall_at_k(one, range(4, 9), k))
            assert values[name, layer, None, "spearman", None] == pytest.approx(float(spearman(one, TRUTH)))


def test_chance_rows_belong_to_no_heuristic_and_no_layer() -> None:
    rows = list(measure(SCORES, Target(TRUTH), LAYERS, METRICS, [10]))
    assert [row for row in rows if "heuristic" not in row] == [
        {"metric": "recall", "truth": "attention", "k": 10, "value": 0.1},
        {"metric": "spearman", "truth": "attention", "k": None, "value": 0.0},
    ]


def test_a_metric_that_does_not_apply_gives_no_rows() -> None:
    with_needle, without = (
        {row["metric"] for row in measure(SCORES, Target(TRUTH, evidence), LAYERS, METRICS, [10])}
        for evidence in ([range(2)], [])
    )
    assert with_needle - without == {"needle_recall"}


def test_metrics_may_be_partial_functions_as_the_configs_make_them() -> None:
    metric = Metric(partial(recall_at_k), partial(share_kept), at_k=True)
    rows = list(measure({"a": SCORES["a"]}, Target(TRUTH), LAYERS, {"recall": metric}, [100]))
    assert [row["value"] for row in rows] == [1, 1, 1, 1]


def slow_overlap(heuristic: str, percent: float, a: int, b: int) -> float:
    """The overlap of two layers' best tokens as sets; of equal tokens the earlier one is better."""
    kept = []
    for layer in (a, b):
        row = SCORES[heuristic][LAYERS.index(layer)].tolist()
        kept.append(set(sorted(range(TOKENS), key=lambda token: (-row[token], token))[: int(TOKENS * percent / 100)]))
    return len(kept[0] & kept[1]) / len(kept[0] | kept[1])


def test_every_two_layers_once_have_the_overlap_of_their_sets() -> None:
    rows = list(measure(SCORES, Target(TRUTH), LAYERS, METRICS | {"jaccard": jaccard()}, PERCENTS))
    found = {
        (row["heuristic"], row["k"], row["layer"], row["other_layer"]): row["value"]
        for row in rows
        if "other_layer" in row
    }
    pairs = [(h, p, a, b) for h in SCORES for p in PERCENTS for a, b in combinations(LAYERS, 2)]
    assert list(found) == pairs
    assert list(found.values()) == pytest.approx([slow_overlap(*pair) for pair in pairs])
    assert {row["metric"] for row in rows if "other_layer" in row} == {"jaccard"}


def test_neighbours_agree_with_the_metric_between_a_layer_and_the_one_before() -> None:
    rows = list(measure(SCORES, Target(TRUTH), LAYERS, {"jaccard": jaccard()}, PERCENTS))
    near = {at(row): row["value"] for row in rows if (row.get("layer"), row.get("other_layer")) in ((2, 5), (5, 7))}
    own = {
        (row["heuristic"], row["layer"], row["k"]): row["value"]
        for row in rows
        if "layer" in row and "other_layer" not in row
    }
    assert {layer for _, layer, _ in own} == {5, 7}  # the first has no neighbour before it
    assert {(name, other, k): value for (name, _, other, _, k), value in near.items()} == pytest.approx(own)


def test_one_layer_has_no_neighbour_and_no_pair() -> None:
    one = {"a": SCORES["a"][:1]}
    rows = list(measure(one, Target(TRUTH), [2], {"jaccard": jaccard()}, [10]))
    assert all("heuristic" not in row for row in rows)


PROMPT = Prompt("p", "test", tuple(range(TOKENS)), 4, evidence=(range(4, 9),))


def ranked(scores: dict[str, Tensor]) -> Ranked:
    truth = torch.arange(TOKENS, dtype=torch.float32)[None]  # the last tokens matter most
    return Ranked(Answer((1,), "generated"), (1,), {"attention": Truth(truth)}, tuple(LAYERS), scores, {})


def test_the_last_tokens_do_not_count() -> None:
    scores = torch.arange(TOKENS, dtype=torch.float32).expand(3, -1).clone()
    scores[:, -8:] = -1  # wrong only where it does not count
    rows = list(measured_rows(ranked({"a": scores}), PROMPT, {"recall": METRICS["recall"]}, [25], range(TOKENS - 8)))
    assert [row["value"] for row in rows if "heuristic" in row] == [1, 1, 1]
    assert [row["value"] for row in rows if "heuristic" not in row] == [8 / 32]  # a quarter of the universe of 32
    all_count = list(measured_rows(ranked({"a": scores}), PROMPT, {"recall": METRICS["recall"]}, [20], range(TOKENS)))
    assert [row["value"] for row in all_count if "heuristic" in row] == [0, 0, 0]


def test_only_the_tokens_of_the_universe_count() -> None:
    """Tokens 10 to 29: right among them, wrong everywhere else."""
    scores = -torch.arange(TOKENS, dtype=torch.float32).expand(3, -1).clone()
    scores[:, 10:30] = torch.arange(20.0)
    prompt = Prompt("one", "mine", tuple(range(TOKENS)), 1, evidence=(range(28, 32),))
    chosen = {name: METRICS[name] for name in ("recall", "needle_recall", "spearman")}
    rows = list(
        measured_rows(ranked({"a": scores}), replace(prompt, evidence=(range(28, 30),)), chosen, [10], range(10, 30))
    )
    values = {(row["metric"], "heuristic" in row): row["value"] for row in rows}
    assert values["recall", True] == values["needle_recall", True] == 1  # the best two of 20 are tokens 28 and 29
    assert values["spearman", True] == pytest.approx(1)
    assert values["recall", False] == values["needle_recall", False] == 2 / 20
    whole = measured_rows(ranked({"a": scores}), prompt, {"recall": METRICS["recall"]}, [10], range(TOKENS))
    assert [row["value"] for row in whole if "heuristic" in row] == [0, 0, 0]


def test_each_truth_is_measured_against_by_itself_and_what_needs_none_once() -> None:
    first, second = torch.arange(float(TOKENS))[None], -torch.arange(float(TOKENS))[None]
    both = replace(ranked(SCORES), truths={"one": Truth(first), "two": Truth(second)})
    chosen = METRICS | {"mass": Metric(mass_at_k, share_kept, at_k=True, nonnegative=True), "jaccard": jaccard()}
    rows = list(measured_rows(both, PROMPT, chosen, [10], range(TOKENS), signed=["two"]))
    truths = {name: {row["truth"] for row in rows if row["metric"] == name} for name in chosen}
    assert truths == {
        "recall": {"one", "two"}, "spearman": {"one", "two"}, "mass": {"one"}, "needle_recall": {None}, "jaccard": {None},
    }  # fmt: skip
    for truth, importance in (("one", first), ("two", second)):
        for name, scores in SCORES.items():
            found = [
                row["value"]
                for row in rows
                if (row["metric"], row["truth"], row.get("heuristic")) == ("recall", truth, name)
            ]
            assert found == recall_at_k(Ranking(scores), Ranking(importance), 4).tolist()
    needle = [row for row in rows if row["metric"] == "needle_recall" and "heuristic" in row]
    assert len(needle) == len(SCORES) * len(LAYERS)


def test_the_needle_is_the_prompts() -> None:
    rows = measured_rows(ranked(SCORES), PROMPT, METRICS, [10], range(TOKENS - 8))
    assert "needle_recall" in {row["metric"] for row in rows}


def test_rows_say_whether_their_layer_is_windowed() -> None:
    rows = list(
        measured_rows(ranked(SCORES), PROMPT, METRICS | {"jaccard": jaccard()}, [10], range(TOKENS - 8), windowed={5})
    )
    assert all(row["windowed"] is (None if "layer" not in row else row["layer"] == 5) for row in rows)
    assert {row["windowed"] for row in rows} == {None, True, False}


def breaks(ranking: Ranking, *_: Any) -> Tensor:
    """A formula that fails on heuristic a."""
    if torch.equal(ranking.scores, SCORES["a"]):
        raise ZeroDivisionError("float division by zero")
    return torch.ones(len(ranking.scores))


BROKEN = METRICS | {"broken": Metric(breaks, share_kept, at_k=True)}


def test_a_metric_that_fails_leaves_the_others_their_values() -> None:
    failures, target = MetricFailures(), Target(TRUTH, [range(4, 9)])
    rows = list(measure(SCORES, target, LAYERS, BROKEN, PERCENTS, failures))
    whole = list(measure(SCORES, target, LAYERS, METRICS, PERCENTS))
    assert [row for row in rows if row["metric"] != "broken"] == whole
    of_b = [row for row in rows if row["metric"] == "broken" and "heuristic" in row]
    assert [row["heuristic"] for row in of_b] == ["b"] * 6  # three layers at two k
    assert failures.text() == "metric broken of a: ZeroDivisionError: float division by zero"


def test_what_fails_for_several_rankings_is_said_once() -> None:
    def never(*_: Any) -> Tensor:
        raise ValueError("no truth")

    failures = MetricFailures()
    rows = measure(SCORES, Target(TRUTH), LAYERS, {"none": Metric(recall_at_k, share_kept, at_k=True)}, [10], failures)
    assert len(list(rows)) == 1 + 2 * 3
    assert failures.text() == ""
    silent = {"none": replace(METRICS["recall"], measure=never), "recall": METRICS["recall"]}
    rows = measure(SCORES, Target(TRUTH), LAYERS, silent, PERCENTS, failures)
    assert {row["metric"] for row in rows if "heuristic" in row} == {"recall"}
    assert failures.text() == "metric none of a, b: ValueError: no truth"


def test_a_chance_level_that_is_not_known_has_a_row_without_a_value() -> None:
    unknown = {"recall": replace(METRICS["recall"], chance=None), "spearman": METRICS["spearman"]}
    rows = list(measure({}, Target(TRUTH), LAYERS, unknown, PERCENTS))
    assert [(row["metric"], row["k"], row["value"] == row["value"]) for row in rows] == [
        ("recall", 10, False), ("recall", 50, False), ("spearman", None, True),
    ]  # fmt: skip


def test_a_chance_level_that_fails_is_named_too() -> None:
    failures = MetricFailures()
    negative = Target(Ranking(-TRUTH.scores))
    ndcg = build(OmegaConf.select(OmegaConf.load(CONFIG.parent / "ndcg.yaml"), "ndcg"), "metric.ndcg", Metric)
    assert list(measure({"a": SCORES["a"]}, negative, LAYERS, {"ndcg": ndcg}, [10], failures)) == []
    assert failures.text().startswith("metric ndcg of chance, a: ValueError: importance goes down to -")


def test_without_anybody_to_tell_it_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        list(measure(SCORES, Target(TRUTH), LAYERS, BROKEN, PERCENTS))
