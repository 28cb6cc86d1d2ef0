"""Time to first token against prompt length, and the measured saving in time against the saving in counted FLOPs."""

from collections.abc import Mapping, Sequence
from functools import partial
from textwrap import fill

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator

from tokenrank.records.schema import FULL
from tokenrank.records.tables import Tables
from tokenrank.report.pictures.contestant_style import Style, styles
from tokenrank.report.pictures.drawing import DOUBLE, INK, Pictures, caption, plain_axes, title
from tokenrank.report.pictures.result_order import by_result
from tokenrank.report.printed.ttft_table import without_bounds
from tokenrank.report.rows.contestant_rows import contestants, keep_rates, lengths, of_samples
from tokenrank.report.rows.ranking_rows import heading

SPAN = 4  # longest prompt over shortest; above it lengths and seconds have logarithmic axes
LEVEL_TICKS = 3  # more lengths than these are written upwards
PANELS = 3  # a row, beside the legend
LETTERS = 14  # of a line of a name in the legend


def latency_pictures(tables: Tables) -> Pictures:
    """ttft_against_length and ttft_ratio_against_flops; none if nothing was timed. The oracles are left out.

    Args:
        tables: of a run of evaluation=ttft.
    """
    tables = without_bounds(tables)
    pictures: Pictures = {}
    for metric, name, draw in (
        ("ttft", "ttft_against_length", ttft_against_length),
        ("ttft_ratio", "ttft_ratio_against_flops", ttft_ratio_against_flops),
    ):
        if of_samples(tables, metric).notna().any(axis=None):
            pictures[name] = partial(draw, tables)
    return pictures


def ttft_against_length(tables: Tables) -> Figure:
    """A panel a keep rate, in each a line a contestant; the band spans the quartiles of its repeats.

    Args:
        tables: of a run of evaluation=ttft.
    """
    rates, tokens = keep_rates(tables), lengths(tables.samples)
    looks = styles(contestants(tables))
    median, low, high = (
        of_samples(tables, "ttft", column).reindex(columns=tokens.index) for column in ("value", "low", "high")
    )
    names = _fastest_first(median)
    figure, panels = _panels([f"keep rate {keep:g} %" for keep in rates])
    lines: dict[str, Line2D] = {}
    for keep, panel in zip(rates, panels, strict=True):
        for name in names:
            line, bottom, top = (each.T[name, keep] for each in (median, low, high))
            (lines[name],) = panel.plot(tokens, line, label=name, **looks[name].drawn())  # type: ignore[arg-type]
            _spread(panel, tokens, bottom, top, looks[name])
        _length_axes(panel, tokens)
    figure.supylabel("seconds to the first token", fontsize=7.5)
    title(figure, "Time to first token", heading(tables, len(tokens)))
    said = f"Points: median of the repeats. {'Bands' if len(tokens) > 1 else 'Bars'}: their quartiles."
    _finish(figure, lines, f"{said} {_not_measured(median, tokens)}")
    return figure


