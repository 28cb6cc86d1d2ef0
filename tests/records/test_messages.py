"""Messages: a line on the terminal, everything in run.log."""

from pathlib import Path

import pytest

from tokenrank.records.messages import log, messages_to, messages_to_terminal


def test_a_failure_is_a_line_on_the_terminal_and_a_traceback_in_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    messages_to_terminal()
    messages_to_terminal()  # once more: no line is said twice
    with messages_to(tmp_path / "run.log"):
        try:
            raise ValueError("the reason")
        except ValueError as error:
            log.exception("prompt %s failed: %s", "a", error)
    log.info("after the run")
    assert capsys.readouterr().err.splitlines() == ["prompt a failed: the reason", "after the run"]
    written = (tmp_path / "run.log").read_text()
    assert "Traceback" in written
    assert "ValueError: the reason" in written
    assert "after the run" not in written


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_full_disk_is_said_once_and_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    messages_to_terminal()
    with messages_to(Path("/dev/full")):
        log.info("first")
        log.info("second")
    assert capsys.readouterr().err.splitlines() == [
        "first",
        "/dev/full is not complete: [Errno 28] No space left on device",
        "second",
    ]
