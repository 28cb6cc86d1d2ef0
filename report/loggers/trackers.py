"""The experiment trackers: Weights & Biases, TensorBoard and trackio. Each runs in a process of its own (``report.mirror``)."""

import json
import os
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from tokenrank.records.run_folder import RunFolder
from tokenrank.records.run_names import Names
from tokenrank.report.loggers.bounded import run_module
from tokenrank.report.loggers.logger import Logger


@dataclass(frozen=True)
class Tracker(Logger):
    """A tracker's package runs in a process of its own with a time limit: it cannot ask, hang, or change what the run wrote and returned.

    What is copied is the same for all (``report.run_copy``): texts only with ``texts``.
    """

    texts: bool = False  # also copy prompts, references, answers and errors
    timeout: float = 300  # seconds for the whole copy

    package: ClassVar[str]
    extra: ClassVar[str | None] = None  # of ours, which installs the package; None: it is always installed

    def __post_init__(self) -> None:
        if not self.timeout > 0:
            raise ValueError(f"timeout is {self.timeout}, must be above 0 seconds")
        if self.extra is not None and find_spec(self.package) is None:
            raise ValueError(f"{type(self).__name__} needs a package: pip install 'tokenrank[{self.extra}]'")

    @abstractmethod
    def home(self, folder: RunFolder) -> Path:
        """The folder of all files that the tracker writes."""

    @abstractmethod
    def environment(self, folder: RunFolder) -> Mapping[str, str]:
        """All environment variables of its process."""

    def lost(self, folder: RunFolder) -> bool:
        """Whether its folder was removed."""
        return not self.home(folder).is_dir()

    def copy(self, folder: RunFolder, names: Names) -> str:
        """Starts ``report.mirror``; returns its last line."""
        home = self.home(folder).resolve()
        home.mkdir(parents=True, exist_ok=True)
        settings = vars(self) | {"tracker": self.package, "names": vars(names), "home": str(home)}
        arguments = [str(folder.path.resolve()), json.dumps(settings)]
        return run_module("tokenrank.report.loggers.mirror", arguments, self.environment(folder), self.timeout)


@dataclass(frozen=True)
class WandB(Tracker):
    """Weights & Biases: config, layer curves, tables, summary, plots, and the tables as an artifact; offline without a key or a server.

    Its own files go to ``wandb/`` in the run folder.
    """

    project: str = "tokenrank"
    entity: str | None = None  # user or team; null: the key's own
    offline: bool = False  # do not contact the server; `wandb sync` uploads later
    init_timeout: float = 20  # seconds until a server that does not answer counts as unreachable

    package: ClassVar[str] = "wandb"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.init_timeout > 0:
            raise ValueError(f"init_timeout is {self.init_timeout}, must be above 0 seconds")

    def home(self, folder: RunFolder) -> Path:
        """``wandb/`` in the run folder."""
        return folder.path / "wandb"

    def environment(self, folder: RunFolder) -> Mapping[str, str]:
        """Ours, with everything that W&B writes in its folder, and its error reports switched off."""
        home = self.home(folder).resolve()
        places = {f"WANDB_{kind}_DIR": str(home / kind.lower()) for kind in ("DATA", "CACHE", "CONFIG", "ARTIFACT")}
        return os.environ | places | {"WANDB_ERROR_REPORTING": "false"}


@dataclass(frozen=True)
class TensorBoard(Tracker):
    """TensorBoard: event files in ``tensorboard/`` of the run folder, one TensorBoard run a heuristic or contestant."""

    package: ClassVar[str] = "tensorboard"
    extra: ClassVar[str | None] = "tensorboard"

    def home(self, folder: RunFolder) -> Path:
        """``tensorboard/`` in the run folder."""
        return folder.path / "tensorboard"

    def environment(self, folder: RunFolder) -> Mapping[str, str]:  # noqa: ARG002
        """Ours."""
        return os.environ


@dataclass(frozen=True)
class Trackio(Tracker):
    """trackio, local alone: nothing is sent to a Space, a server or a webhook, whatever the environment says."""

    project: str = "tokenrank"
    folder: str | None = None  # of its database, which several runs may share; null: trackio/ in the run folder

    package: ClassVar[str] = "trackio"
    extra: ClassVar[str | None] = "trackio"

    def home(self, folder: RunFolder) -> Path:
        """``trackio/`` in the run folder, or ``folder``, where ``~`` is the home folder."""
        return folder.path / "trackio" if self.folder is None else Path(self.folder).expanduser()

    def environment(self, folder: RunFolder) -> Mapping[str, str]:
        """Ours without trackio's variables, which name servers, and with the hub switched off."""
        kept = {name: value for name, value in os.environ.items() if not _sends(name)}
        off = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "GRADIO_ANALYTICS_ENABLED": "False"}
        return kept | off | {"TRACKIO_DIR": str(self.home(folder).resolve())}


def _sends(variable: str) -> bool:
    """Whether trackio may read a place to send to, or a key, from it."""
    return variable.startswith("TRACKIO_") or variable in ("SYSTEM", "SPACE_ID", "HF_TOKEN")
