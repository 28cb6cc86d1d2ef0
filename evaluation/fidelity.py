"""What the full prefill's answer loses under pruned prefill, every contestant at every keep rate; nothing else is decoded."""

from dataclasses import dataclass
from typing import ClassVar

from tokenrank.evaluation.pruned_answers import PrunedAnswers
from tokenrank.records.measures import FIDELITY, LOSS


@dataclass(frozen=True)
class Fidelity(PrunedAnswers):
    """The log-probability of one answer under each pruned cache, and the divergence from the full cache's distribution.

    The answer is the full prefill's, or the one that ``answer`` or ``answers`` gives in its place; the prompt's first reference answer
    is measured beside it.
    """

    kind: ClassVar[str] = "fidelity"
    main: ClassVar[str] = LOSS
    measures: ClassVar[tuple[str, ...]] = FIDELITY
    decodes: ClassVar[bool] = False
