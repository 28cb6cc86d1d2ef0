"""A module in a process of its own: its last line, its failures as one sentence, and its end in time with all that it started."""

import os
import time
from pathlib import Path

import psutil
import pytest

from tokenrank.report.loggers.bounded import run_module

PROGRAMS = {
    "import sys; print('one'); print(*sys.argv[1:])": "a b",
    "": "done",
}
FAILURES = {
    "import sys; sys.exit('what is wrong')": "what is wrong",
    "import os; os._exit(7)": "it ended with code 7",
    "import os, signal; print('half', flush=True); os.kill(os.getpid(), signal.SIGKILL)": "it was ended by signal 9",
    "raise OSError('broken')": "OSError: broken",
}


def called(folder: Path, program: str, seconds: float = 60) -> str:
    (folder / "a_module.py").write_text(program)
    return run_module("a_module", ["a", "b"], os.environ | {"PYTHONPATH": str(folder)}, seconds)


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_last_line_is_returned(tmp_path: Path, program: str) -> None:
    assert called(tmp_path, program) == PROGRAMS[program]


@pytest.mark.parametrize("program", FAILURES)
def test_a_failure_is_one_sentence(tmp_path: Path, program: str) -> None:
    with pytest.raises(RuntimeError) as failed:
        called(tmp_path, program)
    assert str(failed.value) == FAILURES[program]


def test_the_package_can_be_imported(tmp_path: Path) -> None:
    assert (
        called(tmp_path, "import tokenrank.records.run_names as names; print(names.__name__)")
        == "tokenrank.records.run_names"
    )


def test_what_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    program = f"""
import subprocess, sys, time
helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open({str(tmp_path / "helper")!r}, "w").write(str(helper.pid))
time.sleep(600)
"""
    started = time.monotonic()
    with pytest.raises(RuntimeError, match="it was not done after 3 seconds"):
        called(tmp_path, program, seconds=3)
    assert time.monotonic() - started < 30
    helper = int((tmp_path / "helper").read_text())
    for _ in range(100):
        if not psutil.pid_exists(helper) or psutil.Process(helper).status() == psutil.STATUS_ZOMBIE:
            break
        time.sleep(0.1)
    else:
        pytest.fail("its helper still runs")
