"""A contestant looks the same in every picture, and no two look alike."""

from tokenrank.report.contestant_style import KNOWN, styles


def test_a_known_contestant_looks_the_same_whatever_is_beside_it() -> None:
    assert styles(["peak", "claa"])["claa"] == styles(["full", "claa", "asl"])["claa"] == KNOWN["claa"]


def test_no_two_contestants_look_alike_even_in_grey_among_a_few() -> None:
    names = [*KNOWN, *(f"number {number}" for number in range(30))]
    looks = styles(names)
    assert list(looks) == names
    assert len({(look.colour, look.marker, look.hollow) for look in looks.values()}) == len(names)
    few = [*KNOWN, *(f"number {number}" for number in range(7))]
    assert len({(look.marker, look.hollow) for look in styles(few).values()}) == len(few)


def test_only_the_oracle_is_hollow() -> None:
    assert [name for name, look in KNOWN.items() if look.drawn()["markerfacecolor"] == "white"] == ["oracle"]
