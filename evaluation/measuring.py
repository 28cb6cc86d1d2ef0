"""Applies every metric to every ranking of one prompt, at every layer."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations

from torch import Tensor

from tokenrank.evaluation.evaluation import Row, reason
from tokenrank.evaluation.scoring import Ranked
from tokenrank.metrics.metric import Metric, Target, tokens_kept
from tokenrank.metrics.ranked_tokens import Ranking
from tokenrank.tasks.task import Prompt

log = logging.getLogger("tokenrank")  # what is below INFO goes to run.log alone


@dataclass(frozen=True)
class MetricFailures:
    """Which metrics failed on a prompt, for which rankings, and why."""

    whose: dict[tuple[str, str], list[str]] = field(default_factory=dict)  # (metric, reason) -> heuristics, or "chance"

    def add(self, metric: str, heuristic: str, error: Exception) -> None:
        """Notes one failure; the traceback goes to the log."""
        log.debug("metric %s of %s", metric, heuristic, exc_info=error)
        names = self.whose.setdefault((metric, reason(error)), [])
        if heuristic not in names:
            names.append(heuristic)

    def text(self) -> str:
        """One sentence for each metric and reason; empty if none failed."""
        return "; ".join(f"metric {name} of {', '.join(whose)}: {why}" for (name, why), whose in self.whose.items())


def measured_rows(
    ranked: Ranked,
    prompt: Prompt,
    metrics: Mapping[str, Metric],
    percents: Sequence[float],
    window: int,
    windowed: Collection[int] = (),
    failures: MetricFailures | None = None,
) -> Iterator[Row]:
    """All metrics of one prompt over the universe: its tokens without the last ``window``.

    Args:
        ranked: the scores and the truth.
        prompt: what was ranked; its needle, if it has one.
        metrics: by name.
        percents: of the universe, for the metrics that take a k.
        window: tokens at the prompt's end that do not count.
        windowed: numbers of the layers with a sliding window.
        failures: as for ``measure``.
    """
    universe = slice(len(prompt.input_ids) - window)
    target = Target(Ranking(ranked.truth.importance[:, universe]), prompt.needle)
    scores = {name: rows[:, universe] for name, rows in ranked.scores.items()}
    for row in measure(scores, target, ranked.layers, metrics, percents, failures):
        layer = row.get("layer")
        yield dict(row) | {"windowed": None if layer is None else layer in windowed}


def measure(
    scores: Mapping[str, Tensor],
    target: Target,
    layers: Sequence[int],
    metrics: Mapping[str, Metric],
    percents: Sequence[float],
    failures: MetricFailures | None = None,
) -> Iterator[Row]:
    """Rows of one prompt: the chance levels (no heuristic), then each heuristic's values at each layer and between layers.

    Args:
        scores: per heuristic (layers, tokens), the tokens of the universe.
        target: what they are compared with, over the same tokens.
        layers: numbers of the layers.
        metrics: by name.
        percents: of the universe, for the metrics that take a k.
        failures: takes what a metric raises; its values are then missing, and the other metrics go on. None: it is raised.
    """
    asked = [
        ({"metric": name, "k": percent}, metric, None if percent is None else tokens_kept(percent, target.truth.tokens))
        for name, metric in metrics.items()
        if metric.applies(target)
        for percent in (percents if metric.at_k else [None])
    ]

    def guarded(named: Row, whose: str, rows: Callable[[], list[Row]]) -> list[Row]:
        try:
            return [named | row for row in rows()]
        except Exception as error:  # whatever it was: the other metrics are still worth their values
            if failures is None:
                raise
            failures.add(named["metric"], whose, error)
            return []

    for named, metric, k in asked:
        yield from guarded(named, "chance", partial(_chance, metric, target, k))
    for heuristic, rows in scores.items():
        ranking = Ranking(rows)  # its order and ranks are large: one at a time
        for named, metric, k in asked:
            values = partial(_values, metric, ranking, target, layers, k)
            yield from guarded(named | {"heuristic": heuristic}, heuristic, values)


def _chance(metric: Metric, target: Target, k: int | None) -> list[Row]:
    return [{"value": metric.by_chance(target, k)}]


def _values(metric: Metric, ranking: Ranking, target: Target, layers: Sequence[int], k: int | None) -> list[Row]:
    """One heuristic's values at each layer, then between layers; ``k`` in tokens."""
    values = metric.values(ranking, target, k)
    own = layers[len(layers) - len(values) :]  # a metric between layers has no value at the first
    rows: list[Row] = [{"layer": layer, "value": value} for layer, value in zip(own, values.tolist(), strict=True)]
    pairs = metric.values_between(ranking, k)
    if pairs is None:
        return rows
    matrix = pairs.tolist()
    return rows + [
        {"layer": layer, "other_layer": other, "value": matrix[a][b]}
        for (a, layer), (b, other) in combinations(enumerate(layers), 2)  # symmetric, 1 on the diagonal
    ]
