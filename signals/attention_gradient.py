"""Attention times gradient: how much of the answer's log-probability passes through its attention to each token of the prompt."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tokenrank.capture.answer_passes import AnswerPasses, chosen_logprobs
from tokenrank.capture.free_memory import free_bytes
from tokenrank.capture.inspection import model_layers
from tokenrank.capture.rules import AttentionRules

FLOAT = 4  # bytes of a float32
COPIES = 3  # of the logits, and of the attention of the layer under way
WIDTHS = (
    16  # values of a hidden state's size that a layer holds for the backward pass, about; of the MLP's inner size: 4
)
GIB = 2**30


def attention_times_gradient(passes: AnswerPasses) -> Tensor:
    """Sum over layers, heads and answer tokens of max(0, A * dlogp/dA); logp is the sum over the answer's tokens.

    A is the attention of the queries that predict the answer to the prompt's tokens, after a softmax over all that they see (the answer's
    own keys and any sink included). Backward runs through the answer's rows alone: the prompt's keys and values are constants. Attention
    is computed in float32; the model's weights are left as they are.

    Args:
        passes: the answer on its prompt's cache.

    Returns:
        (tokens,) float32 on the CPU, in nats, at least 0.

    Raises:
        ValueError: the memory that is needed, a part of which grows as layers * heads * T * tokens, is not free; the message has both
            numbers. It is said at the first layer, before the memory is taken.
    """
    with torch.inference_mode(False), torch.enable_grad(), _constant(passes.model):
        return _summed(passes)


def _summed(passes: AnswerPasses) -> Tensor:
    """``attention_times_gradient``, where gradients are recorded."""
    total = torch.zeros(passes.tokens)
    starts: list[Tensor] = []  # attention of the first layer, from which the graph begins

    def attend(query: Tensor, key: Tensor, value: Tensor, rules: AttentionRules, seen: Tensor) -> Tensor:
        if not starts:
            check_memory(gradient_bytes(passes, query, key, value, rules), query.device)
        attention = attention_of(query[0], key[0], rules, seen)  # (heads, rows, keys)
        if not attention.requires_grad:
            starts.append(attention.requires_grad_())
        prompt = attention.detach()[:, :, : passes.tokens]  # the first row's own key is that of the prompt's last token

        def gathered(gradient: Tensor) -> None:
            share = (prompt * gradient[:, :, : passes.tokens]).clamp(min=0)
            total.add_(share.sum(dim=(0, 1)).cpu())

        attention.register_hook(gathered)  # type: ignore[no-untyped-call]
        return _values_read(attention, value[0]).to(query.dtype)

    logits = passes.attended(attend)
    answer_ids = passes.answer_ids.clone()  # it may have been made in inference mode
    torch.autograd.grad(chosen_logprobs(logits, answer_ids).sum(), starts)
    return total


def attention_of(query: Tensor, key: Tensor, rules: AttentionRules, seen: Tensor) -> Tensor:
    """Attention by the rules of a call, in float32 and such that gradients pass.

    Args:
        query: (heads, rows, dim).
        key: (kv_heads, keys, dim).
        rules: of the call; its mask and window are not read.
        seen: (rows, keys) bool.

    Returns:
        (heads, rows, keys) in [0, 1]; 0 where a key is not seen.
    """
    heads, rows, dim = query.shape
    grouped = query.float().reshape(len(key), heads // len(key) * rows, dim)
    logits = (grouped @ key.float().transpose(1, 2)).view(heads, rows, -1) * rules.scaling
    if rules.softcap is not None:
        logits = torch.tanh(logits / rules.softcap) * rules.softcap
    logits = logits.masked_fill(~seen, -torch.inf)
    if rules.sinks is None:
        return logits.softmax(dim=-1)
    sinks = rules.sinks.float()[:, None, None].expand(-1, rows, 1)
    return torch.cat([logits, sinks], dim=-1).softmax(dim=-1)[..., :-1]


def gradient_bytes(passes: AnswerPasses, query: Tensor, key: Tensor, value: Tensor, rules: AttentionRules) -> int:
    """Memory that ``attention_times_gradient`` takes beyond what is held already, about; computed from one layer's call.

    Args:
        passes: the answer on its prompt's cache.
        query: (1, heads, rows, dim).
        key: (1, kv_heads, keys, dim).
        value: (1, kv_heads, keys, value dim).
        rules: of the call.
    """
    config = passes.model.config.get_text_config(decoder=True)
    hidden = int(config.hidden_size)
    inner = getattr(config, "intermediate_size", None)
    inner = inner if isinstance(inner, int) else 4 * hidden
    attention = query.shape[1] * passes.rows * key.shape[2]
    of_attention = attention * (2 if rules.softcap is not None else 1) + key.numel() + value.numel()
    layers = model_layers(passes.model)
    held: int = len(layers.attention) * of_attention + layers.total * passes.rows * (WIDTHS * hidden + 4 * inner)
    return FLOAT * (held + COPIES * (passes.rows * int(config.vocab_size) + attention))


def check_memory(needed: int, device: torch.device) -> None:
    """Raises ValueError if so many bytes are not free on a device; where that is unknown nothing is checked."""
    free = free_bytes(device)
    if free is not None and needed > free:
        raise ValueError(
            f"the gradient needs about {needed / GIB:.2f} GiB on {device}, and {free / GIB:.2f} GiB are free: take shorter prompts or "
            "answers, or another oracle"
        )


def _values_read(attention: Tensor, value: Tensor) -> Tensor:
    """(1, rows, heads, value dim) float32."""
    heads, rows, keys = attention.shape
    grouped = attention.view(len(value), heads // len(value) * rows, keys)
    return (grouped @ value.float()).view(heads, rows, -1).transpose(0, 1)[None]


@contextmanager
def _constant(model: PreTrainedModel) -> Iterator[None]:
    """Within the block no gradient of the model's weights is recorded."""
    changing = [each for each in model.parameters() if each.requires_grad]
    for each in changing:
        each.requires_grad_(False)
    try:
        yield
    finally:
        for each in changing:
            each.requires_grad_(True)
