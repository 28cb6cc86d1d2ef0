"""Names for the contestants of joined runs: equal settings have one name, and several settings of one heuristic are told apart."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tokenrank.heuristics.controls import Random
from tokenrank.oracle.bound import Bound
from tokenrank.planning.comparable import Source, flat
from tokenrank.planning.composing import short_hash
from tokenrank.planning.contestants import engine_name
from tokenrank.records.digests import digest
from tokenrank.records.schema import ORACLE, RANDOM

Settings = dict[str, Any]  # ``heuristic`` and ``engine``: the nodes of the config
SHORT = re.compile(r"[A-Za-z0-9.+-]{1,16}")  # values that stand in a name as they are
CONTROL = f"{Random.__module__}.{Random.__qualname__}"
BOUND = f"{Bound.__module__}.{Bound.__qualname__}"


@dataclass(frozen=True)
class Variant:
    """A contestant of the joined runs."""

    base: str  # its name in the runs
    settings: Settings
    varied: Mapping[str, Any]  # full name -> value, of the settings in which contestants of this name differ


@dataclass(frozen=True)
class Contestants:
    """All contestants of the joined runs."""

    variants: Mapping[str, Variant]  # by joined name, in the order of the tables
    names: Sequence[Mapping[str, str]]  # of each run: own name -> joined name

    @property
    def notes(self) -> list[str]:
        """One line where the gap closed has no ends, as the oracle or the random control is told apart."""
        ends = [name for name, each in self.variants.items() if each.base in (ORACLE, RANDOM) and each.varied]
        no_gap = ends and any(each.settings["engine"] for each in self.variants.values())
        return (
            [f"note: gap closed is left out, as there is no one oracle and random: {', '.join(ends)}"] if no_gap else []
        )


def told_apart(sources: Sequence[Source]) -> Contestants:
    """Joined names of the contestants of every run.

    A name with the same settings in all runs stays. Else each has a name such as ``claa_n4`` or ``claa_n4_kernel13``: the settings
    that differ, with their values; long values are shortened to a hash. The seed of the random control tells nothing apart.
    """
    own = [own_contestants(source) for source in sources]
    found: dict[str, dict[str, Settings]] = {}  # name -> digest -> settings
    for each in own:
        for name, settings in each.items():
            found.setdefault(name, {}).setdefault(digest(settings), settings)
    variants: dict[str, Variant] = {}
    joined: dict[tuple[str, str], str] = {}
    for base in _in_order(found, sources):
        for key, settings, varied in _varied(found[base]):
            name = "_".join([base, *_labels(varied)])
            if name in variants or (name != base and name in found):
                name = f"{name}_{key[:6]}"
            joined[base, key] = name
            variants[name] = Variant(base, settings, varied)
    return Contestants(
        variants, [{name: joined[name, digest(settings)] for name, settings in each.items()} for each in own]
    )


def own_contestants(source: Source) -> dict[str, Settings]:
    """Name in the tables -> settings, in the order of the tables; the full prefill has none."""
    chosen: dict[str, Any] = dict(source.config["heuristic"])
    if source.evaluation.runs_engines:
        chosen = {name: node for name, node in chosen.items() if node.get("_target_") != BOUND}
    if source.evaluation.adds_controls:
        chosen |= {name: {} for name in (ORACLE, RANDOM) if name not in chosen}
    if chosen.get(RANDOM, {}).get("_target_") == CONTROL:
        chosen[RANDOM] = {}
    engines = source.config["prefill"]["engine"] if source.evaluation.runs_engines else {}
    return {
        name: {"heuristic": node, "engine": engines.get(engine_name(source.config, name)) if engines else None}
        for name, node in chosen.items()
    }


def _in_order(found: Iterable[str], sources: Sequence[Source]) -> list[str]:
    """Names as they first appear; controls that an evaluation adds come after what was chosen."""
    chosen = {name for source in sources for name in source.config["heuristic"]}
    added = {name for name in (ORACLE, RANDOM) if sources[0].evaluation.adds_controls and name not in chosen}
    return sorted(found, key=lambda name: name in added)


def _varied(settings: Mapping[str, Settings]) -> list[tuple[str, Settings, dict[str, Any]]]:
    """(digest, settings, those that differ) of each variant; numbers in ascending order, else as they first appear."""
    each = {key: flat(one) for key, one in settings.items()}
    names = list(dict.fromkeys(name for one in each.values() for name in one))
    differ = [name for name in names if len({digest({"": one.get(name)}) for one in each.values()}) > 1]
    found = [(key, settings[key], {name: one.get(name) for name in differ}) for key, one in each.items()]
    if all(is_number(value) for _, _, varied in found for value in varied.values()):
        found.sort(key=lambda one: tuple(one[2].values()))
    return found


def is_number(value: Any) -> bool:
    """Whether a setting is a number, and no truth value."""
    return type(value) in (int, float)


def _labels(varied: Mapping[str, Any]) -> list[str]:
    """``n4``, ``select_layer7``: the settings with their values, in short."""
    last = [name.rpartition(".")[2] for name in varied]
    labels = []
    for (name, value), short in zip(varied.items(), last, strict=True):
        text = name.removeprefix("heuristic.").replace(".", "_") if last.count(short) > 1 else short.strip("_")
        labels.append(text + _in_name(value))
    return labels


def _in_name(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if SHORT.fullmatch(text) else short_hash(text)[:6]
