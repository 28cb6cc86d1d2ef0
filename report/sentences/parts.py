"""Sentences on a run under a heading, with the place of the page where one sees what they say."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A ranking at a layer on a prompt, held against the truth at the best k %."""

    ranking: str
    layer: int
    prompt: str  # id
    metric: str  # as in metrics.parquet, without k
    k: float  # percent


@dataclass(frozen=True)
class Part:
    """Sentences about one thing."""

    heading: str
    sentences: Sequence[str]  # plain, without Markdown
    see: Place | None = None
