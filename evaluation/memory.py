"""Peak memory of a block: of the GPU, or of this process."""

import ctypes
import gc
from pathlib import Path

import torch

CLEAR, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def start_peak() -> None:
    """Gives free memory back and forgets the highest peak so far."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    elif CLEAR.exists():
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        CLEAR.write_text("5")


def peak_bytes() -> int | None:
    """Highest memory since ``start_peak``: allocated on the GPU, else resident in this process (Linux); None where nobody knows."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated()
    if not CLEAR.exists():
        return None
    return int(STATUS.read_text().split("VmHWM:")[1].split()[0]) * 1024
