"""Attention times gradient the slow way: finite differences in float64, one gate on one attention value at a time."""

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tokenrank.capture.attention import OwnFunction
from tokenrank.capture.inspection import model_layers
from tokenrank.capture.rules import AttentionRules

STEP = 1e-2  # norms are in float32 all the same


def own_attention(query: Tensor, key: Tensor, rules: AttentionRules) -> Tensor:
    """(rows, heads, tokens, tokens) attention of every token to those up to its own, in the dtype of the queries."""
    tokens = query.shape[2]
    key = key.repeat_interleave(query.shape[1] // key.shape[1], dim=1)
    logits = torch.einsum("bhqd,bhkd->bhqk", query, key) * rules.scaling
    if rules.softcap is not None:
        logits = rules.softcap * torch.tanh(logits / rules.softcap)
    weights = logits.exp()
    for place in range(tokens):
        weights[:, :, place, place + 1 :] = 0
        if rules.sliding_window is not None:
            weights[:, :, place, : max(0, place - rules.sliding_window + 1)] = 0
    total = weights.sum(dim=-1, keepdim=True)
    if rules.sinks is not None:
        total = total + rules.sinks.to(total.dtype).exp()[:, None, None]
    return weights / total


@torch.inference_mode()
def gated_logprobs(model: PreTrainedModel, ids: Tensor, answer: list[int], gates: Tensor) -> Tensor:
    """(rows,) log-probability of the answer, summed over its tokens.

    Args:
        model: in float64.
        ids: (tokens,) the prompt.
        answer: T tokens.
        gates: (rows, layers, heads, T, tokens); attention from the query of each answer token to the prompt is multiplied by them.
    """
    first, layers = len(ids) - 1, model_layers(model).attention
    whole = torch.cat([ids, torch.tensor(answer[:-1], dtype=torch.int64)]).expand(len(gates), -1)

    def attend(
        _own: OwnFunction, module: nn.Module, query: Tensor, key: Tensor, value: Tensor, rules: AttentionRules
    ) -> Tensor:
        attention = own_attention(query, key, rules)
        attention[:, :, first:, : len(ids)] *= gates[:, layers.index(int(module.layer_idx))]  # type: ignore[arg-type]
        value = value.repeat_interleave(query.shape[1] // value.shape[1], dim=1)
        read: Tensor = attention @ value
        return read.transpose(1, 2).contiguous()

    positions = torch.arange(whole.shape[1]).expand(len(gates), -1)
    output = model(input_ids=whole, position_ids=positions, attend=attend, use_cache=False)
    logprobs = output.logits[:, first:].double().log_softmax(dim=-1)
    chosen = torch.tensor(answer)[None, :, None].expand(len(gates), -1, 1)
    found: Tensor = logprobs.gather(2, chosen).sum(dim=(1, 2))
    return found


def slow_importance(model: PreTrainedModel, ids: Tensor, answer: list[int], heads: int) -> Tensor:
    """(tokens,) sum over layers, heads and answer tokens of max(0, d logp / d gate at 1), by central differences."""
    shape = (len(model_layers(model).attention), heads, len(answer), len(ids))
    size, found = shape[0] * shape[1] * shape[2] * shape[3], []
    for first in range(0, size, 256):
        some = torch.arange(first, min(first + 256, size))
        step = torch.zeros(len(some), size, dtype=torch.float64)
        step[torch.arange(len(some)), some] = STEP
        more, less = (gated_logprobs(model, ids, answer, (1 + sign * step).view(-1, *shape)) for sign in (1, -1))
        found.append((more - less) / (2 * STEP))
    return torch.cat(found).view(shape).clamp(min=0).sum(dim=(0, 1, 2)).float()
