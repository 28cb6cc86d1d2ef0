"""A study's plot: its lines and bands are the numbers, each heuristic has its panel, and chance its line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.report.ranking_examples import at_layer, of_prompt, of_prompts, ranked
from tokenrank.records.tables import Tables
from tokenrank.report.drawing import write_picture
from tokenrank.report.study import per_value, study_curves, study_pictures

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


def made_up(oracle: float = ORACLE) -> Tables:
    """A study's tables with what must not be drawn: another k, another metric, statistics over prompts, a control."""
    metrics, summary = [], [of_prompts(name, "recall", "mean", 10.0, -3.0) for name in POINTS]
    for sample in SAMPLES:
        metrics.append(at_layer(sample, None, None, "recall", 10.0, 0.1))
        summary += [of_prompt(sample, "oracle", "recall", each, 10.0, oracle) for each in ("mean", "worst")]
        summary.append(of_prompt(sample, "random", "recall", "mean", 10.0, 0.9))
        for name, point in POINTS.items():
            for each in ("mean", "worst"):
                cell = value(point["heuristic"], point["value"], sample, each)
                summary.append(of_prompt(sample, name, "recall", each, 10.0, cell))
                summary.append(of_prompt(sample, name, "recall", each, 5.0, -1.0))
                summary.append(of_prompt(sample, name, "ndcg", each, 10.0, -2.0))
    return ranked(metrics, summary)


def figure() -> Figure:
    curves = {each: per_value(made_up().summary, POINTS, "recall", each, 10) for each in ("mean", "worst")}
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


@pytest.mark.parametrize(("oracle", "drawn"), [(ORACLE, True), (1.0, False)])
def test_an_oracle_that_is_one_by_definition_is_left_out(oracle: float, drawn: bool) -> None:
    (draw,) = study_pictures(made_up(oracle), STUDY, k=10).values()
    found = {str(line.get_label()) for axes in draw().axes for line in axes.get_lines()}
    assert "chance" in found
    assert ("oracle" in found) == drawn


def test_one_picture_the_same_each_time(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        for name, draw in study_pictures(made_up(), STUDY, k=10).items():
            write_picture(tmp_path / folder / name, draw)
    names = [f"study_widths_recall_at_10.{suffix}" for suffix in ("pdf", "png")]
    assert sorted(file.name for file in (tmp_path / "a").iterdir()) == names
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        assert (tmp_path / "a" / name).stat().st_size > 5_000


def test_where_nothing_was_ranked_nothing_is_drawn() -> None:
    assert study_pictures(ranked(), STUDY, k=10) == {}
