"""Layer against layer: a panel a heuristic, symmetric, on one scale, and nothing where there are no two layers."""

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from tests.report.drawn_pictures import course, drawn, panels, readable
from tests.report.layer_examples import ranking
from tests.report.pictures.test_plots import colours
from tests.report.ranking_examples import at_layer, of_pair, ranked
from tokenrank.records.tables import Tables
from tokenrank.report.pictures.drawing import write_picture
from tokenrank.report.pictures.layer_pairs import layer_against_layer, layer_matrices, layer_pair_pictures

HEURISTICS, LAYERS, CHANCE = ["claa", "tova"], [1, 2, 5], 0.05


def overlap(heuristic: str, a: int, b: int) -> float:
    return 0.9 - 0.1 * (b - a) - 0.3 * HEURISTICS.index(heuristic)


def with_pairs(heuristics: list[str] = HEURISTICS, layers: list[int] = LAYERS) -> Tables:
    """A run of two prompts with jaccard between every two layers at two k, and another metric."""
    metrics, pairs = [], []
    for k in (5.0, 10.0):
        metrics += [at_layer(sample, None, None, "jaccard", k, CHANCE) for sample in ("s0", "s1")]
        for heuristic in heuristics:
            for a, b in combinations(layers, 2):
                value = overlap(heuristic, a, b) * (0.5 if k == 5 else 1)
                pairs.append(of_pair(heuristic, a, b, "jaccard", k, value))
    other, own = ranking(), ranked(metrics, pairs)
    both = {name: pd.concat([vars(other)[name], vars(own)[name]], ignore_index=True) for name in ("metrics", "summary")}
    return replace(own, **both)


def matrices_of(tables: Tables) -> dict[str, pd.DataFrame]:
    return layer_matrices(tables.summary.dropna(subset=["other_layer"]), "jaccard", 10)


def draw_pairs(tables: Tables, folder: Path, k: float) -> None:
    for name, draw in layer_pair_pictures(tables, ["recall", "jaccard"], k).items():
        write_picture(folder / name, draw)


def test_the_matrix_is_the_half_of_the_table_and_its_mirror_image() -> None:
    matrices = matrices_of(with_pairs())
    assert list(matrices) == HEURISTICS
    for heuristic, matrix in matrices.items():
        assert [list(axis) for axis in matrix.axes] == [LAYERS, LAYERS]
        wanted = [[1 if a == b else overlap(heuristic, min(a, b), max(a, b)) for b in LAYERS] for a in LAYERS]
        assert matrix.to_numpy().tolist() == [pytest.approx(row) for row in wanted]


def test_every_panel_has_its_matrix_on_the_scale_from_0_to_1() -> None:
    matrices = matrices_of(with_pairs())
    figure = drawn(lambda: layer_against_layer(matrices, CHANCE, "jaccard@10", ["a title"], windowed=[2]))
    shown = panels(figure)
    assert list(shown) == HEURISTICS
    for heuristic, axes in shown.items():
        (image,) = axes.get_images()
        assert np.asarray(image.get_array()).tolist() == matrices[heuristic].to_numpy().tolist()
        assert image.get_clim() == (0, 1)
        assert [text.get_text() for text in axes.get_xticklabels()] == ["1", "2w", "5"]
        assert axes.get_ylim()[0] < axes.get_ylim()[1]  # the first layer is at the bottom
    (bar,) = (axes for axes in figure.axes if axes not in shown.values() and axes.get_visible())
    (mark,) = (line for line in bar.get_lines() if line.get_linestyle() == "--")
    assert set(course(mark)[1]) == {CHANCE}


def test_the_picture_is_there_twice_and_shows_something(tmp_path: Path) -> None:
    draw_pairs(with_pairs(), tmp_path, k=10)
    assert {file.name for file in tmp_path.iterdir()} == {f"jaccard_at_10_between.{end}" for end in ("png", "pdf")}
    assert colours(tmp_path / "jaccard_at_10_between.png") > 50


def test_another_k_is_another_picture(tmp_path: Path) -> None:
    for k in (5, 10):
        draw_pairs(with_pairs(), tmp_path, k=k)
    one, other = (imread(tmp_path / f"jaccard_at_{k}_between.png") for k in (5, 10))
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("count", [1, 5, 9])
def test_there_are_as_many_panels_as_heuristics(count: int) -> None:
    matrix = matrices_of(with_pairs())["claa"]
    names = [f"number {number}" for number in range(count)]
    figure = drawn(lambda: layer_against_layer(dict.fromkeys(names, matrix), CHANCE, "jaccard@10", ["a title"]))
    assert list(panels(figure)) == names
    readable(figure)


def test_panels_are_in_the_order_of_the_means_of_their_pairs() -> None:
    names = ["tova", "random", "claa", "oracle"]
    found = layer_matrices(with_pairs().summary.dropna(subset=["other_layer"]), "jaccard", 10)
    assert list(found) == ["claa", "tova"]
    rows = [of_pair(name, 0, 1, "jaccard", 10, 0.2 * place) for place, name in enumerate(names)]
    assert list(layer_matrices(ranked(summary=rows).summary, "jaccard", 10)) == ["oracle", "claa", "tova", "random"]


@pytest.mark.parametrize("tables", [ranked(), ranking(), with_pairs(layers=[3])])
def test_where_no_two_layers_were_compared_nothing_is_drawn(tables: Tables) -> None:
    assert layer_pair_pictures(tables, ["recall", "jaccard"], k=10) == {}


def test_the_title_names_the_model_and_the_prompts() -> None:
    (draw,) = layer_pair_pictures(with_pairs(), ["jaccard"], k=10).values()
    assert (
        draw().get_suptitle()
        == "jaccard@10, layer against layer, mean over prompts\ntiny on niah, n = 5 prompts, k = 10 %"
    )


def test_pairs_of_a_metric_that_is_not_drawn_are_not_drawn() -> None:
    assert layer_pair_pictures(with_pairs(), ["recall"], k=10) == {}
