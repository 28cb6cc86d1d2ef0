"""Tiny random models of many architectures, for tests."""

from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

WINDOW = 16  # tokens of a sliding window
SHAPE: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 128,
    "initializer_range": 0.3,  # large enough for attention to be uneven
    "bos_token_id": None,
    "eos_token_id": None,
    "pad_token_id": None,
}
EVERY_OTHER = ["sliding_attention", "full_attention", "sliding_attention"]
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
STATES = {"mamba_n_heads": 4, "mamba_d_head": 16, "mamba_d_state": 8, "mamba_chunk_size": 8}
GPT2 = {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 128, "n_inner": 48}

# name -> (model type of transformers, settings of its config beyond SHAPE)
ARCHITECTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", {}),
    "mistral (window)": ("mistral", {"sliding_window": WINDOW}),
    "mixtral": ("mixtral", {"sliding_window": None, "num_local_experts": 4, "num_experts_per_tok": 2}),
    "qwen2": ("qwen2", {}),
    "qwen2 (window)": ("qwen2", {"use_sliding_window": True, "sliding_window": WINDOW, "max_window_layers": 1}),
    "qwen3": ("qwen3", {}),
    "qwen3_moe": ("qwen3_moe", EXPERTS),
    "gemma2": ("gemma2", {"sliding_window": WINDOW, "attn_logit_softcapping": 3.0, "query_pre_attn_scalar": 16}),
    "gemma3": ("gemma3_text", {"sliding_window": WINDOW, "query_pre_attn_scalar": 4, "layer_types": EVERY_OTHER}),
    "phi3": ("phi3", {"sliding_window": None}),
    "phi3 (window)": ("phi3", {"sliding_window": WINDOW}),
    "granite": ("granite", {"attention_multiplier": 0.2, "residual_multiplier": 0.5, "embedding_multiplier": 2.0}),
    "olmo2": ("olmo2", {}),
    "olmo3 (window)": ("olmo3", {"sliding_window": WINDOW}),
    "smollm3": ("smollm3", {"no_rope_layers": [1, 0, 1]}),
    "gpt_oss": (
        "gpt_oss",
        {"initializer_range": 0.2, "sliding_window": WINDOW, "num_local_experts": 4, "num_experts_per_tok": 2},
    ),
    "cohere": ("cohere", {}),
    "cohere2": ("cohere2", {"sliding_window": WINDOW, "layer_types": EVERY_OTHER}),
    "starcoder2": ("starcoder2", {"sliding_window": None}),
    "starcoder2 (window)": ("starcoder2", {"sliding_window": WINDOW}),
    "glm4": ("glm4", {}),
    "phi": ("phi", {}),
    "gpt2": ("gpt2", GPT2),
    "gpt2 (scaled by layer)": ("gpt2", {**GPT2, "scale_attn_by_inverse_layer_idx": True}),
    "opt": ("opt", {"ffn_dim": 48, "word_embed_proj_dim": 32}),
    "gpt_neox": ("gpt_neox", {"rotary_pct": 0.5}),
    # hybrids: some layers have attention
    "qwen3_next (hybrid)": (
        "qwen3_next",
        {
            **EXPERTS,
            "shared_expert_intermediate_size": 16,
            "layer_types": ["linear_attention", "full_attention", "linear_attention"],
            "linear_num_key_heads": 2,
            "linear_num_value_heads": 4,
            "linear_key_head_dim": 8,
            "linear_value_head_dim": 8,
        },
    ),
    "falcon_h1 (hybrid)": (
        "falcon_h1",
        {**STATES, "mamba_d_ssm": 32, "mamba_d_head": 8, "mamba_n_groups": 1},
    ),
    "jamba (hybrid)": (
        "jamba",
        {
            "attn_layer_period": 2,
            "attn_layer_offset": 1,
            "num_experts": 2,
            "use_mamba_kernels": False,
            "mamba_d_state": 8,
        },
    ),
    "granitemoehybrid (hybrid)": (
        "granitemoehybrid",
        {
            **STATES,
            "layer_types": ["mamba", "attention", "mamba"],
            "num_local_experts": 0,
            "shared_intermediate_size": 48,
        },
    ),
    "bamba (hybrid)": ("bamba", {**STATES, "attn_layer_indices": [1]}),
    "lfm2 (hybrid)": ("lfm2", {"layer_types": ["conv", "full_attention", "conv"]}),
}


def tiny_of(architecture: str, implementation: str | None = None) -> PreTrainedModel:
    """A random model of one of ARCHITECTURES; the same weights whatever the implementation.

    Args:
        architecture: its name there.
        implementation: of attention: ``sdpa``, ``eager``, or None for what transformers would choose.
    """
    kind, settings = ARCHITECTURES[architecture]
    config = AutoConfig.for_model(kind, **(SHAPE | settings))
    chosen = {} if implementation is None else {"attn_implementation": implementation}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config, **chosen)  # type: ignore[no-untyped-call]
    model.train(False)
    return model
