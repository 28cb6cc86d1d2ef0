"""A tracker never affects a run: whatever its package does, the logger returns in time and leaves the files as they were."""

import os
import pty
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.command import ROOT
from tests.report.mirror_examples import NAMES, made_up
from tokenrank.report.loggers.trackers import Trackio, WandB

CALL = (
    "import sys; from pathlib import Path; from tokenrank.records.run_folder import RunFolder;"
    "from tokenrank.report.loggers.trackers import WandB; from tests.report.mirror_examples import NAMES;"
    "WandB().mirror(RunFolder(Path(sys.argv[1])), NAMES)"
)


@pytest.fixture(autouse=True)
def nobody(no_account: None) -> None:
    """In every test."""


def fake(folder: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    """Puts a module named wandb before the real one."""
    (folder / "fake").mkdir()
    (folder / "fake" / "wandb.py").write_text(content)
    monkeypatch.setenv("PYTHONPATH", str(folder / "fake"))


def mirrored(tmp_path: Path, logger: WandB) -> None:
    """Copies a run, whose files must stay as they are."""
    folder = made_up(tmp_path / "run")
    before = content(folder.path)
    logger.mirror(folder, NAMES)
    assert content(folder.path) == before


def content(folder: Path) -> dict[Path, bytes]:
    """All files of a run but W&B's own and the note of copies."""
    files = [file for file in folder.rglob("*") if file.is_file() and folder / "wandb" not in file.parents]
    return {file: file.read_bytes() for file in files if file.name != "copies.json"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("raise RuntimeError('broken')", "broken"),
        ("import os\nos._exit(7)", "it ended with code 7"),
        ("import os\nprint('done', flush=True)\nos._exit(0)", None),
    ],
)
def test_a_wandb_that_breaks_or_dies_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: str,
    reason: str | None,
) -> None:
    fake(tmp_path, monkeypatch, content)
    mirrored(tmp_path, WandB())
    out, err = capsys.readouterr()
    warning = f"warning: no copy by WandB: {reason}; the run folder is complete\n"
    assert (out, err) == (("", warning) if reason else ("done\n", ""))


def test_a_wandb_that_hangs_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake(tmp_path, monkeypatch, "import time\ntime.sleep(600)")
    started = time.monotonic()
    mirrored(tmp_path, WandB(timeout=1))
    assert time.monotonic() - started < 30
    assert "warning: no copy by WandB: it was not done after 1 seconds" in capsys.readouterr().err


def test_wandb_is_imported_in_its_own_process_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, monkeypatch, f"open({str(tmp_path / 'imported')!r}, 'w').close()")
    imports = "import tokenrank.report.loggers.trackers, tokenrank.report.report"
    subprocess.run([sys.executable, "-c", imports], check=True, cwd=ROOT / "src")
    assert not (tmp_path / "imported").exists()
    mirrored(tmp_path, WandB())
    assert (tmp_path / "imported").exists()  # the fake would have told


def test_without_a_key_nobody_is_asked(tmp_path: Path) -> None:
    """Neither with stdin closed nor at a terminal, where wandb itself would wait for an answer for ever."""
    ours, theirs = pty.openpty()
    calls = []
    for number, shell in enumerate(('exec "$@" <&-', 'exec "$@"')):
        folder = made_up(tmp_path / str(number)).path
        command = ["sh", "-c", shell, "sh", sys.executable, "-c", CALL, str(folder)]
        pipe = subprocess.PIPE
        calls.append(subprocess.Popen(command, stdin=theirs, stdout=pipe, stderr=pipe, cwd=ROOT, text=True))
    for call in calls:
        out, err = call.communicate(timeout=60)
        assert out.startswith("W&B: offline, as there is no API key; `wandb sync")
        assert (call.returncode, err) == (0, "")
    os.close(ours)
    os.close(theirs)


def test_with_a_key_and_no_server_it_goes_offline_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    started = time.monotonic()
    mirrored(tmp_path, WandB(init_timeout=1, timeout=40))
    assert time.monotonic() - started < 40
    out, err = capsys.readouterr()
    assert out.startswith("W&B: offline, as ")
    assert "127.0.0.1:9" in out
    assert err == ""
    assert len(list((tmp_path / "run").glob("wandb/*run-*/*.wandb"))) == 1  # nothing left of the attempt


def test_a_malformed_key_is_a_reason_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "short")
    mirrored(tmp_path, WandB())
    assert capsys.readouterr().out.startswith("W&B: offline, as WANDB_API_KEY invalid")


@pytest.mark.parametrize("name", ["timeout", "init_timeout"])
def test_bad_settings_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is 0, must be above 0 seconds"):
        WandB(**{name: 0})  # type: ignore[arg-type]


def test_a_folder_that_was_removed_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake(tmp_path, monkeypatch, "import os\nprint('done', flush=True)\nos._exit(0)")
    run = made_up(tmp_path / "run")
    for _ in range(2):
        WandB().mirror(run, NAMES)
    assert capsys.readouterr().out == "done\ndone (copied before)\n"
    shutil.rmtree(run.path / "wandb")
    WandB().mirror(run, NAMES)
    assert capsys.readouterr().out == "done\n"


def test_a_folder_in_the_home_folder_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell expands ``~`` of a command line; of a config file nobody else does."""
    monkeypatch.setattr("tokenrank.report.loggers.trackers.find_spec", lambda _: True)
    monkeypatch.setenv("HOME", str(tmp_path))
    run = made_up(tmp_path / "run")
    assert Trackio(folder="~/all").home(run) == tmp_path / "all"
    assert Trackio(folder="~/all").environment(run)["TRACKIO_DIR"] == str((tmp_path / "all").resolve())
    assert Trackio(folder="all~").home(run) == Path("all~")
