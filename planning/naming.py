"""Group, job type, name and id of a run in experiment trackers."""

from pathlib import Path

from hydra.conf import HydraConf
from hydra.types import RunMode

from tokenrank.evaluation.plan import Plan
from tokenrank.planning.folder_names import settings_of
from tokenrank.records.digests import digest
from tokenrank.records.run_names import Names

SHOWN = 4  # heuristics that a name spells out


def names_of(plan: Plan, folder: Path, hydra: HydraConf) -> Names:
    """Group: the sweep's folder, else the experiment. Job type: the evaluation. Name: heuristics, model and task.

    The id is a hash of the settings that decide the tables, so that all copies of a run have the same one.
    """
    choices = hydra.runtime.choices
    sweep = folder.parent.name if hydra.mode == RunMode.MULTIRUN else None
    heuristics = [*plan.config.heuristic]
    shown = "+".join(map(str, heuristics)) if len(heuristics) <= SHOWN else f"{len(heuristics)}_heuristics"
    tasks = "+".join(dict.fromkeys(prompt.task.split("/")[0] for prompt in plan.prompts))
    return Names(
        group=sweep or choices.get("experiment"),
        job_type=plan.evaluation.kind,
        name=f"{shown}-{plan.model_name}-{tasks}",
        id=digest(settings_of(plan.config))[:8],
    )
