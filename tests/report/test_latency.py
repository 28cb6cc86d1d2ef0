"""Time to first token: lines, bands and points are the table's numbers, and what ran out of memory is a gap with a name."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.report.engine_tables import LENGTHS, RATES, SHARES, as_table, ttft_cell, ttft_tables
from tokenrank.report.latency import draw_latency, ttft_against_length, ttft_ratio_against_flops

NAMES = ["full", *(name for name in SHARES if name != "full")]
Draw = Callable[[pd.DataFrame, pd.DataFrame], Figure]
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


def test_a_panel_a_keep_rate_with_a_line_an_engine() -> None:
    figure = ttft_against_length(*ttft_tables())
    assert list(panels(figure)) == [f"keep {k:g} %" for k in RATES]
    assert legend(figure) == NAMES
    for k, axes in zip(RATES, panels(figure).values(), strict=True):
        for name in NAMES:
            across, up = line(axes, name)
            assert across == list(LENGTHS)
            assert up == pytest.approx([ttft_cell(name, tokens, k)["ttft"] for tokens in LENGTHS])


def test_bands_are_the_quartiles() -> None:
    for k, axes in zip(RATES, panels(ttft_against_length(*ttft_tables())).values(), strict=True):
        for name, band in zip(NAMES, axes.collections, strict=True):
            corners = np.asarray(band.get_paths()[0].vertices)
            for tokens in LENGTHS:
                heights = corners[corners[:, 0] == tokens, 1]
                wanted = ttft_cell(name, tokens, k)
                assert [heights.min(), heights.max()] == pytest.approx([wanted["ttft.low"], wanted["ttft.high"]])


@pytest.mark.parametrize(
    ("lengths", "scale"), [((1000, 4000), "linear"), ((1000, 4001), "log"), (LENGTHS, "log"), ((1000,), "linear")]
)
def test_lengths_that_span_more_than_four_times_stand_on_a_logarithmic_axis(
    lengths: tuple[int, ...], scale: str
) -> None:
    (axes, *_) = panels(ttft_against_length(*ttft_tables(lengths=lengths))).values()
    assert axes.get_xscale() == axes.get_yscale() == scale
    assert [text.get_text() for text in axes.get_xticklabels()] == [f"{tokens:,}" for tokens in lengths]


def test_savings_have_a_panel_a_length_and_a_line_through_the_keep_rates() -> None:
    figure = ttft_ratio_against_flops(*ttft_tables())
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
    for axes in panels(ttft_ratio_against_flops(*ttft_tables())).values():
        (diagonal,) = (each for each in axes.get_lines() if each.get_linestyle() == "--")
        assert (diagonal.get_xy1(), diagonal.get_slope()) == ((1, 1), 1)  # type: ignore[attr-defined]


def test_more_lengths_than_a_row_holds_leave_no_empty_panel() -> None:
    lengths = [1000 * number for number in range(1, 7)]
    assert len(panels(ttft_ratio_against_flops(*ttft_tables(lengths=lengths)))) == 6


def test_an_engine_out_of_memory_is_a_gap_that_the_caption_names() -> None:
    table, samples = ttft_tables()
    longest = table["sample"] == "n32768"
    lost = longest & ((table["heuristic"] == "full") | ((table["heuristic"] == "claa") & (table["k"] == 40)))
    lost |= longest & table["metric"].str.startswith("ttft_ratio")  # there is nothing to divide by
    figure = ttft_against_length(table[~lost], samples)
    said = "Not measured: full at 32,768 tokens; claa at 32,768 tokens, keep 40 %."
    assert said in caption(figure)
    assert "Not measured" not in caption(ttft_against_length(table, samples))
    for k, axes in zip(RATES, panels(figure).values(), strict=True):
        assert np.isnan(line(axes, "full")[1]).tolist() == [False, False, False, True]
        assert np.isnan(line(axes, "claa")[1][-1]) == (k == 40)
    ratio = ttft_ratio_against_flops(table[~lost], samples)
    assert list(panels(ratio)) == [f"{tokens:,} tokens" for tokens in LENGTHS]
    for name in NAMES:
        assert f"{name} at 32,768 tokens" in caption(ratio)


@BOTH
def test_a_single_length_has_bars_for_bands(draw: Draw) -> None:
    figure = draw(*ttft_tables(lengths=[3000]))
    assert "Bars" in caption(figure)
    assert "Bands" not in caption(figure)
    for axes in panels(figure).values():
        assert len(axes.collections) == len(NAMES)


@BOTH
def test_the_title_names_the_model(draw: Draw) -> None:
    assert draw(*ttft_tables()).get_suptitle().endswith("\ntiny")


def test_the_oracle_has_no_speed_and_is_in_neither_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr("tokenrank.report.latency.save", lambda figure, path: drawn.append(figure))
    table, samples = ttft_tables()
    for name in ("oracle", "tova"):
        more = table[table["heuristic"] == "claa"].assign(heuristic=name)
        draw_latency(pd.concat([table, more], ignore_index=True), samples, tmp_path)
    with_oracle, with_another = drawn[:2], drawn[2:]
    assert [legend(figure) for figure in with_oracle] == [NAMES] * 2
    assert [len(legend(figure)) for figure in with_another] == [len(NAMES) + 1] * 2


def test_two_pictures_as_png_and_pdf(tmp_path: Path) -> None:
    draw_latency(*ttft_tables(), tmp_path)
    names = {f"{name}.{end}" for name in ("ttft_against_length", "ttft_ratio_against_flops") for end in ("png", "pdf")}
    assert {file.name for file in tmp_path.iterdir()} == names
    assert all(file.stat().st_size > 15_000 for file in tmp_path.iterdir())


def test_without_a_full_prefill_there_are_times_but_no_savings(tmp_path: Path) -> None:
    table, samples = ttft_tables(("claa", "random"))
    draw_latency(table[~table["metric"].str.startswith("ttft_ratio")], samples, tmp_path)
    assert {file.stem for file in tmp_path.iterdir()} == {"ttft_against_length"}


def test_where_nothing_was_timed_nothing_is_drawn(tmp_path: Path) -> None:
    draw_latency(as_table([]), ttft_tables()[1], tmp_path)
    assert list(tmp_path.iterdir()) == []
