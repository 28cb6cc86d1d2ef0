"""Peak memory of a block: of the GPUs that a model is on, or of this process."""

import contextlib
import gc
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from tokenrank.capture.heap import trim_heap

MIB = 2**20
CLEAR, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def start_peak(model: nn.Module) -> None:
    """Returns free memory to the system and resets the peak."""
    gc.collect()
    for device in _gpus(model):
        torch.cuda.reset_peak_memory_stats(device)
    trim_heap()
    with contextlib.suppress(OSError):  # not Linux, or a container that forbids it: the peak is then unknown
        CLEAR.write_text("5")


def peak_bytes(model: nn.Module) -> int | None:
    """Highest memory since ``start_peak``, weights and all that is loaded included.

    Allocated on the model's GPUs, each one's highest added up; else resident in this process (Linux); None if unknown.
    """
    if gpus := _gpus(model):
        return sum(torch.cuda.max_memory_allocated(device) for device in gpus)
    try:
        return int(STATUS.read_text().split("VmHWM:")[1].split()[0]) * 1024
    except (OSError, IndexError):
        return None


def seconds_and_mebibytes(model: nn.Module, call: Callable[[], object]) -> tuple[float, float]:
    """Seconds of one call, and its peak memory in MiB as ``peak_bytes`` has it; 0 MiB if unknown."""
    start_peak(model)
    started = time.perf_counter()
    call()
    return time.perf_counter() - started, (peak_bytes(model) or 0) / MIB


def _gpus(model: nn.Module) -> list[torch.device]:
    return [device for device in dict.fromkeys(each.device for each in model.parameters()) if device.type == "cuda"]
