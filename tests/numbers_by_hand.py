"""What a run's outputs must hold, computed from the rows of metrics.parquet in plain Python."""

import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

Numbers = dict[tuple[str, str, str, str, str], float]  # method, metric, k, keep, statistic; "" where there is none
Rows = Sequence[Mapping[str, Any]]
OVER_LAYERS: dict[str, Callable[[list[float]], float]] = {
    "mean": statistics.fmean,
    "worst": min,
    "std": statistics.pstdev,
    "worst_layer": lambda values: values.index(min(values)),
    "worst_drop": lambda values: statistics.fmean(values) - min(values),
    "neighbour_drop": lambda values: max(0.0, *(one - other for one, other in pairwise(values))),
}
Values = dict[
    tuple[str, str, str, str], dict[str, dict[int, float]]
]  # method, metric, k, keep -> prompt -> layer -> value


def by_hand(rows: Rows) -> Numbers:
    """Means over prompts of each method.

    Of evaluation=ranking those of the statistics over layers, and at each layer (``layer 3``); else of the values, and the gap closed.
    """
    values: Values = defaultdict(lambda: defaultdict(dict))
    engine: dict[str, str] = {}
    for row in rows:
        if row["heuristic"] is None and row["engine"] is None:
            continue  # chance
        name = row["heuristic"] or row["engine"]
        engine[name] = row["engine"] or ""
        k, keep = (str(float(row[each])) if row[each] is not None else "" for each in ("k", "keep"))
        values[name, row["metric"], k, keep][row["sample"]][row["layer"] or 0] = row["value"]
    found: Numbers = {}
    for (name, metric, k, keep), prompts in values.items():
        of_prompts = [[each[layer] for layer in sorted(each)] for each in prompts.values()]
        if engine[name]:
            found[name, metric, k, keep, "mean"] = statistics.fmean(value for (value,) in of_prompts)
            continue
        for statistic, over in OVER_LAYERS.items():
            found[name, metric, k, keep, statistic] = statistics.fmean(map(over, of_prompts))
        for layer, at_layer in enumerate(zip(*of_prompts, strict=True)):
            found[name, metric, k, keep, f"layer {layer}"] = statistics.fmean(at_layer)
    return found | _gaps(found, engine)


def _gaps(means: Numbers, engine: Mapping[str, str]) -> Numbers:
    """The share closed of the gap between the random control and the oracle of the same engine, where there is one."""
    found: Numbers = {}
    for name, metric, k, keep, statistic in means:
        if not engine[name] or name == "full":
            continue
        whose = engine[name].partition("@")[2]
        low, high = (means[f"{end}@{whose}".rstrip("@"), metric, k, keep, statistic] for end in ("random", "oracle"))
        if low != high:
            share = (means[name, metric, k, keep, statistic] - low) / (high - low)
            found[name, metric, k, keep, "gap_closed"] = share
    return found


def layers_of(expected: Numbers, name: str, metric: str, k: str) -> list[float]:
    """Means over prompts at each layer."""
    count = sum(key[:3] == (name, metric, k) and key[4].startswith("layer ") for key in expected)
    return [expected[name, metric, k, "", f"layer {layer}"] for layer in range(count)]
