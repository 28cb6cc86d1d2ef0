"""The engines of joined runs: equal settings have one name, and several settings of one line of the config are told apart."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from omegaconf import OmegaConf

from tokenrank.capture.model_layers import ModelLayers
from tokenrank.heuristics.controls import Random
from tokenrank.oracle.bound import Bound
from tokenrank.planning.building import build
from tokenrank.planning.comparable import Source
from tokenrank.planning.contestants import ANY, engine_name, first_lines
from tokenrank.planning.differing import Settings, differing, labels
from tokenrank.prefill.engine import Engine
from tokenrank.records.digests import digest
from tokenrank.records.schema import ORACLE, RANDOM, WHOSE_ENGINE

BOUND = f"{Bound.__module__}.{Bound.__qualname__}"


@dataclass(frozen=True)
class RunEngine:
    """An engine that contestants of a run use."""

    line: str  # of ``prefill.engine``: the first that describes this engine
    kind: str
    settings: Settings  # those of the config, null ones as they are for the model
    contestants: tuple[str, ...]  # chosen heuristics that rank for it

    @property
    def ends(self) -> tuple[str, str]:
        """Names of its bound and its control."""
        return named(ORACLE, self.line), named(RANDOM, self.line)


def named(what: str, line: str) -> str:
    """The name in tables of a kind of engine, a bound or a control, for the engine of this line.

    >>> named("layerwise", "any"), named("oracle", "gemfilter")
    ('layerwise', 'oracle@gemfilter')
    """
    return what if line == ANY else f"{what}{WHOSE_ENGINE}{line}"


def chosen_to_rank(source: Source) -> dict[str, Any]:
    """Name -> node of the chosen heuristics that rank for an engine: all but the oracle."""
    return {name: node for name, node in source.config["heuristic"].items() if node.get("_target_") != BOUND}


def run_engines(source: Source) -> list[RunEngine]:
    """The engines of a run in the order of their first use; none where the evaluation runs no engines."""
    if not source.evaluation.runs_engines:
        return []
    config, layers = OmegaConf.create(dict(source.config)), _layers(source)
    first = first_lines(config, layers)
    users: dict[str, list[str]] = {}
    for name in chosen_to_rank(source):
        users.setdefault(first[str(engine_name(source.config, name))], []).append(name)
    found = []
    for line, names in (users or {ANY: []}).items():
        node = source.config["prefill"]["engine"][line]
        engine: Engine = build(config.prefill.engine[line], f"prefill.engine.{line}", Engine)
        with suppress(ValueError):  # an engine of the user's that a control cannot rank for: its settings as they are
            engine = engine.resolved(Random(), layers)
        settings = {name: getattr(engine, name) if value is None else value for name, value in node.items()}
        found.append(RunEngine(line, engine.kind, settings, tuple(names)))
    return found


def joined_lines(runs: Sequence[Sequence[RunEngine]]) -> list[dict[str, str]]:
    """Of each run: line -> the line's name in the joined folder; engines with equal settings have one.

    Args:
        runs: engines of every run.
    """
    found: dict[str, dict[str, Settings]] = {}  # line -> digest -> settings
    for engine in (engine for engines in runs for engine in engines):
        found.setdefault(engine.line, {}).setdefault(digest(engine.settings), engine.settings)
    names: dict[str, str] = {}  # digest -> joined line
    for line, each in found.items():
        for key, _, varied in differing(each):
            name = "_".join([*([line] if line != ANY or not varied else []), *labels(varied)])
            if key not in names:
                names[key] = f"{name}_{key[:6]}" if name in names.values() else name
    return [{engine.line: names[digest(engine.settings)] for engine in engines} for engines in runs]


def _layers(source: Source) -> ModelLayers:
    """The model's layers, from environment.json; of windows it says where they are, and not how long."""
    said = source.environment["layers"]
    return ModelLayers(said["of"], tuple(said["captured"]), dict.fromkeys(said["windowed"], 1))
