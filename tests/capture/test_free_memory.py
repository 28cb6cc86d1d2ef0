"""Free memory of the CPU as Linux has it, and unknown where it cannot be read."""

from pathlib import Path

import pytest
import torch

from tokenrank.capture import free_memory
from tokenrank.capture.free_memory import free_bytes


def test_free_memory_is_that_of_the_device(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    memory = tmp_path / "meminfo"
    memory.write_text("MemTotal:  100 kB\nMemFree:  10 kB\nMemAvailable:     60 kB\n")
    monkeypatch.setattr(free_memory, "MEMORY", memory)
    assert free_bytes(torch.device("cpu")) == 60 * 1024
    memory.write_text("nothing")
    assert free_bytes(torch.device("cpu")) is None
    monkeypatch.setattr(free_memory, "MEMORY", tmp_path / "none")
    assert free_bytes(torch.device("cpu")) is None
    assert free_bytes(torch.device("meta")) is None
