"""What a GGUF file says of its model and transformers does not read: set in the config, compared with it, or refused."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from gguf import GGUFReader, GGUFValueType
from torch import Tensor
from transformers import PreTrainedConfig
from transformers.integrations.ggml import GGUF_CONFIG_MAPPING

from tokenrank.models.gguf_rope import PREFIX, ROPE_TENSORS, scaling

# key -> attributes of the config, one of which must have its value
SAME = {
    "vocab_size": ("vocab_size",),
    "attention.value_length": ("v_head_dim", "head_dim"),
    "attention.key_length": ("head_dim",),
    "attention.layer_norm_epsilon": ("layer_norm_eps", "layer_norm_epsilon", "norm_epsilon", "norm_eps"),
    "attention.layer_norm_rms_epsilon": ("rms_norm_eps", "norm_eps", "layer_norm_epsilon"),
    "attention.sliding_window": ("sliding_window",),
    "attn_logit_softcapping": ("attn_logit_softcapping",),
    "final_logit_softcapping": ("final_logit_softcapping",),
    "logit_scale": ("logit_scale",),
    "expert_count": ("num_experts", "num_local_experts"),
    "expert_used_count": ("num_experts_per_tok",),
    "expert_feed_forward_length": ("moe_intermediate_size", "intermediate_size"),
    "expert_shared_feed_forward_length": ("shared_expert_intermediate_size",),
    "expert_weights_norm": ("norm_topk_prob",),
    "use_parallel_residual": ("use_parallel_residual",),
    "feed_forward_length": ("intermediate_size", "n_inner"),
}
WITHOUT_EFFECT = ("tensor_data_layout", "rope.scale_linear", "context_length")
THETAS = {"rope.freq_base": "full_attention", "rope.freq_base_swa": "sliding_attention"}
SETTABLE_WINDOW = ("phi3",)  # reads sliding_window and nothing else of it
PATTERN = "attention.sliding_window_pattern"
SCALED_BY_WIDTH = {
    "gemma2": 46,
    "gemma3": 62,
}  # layers of the 27B models, whose queries are scaled by hidden size / heads
PARTIAL = ("phi3", "nemotron", "stablelm")  # read partial_rotary_factor
CLOSE = 1e-6  # relative: numbers of a file are float32


def follow_file(config: PreTrainedConfig, path: Path) -> None:
    """Sets in a config, as transformers made it of a GGUF file, what it has not read: rotary scaling, base and size, a window.

    Raises:
        ValueError: the file has a setting that the config does not agree with and that is not followed; the message names it.
    """
    keys, tensors = _facts(str(path), path.stat().st_mtime_ns)
    family = config.model_type.removesuffix("_text")
    mapping: dict[str, dict[str, str | None]] = GGUF_CONFIG_MAPPING  # type: ignore[assignment]
    read = {key for key, attribute in mapping.get(family, {}).items() if attribute is not None}
    config.rope_parameters = _rope_parameters(config, keys, scaling(keys, tensors, config), read)
    if "attention.sliding_window" in keys and family in SETTABLE_WINDOW:
        config.sliding_window = int(keys["attention.sliding_window"])
    if family in SCALED_BY_WIDTH:  # llama.cpp's rule: the file does not say it
        wide = config.num_hidden_layers == SCALED_BY_WIDTH[family]
        config.query_pre_attn_scalar = config.hidden_size // config.num_attention_heads if wide else _head_dim(config)
    if PATTERN in keys:
        _check_pattern(keys[PATTERN], config)
    handled = {key for key in keys if key.startswith(PREFIX)} | {
        *WITHOUT_EFFECT,
        *THETAS,
        PATTERN,
        "rope.dimension_count",
    }
    for key in keys.keys() - read - handled:
        _compare(key, keys[key], config)
    if config.rope_parameters:
        config.standardize_rope_params()


@lru_cache(maxsize=4)
def _facts(path: str, _changed: int) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The architecture's metadata, without its name in front and without lists of texts, and the tensors of ROPE_TENSORS."""
    reader = GGUFReader(path)
    prefix = f"{reader.fields['general.architecture'].contents()}."
    texts = {
        key: field
        for key, field in reader.fields.items()
        if key.startswith(prefix) and field.types[-1:] + field.types[:1] != [GGUFValueType.STRING, GGUFValueType.ARRAY]
    }
    keys = {key.removeprefix(prefix): field.contents() for key, field in texts.items()}
    tensors = {
        each.name: torch.tensor(each.data).float().flatten() for each in reader.tensors if each.name in ROPE_TENSORS
    }
    return keys, tensors


