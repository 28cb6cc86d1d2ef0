"""Of the prompts of joined runs those whose answer needs their context."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tokenrank.work.surveying import JoinedUnit, Survey

HOW = "evaluation=ranking measures it with metric=[...,lds], drop or kept, of prompts that have a context"


@dataclass(frozen=True)
class Chosen:
    """Prompts with a context effect that is large enough, and from how many they were chosen."""

    found: Survey  # of these prompts alone
    at_least: float  # nats a token
    of: int  # prompts with a record
    unknown: int  # of these, prompts without a context effect: it failed, or they have no context

    @property
    def facts(self) -> dict[str, Any]:
        """What environment.json says of it."""
        return {"at_least": self.at_least, "kept": len(self.found.units), "of": self.of, "unknown": self.unknown}


def where_context_matters(found: Survey, at_least: float, runs: Sequence[str]) -> Chosen:
    """The prompts whose ``context_effect`` (docs/oracles.md) is at least so large.

    Args:
        found: all prompts of the runs.
        at_least: nats a token.
        runs: names of the runs, for messages.

    Raises:
        ValueError: the number is none, no run measured a context effect, or all are smaller.
    """
    if not math.isfinite(at_least):
        raise ValueError(f"--context-effect is {at_least:g}, must be a finite number of nats a token")
    measured = [unit for unit in found.units if unit.heads]
    effects = {unit.name: effect for unit in measured if (effect := effect_of(unit)) is not None}
    if not effects:
        raise ValueError(
            f"--context-effect is {at_least:g}, but no prompt of {', '.join(runs)} has a context_effect: {HOW}"
        )
    kept = [unit for unit in measured if effects.get(unit.name, -math.inf) >= at_least]
    if not kept:
        raise ValueError(
            f"--context-effect is {at_least:g}, must be at most {max(effects.values()):.4g}, the largest context_effect of these runs"
        )
    return Chosen(replace(found, units=kept), at_least, len(measured), len(measured) - len(effects))


def effect_of(unit: JoinedUnit) -> float | None:
    """The context effect of a prompt: of its first sound record that has one, else of its first that has one."""
    known = [head for head in unit.heads if head.context_effect is not None]
    sound = [head for head in known if not head.failed]
    return next((head.context_effect for head in [*sound, *known]), None)
