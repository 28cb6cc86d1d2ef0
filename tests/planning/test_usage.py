"""``--help``: about thirty lines of 80 letters with every choice; ``--version``: ours."""

import re
import subprocess
import sys
import tomllib
from typing import Any

import pytest

from tests.command import ROOT, Command
from tests.plans import CONFIGS, composed
from tokenrank.planning.usage import GROUPS, asked_for, usage, version


def test_help_fits_a_screen_and_names_every_file_of_the_groups() -> None:
    lines = usage().splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 36
    choices = " ".join(usage().partition("Choices")[2].partition("Settings")[0].split())
    for group in GROUPS:
        names = [file.stem for file in sorted((CONFIGS / group).glob("*.yaml"))]
        assert f"{group} {', '.join(names)}" in choices
        assert names


def test_every_setting_in_help_is_one() -> None:
    made = composed("model=tiny")
    named = re.findall(r"(?<=[ ,])([a-z_]+(?:\.[a-z_]+)*)=(?=[\[\w])", usage())
    own = {name for name in named if name.partition(".")[0] not in ("hydra", *GROUPS)}
    assert own >= {"k", "store", "answers", "overwrite", "prefill.keep", "estimate"}
    for name in {each for each in named if not each.startswith("hydra") and each != "task.path"}:
        node: Any = made
        for part in name.split("."):
            assert part in node, name
            node = node._get_node(part)


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["--he"], ["model=tiny", "--help"]])
def test_help_starts_no_run(tokenrank: Command, arguments: list[str]) -> None:
    ended = tokenrank(*arguments)
    assert (ended.code, ended.out, ended.err) == (0, usage() + "\n", "")


def test_version_is_ours_and_nothing_else(tokenrank: Command) -> None:
    said = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert tokenrank("--version").out == tokenrank("--vers").out == f"tokenrank {said}\n"
    assert version() == said


def test_other_options_are_hydras() -> None:
    for arguments in (["--hydra-help"], ["--h"], ["--cfg", "job"], ["--"], ["-"], [""], ["model=tiny"]):
        assert asked_for(arguments) is None


def test_help_whose_reader_has_gone_ends_without_an_error() -> None:
    """As behind ``| head -1``, and no signal of the process is changed: tests and libraries run in it too."""
    code = "import os; r, w = os.pipe(); os.close(r); os.dup2(w, 1)\nfrom tokenrank.planning.ending import print_to_reader\nprint_to_reader('x' * 100_000)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
