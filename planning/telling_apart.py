"""Names for the contestants of joined runs: equal settings have one name, and several settings of one heuristic are told apart."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tokenrank.heuristics.controls import Control, Random
from tokenrank.planning.comparable import Source
from tokenrank.planning.differing import Settings, differing, labels
from tokenrank.planning.joined_engines import RunEngine, chosen_to_rank, joined_lines, named, run_engines
from tokenrank.records.digests import digest
from tokenrank.records.schema import ORACLE, RANDOM

CONTROLS = tuple(f"{each.__module__}.{each.__qualname__}" for each in (Random, Control))


@dataclass(frozen=True)
class Variant:
    """A contestant of the joined runs."""

    base: str  # its name in the runs
    settings: Settings  # ``heuristic`` and ``engine``: the nodes of the config
    varied: Mapping[str, Any]  # full name -> value, of the settings in which contestants of this name differ


@dataclass(frozen=True)
class Contestants:
    """All contestants of the joined runs, and their engines."""

    variants: Mapping[str, Variant]  # by joined name, in the order of the tables
    names: Sequence[Mapping[str, str]]  # of each run: own name -> joined name
    engines: Sequence[Mapping[str, str]]  # of each run: own name of an engine in tables -> joined name
    lines: Mapping[str, Settings]  # lines of ``prefill.engine`` for bounds and controls


def told_apart(sources: Sequence[Source]) -> Contestants:
    """Joined names of the contestants of every run.

    A name with the same settings in all runs stays. Else each has a name such as ``claa_n4`` or ``claa_n4_kernel13``: the settings
    that differ, with their values; long values are shortened to a hash. The seed of the random control tells nothing apart. Engines are
    told apart in the same way, and each has its own bound and control: ``layerwise@select_layer7``, ``oracle@select_layer7``.
    """
    engines = [run_engines(source) for source in sources]
    lines = joined_lines(engines)
    methods = [dict(_methods(source, own)) for source, own in zip(sources, engines, strict=True)]
    variants, joined = _variants(methods)
    names = [{name: joined[name, digest(settings)] for name, settings in each.items()} for each in methods]
    for source, own, of_run, line_of in zip(sources, engines, names, lines, strict=True):
        for name, engine, joined_name in _ends(source, own, line_of):
            of_run[name] = joined_name
            variants.setdefault(joined_name, Variant(name, {"heuristic": {}, "engine": engine.settings}, {}))
    chosen = list(dict.fromkeys(name for source in sources for name in source.config["heuristic"]))
    place = {name: number for number, name in enumerate(chosen)}  # the others, which the evaluation adds, come last
    return Contestants(
        dict(sorted(variants.items(), key=lambda each: place.get(each[1].base, len(place)))),
        names,
        [
            {named(engine.kind, engine.line): named(engine.kind, line_of[engine.line]) for engine in own}
            for own, line_of in zip(engines, lines, strict=True)
        ],
        {line_of[engine.line]: engine.settings for own, line_of in zip(engines, lines, strict=True) for engine in own},
    )


def _methods(source: Source, engines: Sequence[RunEngine]) -> Iterator[tuple[str, Settings]]:
    """Name in the tables -> settings of what was chosen, in the order of the tables; ``_ends`` has the bounds and controls of engines."""
    engine_of = {name: engine.settings for engine in engines for name in engine.contestants}
    for name, node in (chosen_to_rank(source) if engines else source.config["heuristic"]).items():
        if engines and name == RANDOM:
            continue
        plain = {} if name == RANDOM and node.get("_target_") in CONTROLS else node
        yield name, {"heuristic": plain, "engine": engine_of.get(name)}


def _ends(
    source: Source, engines: Sequence[RunEngine], lines: Mapping[str, str]
) -> Iterator[tuple[str, RunEngine, str]]:
    """(own name, engine, joined name) of the bound and the control of each engine, as far as the run has them."""
    for engine in engines:
        for name, end in zip(engine.ends, (ORACLE, RANDOM), strict=True):
            if source.evaluation.adds_controls or name in engine.contestants:
                yield name, engine, named(end, lines[engine.line])


def _variants(
    methods: Sequence[Mapping[str, Settings]],
) -> tuple[dict[str, Variant], dict[tuple[str, str], str]]:
    """By joined name, and the joined name by own name and digest of the settings; names in the order in which they first appear."""
    found: dict[str, dict[str, Settings]] = {}  # name -> digest -> settings
    for each in methods:
        for name, settings in each.items():
            found.setdefault(name, {}).setdefault(digest(settings), settings)
    variants: dict[str, Variant] = {}
    joined: dict[tuple[str, str], str] = {}
    for base, several in found.items():
        for key, settings, varied in differing(several):
            name = "_".join([base, *labels(varied)])
            if name in variants or (name != base and name in found):
                name = f"{name}_{key[:6]}"
            joined[base, key] = name
            variants[name] = Variant(base, settings, varied)
    return variants, joined
