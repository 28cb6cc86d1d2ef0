"""ContextCite: a linear model of what the answer loses when random chunks of the context are hidden from it."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tokenrank.oracle.oracle import AnsweredPrompt, Oracle, OracleNeeds, Truth
from tokenrank.signals.checks import check_choice
from tokenrank.signals.linear_fits import lasso, ridge
from tokenrank.signals.log_odds import log_odds
from tokenrank.tasks.chunks import SENTENCE, check_chunk, check_chunk_fits, chunked, of_context, spread, visible_where

FITS = {"ridge": ridge, "lasso": lasso}


@dataclass(frozen=True)
class RegressionOracle(Oracle):
    """Importance of a chunk: its weight in a linear model of the answer's log-odds, fitted on random masks; spread over its tokens.

        f(mask) = sum over t of [log p(y_t | mask) - log(1 - p(y_t | mask))]
        f(mask) ~ bias + sum over chunks c of importance(c) * mask(c)        mask(c) is 1 where c is visible, signed

    Each of ``masks`` masks keeps every chunk with probability ``keep``; the others are hidden from the answer's queries in every layer.
    Only chunks of the context are ever hidden: the tokens of the frame have importance 0, which says nothing about them. Of a prompt
    without a context, all chunks are. The fit is that of ContextCite: features standardised, log-odds divided by T, the mean squared
    error / 2 plus ``strength`` times the L1 norm (lasso) or half the squared L2 norm (ridge) of the weights.

    Cost: masks * T / N prefills in rows, N being the tokens of the prompt.

    Source: Cohen-Wang et al. 2024, https://arxiv.org/abs/2409.00729 (64 masks at 50 %, lasso of 0.01). Departures: chunks are hidden from
    the answer's queries and not left out of the prompt; masks and keep rate are others, and ridge is the default.
    """

    chunk: int | str = 64  # tokens, or sentence
    masks: int = 48  # passes over the answer
    keep: float = 20.0  # percent of the chunks that a mask keeps, on average
    fit: str = "ridge"  # ridge or lasso
    strength: float = 0.01  # of the penalty, on weights of standardised features in nats a token
    seed: int = 0  # of the masks

    signed: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_chunk(self.chunk)
        check_choice("fit", self.fit, tuple(FITS))
        if self.masks < 2:
            raise ValueError(f"masks is {self.masks}, must be at least 2")
        if not 0 < self.keep < 100:
            raise ValueError(f"keep is {self.keep} percent, must be above 0 and below 100")
        if not self.strength > 0:
            raise ValueError(f"strength is {self.strength}, must be above 0")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}, must be at least 0")

    @property
    def needs(self) -> OracleNeeds:
        """Passes over the answer."""
        return OracleNeeds(layers=False, passes=True, texts=self.chunk == SENTENCE)

    def check_prompt(self, tokens: int, context: range | None) -> None:
        """Raises ValueError for a chunk longer than the prompt's context."""
        check_chunk_fits(self.chunk, tokens, context)

    def truth(self, answered: AnsweredPrompt) -> Truth:
        """Importance in log-odds (nats), any sign, (1, tokens); the tokens of a chunk sum to its weight.

        Raises:
            ValueError: a chunk longer than the prompt's context, or a model with a state of all tokens together.
        """
        chunks = chunked(len(answered.input_ids), self.chunk, answered.context, answered.texts)
        inside = of_context(chunks, answered.context)
        masks, passes = random_masks(self.masks, len(inside), self.keep, self.seed), answered.needed_passes()
        outcomes = torch.empty(self.masks, dtype=torch.float64)
        for number, logits in passes.logits(visible_where(chunks, inside, masks)):
            outcomes[number] = log_odds(logits, passes.answer_ids).sum()
        weights = torch.zeros(len(chunks), dtype=torch.float64)
        fitted = FITS[self.fit](masks.double().numpy(), (outcomes / passes.rows).numpy(), self.strength)
        weights[inside] = torch.from_numpy(fitted) * passes.rows
        return Truth(spread(weights, chunks)[None])


def random_masks(masks: int, chunks: int, keep: float, seed: int) -> Tensor:
    """(masks, chunks) bool: each is true with a probability of ``keep`` percent."""
    draw = torch.Generator().manual_seed(seed)
    return torch.rand(masks, chunks, generator=draw) < keep / 100
