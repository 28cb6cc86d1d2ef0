"""A shared prefill: a reader that fails stops no other, and holds none of the memory that it had."""

import gc
import weakref
from typing import Any

import torch

from tests.prefill.cases import ANSWER, model_of, prompt
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.needs import NOTHING
from tokenrank.capture.reading import read
from tokenrank.capture.shared_prefill import LayerReader, SharedPrefill


class Failing(LayerReader):
    """Fails at its second layer, as it would for want of memory."""

    needs = NOTHING

    def __init__(self) -> None:
        self.read: list[int] = []
        self.held: list[weakref.ref[Any]] = []

    def visit(self, layer: AttentionLayer) -> None:
        own = torch.zeros(8)
        self.held += [weakref.ref(own), weakref.ref(layer.queries)]
        self.read.append(layer.index)
        if len(self.read) > 1:
            raise MemoryError("no room")


class Reading(LayerReader):
    """Notes which layers it read."""

    needs = NOTHING

    def __init__(self) -> None:
        self.read: list[int] = []

    def visit(self, layer: AttentionLayer) -> None:
        self.read.append(layer.index)


def test_a_reader_that_fails_stops_alone_and_lets_its_memory_go() -> None:
    model, failing, reading = model_of("llama"), Failing(), Reading()
    shared = SharedPrefill(model, [failing, reading], [0])
    read(model, prompt(), lambda _layer: None, max_new_tokens=ANSWER, shared=shared)
    gc.collect()
    assert (failing.read, reading.read) == ([0, 1], list(range(model.config.num_hidden_layers)))
    assert isinstance(failing.error, MemoryError)
    assert reading.error is None
    assert [each() for each in failing.held] == [None] * 4
