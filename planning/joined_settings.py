"""The config of joined runs: what they agree in, every contestant under its joined name, and the study that a sweep amounts to."""

from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import OmegaConf

from tokenrank.planning.comparable import Source
from tokenrank.planning.differing import is_number
from tokenrank.planning.telling_apart import Contestants, Variant
from tokenrank.records.schema import is_bound, is_control

HEAD = """\
# Joined from several runs, for collecting and drawing. A setting is null where the runs differ in it.
"""
LOGARITHMIC = 16  # from this ratio of the largest value to the smallest on, the axis of a study is logarithmic


def joined_config(sources: Sequence[Source], contestants: Contestants) -> str:
    """The text of config.yaml: that of the first run for shards of one run, else as HEAD says."""
    first = sources[0]
    if len({source.run for source in sources}) == 1:
        return first.folder.config.read_text(encoding="utf-8")
    config = agreed([source.config for source in sources])
    config |= {name: first.config.get(name) for name in ("plots", "logger", "report", "report_class")}
    config["heuristic"] = _heuristics(sources, contestants)
    config["evaluation"] = dict(first.config["evaluation"])
    if first.config["evaluation"].get("compare"):
        config["compare"] = {**first.config["evaluation"]["compare"], "against": _against(first, contestants)}
        config["evaluation"]["compare"] = config["compare"]
    if first.evaluation.runs_engines:
        rates = sorted({rate for source in sources for rate in source.config["evaluation"]["keep"]})
        config["evaluation"]["keep"] = config["prefill"]["keep"] = rates
        config["prefill"]["engine"] = dict(contestants.lines) | {
            name: each.settings["engine"]
            for name, each in contestants.variants.items()
            if not (is_bound(name) or is_control(name))
        }
    config["study"] = study(contestants.variants, first) or config.get("study")
    return HEAD + OmegaConf.to_yaml(OmegaConf.create(config))


def against_note(sources: Sequence[Source], contestants: Contestants) -> list[str]:
    """One line if what the others are compared with has another name here."""
    before, now = _own_against(sources[0]), _against(sources[0], contestants)
    return [f"note: compare.against is {now}, which is {before} in {sources[0].label}"] if now != before else []


def _against(first: Source, contestants: Contestants) -> Any:
    """Joined name of the contestant with which those of the first run are compared; ``all`` stays."""
    before = _own_against(first)
    return contestants.names[0].get(str(before), before)


def _own_against(source: Source) -> Any:
    """The run's own name of it; None where nothing is compared, as with evaluation=ttft."""
    return (source.config["evaluation"].get("compare") or {}).get("against")


def agreed(each: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What all mappings agree in, setting by setting; null where they differ.

    >>> agreed([{"a": 1, "b": {"c": 1, "d": 2}}, {"a": 1, "b": {"c": 1, "d": 3}, "e": 4}])
    {'a': 1, 'b': {'c': 1, 'd': None}, 'e': None}
    """
    found: dict[str, Any] = {}
    for name in dict.fromkeys(name for one in each for name in one):
        values = [one.get(name) for one in each]
        mappings = [value for value in values if isinstance(value, Mapping)]
        if len(mappings) == len(values):
            found[name] = agreed(mappings)
        else:
            found[name] = values[0] if all(value == values[0] for value in values) else None
    return found


def study(variants: Mapping[str, Variant], source: Source) -> dict[str, Any] | None:
    """The entry ``study`` where one setting varies, a number of heuristics; else None."""
    varied = {name: each for name, each in variants.items() if each.varied}
    settings = {setting for each in varied.values() for setting in each.varied}
    values = [value for each in varied.values() for value in each.varied.values()]
    if source.evaluation.kind != "ranking" or len(settings) != 1 or not all(map(is_number, values)):
        return None
    setting = settings.pop()
    parameter = setting.rpartition(".")[2]
    ordered = sorted(set(values))
    wide = ordered[0] > 0 and ordered[-1] >= LOGARITHMIC * ordered[0]
    metrics = list(source.config["metric"])
    bases = list(dict.fromkeys(each.base for each in varied.values()))
    return {
        "name": "_".join([*bases[:1], parameter]) if len(bases) == 1 else parameter,
        "parameter": parameter,
        "values": ordered,
        "label": parameter,
        "scale": "log" if wide else "linear",
        "metric": "recall" if "recall" in metrics else metrics[0],
        "points": {name: {"heuristic": each.base, "value": each.varied[setting]} for name, each in varied.items()},
    }


def _heuristics(sources: Sequence[Source], contestants: Contestants) -> dict[str, Any]:
    """Joined name -> node, without the bounds and controls that the evaluation adds."""
    nodes: dict[str, Any] = {}
    for source, names in zip(sources, contestants.names, strict=True):
        for name, node in source.config["heuristic"].items():
            nodes.setdefault(names.get(name, name), node)
    return {name: nodes[name] for name in [*contestants.variants, *nodes] if name in nodes}
