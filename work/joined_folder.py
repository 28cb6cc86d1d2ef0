"""Runs that are joined into one folder: checked and surveyed first, then written."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenrank.planning.comparable import check_comparable
from tokenrank.planning.joined_runs import check_target, find_sources, joined_environment
from tokenrank.planning.joined_settings import against_note, joined_config
from tokenrank.planning.telling_apart import told_apart
from tokenrank.records.digests import digest
from tokenrank.records.messages import log
from tokenrank.records.run_files import CONTEXT_EFFECT, JOINED
from tokenrank.records.run_folder import RunFolder
from tokenrank.work.chosen_prompts import where_context_matters
from tokenrank.work.joining import begin_joined, finish_joined, join
from tokenrank.work.surveying import Part, Survey, survey

RECORDS = "records"  # the entry of ``JOINED`` that tells which records were joined


@dataclass(frozen=True)
class Joinable:
    """Runs that can be joined; nothing is written yet."""

    folder: RunFolder  # that takes them
    environment: dict[str, Any]  # of the joined folder
    config: str  # content of its config.yaml
    parts: Sequence[Part]
    found: Survey
    order: Sequence[str]  # joined names of the contestants in the order of the tables
    notes: Sequence[str]

    @property
    def is_joined(self) -> bool:
        """Whether the folder holds these records already, with these settings."""
        if not self.folder.begun or self.folder.config.read_text(encoding="utf-8") != self.config:
            return False
        before = self.folder.environment().get(JOINED) or {}
        return bool(before.get("finished")) and before.get(RECORDS) == self.environment[JOINED][RECORDS]

    def join(self) -> list[str]:
        """Writes the records; the caller has the folder's lock. Returns one line for each thing that is missing."""
        for line in self.notes:
            log.info(line)
        begin_joined(self.folder, self.environment, self.config, self.found)
        done = join(self.parts, self.found, self.order, self.folder)
        for line in done.notes:
            log.info(line)
        finish_joined(self.folder, done)
        return [*self.found.warnings, *done.warnings]


def joinable(given: Sequence[Path], target: Path, context_effect: float | None = None) -> Joinable:
    """Checks runs, shards and sweeps that are to be joined in a folder.

    Args:
        given: their folders.
        target: the folder that takes them.
        context_effect: nats a token; only prompts whose context effect is at least so large are joined. None: all.

    Raises:
        ValueError: one is no run folder, they cannot be joined, the folder may not take them, or no prompt has such a context effect.
    """
    sources = find_sources(given)
    notes = check_comparable(sources)
    check_target(target, sources)
    contestants = told_apart(sources)
    runs = zip(sources, contestants.names, contestants.engines, strict=True)
    parts = [Part(source.folder, source.environment["units"], names, engines) for source, names, engines in runs]
    found = survey(parts, timed=sources[0].evaluation.timed)
    environment = joined_environment(sources)
    if context_effect is not None:
        chosen = where_context_matters(found, context_effect, [source.label for source in sources])
        found, environment[JOINED][CONTEXT_EFFECT] = chosen.found, chosen.facts
    environment[JOINED][RECORDS] = digest(
        {"": [[head.part, head.unit, head.key, head.seconds] for unit in found.units for head in unit.heads]}
        | ({CONTEXT_EFFECT: context_effect} if context_effect is not None else {})
    )
    said = [*notes, *against_note(sources, contestants), *found.notes, *_not_joined(parts)]
    config = joined_config(sources, contestants)
    return Joinable(RunFolder(target), environment, config, parts, found, list(contestants.variants), said)


def _not_joined(parts: Sequence[Part]) -> list[str]:
    saved = [str(part.folder.path) for part in parts if (part.folder.path / "rankings").is_dir()]
    return [f"note: rankings/ is not joined, and stays in {', '.join(saved)}"] if saved else []
