"""Names of runs: by convention, and an id that is the config's own."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hydra.conf import HydraConf
from hydra.types import RunMode
from omegaconf import OmegaConf

from tokenrank.evaluation.plan import Plan
from tokenrank.planning.naming import names_of
from tokenrank.records.run_names import Names

FOLDER = Path("results") / "a_sweep" / "0_abc"


def names(
    heuristics: str = "claa", sweep: bool = False, experiment: str | None = "kernel", tasks: str = "niah", **config: Any
) -> Names:
    choices = {"evaluation": "ranking", "task": "niah", "experiment": experiment}
    hydra = SimpleNamespace(runtime=SimpleNamespace(choices=choices), mode=RunMode.MULTIRUN if sweep else RunMode.RUN)
    ready = SimpleNamespace(
        config=OmegaConf.create(
            {"seed": 0, "logger": "none", "heuristic": {name: {} for name in heuristics.split("+")}} | config
        ),
        evaluation=SimpleNamespace(kind="ranking"),
        prompts=[SimpleNamespace(task=task) for task in tasks.split("+")],
        model_name="tiny",
    )
    return names_of(cast(Plan, ready), FOLDER, cast(HydraConf, hydra))


def test_the_group_is_the_sweep_else_the_experiment() -> None:
    assert names(sweep=True).group == "a_sweep"
    assert names().group == "kernel"
    assert names(experiment=None).group is None


def test_job_type_and_name_say_what_ran() -> None:
    assert names("claa+tova").job_type == "ranking"
    assert names("claa+tova").name == "claa+tova-tiny-niah"
    assert names("a+b+c+d").name == "a+b+c+d-tiny-niah"
    assert names("a+b+c+d+e").name == "5_heuristics-tiny-niah"
    assert names(tasks="longbench/qasper+longbench/trec").name == "claa-tiny-longbench"


@pytest.mark.parametrize("other", [{"seed": 1}, {"k": [5]}])
def test_the_id_follows_the_config_and_not_where_copies_go(other: dict[str, Any]) -> None:
    assert names().id == names(sweep=True, logger="wandb").id
    assert names(**other).id != names().id
