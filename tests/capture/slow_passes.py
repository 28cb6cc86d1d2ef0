"""Hidden keys the slow way: one forward pass over prompt and answer without a cache, with a mask written key by key."""

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tokenrank.capture.inspection import model_layers
from tokenrank.capture.rules import AttentionRules


@torch.inference_mode()
def hidden_logits(model: PreTrainedModel, ids: Tensor, answer: list[int], hidden: set[int]) -> Tensor:
    """(answer tokens, vocabulary) logits that predict the answer, whose queries do not see the hidden tokens of the prompt.

    Args:
        model: any decoder.
        ids: (tokens,) the prompt.
        answer: its tokens.
        hidden: places in the prompt; the last token is never hidden from itself and what follows it.
    """
    model_layers(model)
    whole, first = torch.cat([ids, torch.tensor(answer[:-1], dtype=torch.int64)]), len(ids) - 1
    eager = "eager" in str(model.config._attn_implementation)

    def sees(query: int, key: int, window: int | None) -> bool:
        if key > query or (window is not None and key <= query - window):
            return False
        return not (query >= first and key < first and key in hidden)

    def mask_by(_module: nn.Module, _query: Tensor, _key: Tensor, rules: AttentionRules) -> Tensor:
        size = range(len(whole))
        seen = torch.tensor([[sees(query, key, rules.sliding_window) for key in size] for query in size])[None, None]
        return torch.zeros(seen.shape).masked_fill(~seen, torch.finfo(torch.float32).min) if eager else seen

    positions = torch.arange(len(whole))[None]
    logits: Tensor = model(input_ids=whole[None], position_ids=positions, mask_by=mask_by, use_cache=False).logits[0]
    return logits[first:]
