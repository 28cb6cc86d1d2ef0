"""Contestants of a run: an engine for every chosen heuristic, and for each engine in use its own bound and control."""

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig

from tokenrank.capture.model_layers import ModelLayers
from tokenrank.evaluation.evaluation import Evaluation
from tokenrank.heuristics.controls import Control, Random
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.planning.building import build, naming
from tokenrank.planning.presses import config_name
from tokenrank.prefill.contestant import Contestant
from tokenrank.prefill.engine import Engine, Full
from tokenrank.prefill.precomputed import Precomputed
from tokenrank.records.schema import FULL, ORACLE, RANDOM, WHOSE_ENGINE, is_bound, is_control

ANY = "any"  # the line of heuristics that have none of their own


def build_engines(config: DictConfig) -> None:
    """Builds every engine of the config: what is wrong with one is found before the model's files are asked for.

    Raises:
        ValueError: an engine cannot be built, or the bound or the control has a line of its own.
    """
    for name in (ORACLE, RANDOM):
        if name in config.prefill.engine:
            raise ValueError(f"prefill.engine.{name} cannot be set: every engine in use has its own {name}")
    for name, node in config.prefill.engine.items():
        build(node, f"prefill.engine.{name}", Engine)


def contestants(
    config: DictConfig, seed: int, heuristics: Mapping[str, Heuristic], layers: ModelLayers, evaluation: Evaluation
) -> tuple[Contestant, ...]:
    """The full prefill, every chosen heuristic with its engine, then the bound and the control of each engine where they are added.

    The oracle's scores are known only after each prompt's answer; until then its contestants have none.

    Raises:
        ValueError: a heuristic cannot rank for its engine or has the name of the full prefill, a bound or a control, or the model lacks the
            layer to select at.
    """
    _check_names(heuristics)
    first = first_lines(config, layers)
    found: dict[str, Contestant] = {}
    for name, each in heuristics.items():
        ranking = Control(each.seed) if name == RANDOM and isinstance(each, Random) else each
        found[name] = _contestant(config, name, ranking, layers, first)
    if evaluation.adds_controls:
        lines = dict.fromkeys(first[_line(config, name)] for name in found) or {
            ANY: None
        }  # in the order of their first use
        for line in lines:
            for end, ranking in ((ORACLE, Precomputed({})), (RANDOM, Control(seed))):
                name = end if line == ANY else f"{end}{WHOSE_ENGINE}{line}"
                if name not in found:
                    found[name] = _contestant(config, name, ranking, layers, first)
    if not found:
        raise ValueError("no chosen heuristic can rank for an engine: choose one beside the oracle")
    return (Contestant(FULL, Full(), None), *found.values())


def first_lines(config: DictConfig, layers: ModelLayers) -> dict[str, str]:
    """Line of ``prefill.engine`` -> the first line that describes the same engine for a model with these layers; ``any`` is the first of all.

    Engines are compared as they are for one ranking, since the layers that an engine scores depend on who ranks.
    """
    found: dict[str, str] = {}
    known: list[tuple[str, Engine]] = []
    for line in sorted(map(str, config.prefill.engine), key=lambda each: each != ANY):
        engine: Engine = build(config.prefill.engine[line], f"prefill.engine.{line}", Engine)
        try:
            engine = engine.resolved(Random(), layers)
        except ValueError:  # not for this model or ranking: an error if a contestant uses it
            found[line] = line
            continue
        found[line] = next((other for other, each in known if each == engine), line)
        known.append((line, engine))
    return found


def engine_name(config: Any, name: str) -> str | None:
    """The line of ``prefill.engine`` that a contestant uses; None if there is none.

    All values of a study, and all presses of kvpress, use the line of their heuristic. ``oracle@claa`` uses the line ``claa``, and
    ``oracle`` and ``random`` use ``any``.

    Args:
        config: of a run, as a mapping.
        name: of the contestant.
    """
    lines = config["prefill"]["engine"]
    if is_bound(name) or is_control(name):
        line = name.partition(WHOSE_ENGINE)[2] or ANY
        return line if line in lines else None
    points = (config.get("study") or {}).get("points") or {}
    own = config_name(points[name]["heuristic"] if name in points else name)
    return next((each for each in (name, own, ANY) if each in lines), None)


def _line(config: DictConfig, name: str) -> str:
    line = engine_name(config, name)
    if line is None:
        lines = ", ".join(map(str, config.prefill.engine))
        raise ValueError(f"prefill.engine has no line for {name} and none called {ANY}; it has {lines}")
    return line


def _contestant(
    config: DictConfig, name: str, heuristic: Heuristic, layers: ModelLayers, first: Mapping[str, str]
) -> Contestant:
    """A contestant with its engine, resolved for the model.

    Args:
        config: of the run.
        name: of the contestant.
        heuristic: that ranks for it.
        layers: of the model.
        first: as ``first_lines`` gives it.
    """
    line = _line(config, name)
    engine: Engine = build(config.prefill.engine[line], f"prefill.engine.{line}", Engine)
    with naming(f"prefill.engine.{line}" + (f" of {name}" if line == ANY or WHOSE_ENGINE in name else "")):
        engine = engine.resolved(heuristic, layers)
    own = "" if first[line] == ANY else f"{WHOSE_ENGINE}{first[line]}"
    return Contestant(name, engine, heuristic, f"{engine.kind}{own}")


def _check_names(heuristics: Mapping[str, Heuristic]) -> None:
    """Raises ValueError for a heuristic that has the name of the full prefill, a bound or a control."""
    for name, each in heuristics.items():
        whose = None
        if name == FULL:
            whose = "full prefill"
        elif is_bound(name):
            whose = "oracle's own ranking" if name == ORACLE else "bound of an engine"
        elif is_control(name) and (name != RANDOM or type(each) not in (Random, Control)):
            whose = "random control" if name == RANDOM else "control of an engine"
        if whose is not None:
            raise ValueError(f"heuristic.{name} has the name of the {whose}: call it something else")
