"""capture/heap.py: memory that was freed goes back to the system."""

from pathlib import Path

import pytest
import torch

from tokenrank.capture.heap import trim_heap

STATUS = Path("/proc/self/status")


def resident_mebibytes() -> int:
    return int(STATUS.read_text().split("VmRSS:")[1].split()[0]) // 1024


@pytest.mark.skipif(not STATUS.exists(), reason="the memory of the process is read from Linux's /proc")
def test_what_lies_between_tensors_in_use_goes_back() -> None:
    tensors = [torch.ones(16_000) for _ in range(4_000)]  # 64 kB each: smaller than what the allocator maps apart
    before = resident_mebibytes()
    del tensors[::2]
    held = resident_mebibytes()
    trim_heap()
    after = resident_mebibytes()
    assert held > before - 30, "the control: without trimming the process holds what was freed"
    assert after < before - 100
    assert all(float(each[0]) == 1.0 for each in tensors)
