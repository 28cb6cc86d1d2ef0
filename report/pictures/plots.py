"""The pictures of a metric of evaluation=ranking by layer."""

from collections.abc import Callable
from functools import partial

from matplotlib.figure import Figure

from tokenrank.records.tables import Tables
from tokenrank.report.pictures.drawing import DOUBLE, INK, REFERENCE, Pictures, caption, file_name, layer_ticks, title
from tokenrank.report.pictures.layer_curves import layer_curves, prompt_bands
from tokenrank.report.pictures.layer_values import LayerValues, layer_values
from tokenrank.report.pictures.layer_variance import layer_variance
from tokenrank.report.pictures.score_range import cropped
from tokenrank.report.rows.ranking_rows import picture_name

LAYERS_NAMED = 12  # along an axis


def layer_pictures(tables: Tables, metric: str, k: float) -> Pictures:
    """METRIC_variance, METRIC_layers, METRIC_prompts and METRIC_heatmap of one metric.

    Args:
        tables: of the run.
        metric: its name.
        k: percent; which k is drawn if it has one.

    Raises:
        ValueError: no prompt was ranked by every heuristic.
    """
    shown = layer_values(tables, metric, k)
    draw: dict[str, Callable[[LayerValues], Figure]] = {
        "variance": layer_variance, "layers": layer_curves, "prompts": prompt_bands, "heatmap": heat_map,
    }  # fmt: skip
    name = picture_name(tables, metric, file_name(shown.name))
    return {f"{name}_{kind}": partial(_picture, each, shown) for kind, each in draw.items()}


def _picture(draw: Callable[[LayerValues], Figure], shown: LayerValues) -> Figure:
    return draw(shown)


def heat_map(shown: LayerValues) -> Figure:
    """Heuristic x layer, mean over prompts; a dot is the heuristic's lowest layer, windowed layers have a w.

    The chance level, where it is known, is a line in the colour bar.
    """
    names, layers = shown.heuristics, [int(layer) for layer in shown.means.columns]
    figure = Figure(figsize=(DOUBLE, 0.95 + 0.17 * len(names)), layout="constrained")
    axes = figure.subplots()
    low, high = shown.range_of_means
    image = axes.imshow(
        shown.means.to_numpy(dtype=float), aspect="auto", cmap="viridis", vmin=low, vmax=high, interpolation="nearest"
    )
    axes.set_yticks(range(len(names)), names)
    axes.set_xticks(*layer_ticks(layers, shown.windowed, LAYERS_NAMED))
    axes.set_xlabel("layer (w: windowed)" if shown.windowed else "layer")
    axes.plot(
        [layers.index(layer) for layer in shown.lowest], [names.index(name) for name in shown.lowest.index], linestyle="none", marker="o", markersize=3,
        markerfacecolor="white", markeredgecolor=INK, markeredgewidth=0.6,
    )  # fmt: skip
    title(figure, f"{shown.name} at each layer", shown.heading)
    bar = figure.colorbar(image, ax=axes, label=shown.name, pad=0.01, aspect=12)
    if shown.chance_known:
        bar.ax.axhline(shown.by_chance, color=REFERENCE, linestyle="--", linewidth=1.4)
    dashed = " Dashed in the colour bar: chance." if shown.chance_known else ""
    some = " but for windowed layers" if shown.some_layers else ""
    caption(
        figure,
        f"Mean over prompts{cropped(shown.metric, low)}. Dot: the heuristic's lowest layer{some}.{dashed}",
    )
    return figure