def _rope_parameters(
    config: PreTrainedConfig, keys: Mapping[str, Any], scaled: dict[str, Any], read: set[str]
) -> dict[str, Any] | None:
    """The config's rotary parameters with the file's base, size and scaling."""
    parameters: dict[str, Any] | None = getattr(config, "rope_parameters", None)
    if not parameters:
        if scaled:
            raise ValueError(
                f"the file says rope scaling of type {scaled['rope_type']}, and a {config.model_type} has none"
            )
        return parameters
    nested = "full_attention" in parameters
    if nested and scaled and scaled["rope_type"] != "linear":
        raise ValueError(
            f"the file scales with type {scaled['rope_type']}, which a {config.model_type} is not followed with"
        )
    for key, layers in THETAS.items():
        if key in keys and key not in read:
            if key == "rope.freq_base_swa" and not nested:
                raise ValueError(
                    f"the file says {key}={keys[key]}, and a {config.model_type} has one base for all layers"
                )
            part = {"rope_theta": float(keys[key])}
            parameters = {**parameters, layers: parameters[layers] | part} if nested else parameters | part
    if nested:
        return {**parameters, "full_attention": parameters["full_attention"] | scaled}
    if scaled.get("rope_type") == "longrope" and hasattr(config, "original_max_position_embeddings"):
        config.original_max_position_embeddings = scaled["original_max_position_embeddings"]
    return parameters | scaled | _partial(config, parameters, keys)


def _partial(config: PreTrainedConfig, parameters: Mapping[str, Any], keys: Mapping[str, Any]) -> dict[str, Any]:
    """The share of each head that is rotated, where the file says another than the config."""
    if "rope.dimension_count" not in keys:
        return {}
    head, wanted = _head_dim(config), int(keys["rope.dimension_count"])
    if int(head * parameters.get("partial_rotary_factor", 1.0)) == wanted:
        return {}
    if config.model_type not in PARTIAL:
        raise ValueError(
            f"the file says rope.dimension_count={wanted}, and a {config.model_type} rotates the {head} of each head, as transformers "
            "reads it: load the model from a folder"
        )
    config.partial_rotary_factor = wanted / head
    return {"partial_rotary_factor": wanted / head}


def _check_pattern(pattern: Any, config: PreTrainedConfig) -> None:
    """Raises ValueError unless the config's windowed layers are the file's: a flag for each layer, or all but each nth."""
    layers = range(config.num_hidden_layers)
    wanted = list(map(bool, pattern)) if isinstance(pattern, list) else [(layer + 1) % pattern > 0 for layer in layers]
    has = [kind == "sliding_attention" for kind in getattr(config, "layer_types", None) or []]
    if wanted != has:
        raise ValueError(
            f"the file says {PATTERN}={pattern}, and the config that transformers makes of it has other windowed layers: load the "
            "model from a folder"
        )


def _head_dim(config: PreTrainedConfig) -> int:
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)


def _compare(key: str, value: Any, config: PreTrainedConfig) -> None:
    """Raises ValueError unless an attribute of the config that stands for the key has the value."""
    found = {name: getattr(config, name, None) for name in SAME.get(key, ())}
    if "head_dim" in found:
        found["head_dim"] = _head_dim(config)
    if any(_equal(value, each) for each in found.values()):
        return
    has = (
        ", ".join(f"{name} {each}" for name, each in found.items() if each is not None)
        or "nothing that is known for it"
    )
    raise ValueError(
        f"the file says {key}={value}, which transformers does not read, and its config has {has}: load the model from a folder"
    )


def _equal(value: Any, other: Any) -> bool:
    if isinstance(value, bool | str) or not isinstance(other, int | float):
        return bool(value == other)
    return abs(float(value) - other) <= CLOSE * abs(other) if isinstance(value, int | float) else False
