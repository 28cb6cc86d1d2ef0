"""A study's plot: its lines and bands are the numbers, each heuristic has its panel, and chance its line."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tokenrank.report.study import draw_study, per_value, study_curves

POINTS: dict[str, dict[str, Any]] = {
    f"{heuristic}_{value}": {"heuristic": heuristic, "value": value}
    for heuristic, values in (("zeta", (16, 1, 4)), ("alpha", (4, 1)))
    for value in values
}
STUDY = {"name": "widths", "metric": "recall", "label": "width (tokens)", "scale": "log", "points": POINTS}
SAMPLES = ["a", "b", "c"]
ORACLE = 0.75


def value(heuristic: str, width: int, sample: str, statistic: str) -> float:
    drop = 0.1 if statistic == "worst" else 0
    return 0.1 * (heuristic == "zeta") + width / 40 + 0.02 * SAMPLES.index(sample) ** 2 - drop


def made_up(oracle: float = ORACLE) -> pd.DataFrame:
    """A study's table with what must not be drawn: another k, another metric, statistics over samples, a control."""
    rows: list[tuple[str, str, str | None, str | None, int | None, str, float, float]] = []
    for sample in SAMPLES:
        rows.append(("tiny", "niah", sample, None, None, "recall", 10, 0.1))
        rows += [("tiny", "niah", sample, "oracle", None, f"recall.{each}", 10, oracle) for each in ("mean", "worst")]
        rows.append(("tiny", "niah", sample, "random", None, "recall.mean", 10, 0.9))
        for name, point in POINTS.items():
            for each in ("mean", "worst"):
                cell = value(point["heuristic"], point["value"], sample, each)
                rows.append(("tiny", "niah", sample, name, None, f"recall.{each}", 10, cell))
                rows.append(("tiny", "niah", sample, name, None, f"recall.{each}", 5, -1))
                rows.append(("tiny", "niah", sample, name, None, f"ndcg.{each}", 10, -2))
    rows += [("tiny", "niah", None, name, None, "recall.mean", 10, -3) for name in POINTS]
    columns = ["model", "task", "sample", "heuristic", "layer", "metric", "k", "value"]
    return pd.DataFrame(rows, columns=columns).astype({"layer": "Int64", "k": "Float64"})


def figure() -> Figure:
    curves = {each: per_value(made_up(), POINTS, "recall", each, 10) for each in ("mean", "worst")}
    return study_curves(curves, {"chance": 0.1, "oracle": ORACLE}, "title", "width (tokens)", "log")


def panels() -> dict[str, Axes]:
    return {axes.get_title(): axes for axes in figure().axes}


def line(axes: Axes, name: str) -> tuple[list[float], list[float]]:
    (found,) = (each for each in axes.get_lines() if each.get_label() == name)
    return np.asarray(found.get_xdata(), float).tolist(), np.asarray(found.get_ydata(), float).tolist()


def test_a_panel_a_heuristic_with_its_own_values_in_order() -> None:
    found = panels()
    assert list(found) == ["zeta", "alpha"]
    assert line(found["zeta"], "mean over layers")[0] == [1, 4, 16]
    assert line(found["alpha"], "mean over layers")[0] == [1, 4]
    assert {axes.get_xlabel() for axes in found.values()} == {"width (tokens)"}


@pytest.mark.parametrize(("name", "statistic"), [("mean over layers", "mean"), ("worst layer", "worst")])
def test_lines_are_means_over_prompts(name: str, statistic: str) -> None:
    for heuristic, axes in panels().items():
        across, up = line(axes, name)
        for width, mean in zip(across, up, strict=True):
            assert mean == pytest.approx(np.mean([value(heuristic, int(width), each, statistic) for each in SAMPLES]))


def test_bands_are_the_middle_of_the_prompts() -> None:
    for heuristic, axes in panels().items():
        for band, statistic in zip(axes.collections, ("mean", "worst"), strict=True):
            corners = np.asarray(band.get_paths()[0].vertices)
            for width in (1, 4):
                heights = corners[corners[:, 0] == width, 1]
                samples = [value(heuristic, width, each, statistic) for each in SAMPLES]
                assert [heights.min(), heights.max()] == pytest.approx(np.percentile(samples, [10, 90]).tolist())


def test_chance_and_oracle_are_lines_across() -> None:
    for axes in panels().values():
        assert set(line(axes, "chance")[1]) == {0.1}
        assert set(line(axes, "oracle")[1]) == {ORACLE}


@pytest.mark.parametrize(("oracle", "drawn"), [(ORACLE, ["chance", "oracle"]), (1.0, ["chance"])])
def test_an_oracle_that_is_one_by_definition_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, oracle: float, drawn: list[str]
) -> None:
    seen: list[list[str]] = []

    def watched(
        curves: dict[str, pd.DataFrame], levels: dict[str, float], title: str, across: str, scale: str
    ) -> Figure:
        seen.append(list(levels))
        return study_curves(curves, levels, title, across, scale)

    monkeypatch.setattr("tokenrank.report.study.study_curves", watched)
    draw_study(made_up(oracle), STUDY, tmp_path, k=10)
    assert seen == [drawn]


def test_one_picture_as_png_and_pdf_the_same_each_time(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        draw_study(made_up(), STUDY, tmp_path / folder, k=10)
    names = [f"study_widths_recall_at_10.{suffix}" for suffix in ("pdf", "png")]
    assert sorted(file.name for file in (tmp_path / "a").iterdir()) == names
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        assert (tmp_path / "a" / name).stat().st_size > 5_000


def test_where_nothing_was_ranked_nothing_is_drawn(tmp_path: Path) -> None:
    draw_study(made_up().head(0), STUDY, tmp_path, k=10)
    assert list(tmp_path.iterdir()) == []
