"""A study's plot: lines, intervals and bands are the numbers of the tables, each heuristic has its panel, and chance its line."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tests.report.drawn_pictures import course, drawn, panels, readable
from tests.report.ranking_examples import at_layer, of_prompt, of_prompts, ranked
from tokenrank.records.tables import Tables
from tokenrank.report.pictures.drawing import write_picture
from tokenrank.report.pictures.layer_curves import SAID_INTERVAL, SAID_SPREAD
from tokenrank.report.pictures.study import CURVES, per_value, study_pictures

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


def mean(heuristic: str, width: int, statistic: str) -> float:
    return float(np.mean([value(heuristic, width, each, statistic) for each in SAMPLES]))


def made_up(oracle: float = ORACLE) -> Tables:
    """A study's tables with what must not be drawn: another k, another metric, a control."""
    metrics, summary = [], []
    for sample in SAMPLES:
        metrics.append(at_layer(sample, None, None, "recall", 10.0, 0.1))
        for each in CURVES:
            summary += [of_prompt(sample, "oracle", "recall", each, 10.0, oracle)]
            summary += [of_prompt(sample, "random", "recall", each, 10.0, 0.9)]
            for name, point in POINTS.items():
                cell = value(point["heuristic"], point["value"], sample, each)
                summary.append(of_prompt(sample, name, "recall", each, 10.0, cell))
                summary.append(of_prompt(sample, name, "recall", each, 5.0, -1.0))
                summary.append(of_prompt(sample, name, "ndcg", each, 10.0, -2.0))
    for each in CURVES:
        summary.append(of_prompts("oracle", "recall", each, 10.0, oracle))
        for name, point in POINTS.items():
            found = mean(point["heuristic"], point["value"], each)
            summary.append(of_prompts(name, "recall", each, 10.0, found, low=found - 0.01, high=found + 0.03))
            summary.append(of_prompts(name, "recall", each, 5.0, -3.0))
    return ranked(metrics, summary)


def figure(tables: Tables | None = None, study: dict[str, Any] = STUDY) -> Figure:
    (draw,) = study_pictures(made_up() if tables is None else tables, study, k=10).values()
    return drawn(draw)


def curve(axes: Axes, statistic: str) -> tuple[list[float], list[float]]:
    (found,) = (each for each in axes.get_lines() if each.get_color() == CURVES[statistic][1]["color"])
    return course(found)


def edges(axes: Axes, name: str, place: int, width: int) -> list[float]:
    """Of the band of that name, of the first or second curve, at a width."""
    number = [number for number, each in enumerate(axes.collections) if each.get_label() == name][place]
    corners = np.asarray(axes.collections[number].get_paths()[0].vertices)
    heights = corners[corners[:, 0] == width, 1]
    return [float(heights.min()), float(heights.max())]


def test_a_panel_a_heuristic_with_its_own_values_in_order() -> None:
    found = panels(figure())
    assert list(found) == ["zeta", "alpha"]
    assert curve(found["zeta"], "mean")[0] == [1, 4, 16]
    assert curve(found["alpha"], "mean")[0] == [1, 4]
    assert {axes.get_xlabel() for axes in found.values()} == {"width (tokens)"}


@pytest.mark.parametrize("statistic", list(CURVES))
def test_lines_are_means_over_prompts(statistic: str) -> None:
    for heuristic, axes in panels(figure()).items():
        across, up = curve(axes, statistic)
        assert up == pytest.approx([mean(heuristic, int(width), statistic) for width in across])


def test_bands_are_the_middle_of_the_prompts_and_the_interval_of_the_mean() -> None:
    for heuristic, axes in panels(figure()).items():
        for place, statistic in enumerate(CURVES):
            for width in (1, 4):
                samples = [value(heuristic, width, each, statistic) for each in SAMPLES]
                assert edges(axes, SAID_SPREAD, place, width) == pytest.approx(
                    np.percentile(samples, [10, 90]).tolist()
                )
                own = mean(heuristic, width, statistic)
                assert edges(axes, SAID_INTERVAL, place, width) == pytest.approx([own - 0.01, own + 0.03])


