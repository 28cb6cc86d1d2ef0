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
LATENT = {  # keys and values from one latent vector a token
    **{
        "num_key_value_heads": 4,
        "head_dim": 4,
        "kv_lora_rank": 16,
        "qk_nope_head_dim": 8,
        "qk_rope_head_dim": 4,
        "v_head_dim": 12,
    },
    **{"q_lora_rank": 16, "n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16},
    **{"first_k_dense_replace": 1, "n_shared_experts": 1, "n_group": 1, "topk_group": 1},
}
ORIGINAL = 24  # tokens, below the prompts of the tests: positions beyond them are scaled
YARN = {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0, "original_max_position_embeddings": ORIGINAL}
LLAMA3 = YARN | {"rope_type": "llama3", "low_freq_factor": 1.0, "high_freq_factor": 4.0}
LINEAR = {"linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 8}
GPT2 = {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 128, "n_inner": 48}

# name -> (model type of transformers, settings of its config beyond SHAPE)
ARCHITECTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", {}),
    "llama (yarn)": ("llama", {"rope_parameters": YARN}),
    "llama (llama3)": ("llama", {"rope_parameters": LLAMA3}),
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
    "gpt_bigcode": ("gpt_bigcode", GPT2),
    "glm": ("glm", {}),
    "dbrx": (
        "dbrx",
        {
            **{"d_model": 32, "n_heads": 4, "n_layers": 3, "max_seq_len": 128},
            "attn_config": {"kv_n_heads": 2, "clip_qkv": 8, "rope_theta": 1e4},
            "ffn_config": {"hidden_size": 32, "ffn_hidden_size": 48, "moe_num_experts": 4, "moe_top_k": 2},
        },
    ),
    "deepseek_v2 (yarn)": ("deepseek_v2", LATENT | {"rope_parameters": YARN}),
    "deepseek_v3 (yarn)": ("deepseek_v3", LATENT | {"rope_parameters": YARN}),
    "gemma4 (window)": (
        "gemma4_text",
        {
            **{"sliding_window": WINDOW, "layer_types": ["sliding_attention", "full_attention", "full_attention"]},
            **{"global_head_dim": 16, "hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": 64},
        },
    ),
    "mimo_v2_flash (window)": (
        "mimo_v2_flash",
        {
            **{"sliding_window": WINDOW, "layer_types": EVERY_OTHER, "v_head_dim": 12},
            **{"n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16},
        },
    ),
    "modernbert-decoder (window)": (
        "modernbert-decoder",
        {"local_attention": 2 * WINDOW, "layer_types": EVERY_OTHER, "pad_token_id": 0, "bos_token_id": 0},
    ),
    "granite_swa (window)": ("granite_swa", {"sliding_window": WINDOW, "attention_multiplier": 0.2}),
    # windows in the mask only
    "phimoe (window)": ("phimoe", {"sliding_window": WINDOW, "num_local_experts": 4, "num_experts_per_tok": 2}),
    "qwen2_moe (window)": (
        "qwen2_moe",
        {
            **EXPERTS,
            **{"shared_expert_intermediate_size": 16, "use_sliding_window": True, "sliding_window": WINDOW},
            "layer_types": EVERY_OTHER,
        },
    ),
    # hybrids: some layers have attention
    "qwen3_next (hybrid)": (
        "qwen3_next",
        {
            **EXPERTS,
            "shared_expert_intermediate_size": 16,
            "layer_types": ["linear_attention", "full_attention", "linear_attention"],
            **LINEAR,
        },
    ),
    "qwen3_5 (hybrid)": (
        "qwen3_5_text",
        {"layer_types": ["linear_attention", "full_attention", "linear_attention"], **LINEAR},
    ),
    "nemotron_h (hybrid)": (
        "nemotron_h",
        {
            "layers_block_type": ["linear_attention", "full_attention", "linear_attention"],
            **{"mamba_num_heads": 4, "mamba_head_dim": 16, "ssm_state_size": 8, "n_groups": 1, "chunk_size": 8},
            "use_mamba_kernels": False,
            "time_step_min": 1e-6,  # transformers clamps at it in a prompt and not in decoding
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
