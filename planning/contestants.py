"""Who runs the prompt on its kept tokens: an engine for every chosen heuristic and for the controls."""

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from tokenrank.capture.model_layers import ModelLayers
from tokenrank.evaluation.evaluation import Evaluation
from tokenrank.heuristics.controls import Random
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.planning.building import build, naming
from tokenrank.prefill.contestant import Contestant
from tokenrank.prefill.engine import Engine, Full
from tokenrank.prefill.precomputed import Precomputed
from tokenrank.records.schema import FULL, ORACLE, RANDOM

ANY = "any"  # the engine of heuristics that have no line of their own


def build_engines(config: DictConfig) -> None:
    """Builds every engine of the config: what is wrong with one is found before the model's files are asked for."""
    for name, node in config.prefill.engine.items():
        build(node, f"prefill.engine.{name}", Engine)


def contestants(
    config: DictConfig, seed: int, heuristics: Mapping[str, Heuristic], layers: ModelLayers, evaluation: Evaluation
) -> tuple[Contestant, ...]:
    """The full prefill, then every chosen heuristic with its engine, then the controls where the evaluation adds them.

    What ranks for the oracle is known only after each prompt's answer: until then it ranks nothing.

    Raises:
        ValueError: a heuristic cannot drive its engine or is called ``full``, or the model lacks the layer to select at.
    """
    if FULL in heuristics:
        raise ValueError(f"heuristic.{FULL} has the name of the full prefill: call it something else")
    controls: dict[str, Heuristic] = {ORACLE: Precomputed({}), RANDOM: Random(seed)} if evaluation.adds_controls else {}
    chosen = dict(heuristics) | {name: each for name, each in controls.items() if name not in heuristics}
    if not chosen:
        raise ValueError("heuristic chooses nobody who can rank for an engine: choose one beside the oracle")
    drawn = {name: Contestant(name, _engine(config, name, each, layers), each) for name, each in chosen.items()}
    return (Contestant(FULL, Full(), None), *drawn.values())


def _engine(config: DictConfig, name: str, heuristic: Heuristic, layers: ModelLayers) -> Engine:
    """The engine of a heuristic; a study's point has that of the heuristic it is a point of."""
    nodes = config.prefill.engine
    points: Any = OmegaConf.select(config, "study.points") or {}
    own = points[name]["heuristic"] if name in points else name
    key = next((each for each in (name, own, ANY) if each in nodes), None)
    if key is None:
        raise ValueError(
            f"prefill.engine has no line for {name} and none called {ANY}; it has {', '.join(map(str, nodes))}"
        )
    engine: Engine = build(nodes[key], f"prefill.engine.{key}", Engine)
    with naming(f"prefill.engine.{key}" if key != ANY else f"prefill.engine.{ANY} of {name}"):
        return engine.resolved(heuristic, layers)
