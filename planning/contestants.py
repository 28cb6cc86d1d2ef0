"""Contestants of a run: an engine for every chosen heuristic and for the controls."""

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig

from tokenrank.capture.model_layers import ModelLayers
from tokenrank.evaluation.evaluation import Evaluation
from tokenrank.heuristics.controls import Random
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.planning.building import build, naming
from tokenrank.planning.presses import config_name
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

    The oracle's scores are known only after each prompt's answer; until then its contestant has none.

    Raises:
        ValueError: a heuristic cannot rank for its engine or is called ``full`` or ``oracle``, or the model lacks the layer to select at.
    """
    for name, whose in ((FULL, "full prefill"), (ORACLE, "oracle's own ranking")):
        if name in heuristics:
            raise ValueError(f"heuristic.{name} has the name of the {whose}: call it something else")
    if type(heuristics.get(RANDOM, Random(seed))) is not Random:
        raise ValueError(f"heuristic.{RANDOM} has the name of the random control: call it something else")
    controls: dict[str, Heuristic] = {ORACLE: Precomputed({}), RANDOM: Random(seed)} if evaluation.adds_controls else {}
    chosen = dict(heuristics) | {name: each for name, each in controls.items() if name not in heuristics}
    if not chosen:
        raise ValueError("no chosen heuristic can rank for an engine: choose one beside the oracle")
    drawn = {name: Contestant(name, _engine(config, name, each, layers), each) for name, each in chosen.items()}
    return (Contestant(FULL, Full(), None), *drawn.values())


def engine_name(config: Any, name: str) -> str | None:
    """The line of ``prefill.engine`` that a contestant uses; None if there is none.

    All values of a study, and all presses of kvpress, use the line of their heuristic.

    Args:
        config: of a run, as a mapping.
        name: of the contestant.
    """
    points = (config.get("study") or {}).get("points") or {}
    own = config_name(points[name]["heuristic"] if name in points else name)
    return next((each for each in (name, own, ANY) if each in config["prefill"]["engine"]), None)


def _engine(config: DictConfig, name: str, heuristic: Heuristic, layers: ModelLayers) -> Engine:
    nodes, key = config.prefill.engine, engine_name(config, name)
    if key is None:
        raise ValueError(
            f"prefill.engine has no line for {name} and none called {ANY}; it has {', '.join(map(str, nodes))}"
        )
    engine: Engine = build(nodes[key], f"prefill.engine.{key}", Engine)
    with naming(f"prefill.engine.{key}" if key != ANY else f"prefill.engine.{ANY} of {name}"):
        return engine.resolved(heuristic, layers)
