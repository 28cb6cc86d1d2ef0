"""The needle grid: means of cells worked by hand, blank cells and why, and nothing where there is no depth."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from tests.report.drawn_pictures import course, drawn, panels, readable
from tests.report.pictures.test_plots import colours
from tests.report.ranking_examples import at_layer, of_prompt, of_prompts, ranked
from tokenrank.records.schema import SAMPLES
from tokenrank.records.tables import Tables
from tokenrank.report.pictures.drawing import write_picture
from tokenrank.report.pictures.grid import Cells, blank_cells, grid, grid_panels, ranking_grids

# id -> length, depth, accuracy (None: failed), needle recall; no prompt of 900 tokens at 50 %
PROMPTS: dict[str, tuple[int, float, float | None, float]] = {
    "a": (300, 0.0, 1.0, 0.2),
    "b": (300, 0.0, 0.0, 0.6),  # a repeat of a
    "c": (300, 50.0, 1.0, 1.0),
    "d": (900, 0.0, None, 0.0),
}
GAP = float("nan")


def run(prompts: dict[str, tuple[int, float, float | None, float]] = PROMPTS) -> Tables:
    """Needle recall of two heuristics, the second half as good, at two k; a failed prompt has no rows."""
    metrics, summary, samples = [], [of_prompts("zeta", "needle_recall", "mean", 10.0, 7.0)], []
    for name, (tokens, depth, accuracy, recall) in prompts.items():
        status = "failed" if accuracy is None else "ok"
        samples.append({"id": name, "tokens": tokens, "depth": depth, "accuracy": accuracy, "status": status})
        for k in (5.0, 10.0) if accuracy is not None else ():
            metrics.append(at_layer(name, None, None, "needle_recall", k, k / 100))
            for heuristic, share in (("zeta", 1.0), ("alpha", 0.5)):
                metrics.append(at_layer(name, heuristic, 0, "needle_recall", k, 0.0))
                summary.append(of_prompt(name, heuristic, "needle_recall", "mean", k, recall * share * k / 10))
    return ranked(metrics, summary, samples)


def cells() -> pd.DataFrame:
    return run().samples.set_index("id")


def same(found: pd.DataFrame, wanted: list[list[float]]) -> bool:
    return np.allclose(found.to_numpy(dtype=float), wanted, equal_nan=True)


def written(figure: Figure) -> list[str]:
    return [text.get_text() for axes in panels(figure).values() for text in axes.texts]


def test_a_cell_is_the_mean_of_its_prompts_and_gaps_stay_gaps() -> None:
    found = grid(cells(), cells()["accuracy"])
    assert [list(axis) for axis in found.means.axes] == [[0, 50], [300, 900]]
    assert same(found.means, [[0.5, GAP], [1.0, GAP]])
    assert not same(found.means, [[0.5, 0.0], [1.0, GAP]])
    assert found.counts.to_numpy().tolist() == [[2, 0], [1, 0]]


def test_a_grid_is_in_ascending_order_whatever_the_order_of_the_prompts() -> None:
    backwards = cells().iloc[::-1]
    for found, wanted in zip(grid(backwards, backwards["accuracy"]), grid(cells(), cells()["accuracy"]), strict=True):
        pd.testing.assert_frame_equal(found, wanted)


def test_blank_cells_are_explained() -> None:
    assert blank_cells(cells()).splitlines() == [
        "Blank: no prompt (1 cell).",
        "Blank: all prompts failed (1 cell).",
    ]
    one_of_two = cells().assign(status=["failed", "ok", "ok", "ok"])
    assert blank_cells(one_of_two).splitlines() == [
        "Blank: no prompt (1 cell).",
        "Left out of their cell's mean: 1 failed.",
    ]
    assert blank_cells(cells().loc[["a", "b", "c"]]) == ""


def test_every_panel_has_its_table_on_the_scale_from_0_to_1() -> None:
    tables = {"full": grid(cells(), cells()["accuracy"]), "pruned": grid(cells(), cells()["accuracy"] / 2)}
    figure = drawn(lambda: grid_panels(tables, "accuracy", ["a title"], "a note", by_chance=0.1))
    shown = panels(figure)
    assert list(shown) == ["full", "pruned"]
    for name, axes in shown.items():
        (image,) = axes.get_images()
        shades = pd.DataFrame(np.ma.MaskedArray(image.get_array(), dtype=float).filled(np.nan))
        assert same(shades, tables[name].means.to_numpy().tolist())
        assert image.get_clim() == (0, 1)
        assert axes.get_ylim()[0] > axes.get_ylim()[1]  # depth 0 is on top, as in the prompt
    assert [text.get_text() for text in shown["full"].get_xticklabels()] == ["300", "900"]
    assert [text.get_text() for text in shown["full"].get_yticklabels()] == ["0", "50"]
    assert written(figure) == ["0.50", "n=2", "1.00", "n=1", "0.25", "n=2", "0.50", "n=1"]  # nothing in a blank cell
    assert figure.get_supxlabel() == "In a cell: mean, and n, its number of prompts.\na note"
    readable(figure)
    (bar,) = (axes for axes in figure.axes if axes not in shown.values() and axes.get_visible())
    (mark,) = (line for line in bar.get_lines() if line.get_linestyle() == "--")
    assert set(course(mark)[1]) == {0.1}


def large(lengths: int, panels: int = 1) -> Figure:
    """Of five depths; cells have one to three prompts, the first has none."""
    means = pd.DataFrame(0.5, index=range(0, 101, 25), columns=[10_000 * n for n in range(1, lengths + 1)])
    counts = pd.DataFrame(np.arange(means.size).reshape(means.shape) % 3 + 1, index=means.index, columns=means.columns)
    means.iloc[0, 0], counts.iloc[0, 0] = np.nan, 0
    grids = {f"number {each}": Cells(means, counts) for each in range(panels)}
    return drawn(lambda: grid_panels(grids, "accuracy", ["a title"]))


@pytest.mark.parametrize(("lengths", "columns"), [(6, 4), (12, 4), (13, 2), (25, 1)])
def test_cells_of_large_grids_have_their_number_of_prompts_alone(lengths: int, columns: int) -> None:
    figure = large(lengths, panels=columns)
    counted = [str(number % 3 + 1) for number in range(1, 5 * lengths)]
    assert written(figure) == columns * counted
    assert len({axes.get_position().x0 for axes in panels(figure).values()}) == columns
    assert figure.get_supxlabel() == "In a cell: its number of prompts."
    readable(figure)


def test_cells_that_are_too_small_for_numbers_have_them_below() -> None:
    figure = large(49)
    axes = panels(figure)["number 0"]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["0", "25", "50", "75", "100"]
    assert written(figure) == []
    assert figure.get_supxlabel() == "Prompts a cell: 1 to 3."


def shown(pictures: Mapping[str, Callable[[], Figure]], name: str) -> dict[str, pd.DataFrame]:
    """Title of a panel -> its values."""
    figure = drawn(pictures[name])
    images = {title: axes.get_images()[0].get_array() for title, axes in panels(figure).items()}
    return {
        title: pd.DataFrame(np.ma.MaskedArray(image, dtype=float).filled(np.nan)) for title, image in images.items()
    }


@pytest.mark.parametrize("k", [5, 10])
def test_both_pictures_show_the_cells_of_the_run(tmp_path: Path, k: int) -> None:
    pictures = ranking_grids(run(), k)
    assert list(pictures) == ["grid_accuracy", f"grid_needle_recall_at_{k}"]
    (accuracies,) = shown(pictures, "grid_accuracy").values()
    assert same(accuracies, [[0.5, GAP], [1.0, GAP]])
    recalls = shown(pictures, f"grid_needle_recall_at_{k}")
    assert list(recalls) == ["zeta", "alpha"]  # by result
    assert same(recalls["zeta"], [[0.4 * k / 10, GAP], [1.0 * k / 10, GAP]])
    assert same(recalls["alpha"], [[0.2 * k / 10, GAP], [0.5 * k / 10, GAP]])
    for name, draw in pictures.items():
        write_picture(tmp_path / name, draw)
        assert colours(tmp_path / f"{name}.png") > 50


def test_the_title_says_which_layers_the_mean_is_over() -> None:
    tables = run()
    mixed = pd.concat([tables.summary, tables.summary.assign(windowed=True)], ignore_index=True)
    for summary, said in ((tables.summary, "mean over layers"), (mixed, "mean over full-attention layers")):
        figure = ranking_grids(replace(tables, summary=summary), 10)["grid_needle_recall_at_10"]()
        first = f"needle_recall@10 by length and depth, {said}"
        assert figure.get_suptitle() == f"{first}\ntiny on niah, n = 3 prompts, k = 10 %"


def test_answers_without_an_accuracy_have_no_picture() -> None:
    unscored = run().samples.assign(accuracy=None).astype(SAMPLES)
    assert list(ranking_grids(replace(run(), samples=unscored), k=10)) == ["grid_needle_recall_at_10"]


@pytest.mark.parametrize(
    "tables",
    [
        replace(run(), samples=run().samples.assign(depth=None).astype(SAMPLES)),
        replace(ranked(), samples=run().samples),  # every prompt failed
        ranked(),
    ],
)
def test_without_a_depth_or_a_ranked_prompt_nothing_is_drawn(tables: Tables) -> None:
    assert ranking_grids(tables, k=10) == {}
