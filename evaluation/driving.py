"""Which heuristic drives which engine, at which keep rates: the rows of accuracy and TTFT."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from tokenrank.capture.feeding import takes_positions
from tokenrank.evaluation.building import build, naming
from tokenrank.evaluation.preparation import Experiment
from tokenrank.heuristics.controls import Random
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.metrics.metric import tokens_kept
from tokenrank.prefill.engine import Engine
from tokenrank.prefill.layers import ModelLayers
from tokenrank.records.schema import FULL, ORACLE, RANDOM

ANY = "any"  # the engine of heuristics that have no line of their own


@dataclass(frozen=True)
class Driven:
    """An engine, settled for the model, and who drives it."""

    engine: Engine
    heuristic: Heuristic


def driven(experiment: Experiment, controls: Mapping[str, Heuristic]) -> dict[str, Driven]:
    """The engine of every chosen heuristic and of the controls, by name; the oracle control is the caller's to drive.

    Args:
        experiment: what was chosen.
        controls: added where they were not chosen.

    Raises:
        ValueError: a heuristic cannot drive its engine or is called ``full``, or the model lacks the layer to select at or
            cannot be told positions.
    """
    if FULL in experiment.heuristics:
        raise ValueError(f"heuristic.{FULL} has the name of the full prefill's own row: call it something else")
    if not takes_positions(experiment.model):
        raise ValueError(
            f"{type(experiment.model).__name__} takes no positions: kept tokens could not be told where they stand, nor be renumbered"
        )
    chosen = {name: each for name, each in experiment.heuristics.items() if name != ORACLE}
    return {
        name: Driven(_engine(experiment, name, each), each)
        for name, each in (chosen | {name: each for name, each in controls.items() if name not in chosen}).items()
    }


def keep_rates(experiment: Experiment) -> list[float]:
    """Percent, as configured.

    Raises:
        ValueError: one outside (0, 100], one twice, or none.
    """
    config = experiment.config.prefill
    if not OmegaConf.is_list(config.keep) or not config.keep:
        raise ValueError(f"prefill.keep is {config.keep!r}, must be a list of percentages, as in prefill.keep=[10,20]")
    rates = list(config.keep)
    for rate in rates:
        if type(rate) not in (int, float) or not 0 < rate <= 100:
            raise ValueError(f"prefill.keep holds {rate!r}, must be above 0 and at most 100 percent")
    if len(set(rates)) < len(rates):
        raise ValueError(f"prefill.keep holds a value twice: {rates}")
    return rates


def check_room(experiment: Experiment, engines: Mapping[str, Driven], rates: list[float]) -> None:
    """Raises ValueError if a keep rate leaves some prompt nothing but the window that always stays."""
    for name, each in engines.items():
        for prompt in experiment.prompts:
            kept, rate = tokens_kept(min(rates), len(prompt.input_ids)), min(rates)
            if kept <= each.engine.window:
                raise ValueError(
                    f"prefill.keep holds {rate:g} percent: of the {len(prompt.input_ids)} tokens of prompt {prompt.id} these are "
                    f"{kept}, no more than the window of {each.engine.window} that {name} always keeps; "
                    "keep more, or set prefill.window lower"
                )


def refuse_rankings(experiment: Experiment) -> None:
    """Raises ValueError if rankings are to be saved, which only evaluation=ranking has at every layer."""
    if experiment.config.save_rankings:
        raise ValueError("save_rankings is true, must be false: only evaluation=ranking ranks at every layer")


def random_control(experiment: Experiment) -> dict[str, Heuristic]:
    """The control that a ranking must beat."""
    return {RANDOM: Random(experiment.config.seed)}


def model_layers(experiment: Experiment) -> ModelLayers:
    """What engines must know of the model."""
    facts = experiment.layers
    total = experiment.model.config.get_text_config(decoder=True).num_hidden_layers
    windowed = [layer.index for layer in facts if layer.sliding_window is not None]
    return ModelLayers(total, [layer.index for layer in facts], windowed)


def _engine(experiment: Experiment, name: str, heuristic: Heuristic) -> Engine:
    """The engine of a heuristic; a study's point has that of the heuristic it is a point of."""
    nodes: DictConfig = experiment.config.prefill.engine
    points: Any = OmegaConf.select(experiment.config, "study.points") or {}
    own = points[name]["heuristic"] if name in points else name
    key = next(each for each in (name, own, ANY) if each in nodes)
    engine: Engine = build(nodes[key], f"prefill.engine.{key}")
    with naming(f"prefill.engine.{key}" if key != ANY else f"prefill.engine.{ANY} of {name}"):
        return engine.settled(heuristic, model_layers(experiment))
