"""executor=ray with two actors on this machine: the bytes of one process, also if one of them is killed; what is refused, never a hang."""

import sys
from pathlib import Path

import pytest

from tests.plans import plan
from tests.work.executing import executed, tables
from tests.work.test_local import dying
from tokenrank.work.local import Local
from tokenrank.work.ray_executor import RayExecutor


def test_two_actors_of_which_one_is_killed_leave_the_bytes_of_one_process(tmp_path: Path) -> None:
    made = dying(tmp_path, deaths=1)
    folder = executed(made, tmp_path / "two", RayExecutor(actors=2))
    assert (tmp_path / "death_0").exists()
    assert not (tmp_path / "death_1").exists()
    alone = executed(made, tmp_path / "one", Local())
    assert tables(folder, made) == tables(alone, made)
    rankings = [
        {file.name: file.read_bytes() for file in (each.path / "rankings").iterdir()} for each in (folder, alone)
    ]
    assert len(rankings[0]) == 3
    assert rankings[0] == rankings[1]
    assert not sys.modules["ray"].is_initialized()


@pytest.mark.parametrize(
    ("executor", "sentence"),
    [
        (
            RayExecutor(num_gpus=64),
            r"needs num_gpus=64 and num_cpus=1, and no node of the cluster has them: of 1 nodes, the largest",
        ),
        (RayExecutor(num_cpus=4096), "needs num_gpus=[01] and num_cpus=4096, and no node of the cluster has them"),
        (RayExecutor(actors=4096), r"executor\.actors is 4096, and the cluster has room for \d+ with"),
    ],
)
def test_more_than_the_cluster_has_is_refused(executor: RayExecutor, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        executor.check(plan())
    assert not sys.modules["ray"].is_initialized()
