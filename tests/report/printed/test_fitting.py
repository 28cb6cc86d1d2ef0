"""What fits into a line: columns by their rank, and names that are shortened and stay apart."""

import pytest

from tokenrank.report.printed.fitting import Block, fitting, shortened
from tokenrank.report.rows.aligned import Column, aligned


def block(heading: str, rank: int) -> Block:
    return Block([Column(heading, ["1"])], rank)


def test_columns_stay_in_their_order_and_are_chosen_by_their_rank() -> None:
    blocks = [block("a" * 5, 1), block("b" * 5, 3), block("c" * 5, 2)]
    assert [each.heading[0] for each in fitting(blocks, 12)] == ["a", "c"]
    assert [each.heading[0] for each in fitting(blocks, 11)] == ["a"]
    assert [each.heading[0] for each in fitting(blocks, 19)] == ["a", "b", "c"]


def test_after_the_first_that_does_not_fit_nothing_follows() -> None:
    assert [each.heading[0] for each in fitting([block("a", 1), block("b" * 9, 2), block("c", 3)], 8)] == ["a"]


def test_the_widths_are_those_of_the_printed_line() -> None:
    for width in range(3, 30):
        found = fitting([block("aaa", 1), block("bbbb", 2), block("ccccc", 3)], width)
        assert len(aligned(found).splitlines()[0]) <= width


def test_the_first_is_shown_even_where_it_does_not_fit() -> None:
    assert [each.heading for each in fitting([block("a" * 99, 1)], 80)] == ["a" * 99]
    assert fitting([]) == []


@pytest.mark.parametrize(
    "names",
    [
        ["claa", "tova"],
        [f"claa_window{number}_kernel7_heads_mean" for number in range(20)],
        [f"oracle@{name}_with_a_long_name" for name in ("claa", "tova", "gemfilter")],
        [f"the_same_beginning_{number:03d}_and_the_same_long_end" for number in range(120)],  # no cut keeps them apart
        ["a" * 30, "a" * 31, "a" * 32],
        ["a_name_that_is_longer..long_name", "a_name_that_is_longer_than_it_may_be_long_name"],
    ],
)  # fmt: skip
def test_forms_are_short_and_as_different_as_the_names(names: list[str]) -> None:
    for width in (12, 15, 24):
        found = shortened(names, width)
        assert list(found) == names
        assert len(set(found.values())) == len(names)
        assert all(len(form) <= width for form in found.values())
        assert all(form == name for name, form in found.items() if len(name) <= width)
