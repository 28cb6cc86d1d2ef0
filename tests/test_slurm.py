"""Shards as jobs of Hydra's submitit launcher, here as processes: one job is killed, the command is repeated, and the bytes are those of one run."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from tests.command import ROOT, Command
from tests.plans import CONFIGS, composed
from tokenrank.planning.bad_input import one_sentence

CHOSEN = (
    "model=tiny", "task.lengths=[300,310,320]", "task.depths=[0]", "task.max_new_tokens=4", "metric=[recall]", "k=[5,10]",
    "heuristic=claa", "store=null", "threads=1", "+heuristic.dies._target_=tests.dying.Dies",
)  # fmt: skip


def test_shards_are_jobs_and_a_killed_one_is_done_again_by_the_same_command(
    tokenrank: Command, tmp_path: Path, no_pictures: None
) -> None:
    dies = f"+heuristic.dies.folder={tmp_path}"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    command = [
        sys.executable,
        str(ROOT / "run.py"),
        "-m",
        *CHOSEN,
        dies,
        "shard=1/3,2/3,3/3",
        "hydra/launcher=submitit_local",
    ]
    first = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert (tmp_path / "death_0").exists(), first.stderr
    assert first.returncode != 0
    assert "Traceback" not in first.stderr
    (folder,) = (tmp_path / "results").glob("ranking_*")
    assert sorted(file.stem for file in (folder / "records").iterdir()) == ["niah_300_0_0", "niah_320_0_0"]
    again = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert len(list((folder / "records").iterdir())) == 3

    ended = tokenrank(*CHOSEN, dies, f"hydra.run.dir={tmp_path / 'one'}")
    assert ended.code == 0, ended.err
    for name in ("metrics.parquet", "summary.parquet"):
        assert (folder / name).read_bytes() == (tmp_path / "one" / name).read_bytes()


def test_points_of_a_sweep_lie_in_its_folder_whatever_launches_them(tmp_path: Path, no_pictures: None) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    command = [sys.executable, str(ROOT / "run.py"), "-m", *CHOSEN[:-1], "heuristic.claa.n=2", "seed=1,2"]
    subprocess.run([*command, "hydra/launcher=submitit_local"], env=environment, cwd=tmp_path, check=True)
    (sweep,) = (tmp_path / "results").iterdir()
    assert len(list(sweep.glob("seed=*/summary.parquet"))) == 2


def test_the_ready_config_has_only_settings_of_the_launcher_and_puts_jobs_back_into_the_queue() -> None:
    from hydra_plugins.hydra_submitit_launcher.config import SlurmQueueConf

    ready: Any = OmegaConf.load(CONFIGS / "hydra" / "launcher" / "slurm.yaml")
    own = OmegaConf.masked_copy(ready, [name for name in ready if name != "defaults"])
    merged = OmegaConf.merge(OmegaConf.structured(SlurmQueueConf), own)  # refuses unknown names and wrong types
    assert merged.max_num_timeout > 0
    assert merged.additional_parameters.requeue is True


def test_off_slurm_the_ready_config_is_refused_in_one_sentence(tokenrank: Command, tmp_path: Path) -> None:
    ended = tokenrank(
        "-m", "model=tiny", "shard=1/2,2/2", "hydra/launcher=slurm", f"hydra.sweep.dir={tmp_path / 'sweep'}"
    )
    assert ended.code == 2
    assert ended.err.splitlines()[-1].startswith('error: Could not detect "srun"')


def test_without_the_launcher_the_error_says_what_to_install() -> None:
    said = "In 'hydra/launcher/slurm': Could not load 'hydra/launcher/submitit_slurm'."
    assert one_sentence(ValueError(said)) == (
        "hydra/launcher: submitit_slurm needs the package hydra-submitit-launcher: pip install 'tokenrank[slurm]'"
    )
    assert one_sentence(ValueError("hydra/launcher is wrong")) == "hydra/launcher is wrong"


def documented_job() -> str:
    """The file for sbatch in docs/scaling.md."""
    blocks = re.findall(
        r"```bash\n(#!/bin/bash.*?)```", (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8"), re.DOTALL
    )
    (job,) = [block for block in blocks if "--array" in block]
    return str(job)


def test_the_shown_job_runs_its_shard_and_goes_back_into_the_queue_when_its_time_is_up(tmp_path: Path) -> None:
    for name, content in {
        "srun": 'exec "$@"',
        "tokenrank": 'echo "$@" > arguments\ntrap "echo ended > ended; exit 143" TERM\nwhile true; do sleep 0.05; done',
        "scontrol": 'echo "$@" > requeued',
    }.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{content}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "job").write_text(documented_job())
    slurm = {"SLURM_ARRAY_TASK_ID": "3", "SLURM_JOB_ID": "4711", "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    with subprocess.Popen(["bash", "job"], cwd=tmp_path, env=os.environ | slurm) as job:
        until = time.monotonic() + 60
        while not (tmp_path / "arguments").exists() and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(0.2)  # until the script waits
        job.send_signal(signal.SIGUSR1)
        job.wait(timeout=60)
    arguments = (tmp_path / "arguments").read_text().split()
    assert "shard=3/8" in arguments
    composed(*arguments)
    assert (tmp_path / "ended").exists()
    assert (tmp_path / "requeued").read_text().split() == ["requeue", "4711"]
