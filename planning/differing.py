"""In which settings several variants of one thing differ, and labels for these."""

import json
import re
from collections.abc import Mapping
from typing import Any

from tokenrank.planning.composing import short_hash
from tokenrank.records.digests import digest
from tokenrank.records.flat_settings import flat

Settings = dict[str, Any]
SHORT = re.compile(r"[A-Za-z0-9.+-]{1,16}")  # values that stand in a name as they are


def differing(settings: Mapping[str, Settings]) -> list[tuple[str, Settings, dict[str, Any]]]:
    """(digest, settings, those that differ, by full name) of each variant; numbers in ascending order, else as they first appear.

    Args:
        settings: of the variants, by their digest.
    """
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


def labels(varied: Mapping[str, Any]) -> list[str]:
    """``n4``, ``select_layer7``: the settings with their values, in short."""
    last = [name.rpartition(".")[2] for name in varied]
    found = []
    for (name, value), short in zip(varied.items(), last, strict=True):
        text = name.removeprefix("heuristic.").replace(".", "_") if last.count(short) > 1 else short.strip("_")
        found.append(text + _in_name(value))
    return found


def _in_name(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if SHORT.fullmatch(text) else short_hash(text)[:6]
