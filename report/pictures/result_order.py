"""The order of methods in a picture: by result, bounds before them and controls behind them."""

import pandas as pd

from tokenrank.records.schema import FULL, is_bound
from tokenrank.report.pictures.contestant_style import is_grey


def by_result(results: "pd.Series[float]", *, lower_is_better: bool = False) -> list[str]:
    """The full prefill first, then bounds, methods and controls, each of them from the best result to the worst.

    Args:
        results: index names; of equal ones the first stands first, and those without one (NaN) last.
        lower_is_better: of the results.

    >>> by_result(pd.Series({"random": 0.9, "claa": 0.3, "oracle": 1.0, "tova": 0.5, "recency": 0.95}))
    ['oracle', 'tova', 'claa', 'recency', 'random']
    """
    ordered = results.sort_values(ascending=lower_is_better, kind="stable")  # what is missing is last
    return sorted(map(str, ordered.index), key=_kind)


def _kind(name: str) -> int:
    return 0 if name == FULL else 1 if is_bound(name) else 3 if is_grey(name) else 2
