"""Levels of a prompt's tokens as report.html holds them: some per byte, deflated, token after token with all of its layers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tokenrank.records.token_levels import OUTSIDE, TokenLevels
from tokenrank.report.page.packing import packed

AGNOSTIC = "agnostic"  # of ``prompts``: tokens up to the end of the context are ranked
FRAME = "frame"  # of ``prefill.protect``: all tokens outside of the context always stay
NOTHING, FOUND, MISSED, WRONG, ALWAYS = range(5)  # verdict on a token that an engine kept, or did not

Array = np.ndarray[Any, Any]


def packed_levels(levels: Array, shown: Sequence[int], of: int) -> str:
    """Levels, (rows, tokens), of the percentages that are shown; tokens that are not ranked have level 0.

    Args:
        levels: uint8, from 0 to ``of``, or ``OUTSIDE``.
        shown: places of the percentages among those that the levels are made of.
        of: how many percentages these are.
    """
    fewer = np.zeros(256, np.uint8)  # level -> level among the percentages that are shown
    for level in range(of + 1):
        fewer[level] = sum(level >= of - place for place in shown)
    return packed(_digits(fewer[levels.T].ravel(), len(shown) + 1))


def cells_a_byte(base: int) -> int:
    """How many digits of this base fit into a byte.

    >>> cells_a_byte(5), cells_a_byte(2)
    (3, 8)
    """
    count = 1
    while base ** (count + 1) <= 256:
        count += 1
    return count


def _digits(cells: Array, base: int) -> bytes:
    """Cells as digits of bytes, the first cell the highest digit; zeros fill up the last byte."""
    count = cells_a_byte(base)
    filled = np.pad(cells, (0, -len(cells) % count)).reshape(-1, count)
    found = np.zeros(len(filled), np.uint8)
    for digit in filled.T:
        found = found * np.uint8(base) + digit
    return found.tobytes()


def evidence_of(sample: Mapping[Any, Any]) -> list[range]:
    """Positions of the tokens of each span of a prompt's evidence, in order; of earlier versions' prompts the needle alone; none where it is not known.

    Args:
        sample: row of samples.parquet, or of a record.
    """
    spans = sample.get("evidence")
    if isinstance(spans, (list, tuple, np.ndarray)):
        return [range(int(start), int(stop)) for start, stop in spans]
    start, tokens = sample.get("needle_start"), sample.get("needle_tokens")
    there = not (pd.isna(start) or pd.isna(tokens))
    return [range(int(start), int(start) + int(tokens))] if there and start is not None and tokens is not None else []


def ranked_places(levels: TokenLevels) -> range:
    """Positions of the tokens that are ranked."""
    inside = np.flatnonzero(levels.truth[0] != OUTSIDE)
    return range(int(inside[0]), int(inside[-1]) + 1)


def percentiles(levels: TokenLevels) -> Array | None:
    """Of each ranked token which share of the others is less important, from 0 to 255; None where layers have truths of their own."""
    if len(levels.importance) != 1:
        return None
    ranked = ranked_places(levels)
    own = slice(ranked.start, ranked.stop)
    places = np.empty(len(ranked), np.int64)
    places[best_first(levels.importance[0, own])] = np.arange(len(ranked))
    found = np.zeros(levels.tokens, np.uint8)
    found[own] = np.round(255 * (1 - places / max(1, len(ranked) - 1)))
    return found


def best_first(importance: Array) -> Array:
    """Places of values, the largest first; of equal values the earlier one."""
    return np.argsort(-importance, kind="stable")


def always_kept(
    levels: TokenLevels, protect: Any, window: int, context_start: Any, context_tokens: Any, prompts: Any = None
) -> Array:
    """Which tokens an engine keeps in any case, so that it is not judged by them.

    Args:
        levels: of the prompt.
        protect: of the run of the engine, as in runs.parquet.
        window: last tokens of a prompt that every engine keeps (``prefill.window``).
        context_start: position of the context's first token; null where the task does not know it.
        context_tokens: number of its tokens.
        prompts: of the run of the engine, as in runs.parquet; with ``agnostic`` the window is the end of the context.

    Returns:
        (tokens,) bool: the last ones, tokens that are not ranked, and with a protected frame all but the context.
    """
    end = int(context_start) + int(context_tokens) if prompts == AGNOSTIC else levels.tokens
    stay = (levels.truth[0] == OUTSIDE) | (np.arange(levels.tokens) >= end - window)
    if protect == FRAME and not pd.isna(context_start):
        context = np.zeros(levels.tokens, bool)
        context[int(context_start) : int(context_start) + int(context_tokens)] = True
        stay = stay | ~context
    return np.asarray(stay)


def verdicts(levels: TokenLevels, kept: Sequence[int], stay: Array) -> Array:
    """Of each token whether an engine found it, missed it or kept it wrongly: against as many of the truth's best tokens.

    Args:
        levels: of the prompt. Truths of several layers are averaged.
        kept: positions of the tokens that the engine kept.
        stay: (tokens,) bool, those that always stay, which are not judged.

    Returns:
        (tokens,) uint8: ``NOTHING``, ``FOUND``, ``MISSED``, ``WRONG`` or ``ALWAYS``.
    """
    chosen = np.zeros(levels.tokens, bool)
    chosen[list(kept)] = True
    judged = ~stay
    places = np.flatnonzero(judged)
    best = np.zeros(levels.tokens, bool)
    best[places[best_first(levels.importance.mean(axis=0)[places])][: int((chosen & judged).sum())]] = True
    found = np.full(levels.tokens, NOTHING, np.uint8)
    found[judged & chosen & best], found[judged & ~chosen & best] = FOUND, MISSED
    found[judged & chosen & ~best], found[stay & chosen] = WRONG, ALWAYS
    return found
