"""What all pictures share: the column widths of a paper, colours, axes, titles, legends, and how a picture is written."""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from textwrap import fill
from typing import Any

from matplotlib import style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend

from tokenrank.records.files import whole_file

SINGLE, DOUBLE = 3.3, 6.9  # inches: the width of a picture over one and over two columns of a paper
INK, ACCENT, REFERENCE = "#222222", "#0072b2", "#d55e00"  # distinct for the colour-blind and in grey
FAINT = "#555555"  # of captions
PANELS_A_ROW = 4
TIED = "\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}"  # lines of a title are not broken in "n = 10" or "10 %"
SUFFIXES = (".png", ".pdf")  # of the files of a picture
DOTS = 200  # an inch, of a PNG
LETTERS_AN_INCH = 16  # of a title, so that it is not wider than its picture; of a caption 19
STYLE: dict[str, Any] = {
    "text.parse_math": False,  # names may hold $, _ and \
    "font.size": 7.5, "figure.titlesize": 8, "axes.titlesize": 7.5, "axes.labelsize": 7.5, "legend.fontsize": 7,
    "xtick.labelsize": 7, "ytick.labelsize": 7, "axes.linewidth": 0.6, "xtick.major.width": 0.6, "ytick.major.width": 0.6,
    "xtick.major.size": 2.5, "ytick.major.size": 2.5, "axes.labelpad": 2.5, "axes.titlepad": 3.5, "legend.frameon": False,
    "legend.handlelength": 2.6, "legend.columnspacing": 1.2, "legend.labelspacing": 0.35, "pdf.fonttype": 42,  # TrueType
    "figure.constrained_layout.h_pad": 0.03, "figure.constrained_layout.w_pad": 0.03, "axes.axisbelow": True,
}  # fmt: skip

Pictures = dict[str, Callable[[], Figure]]  # file name without its ending -> draws the picture


def in_style() -> AbstractContextManager[None]:
    """Inside the block figures have our sizes of text, whatever the user's settings of Matplotlib are."""
    found: AbstractContextManager[None] = style.context(["default", STYLE])
    return found


def write_picture(path: Path, draw: Callable[[], Figure]) -> None:
    """Draws a picture and writes ``path``.png and ``path``.pdf; all of its text is shown as it is, without mathtext."""
    with in_style():  # Matplotlib reads it when a text is made, ticks are made when a figure is saved
        figure = draw()
        for suffix in SUFFIXES:
            with whole_file(path.with_name(path.name + suffix)) as temporary:
                figure.savefig(temporary, dpi=DOTS, metadata={"CreationDate": None} if suffix == ".pdf" else None)


def file_name(label: str) -> str:
    """Name of a metric in file names.

    >>> file_name("recall@10")
    'recall_at_10'
    """
    return label.replace("@", "_at_")


def layer_ticks(layers: Sequence[int], windowed: Collection[int], most: int) -> tuple[list[int], list[str]]:
    """Places and names of at most ``most`` of the layers, evenly spread; windowed ones have a w.

    >>> layer_ticks([0, 1, 2, 5], windowed=[2], most=2)
    ([0, 2], ['0', '2w'])
    """
    places = list(range(0, len(layers), max(1, -(-len(layers) // most))))
    return places, [f"{layers[place]}{'w' * (layers[place] in windowed)}" for place in places]


def plain_axes(axes: Axes) -> None:
    """Axes without a box, with a faint grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, linewidth=0.5)


def title(figure: Figure, *lines: str) -> None:
    """The title of a figure: what is shown, then the model, the task and the number of prompts; long lines are broken."""
    letters = int(LETTERS_AN_INCH * figure.get_figwidth())
    broken = [fill(line.replace(" = ", TIED).replace(" %", "\N{NO-BREAK SPACE}%"), letters) for line in lines]
    figure.suptitle("\n".join(broken).replace("\N{NO-BREAK SPACE}", " "))


def caption(figure: Figure, text: str) -> None:
    """How to read the figure, below it; its lines are broken at the figure's width."""
    if text:
        letters = int(19 * figure.get_figwidth())
        shown = "\n".join(fill(line, letters, break_on_hyphens=False) for line in text.split("\n"))
        figure.supxlabel(shown, fontsize=6.5, color=FAINT, x=0.01, ha="left")


def legend_below(figure: Figure, handles: Sequence[Artist], names: Sequence[str], heading: str | None = None) -> Legend:
    """A legend below the axes, in as many columns as the width of the figure has room for; the figure grows by its height.

    Args:
        figure: with a constrained layout.
        handles: of the entries.
        names: of the entries; read down the columns.
        heading: above the entries.
    """
    broken = [fill(name, int(14 * figure.get_figwidth()) - 8) for name in names]
    columns = len(broken)
    while True:
        legend = figure.legend(handles, broken, loc="outside lower center", ncols=columns, title=heading)
        size = legend.get_window_extent()
        if columns == 1 or size.width <= 0.98 * figure.bbox.width:
            figure.set_figheight(figure.get_figheight() + size.height / figure.dpi)
            return legend
        legend.remove()
        columns -= 1
