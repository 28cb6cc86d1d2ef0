"""Time to first token: lines, bands and points are the table's numbers, and what ran out of memory is a named gap."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.report.contestant_examples import RATES, as_tables, with_copy, without
from tests.report.drawn_pictures import drawn, readable
from tests.report.ttft_examples import LENGTHS, ttft_cell, ttft_tables
from tokenrank.records.tables import Tables
from tokenrank.report.pictures.drawing import write_picture
from tokenrank.report.pictures.latency import latency_pictures, ttft_against_length, ttft_ratio_against_flops

NAMES = [
    "full",
    "speculative",
    "gemfilter",
    "fastkv",
    "snapkv",
    "claa",
    "random",
]  # the fastest first, the control last
Draw = Callable[[Tables], Figure]
BOTH = pytest.mark.parametrize("draw", [ttft_against_length, ttft_ratio_against_flops])


def panels(drawn: Figure) -> dict[str, Axes]:
    return {axes.get_title(): axes for axes in drawn.axes if axes.get_visible()}


def line(axes: Axes, name: str) -> tuple[list[float], list[float]]:
    (found,) = (each for each in axes.get_lines() if each.get_label() == name)
    return np.asarray(found.get_xdata(), float).tolist(), np.asarray(found.get_ydata(), float).tolist()


def caption(drawn: Figure) -> str:
    return " ".join(drawn.get_supxlabel().split())


def legend(drawn: Figure) -> list[str]:
    return [text.get_text() for text in drawn.legends[0].get_texts()]


def test_a_panel_a_keep_rate_with_a_line_a_contestant() -> None:
    figure = ttft_against_length(ttft_tables())
    assert list(panels(figure)) == [f"keep rate {k:g} %" for k in RATES]
    assert legend(figure) == NAMES
    for k, axes in zip(RATES, panels(figure).values(), strict=True):
        for name in NAMES:
            across, up = line(axes, name)
            assert across == list(LENGTHS)
            assert up == pytest.approx([ttft_cell(name, tokens, k)["ttft"] for tokens in LENGTHS])


def test_bands_are_the_quartiles() -> None:
    for k, axes in zip(RATES, panels(ttft_against_length(ttft_tables())).values(), strict=True):
        for name, band in zip(NAMES, axes.collections, strict=True):
            corners = np.asarray(band.get_paths()[0].vertices)
            for tokens in LENGTHS:
                heights = corners[corners[:, 0] == tokens, 1]
                wanted = ttft_cell(name, tokens, k)
                assert [heights.min(), heights.max()] == pytest.approx([wanted["ttft low"], wanted["ttft high"]])


@pytest.mark.parametrize(
    ("lengths", "scale"), [((1000, 4000), "linear"), ((1000, 4001), "log"), (LENGTHS, "log"), ((1000,), "linear")]
)
def test_lengths_that_span_more_than_four_times_stand_on_a_logarithmic_axis(
    lengths: tuple[int, ...], scale: str
) -> None:
    (axes, *_) = panels(ttft_against_length(ttft_tables(lengths=lengths))).values()
    assert axes.get_xscale() == axes.get_yscale() == scale
    assert [text.get_text() for text in axes.get_xticklabels()] == [f"{tokens:,}" for tokens in lengths]


def test_savings_have_a_panel_a_length_and_a_line_through_the_keep_rates() -> None:
    figure = ttft_ratio_against_flops(ttft_tables())
    assert list(panels(figure)) == [f"{tokens:,} tokens" for tokens in LENGTHS]
    assert legend(figure) == NAMES
    for tokens, axes in zip(LENGTHS, panels(figure).values(), strict=True):
        assert line(axes, "full") == ([1], [1])
        for name in NAMES[1:]:
            across, up = line(axes, name)
            cells = [ttft_cell(name, tokens, k) for k in RATES]
            assert across == pytest.approx([each["flops_ratio"] for each in cells])
            assert up == pytest.approx([each["ttft_ratio"] for each in cells])


def test_the_diagonal_is_where_measured_and_counted_agree() -> None:
    for axes in panels(ttft_ratio_against_flops(ttft_tables())).values():
        (diagonal,) = (each for each in axes.get_lines() if each.get_linestyle() == "--")
        assert (diagonal.get_xy1(), diagonal.get_slope()) == ((1, 1), 1)  # type: ignore[attr-defined]


def test_more_lengths_than_a_row_holds_leave_no_empty_panel() -> None:
    lengths = [1000 * number for number in range(1, 7)]
    assert len(panels(ttft_ratio_against_flops(ttft_tables(lengths=lengths)))) == 6


def test_a_contestant_out_of_memory_is_a_gap_that_the_caption_names() -> None:
    tables = without(without(ttft_tables(), "full", sample="n32768"), "claa", keep=[40.0], sample="n32768")
    for name in NAMES:
        tables = without(tables, name, metric="ttft_ratio", sample="n32768")  # there is nothing to divide by
    figure = ttft_against_length(tables)
    said = "Not measured: full at 32,768 tokens; claa at 32,768 tokens, keep rate 40 %."
    assert said in caption(figure)
    assert "Not measured" not in caption(ttft_against_length(ttft_tables()))
    for k, axes in zip(RATES, panels(figure).values(), strict=True):
        assert np.isnan(line(axes, "full")[1]).tolist() == [False, False, False, True]
        assert np.isnan(line(axes, "claa")[1][-1]) == (k == 40)
    ratio = ttft_ratio_against_flops(tables)
    assert list(panels(ratio)) == [f"{tokens:,} tokens" for tokens in LENGTHS]
    for name in NAMES:
        assert f"{name} at 32,768 tokens" in caption(ratio)


@BOTH
def test_a_single_length_has_bars_for_bands(draw: Draw) -> None:
    figure = draw(ttft_tables(lengths=[3000]))
    assert "Bars" in caption(figure)
    assert "Bands" not in caption(figure)
    for axes in panels(figure).values():
        assert len(axes.collections) == len(NAMES)


@BOTH
@pytest.mark.parametrize("lengths", [LENGTHS, [3000], [1000 * number for number in range(1, 7)]])
def test_no_text_covers_another_and_the_legend_is_off_the_data(draw: Draw, lengths: list[int]) -> None:
    tables = with_copy(ttft_tables(lengths=lengths), "claa", "a_heuristic_with_a_very_long_name")
    figure = drawn(lambda: draw(tables))
    readable(figure)
    assert figure.get_figwidth() == 6.9


@BOTH
def test_the_title_names_the_model(draw: Draw) -> None:
    assert draw(ttft_tables()).get_suptitle().endswith("\ntiny on lengths, n = 4 prompts")


def test_the_oracle_has_no_speed_and_is_in_neither_picture() -> None:
    figures = {
        name: [draw() for draw in latency_pictures(with_copy(ttft_tables(), "claa", name)).values()]
        for name in ("oracle", "oracle@claa", "tova")
    }
    assert [legend(figure) for figure in figures["oracle"]] == [NAMES] * 2
    assert [legend(figure) for figure in figures["oracle@claa"]] == [NAMES] * 2
    assert [len(legend(figure)) for figure in figures["tova"]] == [len(NAMES) + 1] * 2


def test_there_are_two_pictures(tmp_path: Path) -> None:
    pictures = latency_pictures(ttft_tables())
    assert list(pictures) == ["ttft_against_length", "ttft_ratio_against_flops"]
    for name, draw in pictures.items():
        write_picture(tmp_path / name, draw)
    assert all(file.stat().st_size > 15_000 for file in tmp_path.iterdir())


def test_a_name_that_begins_with_an_underscore_is_in_the_legend() -> None:
    assert "_own" in legend(ttft_against_length(with_copy(ttft_tables(), "claa", "_own")))


def test_without_a_full_prefill_there_are_times_but_no_savings() -> None:
    tables = ttft_tables(("claa", "random"))
    for name in ("claa", "random"):
        tables = without(tables, name, metric="ttft_ratio")
    assert list(latency_pictures(tables)) == ["ttft_against_length"]


def test_where_nothing_was_timed_nothing_is_drawn() -> None:
    assert latency_pictures(as_tables(samples=[{"id": "s", "tokens": 100, "status": "failed"}])) == {}
