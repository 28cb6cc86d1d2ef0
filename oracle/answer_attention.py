"""The answer-informed oracle: how strongly the answer attends to each token of the prompt."""

from dataclasses import dataclass

from tokenrank.oracle.oracle import AnsweredPrompt, Oracle, Truth
from tokenrank.signals.checks import check_choice, check_kernel
from tokenrank.signals.look_back import look_back
from tokenrank.signals.smoothing import smooth


@dataclass(frozen=True)
class AttentionOracle(Oracle):
    """Attention of the queries that predicted the answer, reduced over heads and layers, mean over answer tokens, smoothed.

    The softmax is over the prompt's keys only. Departure: it is in float32 whatever the model's dtype (the authors' is in
    bfloat16).

    Source: McDanel, Li, Khaitan 2026, https://arxiv.org/abs/2602.16054.
    """

    kernel: int = 13  # tokens, odd; 1: no smoothing
    heads: str = "max"  # over heads: max or mean
    layers: str = "max"  # over layers: max or mean; each: one row per layer, compared with that layer's ranking

    def __post_init__(self) -> None:
        check_choice("heads", self.heads, ("max", "mean"))
        check_choice("layers", self.layers, ("max", "mean", "each"))
        check_kernel(self.kernel)

    def truth(self, answered: AnsweredPrompt) -> Truth:
        """Importance in [0, 1], (1, tokens); (layers, tokens) if ``layers`` of the oracle is "each".

        Raises:
            ValueError: there is no attention layer or no query.
        """
        return Truth(smooth(look_back(answered.layers, self.heads, self.layers), self.kernel))
