"""Benchmark of token rankings for long-context prefill: heuristics compared with an answer-informed oracle.

The folders of this package are links to those at the top of the repository (docs/architecture.md says why); in a wheel they are
ordinary folders.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenrank.library import EngineAnswer, answer, load, rank

__all__ = ["EngineAnswer", "answer", "load", "rank"]

if not (Path(__file__).parent / "capture").is_dir():  # a checkout whose links came as text files (git on Windows)
    __path__.append(str(Path(__file__).parents[2]))


def __getattr__(name: str) -> Any:
    """The functions of ``tokenrank.library``, imported when first asked for: transformers takes seconds."""
    if name in __all__:
        from tokenrank import library

        return getattr(library, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Also the functions that were not imported yet, so that a notebook completes them."""
    return sorted({*globals(), *__all__})
