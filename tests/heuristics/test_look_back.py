"""What looking back refuses; its values are tested as the oracle's, in tests/oracle."""

from dataclasses import replace

import pytest

from tests.slow import random_layer
from tokenrank.heuristics.look_back import look_back


def test_nothing_to_look_from_is_an_error() -> None:
    layer = random_layer()
    for layers in ([], [replace(layer, queries=layer.queries[:, :0])]):
        with pytest.raises(ValueError, match="at least one attention layer and one query"):
            look_back(layers)
