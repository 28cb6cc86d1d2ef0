"""The order of methods: bounds, methods and controls, each by result."""

import pandas as pd

from tokenrank.report.pictures.result_order import by_result

RESULTS = {
    "recency": 0.9, "claa": 0.2, "random@claa": 0.1, "oracle": 0.8, "full": 0.1, "tova": 0.5, "oracle@claa": 0.85, "gone": float("nan"),
}  # fmt: skip


def test_full_is_first_then_bounds_methods_and_controls_from_the_best() -> None:
    assert by_result(pd.Series(RESULTS)) == [
        "full", "oracle@claa", "oracle", "tova", "claa", "gone", "recency", "random@claa",
    ]  # fmt: skip


def test_of_losses_the_smallest_is_the_best() -> None:
    assert by_result(pd.Series(RESULTS), lower_is_better=True) == [
        "full", "oracle", "oracle@claa", "claa", "tova", "gone", "random@claa", "recency",
    ]  # fmt: skip


def test_equal_results_stay_in_the_order_given() -> None:
    for names in (["b", "a", "c"], ["c", "b", "a"]):
        for lower in (False, True):
            assert by_result(pd.Series(dict.fromkeys(names, 0.5)), lower_is_better=lower) == names
