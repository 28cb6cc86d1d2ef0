"""From the scores of one prompt to its rows of metrics.parquet."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

from tokenrank.evaluation.preparation import Experiment
from tokenrank.evaluation.scoring import Ranked
from tokenrank.metrics.metric import Metric, Target, tokens_kept
from tokenrank.metrics.ranked_tokens import Ranking
from tokenrank.metrics.summaries import over_layers
from tokenrank.tasks.task import Prompt

Row = tuple[str | None, int | None, str, float | None, float]  # heuristic, layer, metric, k in percent, value
Key = tuple[str, str, float | None]  # heuristic, metric, k in percent
MarkedRow = tuple[
    str | None, int | None, str, float | None, float, bool | None, int | None
]  # and: windowed, other layer


@dataclass(frozen=True)
class Measured:
    """All metrics of one prompt."""

    rows: list[MarkedRow]  # of metrics.parquet
    between: Mapping[Key, Tensor]  # (layers, layers) each, of the metrics that hold layers against each other
    layers: list[int]  # numbers of the layers
    windowed: frozenset[int]  # numbers of those with a sliding window


def measure_prompt(experiment: Experiment, prompt: Prompt, ranked: Ranked) -> Measured:
    """All metrics of one prompt over the universe: its tokens without the last ``universe.window``."""
    universe = slice(len(prompt.input_ids) - experiment.config.universe.window)
    target = Target(Ranking(ranked.oracle[:, universe]), prompt.needle)
    scores = {name: rows[:, universe] for name, rows in ranked.scores.items()}
    percents, windowed = list(experiment.config.k), ranked.windowed
    between: dict[Key, Tensor] = {}
    rows = measure(scores, target, ranked.layers, experiment.metrics, percents, windowed, between)
    marked: list[MarkedRow] = [(*row, None if row[1] is None else row[1] in windowed, None) for row in rows]
    return Measured(marked, between, ranked.layers, windowed)


def measure(
    scores: Mapping[str, Tensor],
    target: Target,
    layers: list[int],
    metrics: Mapping[str, Metric],
    percents: list[float],
    windowed: Collection[int] = (),
    between: dict[Key, Tensor] | None = None,
) -> Iterator[Row]:
    """Rows (heuristic, layer, metric, k, value) of one prompt: the chance levels, then per layer and its summaries.

    Summaries are over the full-attention layers; those over windowed layers, where there are both, end in ``.windowed``.

    Args:
        scores: per heuristic (layers, tokens), the tokens of the universe.
        target: what they are held against, over the same tokens.
        layers: numbers of the layers.
        metrics: by name.
        percents: of the universe, for the metrics that take a k.
        windowed: numbers of the layers with a sliding window.
        between: if given, filled with what metrics say between every two layers (the rankings are sorted only here).
    """
    asked = [
        (name, metric, percent, None if percent is None else tokens_kept(percent, target.truth.tokens))
        for name, metric in metrics.items()
        if metric.applies(target)
        for percent in (percents if metric.at_k else [None])
    ]
    for name, metric, percent, k in asked:
        yield None, None, name, percent, metric.by_chance(target, k)
    for heuristic, rows in scores.items():
        ranking = Ranking(rows)  # its order and ranks are large: one at a time
        for name, metric, percent, k in asked:
            values = metric.values(ranking, target, k)
            own = layers[len(layers) - len(values) :]  # a metric between layers has no value at the first
            for layer, value in zip(own, values.tolist(), strict=True):
                yield heuristic, layer, name, percent, value
            for kind, chosen in _apart(own, windowed).items():
                summaries = over_layers(values[None, chosen].numpy(), [own[place] for place in chosen])
                for statistic, each in summaries.items():
                    yield heuristic, None, f"{name}.{statistic}{kind}", percent, float(each[0])
            matrix = None if between is None else metric.values_between(ranking, k)
            if between is not None and matrix is not None:
                between[heuristic, name, percent] = matrix


def _apart(layers: list[int], windowed: Collection[int]) -> dict[str, list[int]]:
    """Places of the layers that are summed up together, by the suffix of their summaries."""
    full = [place for place, layer in enumerate(layers) if layer not in windowed]
    rest = [place for place, layer in enumerate(layers) if layer in windowed]
    kinds = {"": full, ".windowed": rest} if full and rest else {"": full or rest}
    return {kind: chosen for kind, chosen in kinds.items() if chosen}
