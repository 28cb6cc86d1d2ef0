"""Tiny random models whose attention is more than capture computes, for tests of what is refused."""

from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from tokenrank.models.architectures import SHAPE, WINDOW

LATENT: dict[str, Any] = {
    "q_lora_rank": 16,
    "kv_lora_rank": 8,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 8,
    "v_head_dim": 12,
    "num_key_value_heads": 4,
    "first_k_dense_replace": 3,
    "n_routed_experts": 4,
    "n_group": 1,
    "topk_group": 1,
}
TOP_K = 8  # tokens that a sparse indexer selects
INDEXED: dict[str, Any] = {**LATENT, "index_topk": TOP_K, "index_n_heads": 2, "index_head_dim": 8}


def odd_model(kind: str, **settings: Any) -> PreTrainedModel:
    """A model of this model type with three layers and these settings; the same weights each time."""
    config = AutoConfig.for_model(kind, **(SHAPE | settings))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    model.train(False)
    return model


def window_in_the_mask(kind: str) -> PreTrainedModel:
    """Phimoe or qwen2_moe, which do not give the attention function the window that is in their masks."""
    own = {"use_sliding_window": True, "max_window_layers": 1} if kind == "qwen2_moe" else {}
    return odd_model(kind, sliding_window=WINDOW, **own)
