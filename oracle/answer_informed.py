"""The answer-informed oracle: a prompt token is as important as the attention that the answer pays back to it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from capture.layer import AttentionLayer
from heuristics.heuristic import check_choice
from heuristics.smoothing import check_kernel, smooth

BLOCK = 2**22  # attention values held at a time (16 MiB), or as many as one layer has key values, if that is more


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

    @torch.inference_mode()
    def importance(self, layers: Sequence[AttentionLayer]) -> Tensor:
        """How important each prompt token was to the answer.

        Never holds more than a block of one layer's attention, however many layers and answer tokens there are.

        Args:
            layers: each with one query per answer token, (heads, answer tokens, dim), and the prompt's keys.

        Returns:
            (tokens,) float32 in [0, 1] on the CPU; (layers, tokens) where ``layers`` of the oracle is "each".

        Raises:
            ValueError: there is no layer.
        """
        if not layers:
            raise ValueError("the oracle needs at least one attention layer, got none")
        tokens, (heads, answer_tokens, _) = layers[0].tokens, layers[0].queries.shape
        rows = max(1, max(BLOCK, layers[0].keys.numel()) // (heads * tokens))
        total = torch.zeros(len(layers) if self.layers == "each" else 1, tokens)
        for start in range(0, answer_tokens, rows):
            total += self._block(layers, start, min(start + rows, answer_tokens))
        importance = smooth(total / answer_tokens, self.kernel)
        return importance if self.layers == "each" else importance[0]

    def _block(self, layers: Sequence[AttentionLayer], start: int, stop: int) -> Tensor:
        """Sum over the answer tokens from ``start`` to ``stop``: (1 or layers, tokens), on the CPU."""
        if self.layers == "each":
            return torch.stack([self._over_heads(layer, start, stop).sum(dim=0).cpu() for layer in layers])
        reduced = self._over_heads(layers[0], start, stop)  # (answer tokens, tokens)
        for layer in layers[1:]:
            seen = self._over_heads(layer, start, stop).to(reduced.device)
            reduced = torch.maximum(reduced, seen) if self.layers == "max" else reduced + seen
        if self.layers == "mean":
            reduced = reduced / len(layers)
        return reduced.sum(dim=0, keepdim=True).cpu()

    def _over_heads(self, layer: AttentionLayer, start: int, stop: int) -> Tensor:
        attention = layer.attention_block(start, stop)  # (heads, answer tokens, tokens)
        return attention.amax(dim=0) if self.heads == "max" else attention.mean(dim=0)
