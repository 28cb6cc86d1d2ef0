"""What a run ran on, so that its numbers can be read years later."""

import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

PACKAGES = (
    "tokenrank", "torch", "transformers", "tokenizers", "hydra-core", "numpy", "pandas", "pyarrow", "scipy",
    "matplotlib", "safetensors", "gguf",
)  # fmt: skip


def environment(device: str, seed: int) -> dict[str, Any]:
    """Versions, device, threads, seed, git commit and the command line, ready for JSON."""
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "device": device,
        "device_name": torch.cuda.get_device_name(device)
        if device.startswith("cuda")
        else platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "seed": seed,
        "git_commit": git_commit(Path(__file__).parent),
        "command": sys.argv,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def git_commit(folder: Path) -> str | None:
    """The commit checked out in the folder's repository, with ``-dirty`` if files differ from it; None outside of one."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=folder,
            capture_output=True,
            text=True,
        )
    except OSError:
        return None
    return done.stdout.strip() or None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
