"""Every command that README and the docs show has arguments that Hydra takes."""

import re
import shlex
from pathlib import Path

import pytest

from tests.plans import composed

HOME = Path(__file__).parent.parent
PAGES = [HOME / "README.md", *sorted((HOME / "docs").glob("*.md"))]
COMMAND = re.compile(r"^(?:(?:\.venv/bin/)?tokenrank|python run\.py) ((?:.*\\\n)*.*)", re.MULTILINE)
OUTER_COMMA = re.compile(r",(?![^\[]*\])")  # between the values of a sweep, not within a list
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    blocks = [block for page in PAGES for block in FENCED.findall(page.read_text(encoding="utf-8"))]
    return [command.replace("\\\n", " ") for block in blocks for command in COMMAND.findall(block)]


def test_commands_are_found_on_more_than_one_page() -> None:
    assert len(commands()) > 15


@pytest.mark.parametrize("command", commands())
def test_a_shown_command_composes(command: str) -> None:
    given = shlex.split(command, comments=True)
    swept = "-m" in given
    composed(*(OUTER_COMMA.split(each)[0] if swept else each for each in given if each != "-m"))
