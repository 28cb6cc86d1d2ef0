"""Writes tiny models as GGUF files, with what llama.cpp's converter puts beside the weights."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGUFWriter
from tokenizers import pre_tokenizers
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from transformers.modeling_gguf_pytorch_utils import TensorProcessor, get_gguf_hf_weights_map

SIZES: dict[str, Any] = {
    "vocab_size": 257, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 512, "initializer_range": 0.3,
    "bos_token_id": None, "eos_token_id": 256, "pad_token_id": 256,
}  # fmt: skip
ARCHITECTURES = {"llama": "llama", "qwen2": "qwen2", "phi3": "phi3", "gemma3_text": "gemma3"}


def random_model(kind: str, **settings: Any) -> PreTrainedModel:
    """Random weights; the same for the same sizes, whatever the rotary parameters."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model: PreTrainedModel = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **(SIZES | settings)))  # type: ignore[no-untyped-call]
    model.train(False)
    return model


def write(
    path: Path, model: PreTrainedModel, keys: Mapping[str, Any], tensors: Mapping[str, Tensor] | None = None
) -> None:
    """The weights, the sizes, ``keys`` (float, int, str or bool) under the architecture's name, and more tensors."""
    config = model.config
    architecture = ARCHITECTURES[config.model_type]
    writer = GGUFWriter(path, architecture)
    _sizes(writer, config)
    for key, value in keys.items():
        name = f"{architecture}.{key}"
        add: dict[type, Callable[[str, Any], None]] = {
            bool: writer.add_bool,
            int: writer.add_uint32,
            float: writer.add_float32,
            str: writer.add_string,
            list: writer.add_array,
        }
        add[type(value)](name, value)
    _tokens(writer)
    weights = model.state_dict()
    names = get_gguf_hf_weights_map(model, TensorProcessor(config=config.to_dict()))  # type: ignore[no-untyped-call]
    for theirs, ours in names.items():
        if ours in weights and not (ours == "lm_head.weight" and config.tie_word_embeddings):
            writer.add_tensor(theirs, _as_theirs(architecture, theirs, weights[ours], config))
    for name, tensor in (tensors or {}).items():
        writer.add_tensor(name, tensor.float().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def llama3_factors(dim: int, theta: float, factor: float, low: float, high: float, original: int) -> Tensor:
    """Divisors of the frequencies, (dim / 2,), frequency by frequency as llama.cpp's converter writes them."""
    found = []
    for place in range(0, dim, 2):
        length = 2 * math.pi * theta ** (place / dim)
        if length < original / high:
            found.append(1.0)
        elif length > original / low:
            found.append(factor)
        else:
            smooth = (original / length - low) / (high - low)
            found.append(1 / ((1 - smooth) / factor + smooth))
    return torch.tensor(found)


def _sizes(writer: GGUFWriter, config: Any) -> None:
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)


def _tokens(writer: GGUFWriter) -> None:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([*letters, "<|end|>"])
    writer.add_token_merges([f"{letters[0]} {letters[1]}"])
    writer.add_eos_token_id(256)
    writer.add_pad_token_id(256)


def _as_theirs(architecture: str, name: str, weight: Tensor, config: Any) -> np.ndarray[Any, Any]:
    """llama.cpp interleaves the halves of a Llama's heads, and adds the one of Gemma's norms."""
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    part = name.split(".")[-2]
    if architecture == "llama" and part in heads:
        weight = weight.unflatten(0, (heads[part], 2, -1)).swapaxes(1, 2).flatten(0, 2)  # type: ignore[no-untyped-call]
    if architecture == "gemma3" and part.endswith("norm"):
        weight = weight + 1
    return weight.float().contiguous().numpy()
