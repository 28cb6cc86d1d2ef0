"""What dispatching does when processes die, cannot start or lose a claim; with workers that follow a script."""

from collections import Counter, deque
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import ClassVar

import pytest

from tests.plans import plan, records
from tests.work.executing import begun
from tokenrank.evaluation.plan import Plan, Unit
from tokenrank.records.record import Record
from tokenrank.records.run_folder import RunFolder
from tokenrank.work.dispatch import Died, Dispatch, Done, Event, Ready, Stopped, Workers
from tokenrank.work.loading import NotLoaded


@cache
def made() -> Plan:
    """Three units."""
    return plan("task.lengths=[300,310,320]", "task.depths=[0]", "heuristic=recency")


@cache
def measured() -> dict[str, Record]:
    return {each.unit: each for each in records(made())}


NAMES = ("niah_300_0_0", "niah_310_0_0", "niah_320_0_0")
KILLED = Died("was killed by SIGKILL")


class Scripted(Workers):
    """``starts(place, how often it was started)`` and ``gives(unit, how often it was given)`` say what happens."""

    tries: ClassVar[int] = 2

    def __init__(
        self,
        folder: RunFolder,
        gives: Callable[[str, int], Event] = lambda *_: Done(),
        starts: Callable[[int, int], Event] = lambda *_: Ready(),
        size: int = 2,
    ) -> None:
        self.size, self.folder, self.gives, self.starts = size, folder, gives, starts
        self.started, self.given = Counter[int](), Counter[str]()
        self.events = deque[tuple[int, Event]]()
        self.running = set[int]()
        self.closed = False
        self.idle_looks = 0

    def start(self, place: int) -> None:
        self.started[place] += 1
        self.running.add(place)
        self.events.append((place, self.starts(place, self.started[place])))

    def give(self, place: int, unit: Unit) -> None:
        assert place in self.running
        self.given[unit.name] += 1
        event = self.gives(unit.name, self.given[unit.name])
        if isinstance(event, Done):
            self.folder.write_record(measured()[unit.name])
        self.events.append((place, event))

    def next_event(self, timeout: float | None) -> tuple[int, Event] | None:
        if self.events:
            place, event = self.events.popleft()
            if isinstance(event, (Died, Stopped)):
                self.running.remove(place)
            return place, event
        assert timeout is not None, "it would wait for ever"
        self.idle_looks += 1
        return None

    def close(self) -> None:
        self.closed = True


def statuses(folder: RunFolder) -> dict[str, str]:
    return {record.unit: record.sample["status"] for record in folder.records()[0]}


def claims(folder: RunFolder) -> list[Path]:
    return list((folder.path / ".claims").glob("*"))


def test_every_unit_is_given_once_and_the_processes_are_ended(tmp_path: Path) -> None:
    folder = begun(made(), tmp_path / "run")
    workers = Scripted(folder)
    Dispatch(workers, made(), made().units, folder).run()
    assert workers.given == dict.fromkeys(NAMES, 1)
    assert workers.started == {0: 1, 1: 1}
    assert statuses(folder) == dict.fromkeys(NAMES, "ok")
    assert workers.closed
    assert claims(folder) == []


def test_no_more_processes_are_started_than_there_are_units(tmp_path: Path) -> None:
    folder = begun(made(), tmp_path / "run")
    workers = Scripted(folder, size=8)
    Dispatch(workers, made(), made().units[:1], folder).run()
    assert workers.started == {0: 1}
    assert list(workers.given) == [NAMES[0]]


def test_a_unit_whose_process_died_is_measured_again_by_a_new_process(tmp_path: Path) -> None:
    folder = begun(made(), tmp_path / "run")
    workers = Scripted(folder, lambda unit, times: KILLED if (unit, times) == (NAMES[0], 1) else Done(), size=1)
    Dispatch(workers, made(), made().units, folder).run()
    assert statuses(folder) == dict.fromkeys(NAMES, "ok")
    assert workers.given == {NAMES[0]: 2, NAMES[1]: 1, NAMES[2]: 1}
    assert workers.started == {0: 2}


def test_a_unit_that_kills_every_process_fails_with_a_sentence_and_the_others_go_on(tmp_path: Path) -> None:
    folder = begun(made(), tmp_path / "run")
    workers = Scripted(folder, lambda unit, _: KILLED if unit == NAMES[1] else Done())
    Dispatch(workers, made(), made().units, folder).run()
    assert statuses(folder) == {NAMES[0]: "ok", NAMES[1]: "failed", NAMES[2]: "ok"}
    assert workers.given[NAMES[1]] == 2
    record = folder.records()[0][1]
    said = "2 processes that measured it died, one after the other; the last was killed by SIGKILL"
    assert record.sample["error"] == said
    assert record.key == made().units[1].key
    assert claims(folder) == []


