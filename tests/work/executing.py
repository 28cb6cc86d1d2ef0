"""Runs of an executor for tests: its folder, and the bytes of the tables that are made of it."""

from pathlib import Path

from tokenrank.evaluation.plan import Plan
from tokenrank.planning.building import build
from tokenrank.records.run_folder import RunFolder
from tokenrank.work.collecting import collect
from tokenrank.work.executor import Executor
from tokenrank.work.local import Local


def executed(made: Plan, path: Path, executor: Executor | None = None) -> RunFolder:
    """The folder in which an executor, else that of the config, has measured all units."""
    folder = begun(made, path)
    chosen: Executor = executor or build(made.config.executor, "executor", Executor)
    chosen.check(made)
    chosen.run(made, made.units, folder)
    return folder


def begun(made: Plan, path: Path) -> RunFolder:
    """A run folder without records."""
    path.mkdir()
    folder = RunFolder(path)
    folder.begin({}, {unit.name: unit.key for unit in made.units}, "")
    return folder


def leaves_the_bytes_of_one_process(made: Plan, path: Path, executor: Executor) -> RunFolder:
    """The folder of the executor, in which one process died once (tests.dying); its tables and rankings are those of one process."""
    folder = executed(made, path / "two", executor)
    assert (path / "death_0").exists()
    assert not (path / "death_1").exists()
    alone = executed(made, path / "one", Local())
    assert tables(folder, made) == tables(alone, made)
    rankings = [
        {file.name: file.read_bytes() for file in (each.path / "rankings").iterdir()} for each in (folder, alone)
    ]
    assert len(rankings[0]) == 3
    assert rankings[0] == rankings[1]
    return folder


def tables(folder: RunFolder, made: Plan) -> dict[str, bytes]:
    """Content of metrics.parquet and summary.parquet."""
    assert collect(folder, made.evaluation) == []
    return {name: (folder.path / f"{name}.parquet").read_bytes() for name in ("metrics", "summary")}
