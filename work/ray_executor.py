"""executor=ray: actors of a Ray cluster, on this machine or on many."""

import contextlib
import importlib.util
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenrank.evaluation.plan import Plan, Unit
from tokenrank.records.run_folder import RunFolder
from tokenrank.work.dispatch import Dispatch
from tokenrank.work.executor import Executor, check_alone
from tokenrank.work.processes import import_path
from tokenrank.work.worker import Job

log = logging.getLogger(__name__)

LOCAL, AUTO = "local", "auto"
STARTS = 3  # of a local cluster: the ports that Ray chooses for it may be taken before it listens on them


@dataclass(frozen=True)
class RayExecutor(Executor):
    """Ray actors measure the prompts, one prompt at a time each."""

    actors: int | None = None  # null: as many as the cluster has room for
    num_gpus: float | None = None  # of each actor; null: 1 on a cluster with GPUs, unless model.device is cpu
    num_cpus: float = 1  # of each actor; as many CPU threads too, unless threads says otherwise
    address: str = LOCAL  # a cluster of this machine's for this run; auto or HOST:PORT: one that runs
    start_seconds: float = 300  # how long an actor may wait for room on a node that is busy

    def __post_init__(self) -> None:
        for name, least in (("actors", 1), ("num_gpus", 0), ("num_cpus", 0), ("start_seconds", 0)):
            value = getattr(self, name)
            if value is not None and not least <= value < float("inf"):
                raise ValueError(f"executor.{name} is {value:g}, must be at least {least}")

    def check(self, plan: Plan) -> None:
        """Ray is installed, the cluster answers, and its nodes have room for the actors."""
        if importlib.util.find_spec("ray") is None:
            raise ValueError("executor=ray needs the package ray: pip install 'tokenrank[ray]'")
        _identify(self.address)
        import ray

        ray.shutdown()  # of an earlier run of a sweep that ended between check and run
        self._connect()
        try:
            size, _ = self._room(plan)
            if size > 1:
                check_alone(plan, f"executor=ray with {size} actors")
        except ValueError:
            ray.shutdown()
            raise

    def run(self, plan: Plan, todo: Sequence[Unit], folder: RunFolder) -> None:
        """As many actors as there is room for, or ``actors``; the driver writes what they send."""
        import ray

        from tokenrank.work.ray_actors import Actors

        try:
            size, options = self._room(plan)
            job = Job.of(plan, todo, plan.config.threads or max(1, int(self.num_cpus)))
            with contextlib.redirect_stdout(sys.stderr):  # Ray prints that a process died
                Dispatch(Actors(size, job, folder, options, self.start_seconds), plan, todo, folder).run()
        finally:
            ray.shutdown()

    def _connect(self) -> None:
        """Connects this process to the cluster, after it started it if it is a local one.

        Raises:
            ValueError: there is no such cluster, or a local one did not start ``STARTS`` times.
        """
        if self.address != LOCAL:
            _check_reachable(self.address)
        starts = STARTS if self.address == LOCAL else 1
        for start in range(1, starts + 1):
            try:
                self._begin()
                return
            except (Exception, SystemExit) as error:  # Ray ends the process where a cluster does not answer
                if start == starts:
                    times = f" (tried {starts} times)" if starts > 1 else ""
                    raise ValueError(
                        f"executor.address is {self.address!r}, and Ray cannot connect to it{times}: {error}"
                    ) from error
                log.warning("a local Ray cluster did not start and is started again: %s", error)

    def _begin(self) -> None:
        import ray

        before = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(
                address=self.address,
                include_dashboard=False if self.address == LOCAL else None,
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env={"env_vars": {"PYTHONPATH": import_path()}} if self.address == LOCAL else None,
            )
        except (Exception, SystemExit):
            ray.shutdown()  # ends what had been started
            raise
        finally:
            with contextlib.suppress(ValueError):  # not the main thread: then Ray has set none
                signal.signal(signal.SIGTERM, before)  # Ray's own would end the process with a traceback

    def _room(self, plan: Plan) -> tuple[int, dict[str, float]]:
        """How many actors there are, and what each has; raises ValueError as ``fitting``."""
        import ray

        nodes: list[dict[str, float]] = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
        return fitting(self, nodes, on_gpus=plan.source.device != "cpu")


def fitting(executor: RayExecutor, nodes: Sequence[dict[str, float]], on_gpus: bool) -> tuple[int, dict[str, float]]:
    """How many actors there are, and what each has.

    Args:
        executor: says what it asks for.
        nodes: of each node its number of ``CPU`` and ``GPU``, where it has any.
        on_gpus: the model may be on a GPU.

    Raises:
        ValueError: no node has room for one actor, or all together have not for ``executor.actors``.
    """
    has_gpus = on_gpus and any(node.get("GPU", 0) for node in nodes)
    gpus, cpus = float(has_gpus) if executor.num_gpus is None else executor.num_gpus, executor.num_cpus
    room = sum(_fitting(node, gpus, cpus) for node in nodes)
    each = f"num_gpus={gpus:g} and num_cpus={cpus:g}"
    if room == 0:
        most = {kind: max(node.get(kind, 0) for node in nodes) for kind in ("GPU", "CPU")}
        raise ValueError(
            f"an actor of executor=ray needs {each}, and no node of the cluster has them: "
            f"of {len(nodes)} nodes, the largest numbers are {most['GPU']:g} GPUs and {most['CPU']:g} CPUs"
        )
    if executor.actors is not None and executor.actors > room:
        raise ValueError(f"executor.actors is {executor.actors}, and the cluster has room for {room} with {each}")
    return executor.actors or room, {"num_gpus": gpus, "num_cpus": cpus}


def _fitting(node: dict[str, float], gpus: float, cpus: float) -> int:
    """How many actors fit on a node."""
    wanted = {"GPU": gpus, "CPU": cpus}
    counts = [int(node.get(kind, 0) / number) for kind, number in wanted.items() if number]
    return min(counts, default=1)


def _identify(address: str) -> None:
    """Sets what Ray reads when it is imported: no statistics of usage, and the token of a cluster at an address, if there is one.

    Of a cluster on this machine Ray finds the token itself. Of another it does not, and would wait for minutes without an answer.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    token = os.environ.get("RAY_AUTH_TOKEN_PATH", Path.home() / ".ray" / "auth_token")
    if address not in (LOCAL, AUTO) and ("RAY_AUTH_TOKEN" in os.environ or Path(token).is_file()):
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def _check_reachable(address: str) -> None:
    """Raises ValueError if nothing listens at HOST:PORT; Ray itself would try for minutes."""
    if address == AUTO:
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "://" in host:
        raise ValueError(f"executor.address is {address!r}, must be {LOCAL}, {AUTO} or HOST:PORT of a running cluster")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        raise ValueError(f"executor.address is {address!r}, and nothing answers there: {error}") from error
