"""A contestant is an engine, a heuristic and a name; nothing of it changes once it is made."""

import dataclasses

import pytest

from tokenrank.heuristics.claa import CLAA
from tokenrank.prefill.contestant import Contestant
from tokenrank.prefill.engine import Full
from tokenrank.prefill.layerwise import Layerwise


def test_a_contestant_knows_its_engine_and_its_heuristic() -> None:
    claa = Contestant("claa", Layerwise(select_layer=1), CLAA())
    assert (claa.name, claa.engine.kind, claa.heuristic) == ("claa", "layerwise", CLAA())
    assert claa == Contestant("claa", Layerwise(select_layer=1), CLAA())
    assert claa != Contestant("claa", Layerwise(select_layer=2), CLAA())


def test_full_prefill_has_no_heuristic_and_no_contestant_can_be_changed() -> None:
    full = Contestant("full", Full(), None)
    assert full.heuristic is None
    with pytest.raises(dataclasses.FrozenInstanceError):
        full.name = "other"  # type: ignore[misc]
