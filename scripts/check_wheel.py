"""Builds the wheel and tries it where nothing of the repository is: a fresh environment and an unrelated folder.

    python scripts/check_wheel.py [PYTHON ...]

For each interpreter (default: this one) it makes a virtual environment, installs the wheel with constraints.txt, and then, in a
folder that has a ``metrics/`` and a ``models/`` of its own, runs ``tokenrank heuristic=claa model=tiny`` and a few lines of Python
with a heuristic of one's own. The distribution must put ``tokenrank`` and its command into the environment and nothing else. It
takes about two gigabytes and a minute or two an interpreter.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SMALL = ("heuristic=claa", "model=tiny", "task.lengths=[300]", "task.depths=[50]", "hydra.run.dir=run")
LINES = """
import importlib.metadata
from dataclasses import dataclass

import tokenrank
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.models.tiny import Tiny


@dataclass(frozen=True)
class Later(Heuristic):
    def score(self, layer):
        return layer.attention(rows=1)[:, 0].amax(dim=0)


source = Tiny()
found = tokenrank.rank(source.model(), source.tokenizer(), ["one two three four " * 20], {"later": Later()})
assert set(found["heuristic"].dropna()) == {"later"}, found
assert len(tokenrank.load("run").metrics)
tops = {file.parts[0] for file in importlib.metadata.files("tokenrank") if file.parts[0] != ".."}
assert {top for top in tops if not top.endswith(".dist-info")} == {"tokenrank"}, tops
outside = [str(file) for file in importlib.metadata.files("tokenrank") if file.parts[0] == ".."]
assert all(file.endswith(("bin/tokenrank", "Scripts/tokenrank.exe")) for file in outside), outside
"""


def main(interpreters: list[str]) -> None:
    """Tries every interpreter; raises CalledProcessError at the first step that fails."""
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        copy = place / "copy"  # a build leaves folders behind, and takes up what an earlier one left
        shutil.copytree(
            ROOT, copy, symlinks=True, ignore=shutil.ignore_patterns(".*", "build", "results", "*.egg-info")
        )
        run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", made, str(copy)], place)
        (wheel,) = place.glob("tokenrank-*.whl")
        for number, interpreter in enumerate(interpreters):
            tried(interpreter, wheel, place / str(number))


def tried(interpreter: str, wheel: Path, place: Path) -> None:
    """Installs the wheel for one interpreter and uses it."""
    folder, environment = place / "unrelated", place / "environment"
    for name in ("metrics", "models"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("raise ImportError('this is the folder of somebody else')\n")
    run([interpreter, "-m", "venv", str(environment)], place)
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    constraints = str(ROOT / "constraints.txt")
    run([str(python), "-m", "pip", "install", "--quiet", "--constraint", constraints, str(wheel)], place)
    run([str(python.with_name("tokenrank")), *SMALL], folder)
    (folder / "own.py").write_text(LINES)
    run([str(python), "own.py"], folder)
    version = subprocess.run([str(python), "--version"], capture_output=True, text=True, check=True).stdout.strip()
    print(f"{version}: {wheel.name} installs, runs and imports beside folders of the same names", flush=True)


def run(command: list[str], folder: Path) -> None:
    """One command, outside of the repository and of whatever PYTHONPATH says."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(command, cwd=folder, env=environment, check=True, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    main(sys.argv[1:] or [sys.executable])
