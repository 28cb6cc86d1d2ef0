"""Which cells, rows and lengths a run takes: worked by hand, and what is refused."""

from collections import Counter

import pytest

from tokenrank.tasks.choosing import check_lengths, check_lengths_fit, drawn_cells, drawn_rows


def test_every_cell_comes_once_before_any_comes_twice() -> None:
    drawn = drawn_cells(["a", "b", "c"], 7, seed=1)
    assert Counter(cell for cell, _ in drawn[:3]) == Counter("abc")
    assert [repeat for _, repeat in drawn] == [0, 0, 0, 1, 1, 1, 2]
    assert [cell for cell, _ in drawn[3:6]] == [cell for cell, _ in drawn[:3]]
    assert drawn_cells(["a", "b", "c"], None, seed=1) == drawn[:3]


def test_rows_are_drawn_in_turn_and_stand_in_the_order_of_the_subsets() -> None:
    sizes = {"b": 5, "a": 1}
    drawn = drawn_rows(sizes, 3, seed=0)
    assert [subset for subset, _ in drawn] == ["b", "b", "a"]
    assert drawn[0][1] < drawn[1][1] < 5
    assert set(drawn) < set(drawn_rows(sizes, 4, seed=0))
    assert drawn_rows(sizes, None, seed=0) == [*(("b", row) for row in range(5)), ("a", 0)]
    assert drawn_rows(sizes, 100, seed=3) == drawn_rows(sizes, None, seed=0)


def test_another_seed_draws_other_rows() -> None:
    assert drawn_rows({"a": 1000}, 5, seed=0) != drawn_rows({"a": 1000}, 5, seed=1)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [([], "is empty"), ([5, 5], "holds one value twice"), ([5, 0], "holds 0, must be at least 1 token")],
)
def test_wrong_lengths_are_refused(lengths: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_lengths(lengths)
    check_lengths([5, 1])


def test_lengths_must_fit_beside_the_answer() -> None:
    check_lengths_fit([90], 10, 100)
    with pytest.raises(ValueError, match=r"holds 91, .* reads 100 tokens, 10 of them kept for the answer: at most 90"):
        check_lengths_fit([1, 91], 10, 100)
