"""What is said of a joined folder that has only the prompts whose answer needs their context."""

from collections.abc import Mapping
from typing import Any

from tokenrank.records.run_files import CONTEXT_EFFECT, JOINED


def chosen_by(environment: Mapping[str, Any]) -> str:
    """``context_effect >= 0.2``, for titles; empty where all prompts are there.

    Args:
        environment: content of environment.json.
    """
    facts = _facts(environment)
    return f"{CONTEXT_EFFECT} >= {facts['at_least']:g}" if facts else ""


def chosen_sentence(environment: Mapping[str, Any]) -> list[str]:
    """How many of the measured prompts these are, and why; none where all prompts are there.

    Args:
        environment: content of environment.json.
    """
    facts = _facts(environment)
    if not facts:
        return []
    unknown = f"; {facts['unknown']} of the others have none" if facts["unknown"] else ""
    return [
        f"only prompts whose answer needs their context: {facts['kept']} of {facts['of']} measured prompts, those with a {CONTEXT_EFFECT} of "
        f"at least {facts['at_least']:g} nats a token{unknown}"
    ]


def _facts(environment: Mapping[str, Any]) -> dict[str, Any]:
    return dict((environment.get(JOINED) or {}).get(CONTEXT_EFFECT) or {})
