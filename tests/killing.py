"""Runs the command again and again in forked processes that are killed; a program of its own, as torch may not have started threads.

    python -m tests.killing SCENARIO EVALUATION FOLDER

It ends with code 0 if what was left is as it must be, and else says what is not.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import tokenrank.report.evaluation_report
import tokenrank.report.whole
import tokenrank.work.collecting
import tokenrank.work.local
import tokenrank.work.resuming
from tokenrank import run
from tokenrank.records import files

SETTINGS = {
    "ranking": ("task.depths=[0]", "metric=[recall,jaccard]", "heuristic=[claa,random]", "save_rankings=true"),
    "accuracy": ("task.depths=[0]", "prefill.keep=[20]", "heuristic=claa"),
    "ttft": ("evaluation.repeats=2", "prefill.keep=[20]", "heuristic=claa"),
}
COMMON = ("model=tiny", "task.lengths=[300,310,320,330]", "task.max_new_tokens=4")
TABLES = ("metrics.parquet", "summary.parquet")
KILLS = 20
Prepare = Callable[[], None]  # what a forked process does first


def child(arguments: Sequence[str], prepare: Prepare = lambda: None) -> int:
    """Starts the command in a process of its own; returns its id."""
    process = os.fork()
    if process:
        return process
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    tokenrank.report.whole.write_report = lambda _folder, *_, **_given: []
    sys.argv = ["run.py", *arguments]
    prepare()
    try:
        run.command()
        os._exit(0)
    except SystemExit as end:
        os._exit(end.code if isinstance(end.code, int) else 1)


def ended(process: int) -> int | None:
    """Exit code of a process that has ended, minus the signal that killed it; None while it is running."""
    found, status = os.waitpid(process, os.WNOHANG)
    return None if found == 0 else os.waitstatus_to_exitcode(status)


def wait(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def arguments(evaluation: str, folder: Path) -> list[str]:
    own = (f"hydra.run.dir={folder}", f"store={folder.parent / 'store'}")
    return [f"evaluation={evaluation}", *COMMON, *SETTINGS[evaluation], *own]


def content(folder: Path, evaluation: str) -> dict[str, bytes]:
    """What must be the same: tables, or where times are measured the records of units that were finished."""
    if evaluation == "ttft":
        return {file.name: file.read_bytes() for file in sorted((folder / "records").glob("[!.]*.parquet"))}
    names = [folder / name for name in TABLES] + sorted((folder / "rankings").glob("[!.]*"))
    return {file.name: file.read_bytes() for file in names}


def check(condition: bool, what: str) -> None:
    if not condition:
        sys.exit(f"wrong: {what}")


def finished(evaluation: str, folder: Path) -> dict[str, bytes]:
    """The content of a run that is let to its end, in which nothing that was finished may have changed."""
    before = content(folder, evaluation) if evaluation == "ttft" else {}
    check(wait(child(arguments(evaluation, folder))) == 0, f"the run in {folder} failed")
    after = content(folder, evaluation)
    check(all(after.get(name) == each for name, each in before.items()), "a record that was finished has changed")
    left = [file.name for file in folder.rglob("*.lock")]
    check(not left, f"locks are left: {left}")
    return after


def same(evaluation: str, found: dict[str, bytes], wanted: dict[str, bytes]) -> None:
    check(len(found) > 1 and found.keys() == wanted.keys(), f"there are {sorted(found)}, wanted {sorted(wanted)}")
    if evaluation != "ttft":
        check(found == wanted, f"{[name for name in wanted if found[name] != wanted[name]]} are other bytes")


def at_random_moments(evaluation: str, root: Path) -> None:
    """Kills at random moments, until there were ``KILLS``; runs that come to their end are compared, and a new one begins."""
    started = time.monotonic()
    wanted = finished(evaluation, root / "undisturbed" / "run")
    seconds, draw, kills, rounds = time.monotonic() - started, random.Random(0), 0, 0
    while kills < KILLS:
        rounds += 1
        folder = root / f"round{rounds}" / "run"
        while kills < KILLS:
            process = child(arguments(evaluation, folder))
            time.sleep(draw.uniform(0.2, 1) * seconds)
            if ended(process) is not None:
                break
            os.kill(process, signal.SIGKILL)
            wait(process)
            kills += 1
        same(evaluation, finished(evaluation, folder), wanted)
    print(f"{kills} kills in {rounds} runs")


def in_every_write(evaluation: str, root: Path) -> None:
    """Kills before and after each file appears, one after the other, until a run comes to its end."""
    two = "task.lengths=[300,310]"
    check(wait(child([*arguments(evaluation, root / "undisturbed" / "run"), two])) == 0, "the run failed")
    wanted = content(root / "undisturbed" / "run", evaluation)
    folder, kills = root / "killed" / "run", 0
    for step in range(100):
        writes = (1, 2, 4, 5, 7)[step % 5]
        code = wait(child([*arguments(evaluation, folder), two], partial(_die_in_a_write, writes)))
        if code == 0:
            break
        check(code == -signal.SIGKILL, f"a run ended with code {code}")
        kills += 1
    check(kills >= 4, f"only {kills} kills")
    same(evaluation, content(folder, evaluation), wanted)
    print(f"{kills} kills")


def _die_in_a_write(count: int) -> None:
    """The process kills itself in its ``count``-th write of a file: before the file appears, or at once after."""
    replace, seen = Path.replace, [0]

    def dying(self: Path, target: Path) -> Path:
        seen[0] += 1
        if seen[0] == count and count % 2:
            os.kill(os.getpid(), signal.SIGKILL)
        moved = replace(self, target)
        if seen[0] == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return moved

    Path.replace = dying  # type: ignore[assignment, method-assign]


def two_on_one_folder(evaluation: str, root: Path) -> None:
    """Two processes share a folder; one is killed now and then, and started again."""
    wanted = finished(evaluation, root / "undisturbed" / "run")
    draw = random.Random(1)
    for number in range(4):
        folder = root / f"both{number}" / "run"
        both = [child(arguments(evaluation, folder)) for _ in range(2)]
        if number % 2:
            time.sleep(draw.uniform(0.3, 1.5))
            if ended(both[0]) is None:
                os.kill(both[0], signal.SIGKILL)
                wait(both[0])
            both[0] = child(arguments(evaluation, folder))
        check([wait(each) for each in both] == [0, 0], "one of both failed")
        same(evaluation, content(folder, evaluation), wanted)


def three_shards(evaluation: str, root: Path) -> None:
    """Three shards in one folder at the same time."""
    wanted = finished(evaluation, root / "undisturbed" / "run")
    folder = root / "shards" / "run"
    each = [child([*arguments(evaluation, folder), f"shard={number}/3"]) for number in (1, 2, 3)]
    check([wait(process) for process in each] == [0, 0, 0], "a shard failed")
    same(evaluation, content(folder, evaluation), wanted)


SCENARIOS = {each.__name__: each for each in (at_random_moments, in_every_write, two_on_one_folder, three_shards)}
if __name__ == "__main__":
    files._to_disk = lambda file: None  # the machine does not fail here, the processes do
    SCENARIOS[sys.argv[1]](sys.argv[2], Path(sys.argv[3]))
