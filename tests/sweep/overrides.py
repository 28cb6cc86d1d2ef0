"""Settings of tiny configs that the names of the fields do not tell, by model type."""

from typing import Any

Fields = dict[str, Any]

_ASSISTANT: Fields = {"hidden_size_per_layer_input": 0, "vocab_size_per_layer_input": 0, "num_kv_shared_layers": 4}
_QSA: Fields = {"indexer_kv_heads": 1, "indexer_compress_ratio": 4, "layer_types": None}

EVERY_OTHER: Fields = {"layer_types": ["sliding_attention", "full_attention", "sliding_attention", "full_attention"]}

OVERRIDES: dict[str, Fields] = {
    "bamba": {"attn_layer_indices": [1, 3]},
    "cohere_compass_text": {
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention", "full_attention"],
        "rope_parameters": {"sliding_attention": {"rope_type": "default", "rope_theta": 1e4}, "full_attention": None},
    },
    "dbrx": {
        "attn_config": {"rope_theta": 1e4, "kv_n_heads": 2, "clip_qkv": 8},
        "ffn_config": {"hidden_size": 32, "ffn_hidden_size": 48, "moe_top_k": 2},
    },
    "doge": {"sliding_window": None},
    "dots1": {"n_shared_experts": 1},
    "dots3_note_vision_encoder": {"adapter_in_dim": 32, "adapter_out_dim": 32, "adapter_merge_size": 2},
    "dots3_note_audio_encoder": {"adapter_input_size": 32, "adapter_out_dim": 32},
    "dots3_note_text": {
        **{"swa_num_attention_heads": 4, "swa_num_key_value_heads": 4, "swa_q_lora_rank": 16, "swa_kv_lora_rank": 16},
        **{"swa_head_dim": 12, "swa_qk_nope_head_dim": 8, "swa_v_head_dim": 8, "head_dim": 12},
    },
    "gemma3n_text": {"num_kv_shared_layers": 0},
    "gemma4_text": {"global_head_dim": 16},
    "gemma4_unified_text": {"global_head_dim": 16},
    "gemma4_unified_vision": {"mm_embed_dim": 32},
    "gemma4_assistant": {"text_config": _ASSISTANT},
    "gemma4_unified_assistant": {"text_config": _ASSISTANT},
    "gpt_neo": {"attention_types": [[["global", "local"], 2]]},
    "granitemoehybrid": {"layer_types": ["mamba", "attention", "mamba", "attention"]},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1},
    "lfm2": {"layer_types": ["conv", "full_attention", "conv", "full_attention"]},
    "lfm2_moe": {"layer_types": ["conv", "full_attention", "conv", "full_attention"], "num_dense_layers": 1},
    "laguna": EVERY_OTHER,
    "longcat_flash": {"head_dim": 4, "qk_head_dim": 12},
    "mamba2": {"head_dim": 16},
    "mellum": EVERY_OTHER,
    "minimax_m3_vl_text": {
        **{"layer_types": ["full_attention", "minimax_m3_sparse", "minimax_m3_sparse", "full_attention"]},
        **{"index_block_size": 4, "index_topk_blocks": 2},
    },
    "qwen4_exp_text": _QSA,
    "reformer": {"axial_pos_embds": False, "local_attn_chunk_length": 8, "lsh_attn_chunk_length": 8},
    "xlstm": {"hidden_size": 128, "qk_dim_factor": 1.0, "chunk_size": 64},
    "xmod": {"default_language": "en_XX"},
    "zamba": {
        "attention_hidden_size": 64,
        "attention_head_dim": 16,
        "layers_block_type": ["linear_attention", "hybrid", "linear_attention", "hybrid"],
    },
    "zamba2": {"layers_block_type": ["linear_attention", "hybrid", "linear_attention", "hybrid"]},
    "zaya": {"num_experts_per_tok": 1, "layer_types": ["hybrid", "hybrid_sliding", "hybrid", "hybrid_sliding"]},
}
