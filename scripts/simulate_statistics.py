"""The tables of docs/statistics.md: python scripts/simulate_statistics.py [runs=2000] [samples=10,24,100] [seed=0].

Data whose true means are known are drawn again and again. Printed are how often intervals hold the true mean, how often a family without
any difference has a significant one, and how often a difference is found; beside them the former methods, which are kept here alone:
the percentile bootstrap, and Wilcoxon's test with Holm's correction.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from scipy.stats import wilcoxon

from tokenrank.metrics.comparisons import compare_means
from tokenrank.metrics.gap_closed import gap_closed
from tokenrank.metrics.intervals import Numbers, mean_intervals

Draw = np.random.Generator
Drawn = Callable[[Draw, tuple[int, int]], Numbers]  # (samples, columns) of independent values
FLIPS = 999  # random sign flips of a test
RESAMPLES = 1000  # of the percentile bootstrap
EFFECT = {2: 3.5, 10: 5.0}  # heuristics -> the difference, in standard errors of one pair's difference


def _zeros(share: float, others: Drawn) -> Drawn:
    return lambda draw, size: np.where(draw.random(size) < share, 0, others(draw, size))


MEANS: Mapping[str, tuple[Drawn, float]] = {  # name -> how values are drawn, their true mean
    "normal": (lambda draw, size: draw.normal(size=size), 0.0),
    "skewed: exponential": (lambda draw, size: draw.exponential(size=size), 1.0),
    "skewed: lognormal, sigma 0.5": (lambda draw, size: draw.lognormal(0, 0.5, size), float(np.exp(0.125))),
    "skewed: lognormal, sigma 1": (lambda draw, size: draw.lognormal(0, 1, size), float(np.exp(0.5))),
    "bounded: beta(2, 5)": (lambda draw, size: draw.beta(2, 5, size), 2 / 7),
    "bounded: beta(5, 1)": (lambda draw, size: draw.beta(5, 1, size), 5 / 6),
    "bounded: beta(0.5, 0.5)": (lambda draw, size: draw.beta(0.5, 0.5, size), 0.5),
    "mostly zero: 70 %, else uniform": (_zeros(0.7, lambda draw, size: draw.random(size)), 0.15),
    "mostly zero: 80 %, else uniform": (_zeros(0.8, lambda draw, size: draw.random(size)), 0.1),
    "mostly zero: 90 %, else uniform": (_zeros(0.9, lambda draw, size: draw.random(size)), 0.05),
    "mostly zero: 80 %, else exponential": (_zeros(0.8, lambda draw, size: draw.exponential(size=size)), 0.2),
    "0 or 1: 30 % ones": (_zeros(0.7, lambda draw, size: np.ones(size)), 0.3),  # noqa: ARG005
}


def _tilted(draw: Draw, size: tuple[int, int]) -> Numbers:
    """Every second heuristic has the mirror image of the others' distribution, so differences are skewed."""
    values = draw.exponential(size=size) - 1
    values[:, ::2] *= -1
    return values


def _one_skewed(draw: Draw, size: tuple[int, int]) -> Numbers:
    values = draw.normal(0, 0.1, size)
    values[:, 0] += draw.exponential(size=size[0]) - 1
    return values


FAMILIES: Mapping[str, Drawn] = {  # heuristics without a difference between their means
    "normal": lambda draw, size: draw.normal(size=size),
    "skewed: lognormal, sigma 1": lambda draw, size: draw.lognormal(size=size),
    "mostly zero: 80 %, else uniform": MEANS["mostly zero: 80 %, else uniform"][0],
    "0 or 1: 30 % ones": MEANS["0 or 1: 30 % ones"][0],
    "not exchangeable: one skewed": _one_skewed,
    "not exchangeable: mirrored exponentials": _tilted,
}


def percentile_intervals(values: Numbers, draw: Draw) -> Numbers:
    """(2, columns): ends of the percentile bootstrap."""
    samples = len(values)
    means = draw.multinomial(samples, np.full(samples, 1 / samples), RESAMPLES) @ values / samples
    found: Numbers = np.percentile(means, [2.5, 97.5], axis=0)
    return found


def wilcoxon_holm(differences: Numbers) -> Numbers:
    """The p of Wilcoxon's signed-rank test in its normal approximation, with Holm's step-down correction."""
    p = np.ones(differences.shape[1])
    some = (differences != 0).any(axis=0)
    if some.any():
        test: Any = wilcoxon  # its stubs lack "asymptotic"
        p[some] = test(differences[:, some], method="asymptotic", axis=0).pvalue
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(stepped, 1)
    return corrected


def covered(ends: Numbers, mean: float) -> float:
    """The share of columns whose interval holds the mean, in percent; an end that is NaN is no limit."""
    return float(100 * (~(ends[0] > mean) & ~(ends[1] < mean)).mean())


