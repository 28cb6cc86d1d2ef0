"""Reads queries, keys and values of a transformers model while it runs, without patching a class.

transformers lets a package register an attention function under a name. Ours passes the layer's queries, keys and values to a
visitor and then calls the function that the model would have used anyway, so the model's output stays the same bit for bit.
The visitor is the keyword ``on_attention`` of the model's forward call: there is no global state, and a call without it is an
ordinary call. A pruned prefill also passes ``mask_by``, which replaces the model's mask once tokens are missing. Rows that are
decoded together pass ``attend``, which calls the model's function for each group of rows with the keys and values of its own cache.
"""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import eager_mask, sdpa_mask

from tokenrank.capture.model_masks import noted
from tokenrank.capture.rules import AttentionRules, rules_of

Visitor = Callable[[nn.Module, Tensor, Tensor, Tensor, AttentionRules], None]  # module, query, key, value, rules
Masker = Callable[[nn.Module, Tensor, Tensor, AttentionRules], Tensor | None]  # module, query, key, rules -> mask
Attention = Callable[..., tuple[Tensor, Tensor | None]]
OwnFunction = Callable[[Tensor, Tensor, Tensor, Tensor | None], tuple[Tensor, Tensor | None]]  # query, key, value, mask
Attend = Callable[
    [OwnFunction, nn.Module, Tensor, Tensor, Tensor, AttentionRules], Tensor
]  # -> (rows, queries, heads, dim)

FUSED = "tokenrank_fused"  # a name with "flash", "/" or the fused kernel's own name in it would be parsed
EAGER = "tokenrank_eager"
ROUTES = {"sdpa": FUSED, "eager": EAGER}


def watch(model: PreTrainedModel) -> None:
    """Makes ``model(..., on_attention=visitor)`` call the visitor at every attention layer; the model's output does not change.

    The registered function is the one for the implementation that the model was loaded with (fused or eager), with the mask of
    that implementation: a mask of the other kind would be silently wrong. A model on the meta device will do.

    Args:
        model: a decoder of transformers.

    Raises:
        ValueError: the model does not use transformers' attention interface, it has an attention rule that capture does not
            implement, or it was loaded with an implementation other than ``sdpa`` and ``eager``.
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


def own_function(route: str, module: nn.Module) -> Attention:
    """The attention function that a module's own implementation calls.

    Args:
        route: FUSED or EAGER.
        module: an attention module. The eager function is that of its own file: architectures differ in it (soft-cap, sinks).
    """
    if route == FUSED:
        return sdpa_attention_forward
    attention: Attention = vars(sys.modules[type(module).__module__])["eager_attention_forward"]
    return attention


def _watched(route: str) -> Attention:
    """The route's attention function, before which the visitor is called, if there is one."""

    def attention(
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        dropout: float = 0.0,  # by name or here: wrappers of other packages pass it on by position
        on_attention: Visitor | None = None,
        mask_by: Masker | None = None,
        attend: Attend | None = None,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor | None]:
        if attend is not None:
            own = partial(own_function(route, module), module, dropout=dropout, **kwargs)
            return attend(own, module, query, key, value, rules_of(module, attention_mask, kwargs)), None
        if on_attention is not None or mask_by is not None:
            rules = rules_of(module, attention_mask, kwargs)
            if on_attention is not None:
                on_attention(module, query, key, value, rules)
            if mask_by is not None:
                attention_mask = mask_by(module, query, key, rules)
        return own_function(route, module)(module, query, key, value, attention_mask, dropout=dropout, **kwargs)

    return attention


AttentionInterface.register(FUSED, _watched(FUSED))
AttentionMaskInterface.register(FUSED, noted(sdpa_mask))
AttentionInterface.register(EAGER, _watched(EAGER))
AttentionMaskInterface.register(EAGER, noted(eager_mask))