def ttft_ratio_against_flops(tables: Tables) -> Figure:
    """A panel a prompt. On the diagonal time is saved in proportion to FLOPs; above it less time is saved.

    Args:
        tables: of a run of evaluation=ttft.
    """
    tokens = lengths(tables.samples)
    looks = styles(contestants(tables))
    across, up, low, high = (
        of_samples(tables, metric, column).reindex(columns=tokens.index)
        for metric, column in (("flops_ratio", "value"), *(("ttft_ratio", each) for each in ("value", "low", "high")))
    )
    names = _fastest_first(up)
    figure, panels = _panels([f"{each:,} tokens" for each in tokens])
    lines: dict[str, Line2D] = {}
    for sample, panel in zip(tokens.index, panels, strict=True):
        panel.axline((1, 1), slope=1, color=INK, linestyle="--", linewidth=1, zorder=1)
        for name in names:
            some = slice(0, 1) if name == FULL else slice(None)  # its value is the same at every keep rate
            x, y, bottom, top = (each.loc[name][sample].iloc[some] for each in (across, up, low, high))
            (lines[name],) = panel.plot(x, y, label=name, **looks[name].drawn())  # type: ignore[arg-type]
            panel.vlines(x, bottom, top, color=looks[name].colour, linewidth=1, alpha=0.45)
    for lowest in (each for each in panels if each.xaxis.get_tick_params()["labelbottom"]):
        lowest.set_xlabel("FLOPs, share of full prefill")
    figure.supylabel("time to first token, share of full prefill", fontsize=7.5)
    title(figure, "Time saved against FLOPs saved", heading(tables, len(tokens)))
    rates = ", ".join(f"{keep:g}" for keep in keep_rates(tables))
    said = (
        "Dashed: time saved in proportion to FLOPs. "
        f"Along a line: keep rates {rates}\N{NO-BREAK SPACE}%. Bars: quartiles over rounds."
    )
    _finish(figure, lines, f"{said} {_not_measured(up, tokens)}")
    return figure


def _fastest_first(times: pd.DataFrame) -> list[str]:
    """Contestants by their mean over prompts and keep rates; controls last."""
    return by_result(times.mean(axis=1).groupby("contestant", sort=False).mean(), lower_is_better=True)


def _panels(titles: Sequence[str]) -> tuple[Figure, list[Axes]]:
    rows = -(-len(titles) // PANELS)
    columns = -(-len(titles) // rows)
    figure = Figure(figsize=(DOUBLE, 0.9 + 1.9 * rows), layout="constrained")
    panels = list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
    for unused in panels[len(titles) :]:
        unused.set_visible(False)
    for panel, each in zip(panels, titles, strict=False):
        panel.set_title(each)
        plain_axes(panel)
    for lowest in panels[max(0, len(titles) - columns) : len(titles)]:
        lowest.tick_params(labelbottom=True)
    return figure, panels[: len(titles)]


def _spread(
    panel: Axes, tokens: "pd.Series[int]", low: "pd.Series[float]", high: "pd.Series[float]", look: Style
) -> None:
    """A band, or a bar where there is but one length."""
    if len(tokens) > 1:
        panel.fill_between(tokens, low, high, color=look.colour, alpha=0.2, linewidth=0)
    else:
        panel.vlines(tokens, low, high, color=look.colour, linewidth=1, alpha=0.45)


def _length_axes(panel: Axes, tokens: "pd.Series[int]") -> None:
    if tokens.max() > SPAN * tokens.min():
        panel.set_xscale("log", base=2)
        panel.set_yscale("log")
        panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.yaxis.set_minor_locator(NullLocator())
        panel.yaxis.set_major_formatter("{x:g}")
    else:
        panel.set_ylim(bottom=0)
    ticks = sorted(set(tokens))
    panel.set_xticks(ticks, [f"{each:,}" for each in ticks], rotation=90 * (len(ticks) > LEVEL_TICKS))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.set_xlabel("prompt tokens")


def _not_measured(found: pd.DataFrame, tokens: "pd.Series[int]") -> str:
    """Names what has no point: a contestant that ran out of memory, for example."""
    gaps = []
    for name in found.index.unique("contestant"):
        for sample, length in tokens.items():
            cells = found.loc[name][sample]
            missing = [f"{keep:g}" for keep in cells.index[cells.isna()]]
            rates = "" if len(missing) == len(cells) else f", keep rate {', '.join(missing)} %"
            gaps += [f"{name} at {length:,} tokens{rates}"] * bool(missing)
    return f"Not measured: {'; '.join(gaps)}." if gaps else ""


def _finish(figure: Figure, lines: Mapping[str, Line2D], said: str) -> None:
    names = [fill(name, LETTERS) for name in lines]
    figure.legend(list(lines.values()), names, loc="outside right center")
    caption(figure, said.strip())
