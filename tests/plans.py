"""Small runs for tests, stage by stage: config, plan, work, collect; tiny model, no pictures."""

from functools import cache
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig
from transformers import PreTrainedModel

from tokenrank.evaluation.plan import Plan
from tokenrank.models.tiny import Tiny
from tokenrank.planning.composing import register
from tokenrank.planning.folder_names import register_names
from tokenrank.planning.making import make_plan
from tokenrank.records.record import Record
from tokenrank.records.run_folder import RunFolder
from tokenrank.records.tables import Tables
from tokenrank.work.collecting import collected
from tokenrank.work.loading import load_model
from tokenrank.work.loop import run_unit

CONFIGS = Path(__file__).parent.parent / "configs"
TINY = ("model=tiny", "metric=[recall]", "k=[5,10]", "bootstrap.resamples=200", "task.max_new_tokens=4", "store=null")
NIAH = ("task.lengths=[300]", "task.depths=[0,50]")


def composed(*overrides: str, folder: Path = CONFIGS, name: str = "run") -> DictConfig:
    """What Hydra makes of the command's arguments, without any of our own."""
    register(CONFIGS)
    register_names()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(folder), version_base="1.3"):
        return compose(name, list(overrides))


@cache
def _base(evaluation: str) -> DictConfig:
    return composed(f"evaluation={evaluation}", *TINY, *(() if evaluation == "ttft" else NIAH))


def config(*overrides: str, evaluation: str = "ranking") -> DictConfig:
    """The config of a small run; of two prompts unless the overrides say otherwise."""
    if not overrides:
        return _base(evaluation).copy()
    return composed(f"evaluation={evaluation}", *TINY, *(() if evaluation == "ttft" else NIAH), *overrides)


def plan(*overrides: str, evaluation: str = "ranking") -> Plan:
    """The plan of a small run."""
    return make_plan(config(*overrides, evaluation=evaluation))


@cache
def _tiny() -> PreTrainedModel:
    return Tiny(name="tiny").model()


def records(made: Plan) -> list[Record]:
    """What each unit leaves, on the model of four random layers."""
    load_model(made)  # attaches the heuristics
    return [run_unit(made, _tiny(), unit, lambda _: None)[0] for unit in made.units]


def tables(*overrides: str, evaluation: str = "ranking") -> Tables:
    """The tables of a small run."""
    made = plan(*overrides, evaluation=evaluation)
    return collected(made.evaluation, records(made))


def written(folder: Path, found: list[Record]) -> RunFolder:
    """A folder with these records."""
    run = RunFolder(folder)
    run.begin({}, {each.unit: each.key for each in sorted(found, key=lambda record: record.number)}, "")
    for each in found:
        run.write_record(each)
    return run
