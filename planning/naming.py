"""Group, job type, name and id of a run in experiment trackers."""

from pathlib import Path

from hydra.conf import HydraConf
from hydra.types import RunMode
from omegaconf import OmegaConf

from tokenrank.evaluation.plan import Plan
from tokenrank.planning.composing import short_hash
from tokenrank.records.run_names import Names

SHOWN = 4  # heuristics that a name spells out


def names_of(plan: Plan, folder: Path, hydra: HydraConf) -> Names:
    """Group: the sweep's folder, else the experiment. Job type: the evaluation. Name: heuristics, model and task.

    The id is a hash of the config (without the logger's), so that all copies of a run have the same one.
    """
    choices = hydra.runtime.choices
    sweep = folder.parent.name if hydra.mode == RunMode.MULTIRUN else None
    config = {name: value for name, value in plan.config.items() if name != "logger"}
    heuristics = [*plan.config.heuristic]
    shown = "+".join(map(str, heuristics)) if len(heuristics) <= SHOWN else f"{len(heuristics)}_heuristics"
    tasks = "+".join(dict.fromkeys(prompt.task.split("/")[0] for prompt in plan.prompts))
    return Names(
        group=sweep or choices.get("experiment"),
        job_type=plan.evaluation.kind,
        name=f"{shown}-{plan.model_name}-{tasks}",
        id=short_hash(OmegaConf.to_yaml(OmegaConf.create(config), resolve=True)),
    )
