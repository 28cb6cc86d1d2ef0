"""Applies every metric to every ranking of one prompt, at every layer."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from typing import Any, Self

from torch import Tensor

from tokenrank.evaluation.evaluation import Row
from tokenrank.evaluation.failures import reason
from tokenrank.evaluation.scoring import Ranked
from tokenrank.metrics.masked_answer import Loss, MaskedAnswer
from tokenrank.metrics.metric import LOSS, TRUTH, Metric, Target, tokens_kept
from tokenrank.metrics.ranked_tokens import Ranking
from tokenrank.records.store import StoreUnwritable
from tokenrank.tasks.task import Prompt

EVERY = "every ranking"  # whose failure it is where a metric lacks what all rankings need
log = logging.getLogger("tokenrank")  # what is below INFO goes to run.log alone


@dataclass(frozen=True)
class MetricFailures:
    """Which metrics failed on a prompt, for which rankings, and why."""

    whose: dict[tuple[str, str], list[str]] = field(
        default_factory=dict
    )  # (metric, reason) -> heuristics, "chance" or EVERY

    def add(self, metric: str, heuristic: str, error: Exception) -> None:
        """Notes one failure; the traceback goes to the log."""
        log.debug("metric %s of %s", metric, heuristic, exc_info=error)
        self.take(MetricFailures({(metric, reason(error)): [heuristic]}))

    def value_or_none(self, metrics: Sequence[str], compute: Callable[[], Tensor]) -> Tensor | None:
        """The result; None where the computation fails, which is noted as a failure of these metrics for every ranking.

        Raises:
            StoreUnwritable: no fault of the prompt.
        """
        try:
            return compute()
        except StoreUnwritable:
            raise
        except Exception as error:  # whatever it was: the other metrics are still worth their values
            for metric in metrics:
                self.add(metric, EVERY, error)
            return None

    def take(self, others: "MetricFailures") -> None:
        """Notes those of others too."""
        for failure, names in others.whose.items():
            own = self.whose.setdefault(failure, [])
            own += [name for name in names if name not in own]

    def text(self) -> str:
        """One sentence for each metric and reason; empty if none failed."""
        found = (
            (name if EVERY in whose else f"metric {name} of {', '.join(whose)}", why)
            for (name, why), whose in self.whose.items()
        )
        return "; ".join(f"{whose}: {why}" for whose, why in found)


@dataclass(frozen=True)
class Hidden:
    """What the answer loses when tokens are hidden from it, for the metrics that ask for it."""

    masked: MaskedAnswer | None = None
    loss: Loss | None = None  # it takes a pass over the answer each time, so few layers are measured
    layers: tuple[int, ...] = ()  # numbers of these layers
    decided: Mapping[str, Any] = field(
        default_factory=dict
    )  # what metrics compare with -> what decides it; ready for JSON


@dataclass(frozen=True)
class Asked:
    """What is measured of a prompt's rankings, and against what, over its universe."""

    target: Target
    layers: tuple[int, ...]  # numbers of the layers
    metrics: Mapping[str, Metric]  # by name
    percents: Sequence[float]  # of the universe, for the metrics that take a k
    universe: range  # positions of the tokens that are ranked
    truth: str  # name of the truth that the target holds
    hidden: Hidden = field(default_factory=Hidden)

    @classmethod
    def against_each(
        cls,
        ranked: Ranked,
        prompt: Prompt,
        metrics: Mapping[str, Metric],
        percents: Sequence[float],
        universe: range,
        signed: Collection[str] = (),
        hidden: Hidden | None = None,
    ) -> "Iterator[Self]":
        """For one prompt and each of its truths: what is measured against it. What needs no truth is measured with the first.

        Args:
            ranked: with the truths.
            prompt: with its evidence if it has any, which lies in the universe.
            metrics: by name.
            percents: of the universe.
            universe: positions of the ranked tokens.
            signed: names of the truths that may have negative values; metrics that need others are not measured against them.
            hidden: what the answer loses without tokens; None: metrics that ask for it do not apply.
        """
        hidden = hidden or Hidden()
        evidence = [range(each.start - universe.start, each.stop - universe.start) for each in prompt.evidence]
        for number, (name, each) in enumerate(ranked.truths.items()):
            own = metrics_against(metrics, signed=name in signed, first=number == 0)
            truth = Ranking(each.importance[:, universe.start : universe.stop])
            target = Target(truth, evidence, hidden.masked, hidden.loss)
            yield cls(target, ranked.layers, own, percents, universe, name, hidden)

    @property
    def decided(self) -> dict[str, Any]:
        """Of ``hidden.decided`` what the metrics ask for."""
        asked = {each.against for each in self.metrics.values()}
        return {name: each for name, each in self.hidden.decided.items() if name in asked}

    def each(self) -> Iterator[tuple[Row, Metric, int | None]]:
        """(name of the metric and k in percent, metric, k in tokens) of every metric that applies, at every k."""
        for name, metric in self.metrics.items():
            if metric.applies(self.target):
                for percent in self.percents if metric.at_k else [None]:
                    k = None if percent is None else tokens_kept(percent, self.target.truth.tokens)
                    yield {"metric": name, "truth": self.truth_of(name), "k": percent}, metric, k

    def truth_of(self, metric: str) -> str | None:
        """Name of the truth that a metric compares with; None for one that needs none."""
        return self.truth if self.metrics[metric].against == TRUTH else None

    def chance(self, failures: MetricFailures | None = None) -> list[Row]:
        """A row a metric and k: the expectation for a random ranking, NaN where it is not known. ``failures`` as for ``of_ranking``."""
        return [
            row
            for named, metric, k in self.each()
            for row in _guarded(named, "chance", partial(_chance, metric, self.target, k), failures)
        ]

    def of_ranking(self, name: str, ranking: Ranking, failures: MetricFailures | None = None) -> list[Row]:
        """Values of one ranking at each layer and between layers.

        Args:
            name: of the heuristic.
            ranking: (layers, tokens) of the universe.
            failures: takes what a metric raises; its values are then missing, and the other metrics go on. None: it is raised.
        """
        few = [place for place, layer in enumerate(self.layers) if layer in self.hidden.layers]
        at_few, few_layers = Ranking(ranking.scores[few]) if few else ranking, [self.layers[place] for place in few]
        rows: list[Row] = []
        for named, metric, k in self.each():
            of_few = metric.against == LOSS
            chosen, layers = (at_few, few_layers) if of_few else (ranking, list(self.layers))
            rows += _guarded(named, name, partial(_values, metric, chosen, layers, self.target, k), failures)
        return rows


def metrics_against(metrics: Mapping[str, Metric], *, signed: bool, first: bool) -> dict[str, Metric]:
    """The metrics that are measured with a truth: all but those that its sign forbids, and with others than the first none that needs no truth."""
    return {
        name: each
        for name, each in metrics.items()
        if not (signed and each.nonnegative) and (first or each.against == TRUTH)
    }


def _guarded(named: Row, whose: str, rows: Callable[[], list[Row]], failures: MetricFailures | None) -> list[Row]:
    try:
        return [named | row for row in rows()]
    except Exception as error:  # whatever it was: the other metrics are still worth their values
        if failures is None:
            raise
        failures.add(named["metric"], whose, error)
        return []


def _chance(metric: Metric, target: Target, k: int | None) -> list[Row]:
    return [{"value": metric.by_chance(target, k)}]


def _values(metric: Metric, ranking: Ranking, layers: Sequence[int], target: Target, k: int | None) -> list[Row]:
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
