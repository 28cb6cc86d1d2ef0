"""Layer against layer: a panel a heuristic, symmetric, on one scale, and nothing where there are no two layers."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread
from tokenrank.report.between import between_layers, draw_between, layer_against_layer

from tests.report.test_plots import colours, course, made_up, panels
from tokenrank.evaluation.folder import METRIC_COLUMNS

HEURISTICS, LAYERS, CHANCE = ["claa", "tova"], [1, 2, 5], 0.05


def overlap(heuristic: str, a: int, b: int) -> float:
    return 0.9 - 0.1 * (b - a) - 0.3 * HEURISTICS.index(heuristic)


def with_pairs(heuristics: list[str] = HEURISTICS, layers: list[int] = LAYERS) -> pd.DataFrame:
    """A run of two prompts with jaccard between every two layers at two k, and another metric."""
    rows: list[tuple[object, ...]] = []
    for k in (5.0, 10.0):
        rows += [("tiny", "niah", name, None, None, "jaccard", k, CHANCE, None, None) for name in ("s0", "s1")]
        for heuristic in heuristics:
            for a, b in combinations(layers, 2):
                value = overlap(heuristic, a, b) * (0.5 if k == 5 else 1)
                rows.append(("tiny", None, None, heuristic, a, "jaccard.between", k, value, a == 2, b))
    ours = pd.DataFrame(rows, columns=list(METRIC_COLUMNS)).astype(METRIC_COLUMNS)
    return pd.concat([made_up(), ours], ignore_index=True)


def test_the_matrix_is_the_half_of_the_table_and_its_mirror_image() -> None:
    matrices = between_layers(with_pairs(), "jaccard", 10)
    assert list(matrices) == HEURISTICS
    for heuristic, matrix in matrices.items():
        assert [list(axis) for axis in matrix.axes] == [LAYERS, LAYERS]
        wanted = [[1 if a == b else overlap(heuristic, min(a, b), max(a, b)) for b in LAYERS] for a in LAYERS]
        assert matrix.to_numpy().tolist() == [pytest.approx(row) for row in wanted]


def test_every_panel_has_its_matrix_on_the_scale_from_0_to_1() -> None:
    matrices = between_layers(with_pairs(), "jaccard", 10)
    drawn = layer_against_layer(matrices, CHANCE, "jaccard@10", "a title", windowed=[2])
    shown = {name: axes for name, axes in panels(drawn).items() if name}
    assert list(shown) == HEURISTICS
    for heuristic, axes in shown.items():
        (image,) = axes.get_images()
        assert np.asarray(image.get_array()).tolist() == matrices[heuristic].to_numpy().tolist()
        assert image.get_clim() == (0, 1)
        assert [text.get_text() for text in axes.get_xticklabels()] == ["1", "2w", "5"]
        assert axes.get_ylim()[0] < axes.get_ylim()[1]  # the first layer is at the bottom
    (bar,) = (axes for axes in drawn.axes if axes not in shown.values() and axes.get_visible())
    (mark,) = (line for line in bar.get_lines() if line.get_linestyle() == "--")
    assert set(course(mark)[1]) == {CHANCE}


def test_the_picture_is_there_twice_and_shows_something(tmp_path: Path) -> None:
    draw_between(with_pairs(), tmp_path, k=10)
    assert {file.name for file in tmp_path.iterdir()} == {f"jaccard_at_10_between.{end}" for end in ("png", "pdf")}
    assert colours(tmp_path / "jaccard_at_10_between.png") > 50


def test_another_k_is_another_picture(tmp_path: Path) -> None:
    for k in (5, 10):
        draw_between(with_pairs(), tmp_path, k=k)
    one, other = (imread(tmp_path / f"jaccard_at_{k}_between.png") for k in (5, 10))
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("count", [1, 5, 9])
def test_there_are_as_many_panels_as_heuristics(count: int) -> None:
    matrix = between_layers(with_pairs(), "jaccard", 10)["claa"]
    names = [f"number {number}" for number in range(count)]
    drawn = layer_against_layer(dict.fromkeys(names, matrix), CHANCE, "jaccard@10", "a title")
    assert [name for name in panels(drawn) if name] == names


@pytest.mark.parametrize("table", [made_up(), made_up().drop(columns="other_layer"), with_pairs(layers=[3])])
def test_where_no_two_layers_were_compared_nothing_is_drawn(tmp_path: Path, table: pd.DataFrame) -> None:
    draw_between(table, tmp_path, k=10)
    assert list(tmp_path.iterdir()) == []
