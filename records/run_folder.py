"""A run folder: the names of all its files, a check that a run wrote them, and a lock (results/README.md)."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import Timeout
from torch import Tensor

from tokenrank.records.claims import Unlockable, claimed, folder_lock, is_claimed
from tokenrank.records.files import PREFIX, sweep_unfinished
from tokenrank.records.record import Record, read_record, write_record
from tokenrank.records.run_files import CLAIMS, DRAWING, FOLDERS, MARKER, PAGE, TABLES, names_of_ours, remove_files
from tokenrank.records.tables import Tables, read_tables, write_tables
from tokenrank.records.token_levels import TokenLevels, read_token_levels, write_token_levels
from tokenrank.records.writing import write_json, write_tensors, write_text

FORMAT = "tokenrank run folder 3"  # the entry ``format`` of environment.json
LOCK = ".tokenrank.lock"
PATIENCE: float = 600.0  # seconds that one process waits for another's tables
ABANDONED = 3600  # seconds after which an unfinished file is of a process that was killed
OF_COMMAND = ("started", "host", "command", "device_name", "threads", "git_commit")  # kept of every command of a run


class FolderRefused(ValueError):
    """A folder that may not be written into: it holds another run, or files that are not a run's, or is in use."""


@dataclass(frozen=True)
class RunFolder:
    """The files of one run: work writes records, collecting writes tables, reports read both."""

    path: Path

    @property
    def config(self) -> Path:
        """The whole config of the run, resolved."""
        return self.path / "config.yaml"

    @property
    def log(self) -> Path:
        """Messages of the run and the full tracebacks of what failed."""
        return self.path / "run.log"

    @property
    def plots(self) -> Path:
        """The folder of the pictures."""
        return self.path / "plots"

    @property
    def published(self) -> Path:
        """Our accuracy beside published ones, of evaluation=accuracy on LongBench."""
        return self.path / "published.md"

    @property
    def page(self) -> Path:
        """The page with all of the run."""
        return self.path / PAGE

    def environment(self) -> dict[str, Any]:
        """Content of environment.json.

        Raises:
            ValueError: the folder is no run folder of this version.
        """
        marker = self.path / MARKER
        try:
            found = json.loads(marker.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise ValueError(f"{self.path} is no run folder: it has no {MARKER}") from None
        except (OSError, ValueError) as error:
            raise ValueError(f"{marker} cannot be read: {error}") from error
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise ValueError(f"{marker} was not written by this version of tokenrank: its format is not {FORMAT!r}")
        return found

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Inside the block no other process begins here or writes tables; a folder that is left empty is removed at the end.

        Raises:
            FolderRefused: another process holds the folder for too long, it cannot be written, or it holds files of these names
                that are not a run's.
        """
        try:
            with folder_lock(self.path, self.path / LOCK, PATIENCE):
                self._check_ours()
                yield
        except Timeout:
            raise FolderRefused(
                f"another process has been writing tables into {self.path} for {PATIENCE:g} seconds: wait for it"
            ) from None
        except Unlockable as error:
            raise FolderRefused(f"hydra.run.dir={self.path} cannot be written: {error}") from error
        finally:
            self.leave()

    def leave(self) -> None:
        """Removes the folder if it is empty."""
        with contextlib.suppress(OSError):  # it is not, or another run has just come
            self.path.rmdir()

    def claimed(self, unit: str) -> "contextlib.AbstractContextManager[bool]":
        """Inside the block no other process measures the unit; False where one does."""
        return claimed(self.path / CLAIMS, unit)

    @property
    def begun(self) -> bool:
        """Whether a run has begun here; without a config.yaml nothing was measured."""
        return (self.path / MARKER).is_file() and self.config.is_file()

    def begin(self, environment: Mapping[str, Any], units: Mapping[str, str], config: str) -> None:
        """Begins a run, or goes on with the one that is here; the caller has the lock and has compared the settings.

        Args:
            environment: of this command.
            units: name of each unit -> its key.
            config: content of config.yaml, which is written once.
        """
        before = self.environment().get("commands", []) if self.begun else []
        this = {name: environment.get(name) for name in OF_COMMAND}
        facts = {"format": FORMAT} | dict(environment) | {"commands": [*before, this], "units": dict(units)}
        write_json(self.path / MARKER, facts)  # first: without it the folder is not ours
        if not self.config.exists():
            write_text(self.config, config)
        for name in ("", *FOLDERS):
            sweep_unfinished(self.path / name, older_than=ABANDONED)

    def remove_tables(self) -> None:
        """Removes the tables, which are of fewer records than there will be."""
        for name in TABLES:
            (self.path / name).unlink(missing_ok=True)

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Inside the block tables and pictures are made; ``half_drawn`` is true until one has ended without error."""
        (self.path / DRAWING).touch()
        yield
        (self.path / DRAWING).unlink(missing_ok=True)

    @property
    def half_drawn(self) -> bool:
        """Whether a process was killed while it made tables and pictures; the caller has the lock."""
        return (self.path / DRAWING).exists()

    def discard(self) -> None:
        """Removes a run that left no record, so that bad input which only the model shows leaves nothing behind.

        It stays where several commands have begun it: another one may be loading its model.
        """
        if self.begun and not self.record_files() and len(self.environment().get("commands", [])) == 1:
            self.remove_run()

    def _check_ours(self) -> None:
        try:
            there = names_of_ours(self.path)
        except ValueError as error:
            raise FolderRefused(str(error)) from error
        if not there:
            return
        try:
            self.environment()
        except ValueError as error:
            raise FolderRefused(
                f"{self.path} holds {', '.join(there)}, which no run of this version wrote ({error}): "
                "choose another hydra.run.dir, or move the files away"
            ) from error

    def remove_run(self) -> None:
        """Removes the files of the run that is here, environment.json last; records and rankings only of its units.

        Raises:
            FolderRefused: a process is measuring one of its units.
        """
        unit = is_claimed(self.path / CLAIMS)
        if unit is not None:
            raise FolderRefused(f"overwrite=true, but another process is measuring {unit} in {self.path}: end it first")
        remove_files(self.path, set(self.environment().get("units", {})) if (self.path / MARKER).is_file() else set())

    def record_file(self, unit: str) -> Path:
        """The file of a unit's record."""
        return self.path / "records" / f"{unit}.parquet"

    def write_record(self, record: Record) -> None:
        """Writes the record of a unit."""
        write_record(self.record_file(record.unit), record)

    def record_files(self) -> list[Path]:
        """Files of the records; what a killed process left unfinished is none."""
        return [file for file in (self.path / "records").glob("*.parquet") if not file.name.startswith(PREFIX)]

    def records(self) -> tuple[list[Record], list[str]]:
        """All records of ``each_record`` at once, and one line for each file that is none of them."""
        refused: list[str] = []
        return list(self.each_record(refused)), refused

    def each_record(self, refused: list[str]) -> Iterator[Record]:
        """The records of this run's units in the order of the plan, one at a time.

        Args:
            refused: gets one line for each file that is none of them.
        """
        units: Mapping[str, str] = self.environment().get("units", {})
        files = {file.stem: file for file in self.record_files()}
        strange = sorted(files.keys() - set(units))
        refused += [f"left out: {files[name]} is the record of no unit of this run" for name in strange]
        for unit in units:
            if unit not in files:
                continue
            try:
                record = read_record(files[unit])
            except ValueError as error:
                refused.append(f"left out: {error}")
                continue
            if record.unit != unit:
                refused.append(f"left out: {files[unit]} is the record of another unit, {record.unit!r}")
            elif record.key != units[unit]:
                refused.append(f"left out: {files[unit]} is of other settings, code or data than this run")
            else:
                yield record

    def write_rankings(self, sample: str, tensors: Mapping[str, Tensor]) -> None:
        """Writes the scores of one prompt."""
        write_tensors(self.path / "rankings" / f"{sample}.safetensors", tensors)

    def levels_file(self, unit: str) -> Path:
        """The file of the levels of a unit's tokens."""
        return self.path / "levels" / f"{unit}.parquet"

    def levels(self, unit: str) -> TokenLevels | None:
        """The levels of a unit's tokens; None where the run did not keep them (``save_levels=false``).

        Raises:
            ValueError: as ``read_token_levels``.
        """
        try:
            return read_token_levels(self.levels_file(unit))
        except FileNotFoundError:
            return None

    def write_levels(self, unit: str, levels: TokenLevels) -> None:
        """Writes the levels of a unit's tokens."""
        write_token_levels(self.levels_file(unit), levels)

    def write_tables(self, tables: Tables) -> None:
        """Writes the four tables."""
        write_tables(self.path, tables)

    def tables(self) -> Tables:
        """The four tables; raises ValueError where one is missing or lacks a column."""
        return read_tables(self.path)
