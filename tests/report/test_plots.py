"""The pictures: which files there are, that they show something, and that their lines and colours are the numbers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.lines import Line2D

from tests.report.ranking_examples import at_layer, of_prompt, ranked
from tokenrank.records.tables import Tables
from tokenrank.report.drawing import write_picture
from tokenrank.report.plots import heat_map, layer_curves, layer_pictures, spread_over_layers
from tokenrank.report.ranking_rows import by_layer, chance

HEURISTICS, SAMPLES, LAYERS = ["claa", "tova", "random"], ["s0", "s1", "s2", "s3"], [0, 1, 2, 3, 4]
CHANCE = {"recall": 0.1, "spearman": 0.0}
KINDS = ("layers", "heatmap", "spread")
DRAWN = {"layers": layer_curves, "heatmap": heat_map, "spread": spread_over_layers}


def value(heuristic: str, sample: str, layer: int) -> float:
    """Of a cell; samples are spread unevenly, and only at odd layers."""
    return 0.8 - 0.2 * HEURISTICS.index(heuristic) - 0.03 * layer + 0.02 * SAMPLES.index(sample) ** 2 * (layer % 2)


def means(heuristic: str, layers: list[int] = LAYERS) -> list[float]:
    """Over samples, at each layer."""
    return [sum(value(heuristic, sample, layer) for sample in SAMPLES) / len(SAMPLES) for layer in layers]


def made_up(heuristics: list[str] = HEURISTICS, samples: list[str] = SAMPLES, layers: list[int] = LAYERS) -> Tables:
    metrics, summary = [], []
    for sample in samples:
        for metric, k in (("recall", 5.0), ("recall", 10.0), ("spearman", None)):
            metrics.append(at_layer(sample, None, None, metric, k, CHANCE[metric]))
            for heuristic in heuristics:
                cells = [value(heuristic, sample, layer) * (0.5 if k == 5 else 1) for layer in layers]
                for layer, cell in zip(layers, cells, strict=True):
                    metrics.append(at_layer(sample, heuristic, layer, metric, k, cell))
                summary.append(of_prompt(sample, heuristic, metric, "mean", k, sum(cells) / len(cells)))
    return ranked(metrics, summary)


def figure(kind: str, metrics: pd.DataFrame | None = None) -> Figure:
    shown = made_up().metrics if metrics is None else metrics
    return DRAWN[kind](by_layer(shown, "recall", 10), chance(shown, "recall", 10), "recall@10", "tiny, 4 prompts")


def draw_all(metrics: pd.DataFrame, folder: Path, k: float) -> None:
    tables = replace(ranked(), metrics=metrics)
    for metric in metrics["metric"].unique():
        for name, draw in layer_pictures(tables, metric, k).items():
            write_picture(folder / name, draw)


def panels(drawn: Figure) -> dict[str, Axes]:
    return {axes.get_title(): axes for axes in drawn.axes if axes.get_visible()}


def line(axes: Axes, name: str) -> Line2D:
    (found,) = (each for each in axes.get_lines() if str(each.get_label()).startswith(name))
    return found


def titled(drawn: Figure) -> Axes:
    """The picture itself, not its colour bar."""
    (found,) = (axes for axes in drawn.axes if axes.get_title())
    return found


def course(drawn: Line2D) -> tuple[list[float], list[float]]:
    """Where a line runs, across and up."""
    across, up = np.asarray(drawn.get_xdata(), dtype=float), np.asarray(drawn.get_ydata(), dtype=float)
    return across.tolist(), up.tolist()


def colours(image: Path) -> int:
    channels = (imread(image)[..., :3] * 255).astype(int)
    return len(np.unique(channels @ [1, 256, 256**2]))


@pytest.fixture(scope="module")
def plots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "plots"
    draw_all(made_up().metrics, folder, k=10)
    return folder


def test_every_metric_has_its_three_pictures_twice(plots: Path) -> None:
    expected = {
        f"{name}_{kind}.{suffix}"
        for name in ("recall_at_10", "spearman")
        for kind in KINDS
        for suffix in ("png", "pdf")
    }
    assert {file.name for file in plots.iterdir()} == expected


def test_the_pictures_show_something(plots: Path, tmp_path: Path) -> None:
    for picture in plots.glob("*.png"):
        height, width = imread(picture).shape[:2]
        assert min(height, width) > 200
        assert colours(picture) > 50
    Figure().savefig(tmp_path / "nothing.png")
    assert colours(tmp_path / "nothing.png") == 1
    Figure().savefig(tmp_path / "nothing.pdf")
    for document in plots.glob("*.pdf"):
        written = document.read_bytes()
        assert written.startswith(b"%PDF")
        assert written.rstrip().endswith(b"%%EOF")
        assert len(written) > 2 * (tmp_path / "nothing.pdf").stat().st_size


def test_another_k_gives_other_pictures_of_the_metrics_that_have_one(plots: Path, tmp_path: Path) -> None:
    draw_all(made_up().metrics, tmp_path, k=5)
    for kind in KINDS:
        for suffix in (".png", ".pdf"):
            other, same = tmp_path / f"recall_at_5_{kind}{suffix}", tmp_path / f"spearman_{kind}{suffix}"
            assert other.read_bytes() != (plots / f"recall_at_10_{kind}{suffix}").read_bytes()
            assert same.read_bytes() == (plots / same.name).read_bytes()  # to the byte


def test_every_heuristic_has_a_panel_in_the_tables_order() -> None:
    assert list(panels(figure("layers"))) == HEURISTICS
    assert list(panels(figure("layers", made_up(HEURISTICS[::-1]).metrics))) == HEURISTICS[::-1]


def test_the_line_is_the_mean_over_prompts() -> None:
    for heuristic, axes in panels(figure("layers")).items():
        across, up = course(line(axes, "mean over prompts"))
        assert across == LAYERS
        assert up == pytest.approx(means(heuristic))


def test_layers_stand_at_their_own_numbers() -> None:
    full_attention = [1, 4]  # of a model whose other layers slide
    for heuristic, axes in panels(figure("layers", made_up(layers=full_attention).metrics)).items():
        across, up = course(line(axes, "mean over prompts"))
        assert across == full_attention
        assert up == pytest.approx(means(heuristic, full_attention))


def test_the_band_is_the_middle_of_the_prompts() -> None:
    for heuristic, axes in panels(figure("layers")).items():
        (band,) = axes.collections
        corners = np.asarray(band.get_paths()[0].vertices)
        for layer in LAYERS:
            heights = corners[corners[:, 0] == layer, 1]
            of_layer = [value(heuristic, sample, layer) for sample in SAMPLES]
            assert [heights.min(), heights.max()] == pytest.approx(np.percentile(of_layer, [10, 90]).tolist())


def test_the_chance_line_is_at_the_chance_level() -> None:
    for axes in panels(figure("layers")).values():
        assert set(course(line(axes, "chance"))[1]) == {CHANCE["recall"]}
    assert set(course(line(titled(figure("spread")), "chance"))[0]) == {CHANCE["recall"]}
    (image,) = titled(figure("heatmap")).get_images()
    assert image.colorbar is not None
    (mark,) = image.colorbar.ax.get_lines()
    assert set(course(mark)[1]) == {CHANCE["recall"]}


def test_the_heat_map_holds_the_means() -> None:
    axes = titled(figure("heatmap"))
    (image,) = axes.get_images()
    for heuristic, row in zip(HEURISTICS, np.asarray(image.get_array()).tolist(), strict=True):
        assert row == pytest.approx(means(heuristic))
    assert [text.get_text() for text in axes.get_yticklabels()] == HEURISTICS
    assert image.get_clim() == pytest.approx((CHANCE["recall"], max(means("claa"))))  # chance is on the scale


def test_the_spread_has_a_dot_a_layer_and_a_bar_at_the_mean() -> None:
    axes = titled(figure("spread"))
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert names == HEURISTICS[::-1]  # from the bottom: the first is on top
    upright = [course(each)[0] for each in axes.get_lines() if len(set(course(each)[0])) == 1]
    bars = [across[0] for across in upright if across[0] != CHANCE["recall"]]
    assert bars == pytest.approx([sum(means(heuristic)) / len(LAYERS) for heuristic in names])
    for height, (heuristic, dots) in enumerate(zip(names, axes.collections, strict=True)):
        places = np.asarray(dots.get_offsets())
        assert places[:, 0].tolist() == pytest.approx(means(heuristic))
        assert (abs(places[:, 1] - height) < 0.5).all()
        assert np.asarray(dots.get_array()).tolist() == LAYERS


@pytest.mark.parametrize(("heuristics", "samples", "layers"), [(1, 1, 1), (3, 1, 1), (1, 4, 5)])
def test_small_runs_are_drawn_too(tmp_path: Path, heuristics: int, samples: int, layers: int) -> None:
    table = made_up(HEURISTICS[:heuristics], SAMPLES[:samples], LAYERS[:layers]).metrics
    draw_all(table[table["metric"] == "recall"], tmp_path, k=10)
    assert len(list(tmp_path.iterdir())) == 2 * len(KINDS)


def test_more_heuristics_than_a_row_holds_leave_no_empty_panel() -> None:
    table = made_up(["claa"]).metrics
    many = [table[table["heuristic"].isna()]]
    names = [f"number {number}" for number in range(6)]
    many += [table[table["heuristic"].notna()].assign(heuristic=name) for name in names]
    assert list(panels(figure("layers", pd.concat(many, ignore_index=True)))) == names


def test_values_that_are_all_the_chance_level_are_drawn(tmp_path: Path) -> None:
    table = made_up().metrics.assign(value=1.0)  # as with k = 100 %
    draw_all(table[table["metric"] == "recall"], tmp_path, k=10)
    assert len(list(tmp_path.iterdir())) == 2 * len(KINDS)


def test_windowed_layers_are_drawn_apart() -> None:
    table, odd = made_up().metrics, [1, 3]
    values = by_layer(table, "recall", 10)
    plain, shaded = (layer_curves(values, 0.1, "recall@10", "tiny", windowed) for windowed in ((), odd))
    assert [len(each.axes[0].patches) for each in (plain, shaded)] == [0, 2]
    names = [text.get_text() for text in heat_map(values, 0.1, "recall@10", "tiny", odd).axes[0].get_xticklabels()]
    assert names == [f"{layer}{'w' if layer in odd else ''}" for layer in LAYERS]
    crosses = spread_over_layers(values, 0.1, "recall@10", "tiny", odd).axes[0].collections[1]
    assert len(crosses.get_offsets()) == 2  # type: ignore[arg-type]