def coverage(draw: Draw, samples: Sequence[int], runs: int) -> Iterator[list[str]]:
    """A row a distribution: coverage of the former and of our intervals at each number of samples."""
    for name, (drawn, mean) in MEANS.items():
        cells = []
        for count in samples:
            values = drawn(draw, (count, runs))
            cells += [covered(percentile_intervals(values, draw), mean), covered(mean_intervals(values), mean)]
        yield [name, *(f"{cell:.1f}" for cell in cells)]


def _pairs(values: Numbers) -> Numbers:
    left, right = np.array(list(combinations(range(values.shape[1]), 2))).T
    found: Numbers = values[:, left] - values[:, right]
    return found


def _found(differences: Numbers, seed: int) -> list[bool]:
    """Whether the former and our test find anything in the family."""
    p = compare_means(differences, seed, FLIPS).p
    return [bool((wilcoxon_holm(differences) <= 0.05).any()), bool((p <= 0.05).any())]


def family_errors(draw: Draw, samples: Sequence[int], runs: int) -> Iterator[list[str]]:
    """A row a kind of data and number of heuristics: percent of families without a difference in which one is found."""
    for name, drawn in FAMILIES.items():
        for heuristics in EFFECT:
            cells: list[float] = []
            for count in samples:
                found = [_found(_pairs(drawn(draw, (count, heuristics))), run) for run in range(runs)]
                cells += (100 * np.mean(found, axis=0)).tolist()
            yield [name, str(heuristics), *(f"{cell:.1f}" for cell in cells)]


def power(draw: Draw, samples: Sequence[int], runs: int) -> Iterator[list[str]]:
    """A row a kind of data and number of heuristics: percent of families in which the first one, which is better, is found."""
    for name in list(FAMILIES)[:3]:
        for heuristics, effect in EFFECT.items():
            cells: list[float] = []
            for count in samples:
                deviation = np.sqrt(2) * FAMILIES[name](draw, (10_000, 1)).std()
                better = np.eye(heuristics)[0] * effect * deviation / np.sqrt(count)
                found = []
                for run in range(runs):
                    values = FAMILIES[name](draw, (count, heuristics))
                    found.append(_found(_pairs(values + better), run))
                cells += (100 * np.mean(found, axis=0)).tolist()
            yield [name, str(heuristics), *(f"{cell:.1f}" for cell in cells)]


def gaps(draw: Draw, samples: Sequence[int], runs: int) -> Iterator[list[str]]:
    """A row a kind of data: coverage of the interval of the gap closed where there is one, and how often there is none."""
    chances = np.array([0.1, 0.5, 0.9])  # of random, a method, the oracle
    kinds: dict[str, tuple[Callable[[int], Numbers], float]] = {
        "0 or 1": (lambda count: (draw.random((count, 3)) < chances).astype(float), 0.5),
        "beta": (lambda count: draw.beta([1, 2, 6], [6, 3, 2], (count, 3)), (2 / 5 - 1 / 7) / (3 / 4 - 1 / 7)),
    }
    for name, (drawn, share) in kinds.items():
        cells = []
        for count in samples:
            ends = np.array(
                [[low[1], high[1]] for _, low, high in (gap_closed(drawn(count), 0, 2) for _ in range(runs))]
            )
            none = np.isnan(ends).all(axis=1)
            cells += [covered(ends[~none].T, share), 100 * none.mean()]
        yield [name, *(f"{cell:.1f}" for cell in cells)]


def _print(title: str, columns: Sequence[str], rows: Iterator[list[str]]) -> None:
    print(f"\n{title}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


def main(runs: int = 2000, samples: str = "10,24,100", seed: int = 0) -> None:
    """Prints the tables; coverage is over ten times as many runs."""
    counts = [int(count) for count in samples.split(",")]
    draws = np.random.default_rng(seed).spawn(4)
    both = [f"{which}, {count}" for count in counts for which in ("former", "now")]
    _print("Coverage of 95 % intervals of a mean, percent", ["data", *both], coverage(draws[0], counts, 10 * runs))
    _print("A significant difference where there is none, percent of families", ["data", "heuristics", *both], family_errors(draws[1], counts, runs))  # fmt: skip
    _print(
        "A true difference is found, percent of families", ["data", "heuristics", *both], power(draws[2], counts, runs)
    )
    which = [f"{kind}, {count}" for count in counts for kind in ("covers", "none")]
    _print("Interval of the gap closed, percent", ["data", *which], gaps(draws[3], counts, runs))


if __name__ == "__main__":
    given = dict(each.split("=") for each in sys.argv[1:])
    main(int(given.get("runs", 2000)), given.get("samples", "10,24,100"), int(given.get("seed", 0)))
