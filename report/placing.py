"""Places names at the ends of lines and labels at points, so that none covers another, a marker or, if possible, a line."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation
from matplotlib.transforms import Transform
from numpy.typing import NDArray

Points = NDArray[np.float64]  # (points, 2), pixels; a box is its lower left and its upper right corner
STEP = 2.0  # pixels between the points that represent a line
ROOM = 1.0  # points around a text
ALIKE = 0.08  # of the width of the axes: names of lines that end within it of each other are in one column
LEADER = 11.0  # points; a name further from the end of its line is joined to it by a thin line
DISTANCES = (3.0, 5.0, 7.0, 10.0, 14.0)  # points between a point and its label
ANGLES = range(0, 360, 30)
ASIDE = (8, 14, 20, 28, 38, 50)  # points
UPWARDS = (0, 8, -8, 16, -16, 26, -26, 40, -40, 60, -60, 90, -90)  # points
COLUMNS = [(aside * side, up) for side in (1, -1) for aside in ASIDE for up in UPWARDS]
COVERS_TEXT, LEAVES_AXES, COVERS_MARKER, COVERS_LINE, AWAY = 1e4, 1e5, 600.0, 1.0, 1.0  # cost; AWAY a point of distance
ON_THE_LEFT = 5e4  # cost of a column


@dataclass(frozen=True)
class Label:
    """A text that belongs to a point; ``where`` turns x and y into pixels."""

    text: str
    x: float
    y: float
    where: Transform
    colour: str
    size: float  # points
    weight: str = "normal"

    def pixels(self) -> Points:
        """Position of the point in pixels."""
        return np.asarray(self.where.transform((self.x, self.y)), dtype=float)


class Placing:
    """Places texts on axes whose limits are final, around what the axes show and the texts placed before."""

    def __init__(self, figure: Figure, axes: Axes) -> None:
        figure.draw_without_rendering()  # settles the layout
        self.axes, self.point = axes, figure.dpi / 72
        self.markers, self.lines = _markers(axes), _lines(axes)
        self.frame = axes.get_window_extent()
        self.boxes: list[Points] = []

    def names(self, labels: Sequence[Label]) -> None:
        """To the right of the points, else to the left, in columns, in the order of the points from top to bottom."""
        ordered = sorted(labels, key=lambda label: label.pixels()[0])
        column: list[Label] = []
        for label in ordered:
            if column and label.pixels()[0] - column[-1].pixels()[0] > ALIKE * self.frame.width:
                self._column(column)
                column = []
            column.append(label)
        if column:
            self._column(column)

    def _column(self, column: Sequence[Label]) -> None:
        labels = sorted(column, key=lambda label: label.pixels()[1])
        notes = [self._note(label, "left") for label in labels]
        ends = np.array([label.pixels() for label in labels])
        sizes = np.array([_size(note) for note in notes])
        heights = apart(ends[:, 1], float(sizes[:, 1].max()))
        right = np.column_stack([np.full(len(labels), ends[:, 0].max()), heights])
        left = np.column_stack([ends[:, 0].min() - sizes[:, 0], heights])
        best, cheapest = right, np.inf
        for shift in COLUMNS:
            tried = (left if shift[0] < 0 else right) + np.array(shift) * self.point
            cost = ON_THE_LEFT * (shift[0] < 0)
            cost += sum(self._cost(_box(place, size)) for place, size in zip(tried, sizes, strict=True))
            cost += AWAY * len(labels) * float(np.hypot(*shift))
            if cost < cheapest:
                best, cheapest = tried, cost
        for label, note, place, size in zip(labels, notes, best, sizes, strict=True):
            note.set_position(tuple((place - label.pixels()) / self.point))
            self.boxes.append(_box(place, size))
            if np.hypot(*(place - label.pixels())) > LEADER * self.point:
                beside = place + size * np.array([float(place[0] < ends[:, 0].min()), 0.0])  # its near end
                self._lead(label, beside)

    def labels(self, labels: Sequence[Label]) -> None:
        """Around their points, one after the other, each where its cost is lowest."""
        for label in labels:
            note = self._note(label, "center")
            size = _size(note)
            best, cheapest = label.pixels(), np.inf
            for distance in DISTANCES:
                for angle in np.radians(ANGLES):
                    way = np.array([np.cos(angle), np.sin(angle)])
                    tried = label.pixels() + way * (distance * self.point + size / 2)
                    cost = self._cost(_box(tried, size, centred=True)) + AWAY * distance
                    if cost < cheapest:
                        best, cheapest = tried, cost
            note.set_position(tuple((best - label.pixels()) / self.point))
            self.boxes.append(_box(best, size, centred=True))

    def _cost(self, box: Points) -> float:
        room = np.array([[-1], [1]]) * ROOM * self.point
        box = box + room
        outside = (box[0] < self.frame.min).any() or (box[1] > self.frame.max).any()
        return (
            COVERS_TEXT * sum(_overlap(box, other) for other in self.boxes)
            + COVERS_MARKER * _inside(self.markers, box + 3 * room)
            + COVERS_LINE * _inside(self.lines, box)
            + LEAVES_AXES * bool(outside)
        )

    def _note(self, label: Label, side: str) -> Annotation:
        note = self.axes.annotate(
            label.text, (label.x, label.y), (0, 0), xycoords=label.where, textcoords="offset points", ha=side,
            va="center", fontsize=label.size, fontweight=label.weight, color=label.colour, zorder=6,
        )  # fmt: skip
        note.set_path_effects([withStroke(linewidth=2, foreground="white")])
        note.set_in_layout(False)
        return note

    def _lead(self, label: Label, place: Points) -> None:
        line = self.axes.annotate(
            "", (label.x, label.y), tuple((place - label.pixels()) / self.point), xycoords=label.where, textcoords="offset points", zorder=1,
            arrowprops={"arrowstyle": "-", "color": label.colour, "linewidth": 0.6, "shrinkA": 1, "shrinkB": 3},
        )  # fmt: skip
        line.set_in_layout(False)


def apart(places: NDArray[np.float64], gap: float) -> NDArray[np.float64]:
    """The nearest places (least squares) that keep the order and are at least ``gap`` from each other.

    Args:
        places: ascending.
        gap: least distance.

    >>> apart(np.array([0.0, 0.0, 9.0]), 2.0).tolist()
    [-1.0, 1.0, 9.0]
    """
    groups: list[tuple[float, int]] = []  # mean of (place - number * gap), members, which move together
    for number, place in enumerate(places):
        mean, members = float(place) - number * gap, 1
        while groups and groups[-1][0] > mean:
            before, others = groups.pop()
            mean, members = (mean * members + before * others) / (members + others), members + others
        groups.append((mean, members))
    starts = np.concatenate([[mean] * members for mean, members in groups]) if groups else np.empty(0)
    return starts + gap * np.arange(len(places))


def _size(note: Annotation) -> Points:
    extent = note.get_window_extent()
    return np.array([extent.width, extent.height])


def _box(place: Points, size: Points, centred: bool = False) -> Points:
    """Of a text whose middle, or the middle of whose left edge, is at ``place``."""
    corner = place - size * np.array([0.5 if centred else 0.0, 0.5])
    return np.array([corner, corner + size])


def _overlap(box: Points, other: Points) -> float:
    """Square pixels that both boxes cover."""
    return float(np.clip(np.minimum(box[1], other[1]) - np.maximum(box[0], other[0]), 0, None).prod())


def _inside(points: Points, box: Points) -> int:
    return int(((points > box[0]) & (points < box[1])).all(axis=1).sum())


def _markers(axes: Axes) -> Points:
    with_markers = [line for line in axes.get_lines() if line.get_marker() not in ("None", "", None)]
    return _finite([line.get_transform().transform(line.get_xydata()) for line in with_markers])


def _lines(axes: Axes) -> Points:
    """Points along all lines and bars."""
    courses = [line.get_transform().transform(line.get_xydata()) for line in axes.get_lines()]
    for bars in axes.collections:
        if isinstance(bars, LineCollection):
            courses += [bars.get_transform().transform(each) for each in bars.get_segments()]
    return _finite([_filled(each) for each in courses])


def _filled(course: Points) -> Points:
    """Points every few pixels from corner to corner."""
    course = _finite([course])
    pieces = [np.linspace(start, end, int(np.hypot(*(end - start)) / STEP) + 2) for start, end in pairwise(course)]
    return np.concatenate([course, *pieces])


def _finite(found: Sequence[Points]) -> Points:
    points: Points = np.concatenate([np.empty((0, 2)), *found])
    return points[np.isfinite(points).all(axis=1)]
