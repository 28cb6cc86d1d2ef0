"""Checks that the values of records from several runs depend on the same settings, weights, code and machine."""

from collections.abc import Mapping
from typing import Any

from tokenrank.planning.comparable import OF_CONTESTANTS, as_typed
from tokenrank.records.digests import digest
from tokenrank.records.record import Record

COMMON = ("model", "device", "versions", "answer", "oracle", "metric", "evaluation")  # key fields
SHOWN = 60  # letters of a value in a message


class Agreement:
    """Remembers where each fact was first seen and with what value.

    Facts are the key fields ``COMMON``, and the source files and weights of what was used: the source of a heuristic, for example, must be
    the same in all records that have this heuristic.
    """

    def __init__(self) -> None:
        self.known: dict[str, tuple[str, Any]] = {}  # fact -> folder, value

    def check(self, folder: str, names: Mapping[str, str], record: Record, timed: bool) -> None:
        """Compares a record with all before it.

        Args:
            folder: its run's, for messages.
            names: of contestants: own name -> joined name.
            record: its header.
            timed: times were measured, so that the host must be the same.

        Raises:
            ValueError: it differs; the message names both folders and both values.
        """
        for name, value in _facts(record, names, timed).items():
            first, before = self.known.setdefault(name, (folder, value))
            if before != value:
                shown = as_typed(name.partition(" in ")[0])
                raise ValueError(
                    f"{first} and {folder} cannot be joined: {shown} is {_shown(before)} in the first and {_shown(value)} in the second"
                )


def _facts(record: Record, names: Mapping[str, str], timed: bool) -> dict[str, Any]:
    fields = record.key_fields
    facts: dict[str, Any] = {}
    for name in COMMON:
        value = fields[name]
        inner = (
            {each: own for each, own in value.items() if each not in OF_CONTESTANTS} if name == "evaluation" else value
        )
        facts |= {f"{name}.{each}": own for each, own in inner.items()} if isinstance(inner, Mapping) else {name: inner}
    source = dict(fields["source"])
    facts |= {f"source of {names.get(name, name)}": own for name, own in source.pop("heuristic").items()}
    if "prefill" in source:  # equal engines have equal sources
        facts[f"source of prefill in {digest(fields['prefill'])}"] = source.pop("prefill")
    facts[f"source of {fields['task']}"] = source.pop("task")
    facts |= {f"source of {name}": own for name, own in source.items()}
    facts |= {f"weights of {names.get(name, name)}": own for name, own in fields["of_heuristics"].items()}
    return facts | ({"host": record.sample["host"], "device_name": record.sample["device"]} if timed else {})


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
