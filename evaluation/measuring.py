"""Applies every metric to every ranking of one prompt, at every layer."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations

from torch import Tensor

from tokenrank.evaluation.evaluation import Row
from tokenrank.evaluation.scoring import Ranked
from tokenrank.metrics.metric import Metric, Target, tokens_kept
from tokenrank.metrics.ranked_tokens import Ranking
from tokenrank.tasks.task import Prompt


def measured_rows(
    ranked: Ranked,
    prompt: Prompt,
    metrics: Mapping[str, Metric],
    percents: Sequence[float],
    window: int,
    windowed: Collection[int] = (),
) -> Iterator[Row]:
    """All metrics of one prompt over the universe: its tokens without the last ``window``.

    Args:
        ranked: the scores and the truth.
        prompt: what was ranked; its needle, if it has one.
        metrics: by name.
        percents: of the universe, for the metrics that take a k.
        window: tokens at the prompt's end that do not count.
        windowed: numbers of the layers with a sliding window.
    """
    universe = slice(len(prompt.input_ids) - window)
    target = Target(Ranking(ranked.truth.importance[:, universe]), prompt.needle)
    scores = {name: rows[:, universe] for name, rows in ranked.scores.items()}
    for row in measure(scores, target, ranked.layers, metrics, percents):
        layer = row.get("layer")
        yield dict(row) | {"windowed": None if layer is None else layer in windowed}


def measure(
    scores: Mapping[str, Tensor],
    target: Target,
    layers: Sequence[int],
    metrics: Mapping[str, Metric],
    percents: Sequence[float],
) -> Iterator[Row]:
    """Rows of one prompt: the chance levels (no heuristic), then each heuristic's values at each layer and between layers.

    Args:
        scores: per heuristic (layers, tokens), the tokens of the universe.
        target: what they are compared with, over the same tokens.
        layers: numbers of the layers.
        metrics: by name.
        percents: of the universe, for the metrics that take a k.
    """
    asked = [
        ({"metric": name, "k": percent}, metric, None if percent is None else tokens_kept(percent, target.truth.tokens))
        for name, metric in metrics.items()
        if metric.applies(target)
        for percent in (percents if metric.at_k else [None])
    ]
    for named, metric, k in asked:
        yield named | {"value": metric.by_chance(target, k)}
    for heuristic, rows in scores.items():
        ranking = Ranking(rows)  # its order and ranks are large: one at a time
        for named, metric, k in asked:
            values = metric.values(ranking, target, k)
            own = layers[len(layers) - len(values) :]  # a metric between layers has no value at the first
            for layer, value in zip(own, values.tolist(), strict=True):
                yield named | {"heuristic": heuristic, "layer": layer, "value": value}
            pairs = metric.values_between(ranking, k)
            if pairs is None:
                continue
            matrix = pairs.tolist()
            for (a, layer), (b, other) in combinations(enumerate(layers), 2):  # symmetric, 1 on the diagonal
                yield named | {"heuristic": heuristic, "layer": layer, "other_layer": other, "value": matrix[a][b]}
