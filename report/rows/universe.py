"""Which tokens were ranked, for headings and captions: said where it is not the whole prompt."""

import pandas as pd

CONTEXT = "context"
SAID = "With universe=context the tokens of the context alone are ranked, and k is a percentage of them"


def universe(samples: pd.DataFrame) -> list[str]:
    """A sentence without its stop where the context alone was ranked; none for whole prompts, and for evaluations that measure no ranking.

    Args:
        samples: as in samples.parquet.
    """
    return [SAID] if is_context(samples) else []


def is_context(samples: pd.DataFrame) -> bool:
    """Whether the context alone was ranked."""
    return bool((samples["universe"] == CONTEXT).any())
