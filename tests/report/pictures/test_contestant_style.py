"""A contestant looks the same in every picture, and no two look alike."""

from pathlib import Path

import numpy as np
from matplotlib.colors import to_rgb

from tokenrank.report.pictures.contestant_style import GREY, KNOWN, is_grey, styles


def test_a_known_contestant_looks_the_same_whatever_is_beside_it() -> None:
    assert styles(["peak", "claa"])["claa"] == styles(["full", "claa", "asl"])["claa"] == KNOWN["claa"]


def test_no_two_contestants_look_alike_even_in_grey_among_a_few() -> None:
    names = [*KNOWN, *(f"number {number}" for number in range(30))]
    looks = styles(names)
    assert list(looks) == names
    assert len({(look.colour, look.marker, look.hollow) for look in looks.values()}) == len(names)
    few = [*KNOWN, *(f"number {number}" for number in range(3))]
    assert len({(look.marker, look.hollow) for look in styles(few).values()}) == len(few)


def test_an_engines_own_bound_has_its_colour_and_is_told_apart_from_all_others() -> None:
    own = [f"{end}@{name}" for name in ("claa", "gemfilter", "claa_n1") for end in ("oracle", "random")]
    names = [*KNOWN, "claa_n1", *own]
    looks = styles(names)
    for name in own[::2]:
        assert looks[name].colour == looks[name.partition("@")[2]].colour
    assert len({(look.colour, look.marker, look.hollow) for look in looks.values()}) == len(names)
    assert (
        styles(["oracle@asl"])["oracle@asl"].colour == styles(["asl"])["asl"].colour
    )  # without whom it is named after


def test_bounds_are_hollow_and_dashed_and_controls_are_grey_and_dotted() -> None:
    looks = styles([*KNOWN, "oracle@claa", "oracle:ablation", "random@claa"])
    bounds, controls = ["oracle", "oracle@claa", "oracle:ablation"], ["random", "recency", "sinks", "random@claa"]
    assert [name for name, look in looks.items() if look.drawn()["markerfacecolor"] == "white"] == bounds
    assert [name for name, look in looks.items() if look.line == "--"] == bounds
    assert [name for name, look in looks.items() if look.line == ":"] == controls
    assert [name for name, look in looks.items() if look.colour == GREY] == controls == list(filter(is_grey, looks))
    assert looks["oracle"].colour == "#000000"


def test_no_marker_vanishes_on_an_upright_or_a_level_bar_of_its_colour() -> None:
    looks = styles([*KNOWN, *(f"random@number {number}" for number in range(6))])
    assert not {look.marker for look in looks.values()} & {"|", "_"}


def test_every_heuristic_of_the_configs_has_a_look_of_its_own() -> None:
    ours = {file.stem for file in Path("configs/heuristic").glob("*.yaml")} - {"kvpress"}
    assert ours <= set(KNOWN)
    assert len({(look.marker, look.hollow) for look in KNOWN.values()}) == len(KNOWN)


def test_colours_are_told_apart_by_the_colour_blind_and_line_by_line() -> None:
    methods = [look for name, look in KNOWN.items() if not is_grey(name) and name not in ("full", "oracle")]
    for kind in ("protan", "deutan", "tritan"):
        seen = np.array([_as_seen(look.colour, kind) for look in methods])
        for number, look in enumerate(methods):
            near = [
                other
                for place, other in enumerate(methods)
                if place != number and np.abs(seen[place] - seen[number]).max() < 0.06
            ]
            assert all((other.marker, other.line) != (look.marker, look.line) for other in near)
            assert len(near) <= 1, (kind, look)


# Machado, Oliveira & Fernandes 2009, severity 1, linear RGB
SIMULATED = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def _as_seen(colour: str, kind: str) -> "np.typing.NDArray[np.float64]":
    """A colour as somebody with this deficiency sees it, sRGB."""
    linear = np.array(to_rgb(colour)) ** 2.2
    found: np.typing.NDArray[np.float64] = np.clip(np.array(SIMULATED[kind]) @ linear, 0, 1) ** (1 / 2.2)
    return found
