"""What is compared in a table of engines."""

from dataclasses import dataclass

from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.prefill.engine import Engine


@dataclass(frozen=True)
class Contestant:
    """An engine, resolved for the model, and the heuristic that ranks for it, under its name in tables."""

    name: str
    engine: Engine
    heuristic: Heuristic | None  # None: full prefill, which needs no ranking
