"""From scores to rows: every metric at every layer and k, its summaries, its chance level, over the universe."""

from functools import partial

import numpy as np
import pytest
import torch

from tokenrank.evaluation.measuring import measure
from tokenrank.metrics.metric import Metric, Target, no_association, share_kept
from tokenrank.metrics.needle import needle_recall_at_k
from tokenrank.metrics.ranked_tokens import Ranking
from tokenrank.metrics.recall import recall_at_k
from tokenrank.metrics.spearman import spearman
from tokenrank.metrics.summaries import over_layers

DRAW = torch.Generator().manual_seed(0)
SCORES = {name: torch.rand(3, 40, generator=DRAW) for name in ("a", "b")}
ORACLE = Ranking(torch.rand(1, 40, generator=DRAW))
LAYERS = [2, 5, 7]
METRICS = {
    "recall": Metric(recall_at_k, share_kept, at_k=True),
    "spearman": Metric(spearman, no_association, at_k=False),
    "needle_recall": Metric(needle_recall_at_k, share_kept, at_k=True, against="needle"),
}


def test_every_row_is_the_metric_itself() -> None:
    rows = list(measure(SCORES, Target(ORACLE, range(4, 9)), LAYERS, METRICS, [10, 50]))
    values = {row[:4]: row[4] for row in rows}
    assert len(values) == len(rows)
    for name, scores in SCORES.items():
        for at, layer in enumerate(LAYERS):
            one = Ranking(scores[at : at + 1])
            for percent, k in ((10, 4), (50, 20)):
                assert values[name, layer, "recall", percent] == float(recall_at_k(one, ORACLE, k))
                found = values[name, layer, "needle_recall", percent]
                assert found == float(needle_recall_at_k(one, range(4, 9), k))
            assert values[name, layer, "spearman", None] == pytest.approx(float(spearman(one, ORACLE)))
        summary = over_layers(spearman(Ranking(scores), ORACLE).numpy()[None], LAYERS)
        assert {key: values[name, None, f"spearman.{key}", None] for key in summary} == {
            key: float(each[0]) for key, each in summary.items()
        }


def test_chance_rows_belong_to_no_heuristic_and_no_layer() -> None:
    rows = list(measure(SCORES, Target(ORACLE, None), LAYERS, METRICS, [10]))
    assert [row for row in rows if row[0] is None] == [
        (None, None, "recall", 10, 0.1),
        (None, None, "spearman", None, 0.0),
    ]


def test_a_metric_that_does_not_apply_gives_no_rows() -> None:
    with_needle, without = (
        {row[2] for row in measure(SCORES, Target(ORACLE, needle), LAYERS, METRICS, [10])}
        for needle in (range(2), None)
    )
    assert with_needle - without == {"needle_recall"} | {
        f"needle_recall.{name}" for name in over_layers(np.ones((1, 1)), [0])
    }


def test_metrics_may_be_partial_functions_as_the_configs_make_them() -> None:
    metric = Metric(partial(recall_at_k), partial(share_kept), at_k=True)
    assert list(metric.values(Ranking(SCORES["a"]), Target(ORACLE, None), 40)) == [1, 1, 1]


def test_windowed_layers_are_summed_up_apart() -> None:
    spearman_only = {"spearman": METRICS["spearman"]}
    target, one = Target(ORACLE, None), {"a": SCORES["a"]}
    rows = {row[:4]: row[4] for row in measure(one, target, LAYERS, spearman_only, [], windowed={5})}
    values = [rows["a", layer, "spearman", None] for layer in LAYERS]
    assert rows["a", None, "spearman.mean", None] == pytest.approx((values[0] + values[2]) / 2)
    assert rows["a", None, "spearman.mean.windowed", None] == pytest.approx(values[1])
    assert rows["a", None, "spearman.worst_layer.windowed", None] == 5
    for windowed in ([], LAYERS):  # one kind only: plain names
        names = {row[2] for row in measure(one, target, LAYERS, spearman_only, [], windowed)}
        assert "spearman.mean" in names
        assert not any(name.endswith(".windowed") for name in names)
