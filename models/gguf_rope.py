"""Rotary scaling that a GGUF file states in its metadata and tensors, as parameters of transformers, which reads neither."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

PREFIX = "rope.scaling."
FREQUENCIES, LONG, SHORT = "rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"
ROPE_TENSORS = (FREQUENCIES, LONG, SHORT)
KNOWN = {  # rope type -> its keys under rope.scaling
    "none": set(),
    "linear": {"factor", "original_context_length"},
    "yarn": {"factor", "original_context_length", "yarn_beta_fast", "yarn_beta_slow"},
    "longrope": {"factor", "original_context_length", "attn_factor"},
}
WITHOUT_EFFECT = {"attn_factor": 1.0, "yarn_ext_factor": 1.0, "yarn_attn_factor": 1.0, "yarn_log_multiplier": 0.0}
LLAMA3 = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}  # of all Llama-3.x
PRECISION = 1e-6  # relative; the factors are float32


def scaling(keys: Mapping[str, Any], tensors: Mapping[str, Tensor], config: PreTrainedConfig) -> dict[str, Any]:
    """The rotary scaling of a file; empty where it has none.

    Args:
        keys: the file's metadata, without the architecture's name in front.
        tensors: those of ROPE_TENSORS that the file has.
        config: that transformers made of the file, for the unscaled frequencies.

    Returns:
        Rotary parameters of transformers, without rope_theta.

    Raises:
        ValueError: the file asks for scaling that they cannot express.
    """
    given = {key.removeprefix(PREFIX): value for key, value in keys.items() if key.startswith(PREFIX)}
    kind, factor = _kind(given, keys, tensors)
    for key, value in given.items():
        if key not in {"type", "finetuned"} | KNOWN[kind] and value != WITHOUT_EFFECT.get(key):
            raise ValueError(f"the file says {PREFIX}{key}={value} with scaling of type {kind}, which is not followed")
    original = {
        "original_max_position_embeddings": given.get("original_context_length", config.max_position_embeddings)
    }
    if kind == "longrope":
        return _longrope(given, tensors) | original
    if kind == "none" or factor == 1:
        return _llama3(tensors[FREQUENCIES], config) if FREQUENCIES in tensors else {}
    if FREQUENCIES in tensors and not _all_ones(tensors[FREQUENCIES]):
        raise ValueError(f"the file has {FREQUENCIES} and scaling of type {kind}, which are not followed together")
    if kind == "linear":
        return {"rope_type": "linear", "factor": factor}
    beta = {name: given[f"yarn_{name}"] for name in ("beta_fast", "beta_slow") if f"yarn_{name}" in given}
    return {"rope_type": "yarn", "factor": factor} | original | beta


def _kind(given: Mapping[str, Any], keys: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> tuple[str, float]:
    """Type and factor, by the rules of llama.cpp: without a type, a factor is that of linear scaling."""
    factor = float(given.get("factor", keys.get("rope.scale_linear", 1.0))) or 1.0
    kind = "longrope" if LONG in tensors or SHORT in tensors else given.get("type", "linear")
    if kind not in KNOWN:
        raise ValueError(f"the file says {PREFIX}type={kind}, must be one of {', '.join(KNOWN)}")
    if given.get("type", kind) not in (kind, "none"):
        raise ValueError(f"the file says {PREFIX}type={given['type']} and has factors of longrope")
    return kind, factor


def _longrope(given: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    if not (LONG in tensors and SHORT in tensors and "original_context_length" in given):
        raise ValueError(
            f"the file's scaling is longrope, and it lacks {LONG}, {SHORT} or {PREFIX}original_context_length"
        )
    factors = {"short_factor": tensors[SHORT].tolist(), "long_factor": tensors[LONG].tolist()}
    return {"rope_type": "longrope", **factors, "attention_factor": float(given.get("attn_factor", 1.0))}


def _all_ones(factors: Tensor) -> bool:
    return bool((factors == 1).all())


def _llama3(factors: Tensor, config: PreTrainedConfig) -> dict[str, Any]:
    """Llama 3's scaling whose divisors of the frequencies these are; raises ValueError if they are those of none."""
    if _all_ones(factors):
        return {}
    parameters = {"rope_type": "llama3", "factor": round(float(factors.max()), 4), **LLAMA3}
    theta = dict(config.rope_parameters or {})
    if "rope_theta" in theta:
        probe = type(config)(
            **config.to_dict() | {"rope_parameters": {"rope_theta": theta["rope_theta"], **parameters}}
        )
        frequencies, _ = ROPE_INIT_FUNCTIONS["llama3"](probe, torch.device("cpu"))
        plain = theta["rope_theta"] ** -(torch.arange(len(factors), dtype=torch.float64) / len(factors))
        if len(frequencies) == len(factors) and torch.allclose(
            frequencies.double(), plain / factors.double(), rtol=PRECISION, atol=0
        ):
            return parameters
    raise ValueError(
        f"the file's {FREQUENCIES} are not the factors of Llama 3's scaling (largest {float(factors.max()):g}, original length "
        f"{LLAMA3['original_max_position_embeddings']}), and others are not followed"
    )
