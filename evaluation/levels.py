"""Levels of a prompt's tokens in its truths and in rankings, for reports that show single tokens."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from tokenrank.evaluation.scoring import Ranked
from tokenrank.metrics.metric import tokens_kept
from tokenrank.metrics.ranked_tokens import Ranking
from tokenrank.oracle.oracle import Truth
from tokenrank.records.token_levels import OUTSIDE, TokenLevels, TruthLevels
from tokenrank.tasks.task import Prompt
from tokenrank.tasks.token_texts import token_texts

if TYPE_CHECKING:
    from tokenrank.evaluation.plan import Plan


def levels_of(
    plan: "Plan",
    prompt: Prompt,
    ranked: Ranked,
    scores: Mapping[str, Tensor],
    percents: Sequence[float],
    universe: range,
) -> TokenLevels:
    """``token_levels`` of one of the plan's prompts, with the tokens' texts unless ``texts`` is false."""
    texts = token_texts(plan.tokenizer, prompt.input_ids) if plan.texts else None
    whole = {name: _of_whole(rows, len(prompt.input_ids)) for name, rows in scores.items()}
    return token_levels(ranked.truths, whole, ranked.layers, percents, universe, texts)


def _of_whole(scores: Tensor, tokens: int) -> Tensor:
    """Scores of a prompt's first tokens as those of all; the last are not in the universe."""
    return torch.nn.functional.pad(scores, (0, tokens - scores.shape[1]))


def token_levels(
    truths: Mapping[str, Truth],
    scores: Mapping[str, Tensor],
    layers: Sequence[int],
    percents: Sequence[float],
    universe: range,
    texts: Sequence[str] | None,
) -> TokenLevels:
    """The levels in the truths and in rankings of one prompt.

    Args:
        truths: of the prompt by name, in order; one at least.
        scores: by heuristic, each (layers, tokens); there may be none.
        layers: numbers of the layers.
        percents: of the ranked tokens, in any order.
        universe: positions of the tokens that are ranked.
        texts: what each token adds to the prompt's text; None: not kept.

    Raises:
        ValueError: no token is ranked, or a percentage lies outside (0, 100].
    """
    k = sorted(set(percents))
    first, *others = [
        (name, TruthLevels(each.importance.numpy(), levels(each.importance, k, universe)))
        for name, each in truths.items()
    ]
    return TokenLevels(
        tuple(k),
        tuple(layers),
        first[1].importance,
        first[1].levels,
        {name: levels(rows, k, universe) for name, rows in scores.items()},
        None if texts is None else tuple(texts),
        dict(others),
    )


def levels(scores: Tensor, percents: Sequence[float], universe: range) -> np.ndarray[Any, Any]:
    """How many of the percentages have each token among the best, row by row; ``OUTSIDE`` for tokens that are not ranked.

    Args:
        scores: (rows, tokens).
        percents: of the ranked tokens.
        universe: positions of the tokens that are ranked.

    Returns:
        (rows, tokens) uint8

    Raises:
        ValueError: as for ``token_levels``.

    >>> levels(torch.tensor([[0.1, 0.9, 0.5, 0.2, 7.0]]), [25, 50], range(4))
    array([[  0,   2,   1,   0, 255]], dtype=uint8)
    """
    ranked = Ranking(scores[:, universe.start : universe.stop])
    counts = torch.tensor([tokens_kept(percent, ranked.tokens) for percent in percents])
    found = np.full(scores.shape, OUTSIDE, np.uint8)
    found[:, universe.start : universe.stop] = (ranked.places[..., None] < counts).sum(dim=-1).numpy()
    return found
