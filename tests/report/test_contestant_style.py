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


def test_an_engines_own_bound_and_control_have_its_colour_and_are_told_apart_from_all_others() -> None:
    own = [f"{end}@{name}" for name in ("claa", "gemfilter", "claa_n1") for end in ("oracle", "random")]
    names = [*KNOWN, "claa_n1", *own]
    looks = styles(names)
    for name in own:
        assert looks[name].colour == looks[name.partition("@")[2]].colour
    assert len({(look.colour, look.marker, look.hollow) for look in looks.values()}) == len(names)
    assert len({(look.marker, look.hollow) for look in looks.values()}) == len(names)  # in grey
    assert (
        styles(["oracle@asl"])["oracle@asl"].colour == styles(["asl"])["asl"].colour
    )  # without whom it is named after


def test_bounds_are_hollow_and_dashed_and_controls_are_dotted() -> None:
    looks = styles([*KNOWN, "oracle@claa", "random@claa"])
    assert [name for name, look in looks.items() if look.drawn()["markerfacecolor"] == "white"] == [
        "oracle", "oracle@claa",
    ]  # fmt: skip
    assert [name for name, look in looks.items() if look.line == "--"] == ["oracle", "oracle@claa"]
    assert [name for name, look in looks.items() if look.line == ":"] == ["random", "random@claa"]
