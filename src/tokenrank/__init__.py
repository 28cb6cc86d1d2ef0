"""Benchmark of token rankings for long-context prefill: heuristics held against an answer-informed oracle.

The folders of this package are links to those at the top of the repository (docs/architecture.md says why); in a wheel they are
ordinary folders.
"""

from pathlib import Path

if not (Path(__file__).parent / "capture").is_dir():  # a checkout whose links came as text files (git on Windows)
    __path__.append(str(Path(__file__).parents[2]))
