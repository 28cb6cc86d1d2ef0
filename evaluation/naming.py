"""What a run is called where runs of many are kept side by side."""

from pathlib import Path

from hydra.conf import HydraConf
from hydra.types import RunMode
from omegaconf import OmegaConf

from tokenrank.evaluation.composing import short_hash
from tokenrank.evaluation.preparation import Experiment
from tokenrank.report.logger import Names

SHOWN = 4  # heuristics that a name spells out


def names_of(experiment: Experiment, folder: Path, hydra: HydraConf) -> Names:
    """Group: the sweep's folder, else the experiment. Job type: the evaluation. Name: heuristics, model and task.

    The id is a hash of the config (without the logger's), so that a run has the same one wherever its copies go.
    """
    choices = hydra.runtime.choices
    sweep = folder.parent.name if hydra.mode == RunMode.MULTIRUN else None
    config = {name: value for name, value in experiment.config.items() if name != "logger"}
    heuristics = list(experiment.heuristics)
    shown = "+".join(heuristics) if len(heuristics) <= SHOWN else f"{len(heuristics)}_heuristics"
    return Names(
        group=sweep or choices.get("experiment"),
        job_type=choices["evaluation"],
        name=f"{shown}-{experiment.model_name}-{choices['task']}",
        id=short_hash(OmegaConf.to_yaml(OmegaConf.create(config), resolve=True)),
    )
