"""executor=local: this process, or several on this machine."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from tokenrank.evaluation.plan import Plan, Unit
from tokenrank.models.pretrained import Pretrained
from tokenrank.records.run_folder import RunFolder
from tokenrank.work.dispatch import Dispatch
from tokenrank.work.executor import Executor, check_alone, cores
from tokenrank.work.loading import load_model
from tokenrank.work.loop import work
from tokenrank.work.processes import Processes
from tokenrank.work.worker import Job


@dataclass(frozen=True)
class Local(Executor):
    """One process measures a prompt after the other; several share them, and with several GPUs each process has one."""

    processes: int = 1  # each loads the model

    def __post_init__(self) -> None:
        if self.processes < 1:
            raise ValueError(f"executor.processes is {self.processes}, must be at least 1")

    def check(self, plan: Plan) -> None:
        """Times are measured by one process."""
        if self.processes > 1:
            check_alone(plan, f"executor.processes={self.processes}")

    def run(self, plan: Plan, todo: Sequence[Unit], folder: RunFolder) -> None:
        """In this process, which loads the model, or in ``processes`` others."""
        if self.processes == 1:
            if plan.config.threads is not None:
                torch.set_num_threads(plan.config.threads)
            work(plan, load_model(plan), todo, folder)
            return
        threads = plan.config.threads or max(1, cores() // self.processes)
        job = Job.of(plan, todo, threads)
        gpus = _gpus(plan.source)

        def environment(place: int) -> Mapping[str, str]:
            gpu = gpu_of(place, gpus)
            return {"OMP_NUM_THREADS": str(threads)} | ({} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu})

        Dispatch(Processes(self.processes, job, folder, environment), plan, todo, folder).run()


def gpu_of(place: int, gpus: Sequence[str]) -> str | None:
    """The GPU of a process: they take turns."""
    return gpus[place % len(gpus)] if gpus else None


def _gpus(source: Pretrained) -> list[str]:
    """Names of the GPUs that processes share out; none where the run says itself which devices it uses."""
    if source.device_map is not None or source.device not in ("auto", "cuda"):
        return []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = torch.cuda.device_count()
    return [str(number) for number in range(count)] if visible is None else visible.split(",")[:count]
