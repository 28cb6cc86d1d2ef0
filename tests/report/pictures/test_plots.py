"""The pictures of a metric by layer: which there are, that they are the same each time, and that small runs are drawn too."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from tests.report.drawn_pictures import course, drawn, on_axes, outside, overlapping, panels, readable
from tests.report.layer_examples import CHANCE, HEURISTICS, LAYERS, SAMPLES, cells, ranking
from tokenrank.report.pictures.drawing import write_picture
from tokenrank.report.pictures.plots import layer_pictures

__all__ = ["colours", "course", "panels"]
KINDS = ("variance", "layers", "prompts", "heatmap")
ORDER = ["oracle", "claa", "tova", "recency", "random"]


def colours(image: Path) -> int:
    """How many different ones a picture has."""
    channels = (imread(image)[..., :3] * 255).astype(int)
    return len(np.unique(channels @ [1, 256, 256**2]))


@cache
def heat_map(windowed: tuple[int, ...] = ()) -> Figure:
    return drawn(layer_pictures(ranking(windowed=windowed), "recall", 10)["recall_at_10_heatmap"])


def test_a_metric_has_four_pictures_with_the_same_bytes_each_time(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        for picture, draw in layer_pictures(ranking(HEURISTICS[:2], SAMPLES[:3]), "recall", 10).items():
            write_picture(tmp_path / folder / picture, draw)
    files = sorted(file.name for file in (tmp_path / "a").iterdir())
    assert files == sorted(f"recall_at_10_{kind}.{suffix}" for kind in KINDS for suffix in ("png", "pdf"))
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert all(colours(image) > 50 for image in (tmp_path / "a").glob("*.png"))


def test_pictures_are_as_wide_as_one_or_two_columns_of_a_paper() -> None:
    widths = {name: draw().get_figwidth() for name, draw in layer_pictures(ranking(), "recall", 10).items()}
    assert [widths[f"recall_at_10_{kind}"] for kind in KINDS] == [6.9, 3.3, 6.9, 6.9]


def test_another_k_is_another_picture_of_the_metrics_that_have_one() -> None:
    names = [*layer_pictures(ranking(), "recall", 5), *layer_pictures(ranking(), "spearman", 5)]
    assert names == [f"{metric}_{kind}" for metric in ("recall_at_5", "spearman") for kind in KINDS]


def test_the_heat_map_holds_the_means_of_the_table_in_the_order_of_results() -> None:
    axes = heat_map().axes[0]
    (image,) = axes.get_images()
    values = cells(ranking(), "recall", 10)
    assert [text.get_text() for text in axes.get_yticklabels()] == ORDER
    for name, row in zip(ORDER, np.asarray(image.get_array()), strict=True):
        assert row.tolist() == pytest.approx(values[name].mean(axis=1).tolist())
    assert image.get_clim() == (0, 1)
    assert image.colorbar is not None
    (mark,) = image.colorbar.ax.get_lines()
    assert set(course(mark)[1]) == {CHANCE["recall"]}


def test_the_dot_of_the_heat_map_is_the_lowest_layer_of_those_that_differ() -> None:
    (dots,) = heat_map().axes[0].get_lines()
    values = cells(ranking(), "recall", 10)
    across, up = course(dots)
    assert [ORDER[int(place)] for place in up] == ORDER[1:]  # the oracle's layers are equal
    assert across == [int(values[name].mean(axis=1).argmin()) for name in ORDER[1:]]


def test_windowed_layers_have_a_w() -> None:
    names = [text.get_text() for text in heat_map(windowed=(1, 3)).axes[0].get_xticklabels()]
    assert names == ["0", "1w", "2", "3w", "4"]


@pytest.mark.parametrize(
    ("metric", "heuristics", "layers"),
    [
        ("spearman", HEURISTICS, LAYERS),
        ("recall", ["claa", "claa_copy"], [0]),  # two that are the same
        ("recall", [*HEURISTICS, *(f"heuristic_with_a_long_name_{number}" for number in range(9))], list(range(40))),
        ("spearman", ["kvpress_" + "x" * 60, "kvpress_" + "y" * 60], LAYERS),
    ],
)
def test_no_text_covers_another_and_legends_are_off_the_data(
    metric: str, heuristics: list[str], layers: list[int]
) -> None:
    for draw in layer_pictures(ranking(heuristics, SAMPLES[:3], layers), metric, 10).values():
        readable(drawn(draw))


def test_a_text_on_another_one_outside_or_on_the_data_is_found() -> None:
    figure = drawn(lambda: layer_pictures(ranking(["claa"], SAMPLES[:1]), "recall", 10)["recall_at_10_layers"]())
    assert (overlapping(figure), outside(figure), on_axes(figure)) == ([], [], [])
    figure.text(0.5, 0.95, "on the title")
    figure.text(0.99, 0.5, "beyond the edge")
    figure.legends[0].set_loc("center")
    figure.legends[0].set_in_layout(False)
    figure.draw_without_rendering()
    assert overlapping(figure) != []
    assert outside(figure) == ["beyond the edge"]
    assert "claa" in on_axes(figure)


@pytest.mark.parametrize(("heuristics", "samples", "layers"), [(1, 1, 1), (3, 1, 1), (1, 4, 5), (3, 2, 5)])
def test_small_runs_are_drawn_too(tmp_path: Path, heuristics: int, samples: int, layers: int) -> None:
    tables = ranking(HEURISTICS[:heuristics], SAMPLES[:samples], LAYERS[:layers])
    for name, draw in layer_pictures(tables, "recall", 10).items():
        drawn(draw).savefig(tmp_path / name)
    assert [colours(picture) > 30 for picture in tmp_path.iterdir()] == [True] * len(KINDS)


def test_the_title_has_the_task_n_and_k() -> None:
    for draw in layer_pictures(ranking(), "recall", 10).values():
        assert draw().get_suptitle().splitlines()[-1] == "tiny on niah, n = 5 prompts, k = 10 %"
    for draw in layer_pictures(ranking(), "spearman", 10).values():
        assert draw().get_suptitle().splitlines()[-1] == "tiny on niah, n = 5 prompts"
