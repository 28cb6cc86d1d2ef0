"""What a run ran on."""

import hashlib
import json
import subprocess
from pathlib import Path

import torch
from transformers import WatermarkingConfig

from tests.plans import plan
from tokenrank.models.pretrained import Pretrained
from tokenrank.models.tiny import Tiny
from tokenrank.work.environment import environment, git_commit


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_versions_threads_and_seed_are_those_of_this_process() -> None:
    found = environment(plan("seed=7"))
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


def test_the_weights_are_known_by_their_digests_and_the_generation_config_is_kept(tmp_path: Path) -> None:
    model = Tiny().model()
    model.generation_config.repetition_penalty = 1.05
    model.generation_config.watermarking_config = WatermarkingConfig(bias=2.0)
    model.save_pretrained(tmp_path)
    Tiny().tokenizer().save_pretrained(tmp_path)
    found = json.loads(json.dumps(environment(plan("model=smollm2", f"model.path={tmp_path}", "model.device=cpu"))))
    digests = {each["name"]: each["sha256"] for each in found["model"]["files"]}
    assert digests == {name: hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in digests}
    assert "model.safetensors" in digests
    assert found["generation_config"]["repetition_penalty"] == 1.05
    assert found["generation_config"]["watermarking_config"]["bias"] == 2.0


def test_a_model_without_generation_config_has_the_one_that_transformers_makes(tmp_path: Path) -> None:
    Tiny().model().save_pretrained(tmp_path)
    (tmp_path / "generation_config.json").unlink()
    assert Pretrained(path=str(tmp_path)).generation_settings()["eos_token_id"] == 256
    assert Tiny().generation_settings()["eos_token_id"] == 256
