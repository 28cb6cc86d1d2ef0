"""Variants of a tiny config that change what attention sees: encoders, shared keys, scaled positions."""

from typing import Any

from transformers import PreTrainedConfig, PreTrainedModel

from tests.sweep.overrides import EVERY_OTHER
from tests.sweep.readings import ANSWER, PROMPT

Fields = dict[str, Any]
BELOW, BETWEEN = (
    PROMPT * 3 // 5,
    PROMPT + ANSWER // 2,
)  # original lengths, in tokens: passed by the prompt, by the answer
ROPE: dict[str, tuple[Fields, int]] = {  # name -> rope parameters, original length
    "linear": ({"rope_type": "linear", "factor": 4.0}, 512),
    "yarn": ({"rope_type": "yarn", "factor": 4.0}, BELOW),
    "llama3": ({"rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}, BELOW),
    "dynamic": ({"rope_type": "dynamic", "factor": 4.0}, BELOW),
    "dynamic, passed in the answer": ({"rope_type": "dynamic", "factor": 4.0}, BETWEEN),
    "longrope": ({"rope_type": "longrope", "factor": 4.0}, BELOW),
    "longrope, passed in the answer": ({"rope_type": "longrope", "factor": 4.0}, BETWEEN),
}
ACTING = (  # settings that hide tokens
    *("sliding_window", "attention_window_size", "window_size", "local_attention", "sliding_window_size"),
    *("attention_chunk_size", "local_attention_window_len", "index_topk", "keep_window_size"),
    *("indexer_budget", "index_topk_blocks"),
)


def layer_variants(config: PreTrainedConfig) -> dict[str, Fields]:
    """Name -> settings of the text config, of the variants that its fields allow, other than scaled positions."""
    text, found = config.get_text_config(decoder=True), dict[str, Fields]()
    if hasattr(text, "is_decoder") and not type(text)().is_decoder:
        found["is_decoder=False"] = {"is_decoder": False}
    if hasattr(text, "use_bidirectional_attention"):
        value = "all" if text.model_type.startswith("gemma4") else True
        found[f"use_bidirectional_attention={value}"] = {"use_bidirectional_attention": value}
    if hasattr(text, "num_kv_shared_layers"):
        found["num_kv_shared_layers=2"] = {"num_kv_shared_layers": 2, **EVERY_OTHER}
    return found


def rope_variants(model: PreTrainedModel) -> dict[str, Fields]:
    """Name -> settings of the text config with scaled positions, where a tiny model has rotary positions."""
    text = model.config.get_text_config(decoder=True)
    own = getattr(text, "rope_parameters", None)
    pairs = {
        name.rpartition(".")[2].removesuffix("inv_freq").rstrip("_"): len(buffer)
        for name, buffer in model.named_buffers()
        if name.endswith("inv_freq") and buffer.dim() == 1
    }
    if not own or not pairs:
        return {}
    found = dict[str, Fields]()
    for name, (scaling, length) in ROPE.items():
        scaled = scaling if name == "linear" else scaling | {"original_max_position_embeddings": length}
        found[name] = {"rope_parameters": _scaled(own, scaled, pairs)}
        if text.model_type == "phimoe" and scaling["rope_type"] == "longrope":
            found[name]["rope_parameters"] |= {"short_mscale": 1.0, "long_mscale": 1.2}
        if scaling["rope_type"] == "dynamic":  # goes by this
            found[name]["max_position_embeddings"] = length
        if hasattr(text, "original_max_position_embeddings"):  # phi3 goes by this in generate()
            found[name]["original_max_position_embeddings"] = length
    return found


def _scaled(own: Fields, scaling: Fields, pairs: dict[str, int], kind: str = "") -> Fields:
    """Rope parameters with a scaling; ``pairs``: layer type, or nothing -> pairs of numbers of a head that are rotated."""
    if any(isinstance(value, dict) for value in own.values()):  # one set for each type of layer
        return {name: value and _scaled(value, scaling, pairs, name) for name, value in own.items()}
    rotated = pairs.get(kind, next(iter(pairs.values())))
    factors = {"short_factor": [1.0] * rotated, "long_factor": [float(3 + place) for place in range(rotated)]}
    return {**own, **scaling, **(factors if scaling["rope_type"] == "longrope" else {})}
