"""Peak memory: seen when it rises, forgotten when it is started anew, unknown where nobody can say."""

from pathlib import Path

import pytest
import torch
from torch import nn

from tokenrank.evaluation import peak_memory as memory

MODEL = nn.Linear(1, 1)
LARGE = 200 * 2**20


def peak_of(size: int) -> int:
    memory.start_peak(MODEL)
    block = torch.ones(size, dtype=torch.uint8)
    del block
    return memory.peak_bytes(MODEL) or 0


@pytest.mark.skipif(not memory.CLEAR.exists(), reason="only Linux says")
def test_a_rise_is_seen_even_if_it_is_over_and_forgotten_afterwards() -> None:
    quiet = peak_of(1)
    assert peak_of(LARGE) - quiet > 0.9 * LARGE
    assert peak_of(1) - quiet < 0.1 * LARGE


def test_where_nobody_can_say_it_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "CLEAR", tmp_path)  # a folder: cannot be written
    monkeypatch.setattr(memory, "STATUS", tmp_path / "none")
    memory.start_peak(MODEL)
    assert memory.peak_bytes(MODEL) is None
