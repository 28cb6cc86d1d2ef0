"""What all pictures share: files that are the same each time, names shown as they are, and layer numbers."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from tokenrank.report.pictures.drawing import layer_ticks, plain_axes, write_picture

HOSTILE = ["a$b$_c", "$", "$\\frac{", "_a", "a\\b", "$x$ and $y", "50% {of} ^it~"]


def titled(name: str) -> Figure:
    figure = Figure(figsize=(4, 2), layout="constrained")
    axes = figure.subplots()
    (line,) = axes.plot([0, 1])
    axes.set_title(name)
    axes.set_xticks([0, 1], [name, name])
    figure.legend([line], [name])
    plain_axes(axes)
    return figure


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_shown_as_they_are(tmp_path: Path, name: str) -> None:
    write_picture(tmp_path / "picture", lambda: titled(name))
    assert {file.name for file in tmp_path.iterdir()} == {"picture.png", "picture.pdf"}
    write_picture(tmp_path / "without", lambda: titled(name.replace("$", "")))
    if "$" in name:
        assert (imread(tmp_path / "picture.png") != imread(tmp_path / "without.png")).any()


def test_the_same_picture_has_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write_picture(tmp_path / folder / "picture", lambda: titled("a title"))
    for end in ("png", "pdf"):
        assert (tmp_path / "a" / f"picture.{end}").read_bytes() == (tmp_path / "b" / f"picture.{end}").read_bytes()


def test_a_picture_that_fails_leaves_no_file(tmp_path: Path) -> None:
    def fails() -> Figure:
        raise ValueError("no such layer")

    with pytest.raises(ValueError, match="no such layer"):
        write_picture(tmp_path / "picture", fails)
    assert list(tmp_path.iterdir()) == []


def test_few_layers_are_all_named_and_many_are_not() -> None:
    assert layer_ticks([4, 5], windowed=[5], most=12) == ([0, 1], ["4", "5w"])
    assert layer_ticks(list(range(32)), windowed=[], most=8)[1] == ["0", "4", "8", "12", "16", "20", "24", "28"]