def test_a_process_that_dies_while_it_has_nothing_to_do_costs_no_unit_a_try(tmp_path: Path) -> None:
    folder = begun(made(), tmp_path / "run")
    workers = Scripted(folder, size=1)
    with folder.claimed(NAMES[2]):
        look = workers.next_event

        def dies_while_idle(timeout: float | None) -> tuple[int, Event] | None:
            if (
                timeout is not None and workers.started[0] == 1 and not workers.events
            ):  # all that is left is claimed by another run
                (folder.path / ".claims" / f"{NAMES[2]}.lock").unlink(missing_ok=True)
                workers.events.append((0, KILLED))
            return look(timeout)

        workers.next_event = dies_while_idle  # type: ignore[method-assign]
        Dispatch(workers, made(), made().units, folder).run()
    assert statuses(folder) == dict.fromkeys(NAMES, "ok")
    assert workers.given == dict.fromkeys(NAMES, 1)
    assert workers.started == {0: 2}


@pytest.mark.parametrize("event", [Stopped("no such model"), Died("no such model")])
def test_a_run_ends_with_the_sentence_of_a_process_that_cannot_start_and_starts_none_again(
    tmp_path: Path, event: Event
) -> None:
    folder = begun(made(), tmp_path / "run")
    workers = Scripted(folder, starts=lambda *_: event)
    with pytest.raises(NotLoaded, match=r"^no such model$"):
        Dispatch(workers, made(), made().units, folder).run()
    assert workers.started == {0: 1, 1: 1}
    assert workers.closed
    assert folder.record_files() == []


def test_the_run_goes_on_without_a_process_that_cannot_start(tmp_path: Path) -> None:
    folder = begun(made(), tmp_path / "run")
    workers = Scripted(folder, starts=lambda place, _: Stopped("no memory") if place == 0 else Ready())
    Dispatch(workers, made(), made().units, folder).run()
    assert statuses(folder) == dict.fromkeys(NAMES, "ok")
    assert workers.started == {0: 1, 1: 1}


def test_a_run_whose_last_process_cannot_start_again_breaks_off_and_keeps_what_is_done(tmp_path: Path) -> None:
    folder = begun(made(), tmp_path / "run")
    workers = Scripted(
        folder,
        lambda unit, _: KILLED if unit == NAMES[1] else Done(),
        lambda _, times: Ready() if times == 1 else Stopped("no memory"),
        size=1,
    )
    with pytest.raises(OSError, match="no process is left, and a new one could not start: no memory"):
        Dispatch(workers, made(), made().units, folder).run()
    assert statuses(folder) == {NAMES[0]: "ok"}
    assert claims(folder) == []


def test_a_process_that_cannot_write_ends_the_run(tmp_path: Path) -> None:
    folder = begun(made(), tmp_path / "run")
    workers = Scripted(folder, lambda *_: Stopped("no space left on device"))
    with pytest.raises(OSError, match="no space left on device"):
        Dispatch(workers, made(), made().units, folder).run()
    assert workers.closed


def test_a_unit_that_another_run_is_measuring_comes_last_and_is_not_measured_twice(tmp_path: Path) -> None:
    folder = begun(made(), tmp_path / "run")
    workers = Scripted(folder)
    with folder.claimed(NAMES[0]) as mine:
        assert mine
        dispatch = Dispatch(workers, made(), made().units, folder)
        look = workers.next_event

        def other_run_finishes(timeout: float | None) -> tuple[int, Event] | None:
            if workers.idle_looks == 2:
                folder.write_record(measured()[NAMES[0]])
                claim.unlink()
            return look(timeout)

        claim = folder.path / ".claims" / f"{NAMES[0]}.lock"
        workers.next_event = other_run_finishes  # type: ignore[method-assign]
        dispatch.run()
    assert statuses(folder) == dict.fromkeys(NAMES, "ok")
    assert workers.given == {NAMES[1]: 1, NAMES[2]: 1}


def test_ctrl_c_ends_the_processes_and_gives_the_claims_back(tmp_path: Path) -> None:
    folder = begun(made(), tmp_path / "run")

    def interrupted(unit: str, _: int) -> Event:
        assert len(claims(folder)) == 1
        raise KeyboardInterrupt

    workers = Scripted(folder, interrupted)
    dispatch = Dispatch(workers, made(), made().units, folder)
    with pytest.raises(KeyboardInterrupt):
        dispatch.run()
    assert workers.closed
    assert claims(folder) == []
