"""Needs together: as much as any one of them asks for."""

import itertools

import pytest

from tokenrank.capture.needs import NOTHING, Needs

ONE_EACH = [Needs(window=8), Needs(values=True), Needs(call=True), Needs(answer=True), Needs(look_ahead=3)]


def test_each_need_survives_among_others() -> None:
    assert Needs.together([*ONE_EACH, Needs(window=5, look_ahead=2)]) == Needs(8, True, True, True, 3)


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations([*ONE_EACH, NOTHING], 2)))
def test_the_order_does_not_matter_and_nothing_adds_nothing(one: Needs, other: Needs) -> None:
    assert Needs.together([one, other]) == Needs.together([other, one])
    assert Needs.together([one, NOTHING]) == one


def test_without_any_heuristic_nothing_is_needed() -> None:
    assert Needs.together([]) == NOTHING == Needs(0, False, False, False, 0)
