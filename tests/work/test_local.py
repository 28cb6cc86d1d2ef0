"""executor=local: several processes leave the same bytes as one; one that is killed costs nothing, and none outlives the run."""

import logging
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.command import ROOT
from tests.plans import plan
from tests.work.executing import executed, leaves_the_bytes_of_one_process
from tokenrank.evaluation.plan import Plan
from tokenrank.work.executor import cores
from tokenrank.work.loading import NotLoaded
from tokenrank.work.local import Local, gpu_of
from tokenrank.work.processes import ending

PROMPTS = ("task.lengths=[300,310,320]", "task.depths=[0]", "save_rankings=true", "threads=1")


def dying(folder: Path, deaths: int, *more: str) -> Plan:
    return plan(
        *PROMPTS,
        *more,
        "heuristic=claa",
        "+heuristic.dies._target_=tests.dying.Dies",
        f"+heuristic.dies.folder={folder}",
        f"+heuristic.dies.deaths={deaths}",
    )


def test_two_processes_of_which_one_is_killed_leave_the_bytes_of_one(tmp_path: Path) -> None:
    made = dying(tmp_path, deaths=1)
    folder = leaves_the_bytes_of_one_process(made, tmp_path, Local(processes=2))
    assert not (folder.path / ".claims").exists()


def test_a_prompt_that_kills_every_process_fails_alone_and_tracebacks_reach_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("tokenrank"), "propagate", True)  # a command in this process turns it off
    fails = ("+heuristic.fails._target_=tests.doubles.Fails", "+heuristic.fails.tokens=320")
    made = dying(tmp_path, 99, *fails)
    with caplog.at_level("INFO", logger="tokenrank"):
        folder = executed(made, tmp_path / "run", Local(processes=2))
    found = {record.unit: record.sample for record in folder.records()[0]}
    names = ("niah_300_0_0", "niah_310_0_0", "niah_320_0_0")
    assert [found[name]["status"] for name in names] == ["ok", "failed", "failed"]
    died = "2 processes that measured it died, one after the other; the last was killed by SIGKILL (out of memory?)"
    assert found[names[1]]["error"] == died
    assert len(list(tmp_path.glob("death_*"))) == 2
    said = {record.getMessage(): record for record in caplog.records if record.levelname == "ERROR"}
    broke = "prompt niah_320_0_0 failed: RuntimeError: it broke"
    assert set(said) == {f"prompt niah_310_0_0 failed: {died}", broke}
    assert "Traceback (most recent call last)" in str(said[broke].exc_text)


def test_processes_that_cannot_load_the_model_end_the_run_with_their_sentence(tmp_path: Path) -> None:
    made = plan(*PROMPTS, "heuristic=recency", "+heuristic.refuses._target_=tests.dying.Refuses")
    with pytest.raises(NotLoaded, match=r"heuristic\.refuses: it cannot rank these prompts"):
        executed(made, tmp_path / "run", Local(processes=2))


HANGING = """
import sys
from pathlib import Path
from tests.plans import plan
from tests.work.executing import executed
from tokenrank.work.local import Local

executed(plan("task.depths=[0]", "heuristic=recency", "+heuristic.hangs._target_=tests.dying.Hangs"), Path(sys.argv[1]), Local(processes=2))
"""


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_no_process_outlives_the_one_that_started_it(tmp_path: Path, sent: signal.Signals) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    command = [sys.executable, "-c", HANGING, str(tmp_path / "run")]
    heeds = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # tests in the background ignore it
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, preexec_fn=heeds) as run:
        try:
            children = until_one_hangs(run, tmp_path / "run")
        finally:
            run.send_signal(sent)
        run.communicate(timeout=60)
    gone, alive = psutil.wait_procs(children, timeout=60)
    assert len(gone) == 1
    assert alive == []


def until_one_hangs(run: "subprocess.Popen[bytes]", folder: Path) -> list[psutil.Process]:
    """The process that a run has started, once it is measuring a unit."""
    until = time.monotonic() + 120
    while len(list((folder / ".claims").glob("*.lock"))) < 1 and time.monotonic() < until:
        assert run.poll() is None, run.communicate()
        time.sleep(0.05)
    children: list[psutil.Process] = psutil.Process(run.pid).children()
    return children


def test_the_processes_share_the_cores_and_the_gpus() -> None:
    assert [gpu_of(place, ["0", "1"]) for place in range(3)] == ["0", "1", "0"]
    assert [gpu_of(place, []) for place in range(2)] == [None, None]
    assert cores() >= 1


@pytest.mark.parametrize("processes", [0, -1])
def test_a_number_of_processes_below_one_is_refused(processes: int) -> None:
    with pytest.raises(ValueError, match=rf"executor\.processes is {processes}, must be at least 1"):
        Local(processes)


def test_times_are_measured_by_one_process(tmp_path: Path) -> None:
    made = plan("task.lengths=[300]", "heuristic=claa", evaluation="ttft")
    Local(1).check(made)
    with pytest.raises(
        ValueError, match=r"executor\.processes=2 measures several prompts at once, which would spoil the times"
    ):
        Local(2).check(made)
    Local(2).check(plan())


@pytest.mark.parametrize(
    ("code", "said"),
    [(3, "ended with code 3"), (-9, "was killed by SIGKILL (out of memory?)"), (-11, "was killed by SIGSEGV")],
)
def test_how_a_process_ended_is_said(code: int, said: str) -> None:
    assert ending(code) == said
