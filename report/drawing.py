"""What all pictures share: colours, axes, layer numbers along an axis, and how a picture is written."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tokenrank.records.files import whole_file

INK, ACCENT, BAND, REFERENCE = "#222222", "#0072b2", "#9ecae1", "#d55e00"  # distinct for the colour-blind and in grey
PANELS_A_ROW = 4
SUFFIXES = (".png", ".pdf")  # of the files of a picture
NO_MATHTEXT: Any = {"text.parse_math": False}  # names may hold $, _ and \

Pictures = dict[str, Callable[[], Figure]]  # file name without its ending -> draws the picture


def write_picture(path: Path, draw: Callable[[], Figure]) -> None:
    """Draws a picture and writes ``path``.png and ``path``.pdf; all of its text is shown as it is, without mathtext."""
    with rc_context(NO_MATHTEXT):  # Matplotlib reads it when a text is made, ticks are made when a figure is saved
        figure = draw()
        for suffix in SUFFIXES:
            with whole_file(path.with_name(path.name + suffix)) as temporary:
                figure.savefig(temporary, dpi=150, metadata={"CreationDate": None} if suffix == ".pdf" else None)


def file_name(label: str) -> str:
    """Name of a metric in file names.

    >>> file_name("recall@10")
    'recall_at_10'
    """
    return label.replace("@", "_at_")


def layer_ticks(layers: Sequence[int], windowed: Collection[int], most: int) -> tuple[list[int], list[str]]:
    """Places and names of about ``most`` of the layers, evenly spread; windowed ones have a w.

    >>> layer_ticks([0, 1, 2, 5], windowed=[2], most=2)
    ([0, 2], ['0', '2w'])
    """
    places = list(range(0, len(layers), max(1, len(layers) // most)))
    return places, [f"{layers[place]}{'w' * (layers[place] in windowed)}" for place in places]


def plain_axes(axes: Axes) -> None:
    """Axes without a box, with a faint grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25, linewidth=0.5)
