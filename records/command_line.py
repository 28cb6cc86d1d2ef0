"""What the command lines of all scripts on run folders share."""

import argparse
from pathlib import Path


def command_parser(program: str, description: str | None) -> argparse.ArgumentParser:
    """A parser that prints the description as it is.

    Args:
        program: name of the command.
        description: what ``--help`` prints.
    """
    return argparse.ArgumentParser(
        prog=program, description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def path_argument(text: str) -> Path:
    """A file or folder, with ``~`` replaced.

    Raises:
        argparse.ArgumentTypeError: there is no such home folder.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise argparse.ArgumentTypeError(f"{text} is in no home folder: {error}") from error
