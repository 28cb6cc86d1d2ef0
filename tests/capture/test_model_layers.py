"""What ModelLayers derives: the windowed layers, and how it is written in messages."""

import pytest

from tokenrank.capture.model_layers import ModelLayers


def test_the_windowed_layers_are_those_with_a_window() -> None:
    assert ModelLayers(4, (0, 1, 3), {3: 16, 1: 8}).windowed == {1, 3}
    assert ModelLayers(2, (0, 1)).windowed == frozenset()


@pytest.mark.parametrize(
    ("attention", "text"), [((0, 1, 2), "0 to 2"), ((1, 2), "1 to 2"), ((2, 5), "2, 5"), ((4,), "4 to 4")]
)
def test_consecutive_layers_are_written_as_a_range(attention: tuple[int, ...], text: str) -> None:
    assert str(ModelLayers(8, attention)) == text
