"""A run that is interrupted or killed: what it finished is there, the same command goes on, and the tables are the same bytes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from scripts.collect import command as collect
from tests.command import ROOT, Command

LENGTHS = (300, 310, 350, 360)  # one prompt each; the heuristic blocks in the third
GIVEN = {
    "ranking": ("task.depths=[0]", "metric=[recall,jaccard]"),
    "accuracy": ("task.depths=[0]", "prefill.keep=[20]"),
    "ttft": ("evaluation.repeats=2", "prefill.keep=[20]"),
}
MEASURED = {"choosing_share", "decode_tokens_per_second", "peak_bytes"}  # of evaluation=ttft


def arguments(evaluation: str, outside: str, folder: Path) -> list[str]:
    lengths = f"task.lengths=[{','.join(map(str, LENGTHS))}]"
    chosen = ("model=tiny", f"evaluation={evaluation}", "heuristic=[claa,backwards]", lengths, "task.max_new_tokens=4")
    blocking = "heuristic.backwards.blocking_tokens=350"
    return ["--config-dir", outside, *chosen, *GIVEN[evaluation], blocking, "store=null", f"hydra.run.dir={folder}"]


@contextmanager
def blocked_run(evaluation: str, outside: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A run in a process of its own that hangs in the third of four prompts."""
    blocked = folder.with_suffix(".blocked")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), outside]), "BLOCKED": str(blocked)}
    command = [sys.executable, str(ROOT / "run.py"), *arguments(evaluation, outside, folder)]
    with subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # tests in the background ignore it
    ) as process:
        try:
            until = time.monotonic() + 120
            while not blocked.exists() and process.poll() is None and time.monotonic() < until:
                time.sleep(0.05)
            assert blocked.exists(), process.communicate(timeout=5)
            yield process
        finally:
            process.kill()


def rows(table: pd.DataFrame, samples: list[str]) -> pd.DataFrame:
    """Rows of some prompts, without what is measured in seconds or bytes of memory."""
    timed = [column for column in table if str(column).endswith("seconds") or column in ("peak_bytes", "host")]
    found = table[table["sample" if "sample" in table else "id"].isin(samples)].drop(columns=timed)
    if "metric" in found:
        found = found[~found["metric"].isin(MEASURED)]
    return found.reset_index(drop=True)


@pytest.mark.parametrize("evaluation", ["ranking", "accuracy", "ttft"])
def test_a_killed_run_is_collected_with_every_prompt_that_it_finished(
    tokenrank: Command, tmp_path: Path, outside: str, capsys: pytest.CaptureFixture[str], no_pictures: None,
    evaluation: str,
) -> None:  # fmt: skip
    folder = tmp_path / "killed"
    with blocked_run(evaluation, outside, folder) as process:
        assert collect([str(folder)]) == 0  # tables of what there is, while the run goes on
        assert "half a run: 2 of 4 units are done" in capsys.readouterr().out
        process.kill()
    (folder / "metrics.parquet").unlink()
    for name in (".unfinished-abc.parquet", ".unfinished-def"):
        (folder / "records" / name).write_text("half a reco")  # as if it had been killed while it wrote
    assert collect([str(folder)]) == 0
    out, err = capsys.readouterr()
    assert "half a run: 2 of 4 units are done" in out
    assert f"tables and plots in {folder}" in out.splitlines()
    assert err == "writing the tables\nwriting report.html\n"
    assert len(list((folder / "plots").glob("*.png"))) > 1

    ended = tokenrank(*arguments(evaluation, outside, tmp_path / "whole"))
    assert ended.code == 0, ended.err
    done = list(pd.read_parquet(folder / "samples.parquet")["id"])
    assert len(done) == 2
    for name in ("metrics", "samples", "runs"):
        half, whole = (pd.read_parquet(each / f"{name}.parquet") for each in (folder, tmp_path / "whole"))
        pd.testing.assert_frame_equal(rows(half, done), rows(whole, done), check_exact=True)


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_says_how_much_is_done_and_how_to_go_on(
    tmp_path: Path, outside: str, how: signal.Signals, code: int
) -> None:
    folder = tmp_path / "interrupted"
    with blocked_run("ranking", outside, folder) as process:
        process.send_signal(how)
        _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "Traceback" not in err
    said = "interrupted: 2 of 4 units are done; the same command goes on from there, and "
    assert err.splitlines()[-1] == f"{said}python -m tokenrank.collect {folder} makes tables of what there is"
    assert len(list((folder / "records").iterdir())) == 2
    assert not (folder / ".tokenrank.lock").exists()
    command = [sys.executable, str(ROOT / "scripts" / "collect.py"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT / "src")})
    assert done.returncode == 0, done.stderr
    assert "half a run: 2 of 4 units are done" in done.stdout


def test_an_interrupt_before_the_first_prompt_says_that_nothing_was_measured(
    tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tokenrank.work.local.load_model", interrupted)
    ended = tokenrank("model=tiny", "task.lengths=[300]")
    assert ended.code == 130
    assert ended.err.splitlines()[-1] == "interrupted: nothing was measured"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("scenario", "evaluation"),
    [
        ("at_random_moments", "ranking"),
        ("at_random_moments", "accuracy"),
        ("at_random_moments", "ttft"),
        ("in_every_write", "ranking"),
        ("two_on_one_folder", "ranking"),
        ("two_on_one_folder", "accuracy"),
        ("three_shards", "accuracy"),
    ],
)
def test_runs_that_are_killed_or_shared_leave_the_bytes_of_an_undisturbed_one(
    tmp_path: Path, scenario: str, evaluation: str
) -> None:
    command = [sys.executable, "-m", "tests.killing", scenario, evaluation, str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=1200)
    assert done.returncode == 0, done.stdout + done.stderr