def test_the_axis_of_an_unlimited_metric_is_set_by_the_means_and_says_that_an_interval_is_cut() -> None:
    tables, study = made_up(), STUDY | {"metric": "drop"}
    own = tables.summary["metric"] == "recall"
    summary = tables.summary.assign(metric=tables.summary["metric"].where(~own, "drop"))
    metrics = tables.metrics.assign(metric="drop")
    long = (summary["heuristic"] == "zeta_4") & summary["sample"].isna() & (summary["metric"] == "drop")
    cut = replace(tables, metrics=metrics, summary=summary.assign(low=summary["low"].where(~long, -9.0)))
    whole = replace(tables, metrics=metrics, summary=summary)
    for each, said in ((whole, False), (cut, True)):
        shown = figure(each, study)
        assert shown.axes[0].get_ylim()[0] > -1
        assert ("some ranges are cut" in shown.get_supylabel()) == said


def test_the_spread_is_an_outline_that_a_wider_interval_does_not_hide() -> None:
    for axes in panels(figure()).values():
        looks = {str(each.get_label()): each for each in axes.collections}
        assert looks[SAID_SPREAD].get_zorder() > looks[SAID_INTERVAL].get_zorder()
        assert len(looks[SAID_SPREAD].get_facecolor()) == 0
        assert np.min(looks[SAID_SPREAD].get_linewidth()) > 0


def test_a_prompt_that_a_heuristic_lacks_counts_for_none() -> None:
    tables = made_up()
    rows = tables.summary
    lost = (rows["sample"] == "c") & (rows["heuristic"] == "alpha_4")
    found = per_value(rows[~lost], POINTS, "recall", "mean", 10)
    samples = [value("zeta", 16, each, "mean") for each in SAMPLES[:2]]
    ends = [found[end].to_dict()["zeta", 16] for end in ("tenth", "ninetieth")]
    assert ends == pytest.approx(np.percentile(samples, [10, 90]).tolist())


def test_chance_and_oracle_are_lines_across() -> None:
    for axes in panels(figure()).values():
        levels = {course(line)[1][0]: line.get_linestyle() for line in axes.get_lines() if line.get_marker() == "None"}
        assert {round(level, 9): look for level, look in levels.items()} == {0.1: "-", ORACLE: "--"}


def test_without_a_chance_level_the_legend_shows_the_line_of_the_oracle() -> None:
    tables = made_up()
    legend = figure(replace(tables, metrics=tables.metrics[tables.metrics["heuristic"].notna()])).legends[0]
    shown = dict(zip((text.get_text() for text in legend.get_texts()), legend.legend_handles, strict=True))
    assert "chance" not in shown
    assert isinstance(shown["oracle"], Line2D)
    assert shown["oracle"].get_linestyle() == "--"


@pytest.mark.parametrize(("oracle", "there"), [(ORACLE, True), (1.0, False)])
def test_an_oracle_that_is_one_by_definition_is_left_out(oracle: float, there: bool) -> None:
    names = [text.get_text() for text in figure(made_up(oracle)).legends[0].get_texts()]
    assert names == [
        "mean over layers", "worst layer", "95 % interval of the mean", "10 % to 90 % of the prompts", "chance",
        *(["oracle"] * there),
    ]  # fmt: skip


def test_the_axis_is_the_range_of_the_metric_and_the_title_has_task_n_and_k() -> None:
    shown = figure()
    assert shown.axes[0].get_ylim() == pytest.approx((-0.03, 1.03))
    assert shown.get_suptitle() == "widths: recall@10\ntiny on niah, n = 3 prompts, k = 10 %"


def test_no_text_covers_another() -> None:
    long = {"heuristic_with_a_long_name_" + name: point for name, point in POINTS.items()}
    points = {name: {"heuristic": "the_long_name_of_" + each["heuristic"] * 4, "value": each["value"]} for name, each in long.items()}  # fmt: skip
    tables = made_up()
    summary = tables.summary.assign(heuristic=tables.summary["heuristic"].replace(dict(zip(POINTS, long, strict=True))))
    readable(figure())
    readable(figure(replace(tables, summary=summary), STUDY | {"points": points}))


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


def test_where_no_prompt_has_all_values_it_is_said() -> None:
    tables = made_up()
    alone = tables.summary[tables.summary["sample"].notna()]
    with pytest.raises(ValueError, match="widths: no prompt has all values of the study"):
        figure(replace(tables, summary=alone))
