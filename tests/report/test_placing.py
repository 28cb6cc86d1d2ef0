"""Names and labels: none covers another or a marker, names keep the order of their lines, and what is moved stays near."""

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from tokenrank.report.placing import Label, Placing, apart

HEIGHTS = [0.50, 0.51, 0.52, 0.53, 0.2]


def drawn(place: bool) -> tuple[Figure, Axes, list[Annotation]]:
    """Five lines that end at the same place across, four of them close to each other."""
    figure = Figure(figsize=(6, 4))
    axes = figure.subplots()
    labels = []
    for number, height in enumerate(HEIGHTS):
        axes.plot([0.1, 0.4], [height - 0.02, height], marker="o")
        labels.append(Label(f"name {number}", 0.4, height, axes.transData, "black", 9, "bold"))
        labels.append(Label("10", 0.1, height - 0.02, axes.transData, "black", 7))
    axes.set(xlim=(0, 1), ylim=(0, 1))
    if place:
        placing = Placing(figure, axes)
        placing.names(labels[::2])
        placing.labels(labels[1::2])
        return figure, axes, [text for text in axes.texts if isinstance(text, Annotation) and text.get_text()]
    return figure, axes, [axes.annotate(label.text, (label.x, label.y)) for label in labels]


def overlaps(texts: list[Annotation]) -> int:
    boxes = [text.get_window_extent() for text in texts]
    shared = [Bbox.intersection(a, b) for number, a in enumerate(boxes) for b in boxes[:number]]
    return sum(box is not None and box.width > 0 and box.height > 0 for box in shared)


def test_no_text_covers_another() -> None:
    assert overlaps(drawn(place=True)[2]) == 0
    assert overlaps(drawn(place=False)[2]) > 3  # the case is a hard one


def test_no_text_covers_a_marker_and_all_are_inside() -> None:
    _, axes, texts = drawn(place=True)
    frame = axes.get_window_extent()
    centres = np.concatenate([axes.transData.transform(line.get_xydata()) for line in axes.get_lines()])
    for text in texts:
        box = text.get_window_extent()
        assert not any(box.contains(x, y) for x, y in centres)
        assert all(frame.contains(*corner) for corner in box.corners())


def test_a_column_of_names_moves_as_a_whole_rather_than_hide_a_single_point() -> None:
    figure = Figure(figsize=(6, 4))
    axes = figure.subplots()
    labels = [Label(f"a longer name {n}", 0.6, 0.5, axes.transData, "black", 9, "bold") for n in range(6)]
    axes.plot([0.1, 0.6], [0.5, 0.5], marker="o")
    axes.plot([0.8], [0.5], marker="*")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    Placing(figure, axes).names(labels)
    names = [text for text in axes.texts if isinstance(text, Annotation) and text.get_text()]
    assert len(names) == 6
    point = axes.transData.transform((0.8, 0.5))
    assert not any(text.get_window_extent().contains(*point) for text in names)


def test_names_stand_right_of_the_ends_in_the_order_of_their_heights() -> None:
    _, axes, texts = drawn(place=True)
    names = {text.get_text(): text.get_window_extent() for text in texts if text.get_text().startswith("name")}
    ordered = [names[f"name {number}"] for number in np.argsort(HEIGHTS)]
    assert [box.y0 for box in ordered] == sorted(box.y0 for box in ordered)
    assert all(box.x0 > axes.transData.transform((0.4, 0))[0] for box in ordered)


@pytest.mark.parametrize(("end", "on_the_left"), [(0.97, True), (0.2, False)])
def test_names_that_would_leave_the_axes_on_the_right_stand_left_of_the_ends(end: float, on_the_left: bool) -> None:
    figure = Figure(figsize=(6, 4))
    axes = figure.subplots()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    labels = [Label(f"oracle@claa_layer{number}", end, 0.5, axes.transData, "black", 9, "bold") for number in range(3)]
    Placing(figure, axes).names(labels)
    texts = [text for text in axes.texts if text.get_text()]
    assert len(texts) == 3
    for text in texts:
        box, frame = text.get_window_extent(), axes.get_window_extent()
        assert (np.asarray(frame.min) <= np.asarray(box.min)).all()
        assert (np.asarray(box.max) <= np.asarray(frame.max)).all()
        assert (box.x1 < labels[0].pixels()[0]) == on_the_left


def test_labels_are_within_a_few_points_of_their_points() -> None:
    figure, axes, texts = drawn(place=True)
    for text in texts:
        if text.get_text() == "10":
            box, point = text.get_window_extent(), axes.transData.transform(text.xy)
            gap = np.maximum(0, np.maximum([box.x0, box.y0] - point, point - [box.x1, box.y1]))
            assert np.hypot(*gap) < 15 * figure.dpi / 72


@pytest.mark.parametrize(
    ("places", "gap", "expected"),
    [
        ([], 1, []),
        ([5], 1, [5]),
        ([0, 10], 1, [0, 10]),  # nothing to do
        ([3, 3], 2, [2, 4]),  # both give way alike
        ([0, 0, 0], 1, [-1, 0, 1]),
        ([0, 1, 1.5], 1, [-1 / 6, 5 / 6, 11 / 6]),  # the pair that is too close pushes the first
    ],
)
def test_places_are_moved_apart_as_little_as_can_be(places: list[float], gap: float, expected: list[float]) -> None:
    assert apart(np.array(places, dtype=float), gap).tolist() == pytest.approx(expected)


def test_moved_places_keep_their_distance_and_beat_pushing_upwards() -> None:
    generator = np.random.default_rng(0)
    for _ in range(50):
        places = np.sort(generator.random(8))
        found = apart(places, 0.1)
        assert (np.diff(found) >= 0.1 - 1e-9).all()
        pushed = [places[0]]
        for place in places[1:]:
            pushed.append(max(place, pushed[-1] + 0.1))
        assert ((found - places) ** 2).sum() <= ((np.array(pushed) - places) ** 2).sum() + 1e-12
