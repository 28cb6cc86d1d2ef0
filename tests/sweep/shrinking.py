"""A tiny config of any decoder class of transformers, made from its defaults by the names of its fields."""

import dataclasses
from typing import Any

from transformers import CONFIG_MAPPING, AutoConfig, PreTrainedConfig

from tests.sweep.overrides import OVERRIDES

VOCABULARY, PROMPT, WINDOW, TOP_K, LAYERS = 64, 40, 16, 8, 4  # tokens, but for the layers
Fields = dict[str, Any]

# value -> names of fields, in any config, that get it where they are there
SIZES: tuple[tuple[Any, str], ...] = (
    (VOCABULARY, "vocab_size vocab_size_per_layer_input n_vocab decoder_vocab_size unpadded_vocab_size audio_vocab_size"),
    (VOCABULARY, "encoder_hash_byte_group_vocab num_centroids shape_vocab_size pronunciation_vocab_size"),
    (LAYERS, "num_hidden_layers n_layer n_layers num_layers decoder_layers encoder_layers num_decoder_layers"),
    (LAYERS, "num_encoder_layers num_blocks"),
    (32, "hidden_size d_model n_embd emb_dim dim backbone_hidden_size lru_width input_embedding_size d_embed"),
    (32, "output_embedding_size embedding_size pronunciation_embed_dim shape_embed_dim embed_dim hidden_dim"),
    (32, "word_embed_proj_dim embedding_dim attention_hidden_size d_proj output_dim"),
    (48, "intermediate_size ffn_dim decoder_ffn_dim encoder_ffn_dim d_inner dff dim_ff n_inner ffn_hidden_size"),
    (48, "feed_forward_size intermediate_size_mlp shared_intermediate_size dense_intermediate_size"),
    (48, "prefix_dense_intermediate_size shared_expert_intermediate_size shared_experts_intermediate_size"),
    (16, "moe_intermediate_size expert_ffn_hidden_size moe_shared_expert_intermediate_size router_hidden_size"),
    (4, "num_attention_heads n_head n_heads num_heads decoder_attention_heads encoder_attention_heads"),
    (4, "num_decoder_attention_heads num_encoder_attention_heads attention_heads swa_num_attention_heads"),
    (2, "num_key_value_heads num_kv_heads kv_n_heads swa_num_key_value_heads"),
    (8, "head_dim kv_channels dim_head attention_head_size swa_head_dim attention_head_dim d_kv d_head"),
    (16, "global_head_dim kv_lora_rank q_lora_rank o_lora_rank"),
    (8, "qk_nope_head_dim v_head_dim mamba_d_state state_size ssm_state_size linear_head_dim linear_key_head_dim"),
    (8, "linear_value_head_dim hc_lowrank d_rel laurel_rank gated_norm_rank adapter_rank hidden_size_per_layer_input"),
    (8, "index_head_dim indexer_head_dim short_head_dim ple_embed_dim"),
    (4, "qk_rope_head_dim linear_num_heads linear_num_value_heads mamba_n_heads"),
    (2, "linear_num_key_heads index_n_heads indexer_n_heads"),
    (4, "num_experts num_local_experts n_routed_experts moe_num_experts zero_expert_num"),
    (2, "num_experts_per_tok moe_topk moe_k top_k_experts experts_per_token"),
    (1, "n_group topk_group n_groups o_groups"),
    (8, "mamba_chunk_size chunk_size block_multiple_of"),
    (512, "max_position_embeddings n_positions n_ctx max_seq_len max_target_positions max_source_positions"),
    (WINDOW, "sliding_window attention_window_size window_size local_attention sliding_window_size attention_chunk_size"),
    (WINDOW, "local_attention_window_len swa_window_size"),
    (TOP_K, "index_topk keep_window_size indexer_budget"),
    (True, "use_sliding_window is_decoder causal"),
    (1, "max_window_layers"),
    (4, "query_pre_attn_scalar"),
    (0.3, "initializer_range init_std initializer_factor embed_init_std"),
    (0.0, "hidden_dropout_prob attention_probs_dropout_prob attention_dropout"),
    (1, "pad_token_id"),
    (4, "rotary_dim"),
    (None, "bos_token_id eos_token_id forced_eos_token_id forced_bos_token_id"),
    (False, "use_mamba_kernels"),
)  # fmt: skip
SHRUNK: Fields = {name: value for value, names in SIZES for name in names.split()}
TEXT_PARTS = {"text_config", "decoder"}


def tiny_config(model_type: str, **settings: Any) -> PreTrainedConfig:
    """A config of that model type with a few layers of a few numbers, and windows and top-k below PROMPT.

    Args:
        model_type: as in transformers' mapping of configs.
        settings: of the decoder, beyond those of the shrinker and of OVERRIDES.

    Raises:
        Exception: of any kind, from the config's own checks.
    """
    kind = CONFIG_MAPPING[model_type]
    return kind(**_fields(kind, settings))


def _fields(kind: type[PreTrainedConfig], settings: Fields) -> Fields:
    """Settings of a tiny config of that class, those of its parts included."""
    fields = {field.name: field for field in dataclasses.fields(kind)}
    given = {name: SHRUNK[name] for name in fields if name in SHRUNK}
    for name in [name for name in given if given[name] is None and "None" not in str(fields[name].type)]:
        given[name] = 0
    if "kv_lora_rank" in fields and "num_key_value_heads" in fields:  # latent attention has a key for every head
        given["num_key_value_heads"] = SHRUNK["num_attention_heads"]
    given |= _each_kind_of_layer(kind) | OVERRIDES.get(kind.model_type, {})
    parts = _parts(kind)
    for name, part in parts.items():
        own = given[name] if isinstance(given.get(name), dict) else {}
        own = own | (settings if name in TEXT_PARTS else {})
        given[name] = {"model_type": part.model_type, **_fields(part, own)}
        if name not in TEXT_PARTS:  # not as many layers as the decoder
            given[name] |= {layers: 2 for layers in ("num_hidden_layers", "depth") if layers in given[name]}
    return given if TEXT_PARTS & set(parts) else given | settings


def _parts(kind: type[PreTrainedConfig]) -> dict[str, type[PreTrainedConfig]]:
    """The classes of the configs inside a config."""
    parts = {}
    for name, spec in (kind.sub_configs_defaults or {}).items():
        part = spec.config_class
        parts[name] = CONFIG_MAPPING[spec.model_type] if part is AutoConfig and spec.model_type else part
    return {name: part for name, part in parts.items() if part is not AutoConfig}


def _each_kind_of_layer(kind: type[PreTrainedConfig]) -> Fields:
    """For configs with lists of a value for each layer: a few layers, with every kind that the default config has."""
    names = {field.name for field in dataclasses.fields(kind)}
    try:
        default = kind()
    except Exception:  # the assistants of gemma4, whose defaults contradict each other
        return {}
    total = getattr(default, "num_hidden_layers", None)
    lists = {
        name: value
        for name, value in vars(default).items()
        if name in names
        and isinstance(value, list)
        and len(value) == total
        and len(set(map(str, value))) > 1
        and value != list(range(total))  # numbers of layers
    }
    if not lists:
        return {}
    rows = list(zip(*(map(str, value) for value in lists.values()), strict=True))
    chosen = [place for place, row in enumerate(rows) if rows.index(row) == place]
    chosen += [place for place in range(len(rows)) if place not in chosen][: max(0, LAYERS - len(chosen))]
    few = {name: [value[place] for place in sorted(chosen)] for name, value in lists.items()}
    return few | {"num_hidden_layers": len(chosen)}
