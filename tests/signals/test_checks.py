"""The checks of settings: what they accept, and the sentences with which they refuse the rest."""

from collections.abc import Callable

import pytest

from tokenrank.signals.checks import check_choice, check_kernel, check_layer_count, check_window

REFUSED: list[tuple[Callable[[], None], str]] = [
    (lambda: check_window(0), "window is 0, must be at least 1 query"),
    (lambda: check_window(-8), "window is -8, must be at least 1 query"),
    (lambda: check_kernel(0), "kernel is 0, must be odd and at least 1 token"),
    (lambda: check_kernel(-3), "kernel is -3, must be odd and at least 1 token"),
    (lambda: check_kernel(4), "kernel is 4, must be odd and at least 1 token"),
    (lambda: check_choice("heads", "sum", ("mean", "max")), "heads is 'sum', must be one of mean, max"),
    (lambda: check_layer_count("n", 5, 4), "n is 5, must be at most 4, the number of layers of the model"),
]


@pytest.mark.parametrize(("check", "sentence"), REFUSED)
def test_a_value_out_of_range_is_refused_with_name_value_and_range(check: Callable[[], None], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        check()


def test_the_ends_of_each_range_are_accepted() -> None:
    check_window(1)
    check_kernel(1)
    check_kernel(13)
    check_choice("heads", "mean", ("mean", "max"))
    check_layer_count("n", 4, 4)
