"""Looks into the attention of a Hugging Face model while it runs, without patching a class.

transformers lets anyone register an attention function under a name. Ours hands the queries and keys of the
layer to a visitor and then calls the function that the model would have used anyway, so what the model computes
stays bit for bit what it was. The visitor travels as the keyword ``on_attention`` of the model's own forward call:
there is no global state, and a call without it is an ordinary call. A pruned prefill also sends ``mask_by``, which replaces the
model's mask where tokens are missing.
"""

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import eager_mask, sdpa_mask

Visitor = Callable[[nn.Module, Tensor, Tensor, Tensor, dict[str, Any]], None]  # module, query, key, value, rules
Masker = Callable[[nn.Module, Tensor, Tensor, Tensor | None, dict[str, Any]], Tensor | None]  # the model's mask -> ours
Attention = Callable[..., tuple[Tensor, Tensor | None]]

FUSED = "tokenrank_fused"  # a name with "flash", "/" or the fused kernel's own name in it would be parsed
EAGER = "tokenrank_eager"
ROUTES = {"sdpa": FUSED, "eager": EAGER}


def watch(model: PreTrainedModel) -> None:
    """Lets ``model(..., on_attention=visitor)`` see every attention layer; nothing else about the model changes.

    The route follows the implementation that the model was loaded with (fused or eager), together with the
    mask of that implementation: a mask of the other kind would be silently wrong.

    Raises:
        ValueError: the model's attention does not go through transformers' attention interface or follows a rule that
            capture does not know, or it was loaded with an implementation other than ``sdpa`` and ``eager``.
    """
    implementation = model.config._attn_implementation
    if implementation in ROUTES.values():
        return
    name = type(model).__name__
    if not model._can_set_attn_implementation():
        raise ValueError(
            f"{name} computes attention outside transformers' attention interface, so its layers cannot be captured; "
            "supported are decoders that call it, such as Llama, Mistral, Qwen or Gemma"
        )
    config = model.config.get_text_config(decoder=True)
    for rule, setting in (("chunked attention", "attention_chunk_size"), ("key-value sharing", "num_kv_shared_layers")):
        if getattr(config, setting, None):
            raise ValueError(
                f"{name} uses {rule} ({setting}={getattr(config, setting)}), which capture does not follow yet"
            )
    if implementation not in ROUTES:
        raise ValueError(
            f"{name} was loaded with attn_implementation={implementation!r}; capture supports {' and '.join(ROUTES)}"
        )
    model.set_attn_implementation(ROUTES[implementation])


def as_mask(visible: Tensor | None, query: Tensor, *, fused: bool) -> Tensor | None:
    """A mask as the delegate wants it.

    Args:
        visible: (heads or 1, queries, keys), true where a query sees a key; None: each query sees all keys up to its own.
        query: (1, heads, queries, dim).
        fused: for the fused function, else for the eager one.
    """
    if fused:
        return None if visible is None else visible[None]
    if visible is None:
        rows = query.shape[2]
        if rows == 1:
            return None
        visible = torch.ones(1, rows, rows, dtype=torch.bool, device=query.device).tril()
    return torch.zeros(visible.shape, dtype=query.dtype, device=query.device).masked_fill_(
        ~visible, torch.finfo(query.dtype).min
    )[None]


def _watched(delegate: Callable[[nn.Module], Attention]) -> Attention:
    """The attention function ``delegate(module)``, preceded by a call of the visitor if there is one."""

    def attention(
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        dropout: float = 0.0,  # by name or here: wrappers of other packages pass it on by position
        on_attention: Visitor | None = None,
        mask_by: Masker | None = None,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor | None]:
        if on_attention is not None:
            on_attention(module, query, key, value, kwargs)
        if mask_by is not None:
            attention_mask = mask_by(module, query, key, attention_mask, kwargs)
        return delegate(module)(module, query, key, value, attention_mask, dropout=dropout, **kwargs)

    return attention


def _eager_attention_of(module: nn.Module) -> Attention:
    """The eager attention that the module's own file defines: architectures differ in it (soft-cap, sinks)."""
    attention: Attention = vars(sys.modules[type(module).__module__])["eager_attention_forward"]
    return attention


AttentionInterface.register(FUSED, _watched(lambda _: sdpa_attention_forward))
AttentionMaskInterface.register(FUSED, sdpa_mask)
AttentionInterface.register(EAGER, _watched(_eager_attention_of))
AttentionMaskInterface.register(EAGER, eager_mask)
