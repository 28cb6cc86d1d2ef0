"""Hardware, package versions, commit and command line of a run, and its weights."""

import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from tokenrank.evaluation.plan import Plan
from tokenrank.models.devices import pick_device

PACKAGES = (
    "tokenrank", "torch", "transformers", "tokenizers", "hydra-core", "numpy", "pandas", "pyarrow", "scipy",
    "matplotlib", "safetensors", "gguf",
)  # fmt: skip


def environment(plan: Plan) -> dict[str, Any]:
    """Versions, host, device, threads, seed, git commit, command line, layers and weights of a run, ready for JSON."""
    device = pick_device(plan.source.device)
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "host": platform.node(),
        "device": device,
        "device_name": device_name(torch.device(device)),
        "threads": torch.get_num_threads(),
        "seed": plan.config.seed,
        "git_commit": git_commit(Path(__file__).resolve()),
        "command": sys.argv,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": plan.source.identity(),
        "generation_config": plan.source.generation_settings(),
        "layers": layer_record(plan),
    }


def layer_record(plan: Plan) -> dict[str, Any]:
    """Numbers of the layers that are ranked and of those with a window, and how many the model has."""
    return {
        "captured": list(plan.layers.attention),
        "windowed": sorted(plan.layers.windowed),
        "of": plan.layers.total,
    }


def device_name(device: torch.device) -> str:
    """Name of the GPU, or else of the processor."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()


def git_commit(file: Path) -> str | None:
    """The commit of the repository that tracks this file, with ``-dirty`` if files differ from it.

    None if no repository tracks it: an installed package may lie inside somebody else's repository.
    """
    try:
        tracked = subprocess.run(
            ["git", "ls-files", "--error-unmatch", file.name], cwd=file.parent, capture_output=True
        )
        if tracked.returncode != 0:
            return None
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=file.parent,
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
