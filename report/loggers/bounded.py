"""A module of ours that runs in a process of its own with a time limit, so that what it uses can neither hang nor end this one."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PACKAGE = Path(__file__).parents[3]  # the folder that holds the package


def run_module(module: str, arguments: Sequence[str], environment: Mapping[str, str], seconds: float) -> str:
    """The last line that the module prints.

    Args:
        module: its name; its process is asked nothing and sees no terminal.
        arguments: of its command line.
        environment: its environment; the package's folder is added to PYTHONPATH.
        seconds: its time limit; at its end the process is ended, and all that it started.

    Raises:
        RuntimeError: it failed (its last line on stderr), or was not done in time.
    """
    command = [sys.executable, "-m", module, *arguments]
    path = os.pathsep.join([str(PACKAGE), *filter(None, [environment.get("PYTHONPATH")])])
    with subprocess.Popen(
        command, env={**environment, "PYTHONPATH": path}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True,
    ) as process:  # fmt: skip
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            _end_all(process)
            raise RuntimeError(f"it was not done after {seconds:g} seconds") from None
        except BaseException:  # Ctrl-C
            _end_all(process)
            raise
    if process.returncode < 0:
        raise RuntimeError(f"it was ended by signal {-process.returncode}")
    lines = (out if process.returncode == 0 else err).strip().splitlines()
    if process.returncode != 0:
        raise RuntimeError(lines[-1] if lines else f"it ended with code {process.returncode}")
    return lines[-1] if lines else "done"


def _end_all(process: subprocess.Popen[str]) -> None:
    """Ends a process that leads its session, and what it started there."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
