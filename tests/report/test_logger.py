"""A copy elsewhere never matters to a run: whatever W&B does, it ends in time, with the same files and the same code."""

import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.command import ROOT, Command
from tests.report.test_mirror import NAMES, run_folder
from tokenrank.report.logger import NullLogger, WandB

SMALL = ("model=tiny", "task.lengths=[300]", "task.depths=[0]", "task.max_new_tokens=4", "metric=[recall]")
CALL = (
    "import sys; from pathlib import Path; from report.logger import WandB; from tests.report.test_mirror import NAMES;"
    "WandB().mirror(Path(sys.argv[1]), NAMES, 10)"
)


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No key, no settings, and a server that is not there."""
    for name in [each for each in os.environ if each.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NETRC", str(tmp_path / "no_netrc"))
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")


def fake(folder: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    """Puts a module named wandb before the real one."""
    (folder / "fake").mkdir()
    (folder / "fake" / "wandb.py").write_text(content)
    monkeypatch.setenv("PYTHONPATH", str(folder / "fake"))


def mirrored(tmp_path: Path, logger: WandB) -> None:
    (tmp_path / "run").mkdir()
    logger.mirror(run_folder(tmp_path / "run"), NAMES, k=10)


def test_the_table_is_the_same_with_and_without(tokenrank: Command, tmp_path: Path) -> None:
    tables = []
    for logger in ("none", "wandb"):
        folder = tmp_path / logger
        ended = tokenrank(*SMALL, f"logger={logger}", f"hydra.run.dir={folder}")
        assert ended.code == 0, ended.err
        tables.append((folder / "metrics.parquet").read_bytes())
        assert (folder / "wandb").is_dir() == (logger == "wandb")
    assert tables[0] == tables[1]
    assert "W&B: offline, as there is no API key; `wandb sync" in ended.out
    tokenrank(*SMALL, f"hydra.run.dir={tmp_path / 'wandb'}")
    assert not (tmp_path / "wandb" / "wandb").exists()  # no copy of a run that is gone


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("raise RuntimeError('broken')", "RuntimeError: broken"),
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
    warning = f"warning: no copy in W&B: {reason}; the run folder is complete\n"
    assert (out, err) == (("", warning) if reason else ("done\n", ""))


def test_a_wandb_that_hangs_is_ended_and_the_run_is_not_the_worse_for_it(
    tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path, monkeypatch, "import time\ntime.sleep(600)")
    ended = tokenrank(*SMALL, "logger=wandb", "logger.timeout=1")
    assert ended.code == 0
    (warning,) = (line for line in ended.err.splitlines() if line.startswith("warning: "))
    assert "no copy in W&B: it was not done after 1 seconds" in warning
    assert (tmp_path / "run" / "metrics.parquet").is_file()


def test_wandb_is_not_even_imported_unless_asked_for(
    tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path, monkeypatch, f"open({str(tmp_path / 'imported')!r}, 'w').close()")
    tokenrank(*SMALL)
    assert not (tmp_path / "imported").exists()
    mirrored(tmp_path / "fake", WandB())
    assert (tmp_path / "imported").exists()  # the fake would have told


def test_without_a_key_nobody_is_asked(tmp_path: Path) -> None:
    """Neither with stdin closed nor at a terminal, where wandb itself would wait for an answer for ever."""
    ours, theirs = pty.openpty()
    calls = []
    for number, shell in enumerate(('exec "$@" <&-', 'exec "$@"')):
        (tmp_path / str(number)).mkdir()
        command = ["sh", "-c", shell, "sh", sys.executable, "-c", CALL, str(run_folder(tmp_path / str(number)))]
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


def test_bad_settings_are_refused_before_the_run(tokenrank: Command, tmp_path: Path) -> None:
    for setting, sentence in (
        ("logger.timeout=0", "logger: timeout is 0, must be above 0 seconds"),
        ("logger.texts=1", "logger.texts is 1, must be of type bool"),
    ):
        ended = tokenrank(*SMALL, "logger=wandb", setting)
        assert (ended.code, ended.err) == (2, f"error: {sentence}\n")
        assert not (tmp_path / "run").exists()


def test_the_null_logger_leaves_everything_alone(tmp_path: Path) -> None:
    NullLogger().mirror(tmp_path, NAMES, k=10)
    assert list(tmp_path.iterdir()) == []
