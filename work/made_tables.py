"""What reports read of a folder that is given to them: of a sweep its joined runs, and tables of all records, made where they are lacking."""

from collections.abc import Iterator
from pathlib import Path

from tokenrank.records.messages import log
from tokenrank.records.record import read_header
from tokenrank.records.run_files import JOINED, is_sweep
from tokenrank.records.run_folder import RunFolder
from tokenrank.records.tables import SCHEMAS, check_table, column


def with_records(path: Path) -> RunFolder:
    """The run folder at a path, or that of a sweep's runs (SWEEP/joined), which are joined now if their records are others than before.

    Raises:
        ValueError: it is neither, the runs of the sweep cannot be joined, or the joined folder is unfinished.
    """
    if is_sweep(path):
        from tokenrank.planning.joined_runs import DEFAULT  # importing what measures takes seconds
        from tokenrank.work.joined_folder import joinable

        made = joinable([path], path / DEFAULT)
        if not made.is_joined:
            log.info("joining the runs of %s in %s", path, made.folder.path)
            with made.folder.locked():
                for line in made.join():
                    log.warning("warning: %s", line)
        return made.folder
    folder = RunFolder(path)
    joined = folder.environment().get(JOINED)  # refuses what is no run folder
    if joined and not joined["finished"]:
        raise ValueError(f"{path} was not joined to its end: give the command that joins it again")
    return folder


def with_tables(path: Path) -> RunFolder:
    """As ``with_records``, with the tables of all records: they are made if one is lacking, or if there is a record that they lack.

    Raises:
        ValueError: as ``with_records``; nothing was measured yet; or the tables cannot be made.
    """
    folder = with_records(path)
    if _are_current(folder):
        return folder
    if not folder.record_files():
        raise ValueError(f"{folder.path} has no record of a prompt yet: the command of the run goes on with it")
    from tokenrank.planning.comparable import evaluation_of
    from tokenrank.work.collecting import collect

    log.info("making the tables of %s", folder.path)
    with folder.locked():
        for line in collect(folder, evaluation_of(folder)):
            log.warning("warning: %s", line)
    return folder


def _are_current(folder: RunFolder) -> bool:
    """Whether all tables are there, and have every sound record; where there are no records, tables stay as they are."""
    if not all((folder.path / f"{name}.parquet").is_file() for name in SCHEMAS):
        return not folder.record_files() and any((folder.path / f"{name}.parquet").is_file() for name in SCHEMAS)
    try:
        check_table(folder.path, "samples")
    except ValueError as error:
        if not folder.record_files():
            raise
        log.warning("%s; the tables are made again", error)
        return False
    known = set(zip(*(column(folder.path, "samples", name) for name in ("id", "key", "seconds")), strict=True))
    return known.issuperset(_records_of(folder))


def _records_of(folder: RunFolder) -> Iterator[tuple[str, str, float]]:
    """Unit, key and seconds of each record that is sound and of this run; collecting names the others."""
    units = folder.environment().get("units", {})
    for file in folder.record_files():
        try:
            record = read_header(file)
        except ValueError:
            continue
        if record.unit == file.stem and units.get(record.unit) == record.key:
            yield record.unit, record.key, record.sample["seconds"]
