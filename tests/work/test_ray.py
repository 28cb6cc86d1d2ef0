"""executor=ray with two actors on this machine: the bytes of one process, also if one of them is killed; what is refused, never a hang."""

import socket
from pathlib import Path
from typing import Any

import pytest
import ray

from tests.command import SMALL, Command, refused
from tests.plans import plan
from tests.work.executing import begun, leaves_the_bytes_of_one_process
from tests.work.test_local import dying
from tokenrank.work.dispatch import Stopped
from tokenrank.work.ray_actors import Actor, Actors
from tokenrank.work.ray_executor import RayExecutor, fitting
from tokenrank.work.worker import Job


def test_two_actors_of_which_one_is_killed_leave_the_bytes_of_one_process(tmp_path: Path) -> None:
    made = dying(tmp_path, deaths=1)
    leaves_the_bytes_of_one_process(made, tmp_path, RayExecutor(actors=2, num_cpus=0.5))
    assert not ray.is_initialized()


def test_gpus_that_no_node_has_are_refused_before_anything_waits(tokenrank: Command, tmp_path: Path) -> None:
    sentence = (
        "needs num_gpus=64 and num_cpus=1, and no node of the cluster has them: of 1 nodes, the largest numbers are"
    )
    refused(tokenrank(*SMALL, "executor=ray", "executor.num_gpus=64"), sentence, tmp_path)
    assert not ray.is_initialized()


NODES = [{"CPU": 8.0, "GPU": 4.0}, {"CPU": 2.0}, {"CPU": 3.0, "GPU": 4.0}]


@pytest.mark.parametrize(
    ("executor", "on_gpus", "room"),
    [
        (RayExecutor(), True, {"actors": 4 + 3, "num_gpus": 1, "num_cpus": 1}),
        (RayExecutor(), False, {"actors": 8 + 2 + 3, "num_gpus": 0, "num_cpus": 1}),
        (RayExecutor(num_gpus=0.5, num_cpus=0.25), True, {"actors": 8 + 8, "num_gpus": 0.5, "num_cpus": 0.25}),
        (RayExecutor(num_cpus=4), True, {"actors": 2, "num_gpus": 1, "num_cpus": 4}),
        (RayExecutor(num_gpus=0, num_cpus=3), True, {"actors": 2 + 1, "num_gpus": 0, "num_cpus": 3}),
        (RayExecutor(actors=5), True, {"actors": 5, "num_gpus": 1, "num_cpus": 1}),
    ],
)
def test_there_are_as_many_actors_as_the_nodes_have_room_for(
    executor: RayExecutor, on_gpus: bool, room: dict[str, float]
) -> None:
    actors, options = fitting(executor, NODES, on_gpus)
    assert {"actors": actors, **options} == room


@pytest.mark.parametrize(
    ("executor", "sentence"),
    [
        (
            RayExecutor(num_gpus=5),
            "needs num_gpus=5 and num_cpus=1, and no node .* of 3 nodes, the largest numbers are 4 GPUs and 8 CPUs",
        ),
        (RayExecutor(num_cpus=9), "needs num_gpus=1 and num_cpus=9, and no node of the cluster has them"),
        (
            RayExecutor(num_cpus=4, num_gpus=4, actors=2),
            r"executor\.actors is 2, and the cluster has room for 1 with num_gpus=4",
        ),
    ],
)
def test_more_than_the_nodes_have_is_refused(executor: RayExecutor, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        fitting(executor, NODES, on_gpus=True)


def test_without_ray_the_error_says_what_to_install(
    tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "ray" else pytest.fail(name))
    refused(
        tokenrank(*SMALL, "executor=ray"), "executor=ray needs the package ray: pip install 'tokenrank[ray]'", tmp_path
    )


def test_an_address_where_nothing_answers_is_refused_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"  # bound, and not listening
        with pytest.raises(ValueError, match=rf"executor\.address is '{address}', and nothing answers there"):
            RayExecutor(address=address).check(plan())


@pytest.mark.parametrize("address", ["", "nonsense", "ray://head:10001", "head:port"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"must be local, auto or HOST:PORT of a running cluster"):
        RayExecutor(address=address).check(plan())


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"actors": 0}, r"executor\.actors is 0, must be at least 1"),
        ({"num_gpus": -1.0}, r"executor\.num_gpus is -1, must be at least 0"),
        ({"num_cpus": float("nan")}, r"executor\.num_cpus is nan, must be at least 0"),
        ({"start_seconds": -1.0}, r"executor\.start_seconds is -1, must be at least 0"),
    ],
)
def test_settings_out_of_range_are_refused(setting: dict[str, float], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        RayExecutor(**setting)  # type: ignore[arg-type]


@pytest.mark.parametrize(("failures", "starts"), [(0, 1), (2, 3), (3, 3)])
def test_a_local_cluster_that_does_not_start_is_started_again(
    monkeypatch: pytest.MonkeyPatch, failures: int, starts: int
) -> None:
    seen: list[object] = []

    def init(**settings: object) -> None:
        seen.append(settings["address"])
        if len(seen) <= failures:
            raise RuntimeError("Failed to start GCS")

    monkeypatch.setattr(ray, "init", init)
    if failures == 3:
        with pytest.raises(
            ValueError, match=r"'local', and Ray cannot connect to it \(tried 3 times\): Failed to start"
        ):
            RayExecutor()._connect()
    else:
        RayExecutor()._connect()
    assert seen == ["local"] * starts


def test_an_actor_for_which_a_busy_cluster_has_no_room_is_given_up_with_a_sentence(tmp_path: Path) -> None:
    made = plan("task.depths=[0]")
    RayExecutor().check(made)  # leaves this process connected
    try:
        cpus = ray.cluster_resources()["CPU"]  # type: ignore[no-untyped-call]
        busy: Any = ray.remote(Actor).options(num_cpus=cpus).remote()
        ray.get(busy.placed.remote())
        actors = Actors(
            1, Job.of(made, made.units, 1), begun(made, tmp_path / "run"), {"num_cpus": 1}, start_seconds=0.5
        )
        actors.start(0)
        place, event = actors.next_event(None) or (None, None)
        assert place == 0
        assert isinstance(event, Stopped)
        assert event.reason.startswith(
            "no node had room for an actor with num_cpus=1 within 0.5 s (executor.start_seconds)"
        )
        actors.close()
    finally:
        ray.shutdown()


@pytest.mark.parametrize("actors", [1, 2])
def test_times_are_measured_by_one_actor(monkeypatch: pytest.MonkeyPatch, actors: int) -> None:
    monkeypatch.setattr(RayExecutor, "_connect", lambda _: None)
    monkeypatch.setattr(RayExecutor, "_room", lambda *_: (actors, {}))
    RayExecutor().check(plan())
    timed = plan("task.lengths=[300]", "heuristic=claa", evaluation="ttft")
    if actors == 1:
        RayExecutor().check(timed)
        return
    with pytest.raises(
        ValueError, match="executor=ray with 2 actors measures several prompts at once, which would spoil the times"
    ):
        RayExecutor().check(timed)
