"""Agreement of rankings and truths: a row a ranking, a column a truth."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.figure import Figure

from tokenrank.records.tables import Tables
from tokenrank.report.pictures.drawing import DOUBLE, SINGLE, Pictures, caption, file_name, title
from tokenrank.report.pictures.panels import ink_on
from tokenrank.report.pictures.score_range import score_range
from tokenrank.report.rows.ranking_rows import heading, label
from tokenrank.report.rows.truths import Agreement, agreement

NARROW = 5  # columns that fit one column of a paper


def agreement_pictures(tables: Tables, metrics: Sequence[str], k: float) -> Pictures:
    """METRIC_agreement of every metric that was measured against several truths.

    Args:
        tables: of the run.
        metrics: the metrics that are drawn.
        k: percent; which k is drawn of the metrics that have one.
    """
    found = {name: agreement(tables, name, k) for name in metrics}
    return {
        f"{file_name(label(tables.metrics, name, k))}_agreement": partial(_picture, tables, values, name, k)
        for name, values in found.items()
        if values is not None
    }


def _picture(tables: Tables, found: Agreement, metric: str, k: float) -> Figure:
    values = found.values
    name = label(tables.metrics, metric, k)
    own_k = k if "@" in name else None
    numbers = values.to_numpy(dtype=float)
    width = SINGLE if len(values.columns) <= NARROW else DOUBLE
    figure = Figure(figsize=(width, 1.15 + 0.2 * len(values)), layout="constrained")
    axes = figure.subplots()
    low, high = score_range(metric, numbers.ravel())
    image = axes.imshow(numbers, aspect="auto", cmap="viridis", vmin=low, vmax=high, interpolation="nearest")
    axes.set_yticks(range(len(values)), [str(each) for each in values.index])
    axes.set_xticks(range(len(values.columns)), [str(each) for each in values.columns], rotation=30, ha="right")
    axes.set_xlabel("against")
    for (row, column), value in np.ndenumerate(numbers):
        if not np.isnan(value):
            ink = ink_on(image, value)
            axes.text(
                column, row, f"{round(value, 2) + 0.0:.2f}", ha="center", va="center_baseline", fontsize=6, color=ink
            )
    figure.colorbar(image, ax=axes, label=name, pad=0.01, aspect=12)
    counts = found.prompts.to_numpy().ravel()
    least, most = int(np.nanmin(counts)), int(np.nanmax(counts))
    title(figure, f"{name} of the rankings in rows against those in columns", heading(tables, most, own_k))
    fewer = f" Some cells are over fewer prompts, {least} at least." if least < most else ""
    caption(figure, f"Mean over layers, then over prompts.{fewer}")
    return figure
