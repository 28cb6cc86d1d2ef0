"""Checks that evaluations share; each says the setting as it is typed."""

import pytest

from tokenrank.evaluation.setting_checks import check_percentages, check_whole, refuse_rankings


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ([], r"k is empty, must be a list of percentages, as in k=\[10,20\]"),
        ([0], "k holds 0, must be above 0 and at most 100 percent"),
        ([10, -5], "k holds -5, must be above 0 and at most 100 percent"),
        ([100.5], r"k holds 100\.5, must be above 0 and at most 100 percent"),
        ([float("nan")], "k holds nan, must be above 0 and at most 100 percent"),
        ([10, 10.0], r"k holds a value twice: \[10, 10\.0\]"),
    ],
)
def test_percentages_that_cannot_be_are_refused(values: list[float], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        check_percentages("k", values)


def test_the_ends_of_what_is_allowed_are_allowed() -> None:
    check_percentages("k", [0.001, 100])
    check_whole("seed", 0, 0)
    refuse_rankings(False)
    with pytest.raises(ValueError, match=r"^seed is -1, must be a whole number, at least 0$"):
        check_whole("seed", -1, 0)
    with pytest.raises(ValueError, match=r"^save_rankings is true, must be false"):
        refuse_rankings(True)
