"""Hardware, package versions, commit and command line of a run, and its weights."""

import json
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from tokenrank.models.pretrained import Pretrained

PACKAGES = (
    "tokenrank", "torch", "transformers", "tokenizers", "hydra-core", "numpy", "pandas", "pyarrow", "scipy",
    "matplotlib", "safetensors", "gguf",
)  # fmt: skip


def environment(device: torch.device, seed: int) -> dict[str, Any]:
    """Versions, device, threads, seed, git commit and the command line, ready for JSON."""
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "device": str(device),
        "device_name": device_name(device),
        "threads": torch.get_num_threads(),
        "seed": seed,
        "git_commit": git_commit(Path(__file__).resolve()),
        "command": sys.argv,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def model_facts(source: Pretrained, model: PreTrainedModel) -> dict[str, Any]:
    """Digests or hub commit of the weights, and the model's generation config, which its answers follow; ready for JSON."""
    decoding: Any = getattr(model, "generation_config", None)
    settings = {} if decoding is None else json.loads(decoding.to_json_string(use_diff=True))
    return {"model": source.identity(), "generation_config": settings}


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
