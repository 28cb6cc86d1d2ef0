"""How long until the first token? Time against prompt length, and measured savings against those counted in FLOPs."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from tokenrank.report.engine_rows import FULL, ORACLE, engines, keep_rates, lengths, models, of_samples
from tokenrank.report.engine_style import Style, styles
from tokenrank.report.plots import INK, PANELS_A_ROW, plain_axes, save

SPAN = 4  # longest prompt over shortest; above it lengths and seconds stand on logarithmic axes
LEVEL_TICKS = 4  # more lengths than these are written aslant
NARROWEST = 6.5  # inches
LETTERS_AN_INCH = 17  # of the caption
RATIO = ("ttft_ratio", "ttft_ratio.low", "ttft_ratio.high")


def draw_latency(table: pd.DataFrame, samples: pd.DataFrame, folder: Path) -> None:
    """Draws both pictures of a run of evaluation=ttft; nothing if nothing was timed.

    The oracle is left out: it had to answer first, so its time is not a speed.

    Args:
        table: as in metrics.parquet.
        samples: as in samples.parquet: ``id`` and ``tokens`` of every prompt.
        folder: gets ttft_against_length and ttft_ratio_against_flops, each as .png and .pdf.
    """
    table = table[table["heuristic"] != ORACLE]
    for metric, name, draw in (
        ("ttft", "ttft_against_length", ttft_against_length),
        ("ttft_ratio", "ttft_ratio_against_flops", ttft_ratio_against_flops),
    ):
        if of_samples(table, metric).notna().any(axis=None):
            save(draw(table, samples), folder / name)


def ttft_against_length(table: pd.DataFrame, samples: pd.DataFrame) -> Figure:
    """A panel a keep rate, in each a line an engine; the band spans the quartiles of its repeats.

    Args:
        table: as in metrics.parquet.
        samples: as in samples.parquet.
    """
    names, rates, tokens = engines(table), keep_rates(table), lengths(samples)
    looks = styles(names)
    median, low, high = (
        of_samples(table, metric).reindex(columns=tokens.index) for metric in ("ttft", "ttft.low", "ttft.high")
    )
    figure, panels = _panels([f"keep {k:g} %" for k in rates])
    for k, panel in zip(rates, panels, strict=True):
        for name in names:
            line, bottom, top = (each.T[name, k] for each in (median, low, high))
            panel.plot(tokens, line, label=name, **looks[name].drawn())  # type: ignore[arg-type]
            _spread(panel, tokens, bottom, top, looks[name])
        _length_axes(panel, tokens)
    figure.supylabel("seconds to the first token", fontsize=10)
    figure.suptitle(f"Time to first token\n{models(table)}", fontsize=11)
    caption = f"Points: median of the repeats. {'Bands' if len(tokens) > 1 else 'Bars'}: their quartiles."
    _finish(figure, panels, f"{caption} {_not_measured(median, tokens)}")
    return figure


def ttft_ratio_against_flops(table: pd.DataFrame, samples: pd.DataFrame) -> Figure:
    """How much of the counted saving becomes time: all of it on the diagonal, less above. A panel a prompt.

    Args:
        table: as in metrics.parquet.
        samples: as in samples.parquet.
    """
    names, tokens = engines(table), lengths(samples)
    looks = styles(names)
    across, up, low, high = (
        of_samples(table, metric).reindex(columns=tokens.index) for metric in ("flops_ratio", *RATIO)
    )
    figure, panels = _panels([f"{each:,} tokens" for each in tokens])
    for sample, panel in zip(tokens.index, panels, strict=True):
        panel.axline((1, 1), slope=1, color=INK, linestyle="--", linewidth=1, zorder=1)
        for name in names:
            some = slice(0, 1) if name == FULL else slice(None)  # its rows are the same at every keep rate
            x, y, bottom, top = (each.loc[name][sample].iloc[some] for each in (across, up, low, high))
            panel.plot(x, y, label=name, **looks[name].drawn())  # type: ignore[arg-type]
            panel.vlines(x, bottom, top, color=looks[name].colour, linewidth=1, alpha=0.45)
    for lowest in panels[-PANELS_A_ROW:]:
        lowest.set_xlabel("FLOPs counted, over the full prefill's", fontsize=9)
    figure.supylabel("time to first token, over the full prefill's", fontsize=10)
    figure.suptitle(f"What of the counted saving becomes time\n{models(table)}", fontsize=11)
    rates = ", ".join(f"{k:g}" for k in keep_rates(table))
    caption = f"Dashed: all of the saving becomes time. Along a line: keep {rates}\N{NO-BREAK SPACE}%. Bars: quartiles over rounds."
    _finish(figure, panels, f"{caption} {_not_measured(up, tokens)}")
    return figure


def _panels(titles: Sequence[str]) -> tuple[Figure, list[Axes]]:
    columns = min(PANELS_A_ROW, len(titles))
    rows = -(-len(titles) // columns)
    figure = Figure(figsize=(max(NARROWEST, 1.6 + 3 * columns), 1.3 + 3.3 * rows), layout="constrained")
    panels = list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
    for unused in panels[len(titles) :]:
        unused.set_visible(False)
    for panel, title in zip(panels, titles, strict=False):
        panel.set_title(title, fontsize=10, color=INK)
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
    aslant = len(ticks) > LEVEL_TICKS
    panel.set_xticks(ticks, [f"{each:,}" for each in ticks], rotation=30 * aslant, ha="right" if aslant else "center")
    panel.xaxis.set_minor_locator(NullLocator())
    panel.set_xlabel("prompt tokens", fontsize=9)


def _not_measured(found: pd.DataFrame, tokens: "pd.Series[int]") -> str:
    """What has no point: an engine that ran out of memory, say."""
    gaps = []
    for name in found.index.unique("heuristic"):
        for sample, length in tokens.items():
            cells = found.loc[name][sample]
            missing = [f"{k:g}" for k in cells.index[cells.isna()]]
            rates = "" if len(missing) == len(cells) else f", keep {', '.join(missing)} %"
            gaps += [f"{name} at {length:,} tokens{rates}"] * bool(missing)
    return f"Not measured: {'; '.join(gaps)}." if gaps else ""


def _finish(figure: Figure, panels: Sequence[Axes], caption: str) -> None:
    lines, names = panels[0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside right center", fontsize=8, frameon=False)
    letters = int(LETTERS_AN_INCH * figure.get_figwidth())
    figure.supxlabel(fill(caption.strip(), letters), fontsize=7.5, color="#555555", x=0.02, ha="left")
