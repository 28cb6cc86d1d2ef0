"""Copies of a finished run folder: none, or one in Weights & Biases. The folder stays the record of the run."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from tokenrank.records.run_folder import RunFolder
from tokenrank.records.run_names import Names

PACKAGE = Path(__file__).parents[2]  # the folder that holds the package


class Logger(ABC):
    """Copies a finished run folder. It changes no file that results/README.md lists and raises nothing."""

    @abstractmethod
    def mirror(self, folder: RunFolder, names: Names) -> None:
        """Copies the folder."""


@dataclass(frozen=True)
class NullLogger(Logger):
    """Copies nothing."""

    def mirror(self, folder: RunFolder, names: Names) -> None:
        """Does nothing."""


@dataclass(frozen=True)
class WandB(Logger):
    """Weights & Biases: config, tables, summary, plots, and the tables as an artifact; offline without a key or a server.

    W&B runs in a process of its own with a time limit: it cannot ask, hang, or change what the run wrote and returned.
    Its own files go to ``wandb/`` in the run folder. Any failure is reported in one line.
    """

    project: str = "tokenrank"
    entity: str | None = None  # user or team; null: the key's own
    texts: bool = False  # also upload prompts, references, answers and errors
    offline: bool = False  # do not contact the server; `wandb sync` uploads later
    init_timeout: float = 20  # seconds until a server that does not answer counts as unreachable
    timeout: float = 300  # seconds for the whole copy

    def __post_init__(self) -> None:
        for name, seconds in (("init_timeout", self.init_timeout), ("timeout", self.timeout)):
            if not seconds > 0:
                raise ValueError(f"{name} is {seconds}, must be above 0 seconds")

    def mirror(self, folder: RunFolder, names: Names) -> None:
        """Starts ``report.mirror`` and prints its one line: on stderr, as a warning, if it failed."""
        settings = {
            "names": vars(names) | {"project": self.project, "entity": self.entity},
            "texts": self.texts, "offline": self.offline, "init_timeout": self.init_timeout,
        }  # fmt: skip
        try:
            print(_bounded([str(folder.path.resolve()), json.dumps(settings)], _environment(folder), self.timeout))
        except (OSError, RuntimeError) as error:
            print(f"warning: no copy in W&B: {error}; the run folder is complete", file=sys.stderr)


def _environment(folder: RunFolder) -> dict[str, str]:
    """Our environment, with everything that W&B writes kept in the run folder and its error reports switched off."""
    own = folder.wandb.resolve()
    own.mkdir(exist_ok=True)
    places = {f"WANDB_{kind}_DIR": str(own / kind.lower()) for kind in ("DATA", "CACHE", "CONFIG", "ARTIFACT")}
    path = os.pathsep.join([str(PACKAGE), *filter(None, [os.environ.get("PYTHONPATH")])])
    return os.environ | places | {"WANDB_ERROR_REPORTING": "false", "PYTHONPATH": path}


def _bounded(arguments: list[str], environment: dict[str, str], seconds: float) -> str:
    """The last line that ``report.mirror`` prints.

    Raises:
        RuntimeError: it failed (its last line on stderr), or was not done in time and was ended, its helpers too.
    """
    command = [sys.executable, "-m", "tokenrank.report.mirror", *arguments]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, errors="replace", start_new_session=True,
    ) as process:  # fmt: skip
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            _end_all(process)
            raise RuntimeError(f"it was not done after {seconds:g} seconds") from None
        except BaseException:  # Ctrl-C
            _end_all(process)
            raise
    lines = (out if process.returncode == 0 else err).strip().splitlines()
    if process.returncode != 0:
        raise RuntimeError(lines[-1] if lines else f"it ended with code {process.returncode}")
    return lines[-1] if lines else "W&B: done"


def _end_all(process: subprocess.Popen[str]) -> None:
    """Ends a process that leads its session, and what it started there."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
