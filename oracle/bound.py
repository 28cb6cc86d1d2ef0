"""The oracle as one of the compared rankings: the upper bound."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bound:
    """Chosen beside heuristics, it asks the evaluation to set the truth itself beside the rankings: recall and Spearman are 1."""
