"""Memory that a computation could still take on a device."""

from pathlib import Path

import torch

MEMORY = Path("/proc/meminfo")


def free_bytes(device: torch.device) -> int | None:
    """Bytes that can still be allocated; of the CPU the memory that is available without swapping (Linux). None if unknown."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + unused
    if device.type != "cpu":
        return None
    try:
        return int(MEMORY.read_text().split("MemAvailable:")[1].split()[0]) * 1024
    except (OSError, IndexError):
        return None
