"""The answer-informed oracle: a prompt token is as important as the attention that the answer pays back to it."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from tokenrank.capture.layer import AttentionLayer
from tokenrank.heuristics.heuristic import check_choice
from tokenrank.heuristics.look_back import look_back
from tokenrank.heuristics.smoothing import check_kernel, smooth


@dataclass(frozen=True)
class AnswerInformedOracle:
    """Attention of the queries that predicted the answer, reduced over layers and heads, averaged over answer tokens.

    Source: McDanel, Li, Khaitan 2026, https://arxiv.org/abs/2602.16054. Departure: the softmax is in float32 whatever
    the model's dtype (the authors' is in bfloat16).
    """

    answer: str = "generated"  # by the model, greedily; or "reference": the task's first answer, fed to the model
    kernel: int = 13  # tokens, odd; 1: no smoothing
    heads: str = "max"  # over heads: max or mean
    layers: str = "max"  # over layers: max or mean; "each": one oracle a layer, held against that layer's ranking

    def __post_init__(self) -> None:
        check_choice("answer", self.answer, ("generated", "reference"))
        check_choice("heads", self.heads, ("max", "mean"))
        check_choice("layers", self.layers, ("max", "mean", "each"))
        check_kernel(self.kernel)

    def importance(self, layers: Sequence[AttentionLayer]) -> Tensor:
        """How important each prompt token was to the answer.

        Args:
            layers: each with one query per answer token, (heads, answer tokens, dim), and the prompt's keys.

        Returns:
            (tokens,) float32 in [0, 1] on the CPU; (layers, tokens) where ``layers`` of the oracle is "each".

        Raises:
            ValueError: there is no layer.
        """
        importance = smooth(look_back(layers, self.heads, self.layers), self.kernel)
        return importance if self.layers == "each" else importance[0]
