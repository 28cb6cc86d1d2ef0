"""A run folder that was read once, for all that is made of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tokenrank.records.run_folder import RunFolder
from tokenrank.records.tables import Tables
from tokenrank.report.rows.contestant_rows import kind
from tokenrank.report.rows.loading import load, own_report, run_config


@dataclass(frozen=True)
class LoadedRun:
    """What pictures, tables, the page and the terminal show of a run; they change nothing of it."""

    folder: RunFolder
    environment: Mapping[str, Any]  # content of environment.json
    config: Mapping[str, Any]  # content of config.yaml; plots.k is k
    tables: Tables
    k: float  # percent; which k is shown of the metrics that have one
    name: str  # its folder, for messages and titles

    @property
    def own_report(self) -> Mapping[str, Any] | None:
        """The class that reports on the run, with its settings; None: one of ours."""
        return own_report(self.config)

    @cached_property
    def kind(self) -> str | None:
        """The evaluation, if it is one of ours; None where nothing was measured, too."""
        return None if self.own_report is not None else kind(self.tables)

    @property
    def unfinished(self) -> str:
        """``half a run: 2 of 5 units are done``; empty for a finished one."""
        done, units = len(self.tables.samples), len(self.environment.get("units", []))
        return f"half a run: {done} of {units} units are done" if done < units else ""


def load_run(folder: RunFolder, k: float | None = None) -> LoadedRun:
    """Reads a finished or unfinished run; each table once.

    Args:
        folder: with config.yaml, environment.json and the four tables.
        k: percent, one of the run's; None: ``plots.k`` of its config.

    Raises:
        ValueError: the folder is no run folder, a table is missing or is not what was written, or the run has no such k.
    """
    environment, config = folder.environment(), run_config(folder)
    tables, shown = load(folder, config, k)
    config = config | {"plots": dict(config["plots"]) | {"k": shown}}
    return LoadedRun(folder, environment, config, tables, shown, str(folder.path))
