"""Messages of a run: one line each on the terminal; with time, level and full tracebacks in run.log."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tqdm import tqdm

from tokenrank.records.visible_text import visible

log = logging.getLogger("tokenrank")


class _File(logging.FileHandler):
    """A file of messages; that it cannot be written, on a full disk for example, is said once and ends nothing."""

    _said = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802
        if not self._said:
            self._said = True
            tqdm.write(f"{self.baseFilename} is not complete: {sys.exc_info()[1]}", file=sys.stderr)

    def close(self) -> None:
        with suppress(OSError):
            super().close()


class _Terminal(logging.Handler):
    """One line a message on stderr, above the progress bar; tracebacks go to the file only."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(visible(record.getMessage()), file=sys.stderr)


def messages_to_terminal() -> None:
    """From now on messages of level INFO and above are printed to stderr; calling it again changes nothing."""
    log.setLevel(logging.DEBUG)
    log.propagate = False
    if not any(type(handler) is _Terminal for handler in log.handlers):
        log.addHandler(_Terminal(logging.INFO))


@contextmanager
def messages_to(file: Path) -> Iterator[None]:
    """Inside the block messages also go to this file, with time, level and full traceback."""
    handler = _File(file, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        handler.close()
