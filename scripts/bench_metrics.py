"""Seconds of each metric for one long prompt: python scripts/bench_metrics.py [tokens=131072] [layers=32] [heuristics=10].

Random scores with ties; what metrics share (sorting, ranks) is counted apart, once a heuristic.
"""

import sys
import time
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from tokenrank.metrics.metric import Metric, Target, tokens_kept
from tokenrank.metrics.ranked_tokens import Ranking
from tokenrank.planning.building import build

METRICS = Path(__file__).resolve().parent.parent / "configs" / "metric"
PERCENTS = [5, 10, 20, 40]


def main(tokens: int, layers: int, heuristics: int) -> None:
    """Prints seconds by metric, for all heuristics together, and their sum."""
    draw = torch.Generator().manual_seed(0)
    target = Target(Ranking(torch.rand(1, tokens, generator=draw)), evidence=[range(tokens // 2, tokens // 2 + 20)])
    settings: Any = {
        name: OmegaConf.load(METRICS / f"{name}.yaml") for name in OmegaConf.load(METRICS / "all.yaml").defaults
    }
    metrics: dict[str, Metric] = {name: build(node[name], name, Metric) for name, node in settings.items()}
    against = {f"{name}.between": metric for name, metric in metrics.items() if metric.between is not None}
    spent = dict.fromkeys(["sorting", "ranks", *metrics, *against], 0.0)
    for _ in range(heuristics):
        ranking = Ranking(torch.rand(layers, tokens, generator=draw).mul(tokens / 4).round())
        for shared, ready in (("sorting", "order"), ("ranks", "standard_ranks"), ("ranks", "places")):
            started = time.perf_counter()
            getattr(ranking, ready)
            spent[shared] += time.perf_counter() - started
        for name, metric in (metrics | against).items():
            started = time.perf_counter()
            for percent in PERCENTS if metric.at_k else [None]:
                k = None if percent is None else tokens_kept(percent, tokens)
                metric.values_between(ranking, k) if name in against else metric.values(ranking, target, k)
            spent[name] += time.perf_counter() - started
    print(
        f"{tokens:,} tokens, {layers} layers, {heuristics} heuristics, {torch.get_num_threads()} threads, k = {PERCENTS}"
    )
    for name, seconds in spent.items():
        print(f"{name:20} {seconds:6.2f} s")
    print(f"{'all':20} {sum(spent.values()):6.2f} s")


if __name__ == "__main__":
    given = {"tokens": 131_072, "layers": 32, "heuristics": 10}
    given |= {name: int(value) for name, value in (each.split("=") for each in sys.argv[1:])}
    main(**given)
