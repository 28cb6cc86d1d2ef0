"""What a run ran on."""

import subprocess
from pathlib import Path

import torch

from tokenrank.work.environment import environment, git_commit


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_versions_threads_and_seed_are_those_of_this_process() -> None:
    found = environment(torch.device("cpu"), seed=7)
    assert found["packages"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert found["threads"] == torch.get_num_threads()
    assert found["seed"] == 7


def test_the_commit_says_when_files_differ_from_it(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("one")
    assert git_commit(file) is None
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-q", "-m", "first")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert git_commit(file) == head
    file.write_text("two")
    assert git_commit(file) == f"{head}-dirty"


def test_a_file_that_a_repository_does_not_track_has_no_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "first")
    (tmp_path / "installed.py").write_text("")
    assert git_commit(tmp_path / "installed.py") is None
