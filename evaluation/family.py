"""Which comparisons a run was made for: the family over which p values are adjusted. All others are exploratory."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from tokenrank.records.measures import declared_k
from tokenrank.records.schema import FULL, is_bound, is_control

ALL = "all"
CONTROLS = (
    "recency",
    "sinks",
    FULL,
)  # with bounds and controls: what every method is read against; no methods of their own


@dataclass(frozen=True)
class Family:
    """Settings ``compare``: which pairs are compared, and in which metric and k the comparison was declared."""

    against: str = ALL  # every two methods; or a name, which all others are compared with
    metric: str | None = None  # the declared one; null: recall, accuracy, or loss for evaluation=fidelity
    k: float | None = None  # percent, one of the run's; null: 10, or the first where 10 is none of them
    controls: bool = False  # true: recency, sinks, full prefill, bounds and controls are compared too

    def check(self, names: Sequence[str], metrics: Sequence[str], ks: Sequence[float] = ()) -> None:
        """Raises ValueError, naming the setting, for a name, a metric or a k that the run does not have.

        Args:
            names: heuristics or contestants of the run.
            metrics: that are compared.
            ks: percent; empty where nothing is compared by k.
        """
        if self.against not in (ALL, *names):
            raise ValueError(f"compare.against is {self.against!r}, must be all or one of {', '.join(names)}")
        if self.metric is not None and self.metric not in metrics:
            raise ValueError(f"compare.metric is {self.metric!r}, must be null or one of {', '.join(metrics)}")
        if self.k is not None and self.k not in ks:
            allowed = f"or one of k={list(ks)}" if ks else "as only evaluation=ranking has a k"
            raise ValueError(f"compare.k is {self.k:g}, must be null, {allowed}".replace("null, or", "null or"))

    def pairs(self, names: Sequence[str]) -> list[tuple[int, int]]:
        """Places of the first and the second of every pair that is compared.

        >>> Family().pairs(["claa", "random", "tova"]), Family(against="random").pairs(["claa", "random", "tova"])
        ([(0, 2)], [(0, 1), (2, 1)])
        """
        methods = [place for place, name in enumerate(names) if self.controls or not is_baseline(name)]
        if self.against == ALL:
            return list(combinations(methods, 2))
        other = [place for place, name in enumerate(names) if name == self.against]
        return [(place, against) for against in other for place in methods if place != against]

    def main_k(self, ks: Collection[float]) -> float:
        """The k of the declared comparison, of those that the run has."""
        return declared_k(self.k, ks)


def is_baseline(name: str) -> bool:
    """Whether a contestant is one that methods are read against, of whichever engine.

    >>> [name for name in ("claa", "recency", "oracle@gemfilter", "random") if is_baseline(name)]
    ['recency', 'oracle@gemfilter', 'random']
    """
    return name in CONTROLS or is_bound(name) or is_control(name)


def own_ends(names: Sequence[str], engines: Sequence[str | None]) -> Iterable[list[tuple[int, int]]]:
    """Two families: every contestant with the bound of its own engine, and with the control of its own engine.

    Args:
        names: of contestants.
        engines: of each; None: it has none, and so no bound and no control.

    >>> [list(pairs) for pairs in own_ends(["claa", "oracle", "random", "gemfilter"], ["a", "a", "a", "b"])]
    [[(0, 1)], [(0, 2), (1, 2)]]
    """
    whose = list(zip(names, engines, strict=True))
    for is_end in (is_bound, is_control):
        ends = {engine: place for place, (name, engine) in enumerate(whose) if engine is not None and is_end(name)}
        yield [
            (place, ends[engine])
            for place, (name, engine) in enumerate(whose)
            if engine in ends and not is_end(name) and not (is_end is is_bound and is_control(name))
        ]
