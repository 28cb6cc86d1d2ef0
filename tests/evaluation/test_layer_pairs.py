"""Layer against layer over samples: every two layers once, the mean over the samples, against sets."""

from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from omegaconf import OmegaConf
from tokenrank.evaluation.between import BetweenLayers
from tokenrank.evaluation.building import build
from torch import Tensor

from tests.command import Command
from tokenrank.evaluation.measuring import Key, Measured, measure
from tokenrank.metrics.metric import Metric, Target, share_kept
from tokenrank.metrics.ranked_tokens import Ranking
from tokenrank.metrics.recall import recall_at_k

CONFIG = Path(__file__).parents[2] / "configs" / "metric" / "jaccard.yaml"
LAYERS, WINDOWED, TOKENS = [1, 4, 6, 7], frozenset({4}), 40
PERCENTS = [10.0, 50.0]  # 4 and 20 of the tokens


def metrics() -> dict[str, Metric]:
    settings: Any = OmegaConf.load(CONFIG)
    return {"recall": Metric(recall_at_k, share_kept, at_k=True), "jaccard": build(settings.jaccard, "jaccard")}


def scores(seed: int) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return {name: torch.rand(len(LAYERS), TOKENS, generator=draw).mul(30).round() for name in ("a", "b")}  # with ties


def measured(seed: int) -> Measured:
    between: dict[Key, Tensor] = {}
    target = Target(Ranking(torch.rand(1, TOKENS)), None)
    list(measure(scores(seed), target, LAYERS, metrics(), PERCENTS, WINDOWED, between))
    return Measured([], between, LAYERS, WINDOWED)


def slow(seed: int, heuristic: str, percent: float, a: int, b: int) -> float:
    """The overlap of two layers' best tokens as sets; of equal tokens the earlier one is better."""
    kept = []
    for layer in (a, b):
        row = scores(seed)[heuristic][LAYERS.index(layer)].tolist()
        kept.append(set(sorted(range(TOKENS), key=lambda token: (-row[token], token))[: int(TOKENS * percent / 100)]))
    return len(kept[0] & kept[1]) / len(kept[0] | kept[1])


def test_every_two_layers_have_the_mean_overlap_of_their_sets() -> None:
    both = BetweenLayers()
    for seed in (0, 1):
        both.add(measured(seed))
    found = {(row[0], row[3], row[1], row[6]): row[4] for row in both.rows()}
    pairs = [(h, p, a, b) for h in ("a", "b") for p in PERCENTS for a, b in combinations(LAYERS, 2)]
    assert list(found) == pairs
    one, other = ([slow(seed, *pair) for pair in pairs] for seed in (0, 1))
    assert list(found.values()) == pytest.approx([(x + y) / 2 for x, y in zip(one, other, strict=True)])
    assert list(found.values()) != pytest.approx(one)


def test_rows_name_the_metric_and_say_whether_their_layer_is_windowed() -> None:
    between = BetweenLayers()
    between.add(measured(0))
    rows = list(between.rows())
    assert {row[2] for row in rows} == {"jaccard.between"}
    assert all(row[5] == (row[1] in WINDOWED) for row in rows)


def test_what_was_added_is_left_as_it_was() -> None:
    between, sample = BetweenLayers(), measured(0)
    before = {key: matrix.clone() for key, matrix in sample.between.items()}
    for _ in range(2):
        between.add(sample)
    assert all(torch.equal(matrix, before[key]) for key, matrix in sample.between.items())


def test_no_sample_gives_no_row() -> None:
    assert list(BetweenLayers().rows()) == []


SMALL = ("model=tiny", "task.lengths=[300]", "task.depths=[0,50]", "task.max_new_tokens=4", "k=[5,10]")


def test_a_run_holds_them_beside_the_rest_and_neighbours_agree(tokenrank: Command, tmp_path: Path) -> None:
    ended = tokenrank(*SMALL, "metric=[recall,jaccard]", "heuristic=[claa,gemfilter]")
    assert ended.code == 0, ended.err
    table = pd.read_parquet(tmp_path / "run" / "metrics.parquet")
    assert str(table["other_layer"].dtype) == "Int64"
    rows = table[table["metric"] == "jaccard.between"]
    assert table.drop(rows.index)["other_layer"].isna().all()
    assert len(rows) == 2 * 2 * 6  # heuristics, k, pairs of 4 layers
    assert (rows["layer"] < rows["other_layer"]).all()
    assert rows[["task", "sample"]].isna().all(axis=None)
    assert rows[["model", "heuristic", "windowed"]].notna().all(axis=None)
    near = rows[rows["other_layer"] - rows["layer"] == 1].set_index(["heuristic", "k", "other_layer"])["value"]
    own = table[table["metric"] == "jaccard"].dropna(subset=["layer"])
    wanted = own.groupby(["heuristic", "k", "layer"])["value"].mean()
    assert near.sort_index().tolist() == pytest.approx(wanted.sort_index().tolist())
    assert (tmp_path / "run" / "plots" / "jaccard_at_10_between.png").is_file()
