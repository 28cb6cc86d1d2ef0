"""Every metric of configs/metric on rankings of one, two and three tokens, all orders and ties, against independent values."""

import itertools
import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from scipy.stats import rankdata

from tokenrank.metrics.metric import Metric, Target
from tokenrank.metrics.ranked_tokens import Ranking
from tokenrank.planning.building import build

CONFIGS = Path(__file__).parents[2] / "configs" / "metric"
NAMES = sorted(path.stem for path in CONFIGS.glob("*.yaml") if path.stem not in ("all", "lds", "drop", "kept"))
TRUTHS: dict[int, list[list[float]]] = {
    1: [[2.0]],
    2: [[1, 3], [3, 1], [2, 2]],
    3: [[1, 2, 4], [4, 1, 2], [1, 1, 3], [3, 1, 1], [2, 2, 2]],
}
CASES: list[tuple[list[float], list[float], int]] = [
    (list(scores), list(truth), k)
    for tokens, truths in TRUTHS.items()
    for scores in itertools.product(range(tokens), repeat=tokens)  # every order and every tie
    for truth in truths
    for k in range(1, tokens + 1)
]
P = 0.99  # of rbo.yaml


@cache
def metric(name: str) -> Metric:
    built: Metric = build(OmegaConf.select(OmegaConf.load(CONFIGS / f"{name}.yaml"), name), f"metric.{name}", Metric)
    return built


def order(scores: list[float]) -> list[int]:
    """Best first; of equals the earlier."""
    return sorted(range(len(scores)), key=lambda token: (-scores[token], token))


def pearson(a: Any, b: Any) -> float:
    """Of two rows of ranks; 0 where one is constant."""
    return 0.0 if np.ptp(a) == 0 or np.ptp(b) == 0 else float(np.corrcoef(a, b)[0, 1])


def pairs_in_order(scores: list[float], truth: list[float]) -> float:
    """Tau-b by counting, 0 where no pair is untied."""
    pairs = list(itertools.combinations(range(len(scores)), 2))
    x, y = ([np.sign(row[a] - row[b]) for a, b in pairs] for row in (scores, truth))
    free = math.sqrt(np.count_nonzero(x) * np.count_nonzero(y))
    return float(np.dot(x, y) / free) if free else 0.0


def overlap(scores: list[float], truth: list[float]) -> float:
    """RBO with full agreement beyond the last token."""
    tokens = len(scores)
    agreed = [len(set(order(scores)[:depth]) & set(order(truth)[:depth])) / depth for depth in range(1, tokens + 1)]
    return sum((1 - P) * P**depth * each for depth, each in enumerate(agreed)) + P**tokens


def discounted(tokens: list[int], truth: list[float]) -> float:
    """Importance of these tokens, each divided by log2 of its place and 1."""
    return sum(truth[token] / math.log2(place + 1) for place, token in enumerate(tokens, start=1))


def precision(scores: list[float], best: set[int]) -> float:
    """Share of the best among the tokens down to each of the best, averaged over them."""
    places = [place for place, token in enumerate(order(scores), start=1) if token in best]
    return sum(number / place for number, place in enumerate(places, start=1)) / len(best)


def wanted(name: str, scores: list[float], truth: list[float], k: int) -> float:
    best, ours = set(order(truth)[:k]), order(scores)[:k]
    return {
        "recall": lambda: len(best & set(ours)) / k,
        "spearman": lambda: pearson(rankdata(scores), rankdata(truth)),
        "kendall": lambda: pairs_in_order(scores, truth),
        "mass": lambda: sum(truth[token] for token in ours) / sum(truth),
        "ndcg": lambda: discounted(ours, truth) / discounted(order(truth)[:k], truth),
        "average_precision": lambda: precision(scores, best),
        "rbo": lambda: overlap(scores, truth),
        "needle_recall": lambda: float(0 in ours),  # the needle is the first token
        "evidence_recall": lambda: float(0 in ours),  # and the evidence
        "jaccard": lambda: len(set(ours) & best) / len(set(ours) | best),  # of two layers: the scores, and the truth
    }[name]()


@pytest.mark.parametrize("name", NAMES)
def test_few_tokens_and_all_their_ties(name: str) -> None:
    one, values = metric(name), []
    for scores, truth, k in CASES:
        target = Target(Ranking(torch.tensor([truth]).float()), evidence=[range(1)])
        rows = torch.tensor([truth, scores] if one.against == "itself" else [scores]).float()
        found = one.values(Ranking(rows), target, k if one.at_k else None)
        assert found.tolist() == pytest.approx([wanted(name, scores, truth, k)], abs=1e-6), (scores, truth, k)
        assert math.isfinite(one.by_chance(target, k if one.at_k else None))
        values += found.tolist()
    assert len(set(values)) > 1  # the cases tell values apart


@pytest.mark.parametrize("name", [name for name in NAMES if name != "jaccard"])
@pytest.mark.parametrize("tokens", [2, 3])
def test_the_mean_over_all_orders_is_the_chance_level(name: str, tokens: int) -> None:
    """All orders of untied scores are equally likely for a random ranking."""
    orders = torch.tensor(list(itertools.permutations(range(tokens)))).float()
    cases = [(truth, k) for truth in TRUTHS[tokens] for k in range(1, tokens + 1)]
    for truth, k in cases:
        target = Target(Ranking(torch.tensor([truth]).float()), evidence=[range(1)])
        share = k if metric(name).at_k else None
        found = metric(name).values(Ranking(orders), target, share).mean()
        assert float(found) == pytest.approx(metric(name).by_chance(target, share), abs=1e-6), (truth, k)
