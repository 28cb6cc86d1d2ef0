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
    engine_name: str = (
        ""  # of the engine in tables: its kind, and after an @ the line of the config that sets it; "": its kind
    )

    def __post_init__(self) -> None:
        if not self.engine_name:
            object.__setattr__(self, "engine_name", self.engine.kind)

    @property
    def ranker(self) -> Heuristic:
        """The heuristic that ranks; raises ValueError for the full prefill, which has none."""
        if self.heuristic is None:
            raise ValueError(f"{self.name} has no heuristic, must have one to rank")
        return self.heuristic
