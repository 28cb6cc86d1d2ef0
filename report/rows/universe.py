"""Which tokens were ranked, for headings and captions: said where it is not the whole prompt."""

import pandas as pd

CONTEXT, AGNOSTIC = "context", "agnostic"
SAID = "With universe=context the tokens of the context alone are ranked, and k is a percentage of them"
BEFORE = "With prompts=agnostic prompts are ranked before the question, from their tokens up to the end of the context"


def universe(samples: pd.DataFrame) -> list[str]:
    """Sentences without stops where the context alone, or what is before the question, was ranked; of engines and of whole prompts none.

    Args:
        samples: as in samples.parquet.
    """
    before = [BEFORE] if bool((samples["prompts"] == AGNOSTIC).any()) else []
    return before + ([SAID] if is_context(samples) else [])


def is_context(samples: pd.DataFrame) -> bool:
    """Whether the context alone was ranked."""
    return bool((samples["universe"] == CONTEXT).any())
