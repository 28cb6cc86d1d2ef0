"""How a run ends: its exit codes, and what SIGTERM does."""

import os
import signal
import sys
from typing import NoReturn

from tokenrank.planning.bad_input import one_sentence
from tokenrank.records.visible_text import say


class RunFailed(Exception):
    """Some prompts could not be measured (the others were, and are recorded), or nothing more could be written."""


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a run as Ctrl-C does."""


def end(error: BaseException, traceback: bool) -> NoReturn:
    """Says what was wrong and ends the process with the code for it; with ``traceback`` the error is raised instead."""
    if traceback:
        raise error
    say(f"error: {one_sentence(error)}")
    sys.exit(1 if isinstance(error, RunFailed) else 2)


def print_to_reader(text: str) -> None:
    """Prints the last words of a process, without an error when nobody reads them all, as behind ``| head``."""
    try:
        print(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more at the end


def terminate(_signal: int, _frame: object) -> NoReturn:
    """SIGTERM ends a run in order, once: a second one ends it at once."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise Terminated
