"""What a model reads, by hand for configs as they are published; tables of positions are a bound, other lengths can be set."""

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoConfig, PreTrainedConfig

from tests.models.hub_cache import pretrained
from tokenrank.models.architectures import ARCHITECTURES, tiny_of
from tokenrank.models.lengths import NO_LIMIT, check_table, readable_tokens
from tokenrank.models.pretrained import Pretrained
from tokenrank.models.smollm2 import SmolLM2
from tokenrank.models.tiny import Tiny

FACTORS = {"short_factor": [1.0] * 48, "long_factor": [2.0] * 48}
# what is published -> (model type, settings, the length that its makers state)
PUBLISHED: dict[str, tuple[str, dict[str, Any], int]] = {
    "Llama-2": ("llama", {"max_position_embeddings": 4096}, 4096),
    "Vicuna-1.5-16k (linear)": (
        "llama",
        {"max_position_embeddings": 4096, "rope_scaling": {"type": "linear", "factor": 4.0}},
        16384,
    ),
    "dynamic": ("llama", {"max_position_embeddings": 4096, "rope_scaling": {"type": "dynamic", "factor": 2.5}}, 10240),
    "Qwen2.5 (yarn)": (
        "qwen2",
        {
            "max_position_embeddings": 32768,
            "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768},
        },
        131072,
    ),
    "Qwen3 (yarn)": (
        "qwen3",
        {
            "max_position_embeddings": 40960,
            "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768},
        },
        131072,
    ),
    "yarn without an original": (
        "qwen2",
        {"max_position_embeddings": 1000, "rope_scaling": {"type": "yarn", "factor": 2.0}},
        2000,
    ),
    "DeepSeek-V3 (yarn)": (
        "deepseek_v3",
        {
            "max_position_embeddings": 163840,
            "rope_scaling": {"type": "yarn", "factor": 40, "original_max_position_embeddings": 4096},
        },
        163840,
    ),
    "Llama-3.1 (llama3)": (
        "llama",
        {
            "max_position_embeddings": 131072,
            "rope_scaling": {
                "rope_type": "llama3",
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 8192,
            },
        },
        131072,
    ),
    "Phi-3-mini-128k (longrope)": (
        "phi3",
        {
            "max_position_embeddings": 131072,
            "original_max_position_embeddings": 4096,
            "rope_scaling": {"type": "longrope", **FACTORS},
        },
        131072,
    ),
    "Gemma-3-4B (linear, full layers only)": (
        "gemma3_text",
        {
            "max_position_embeddings": 131072,
            "rope_parameters": {
                "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
                "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
            },
        },
        131072,
    ),
    "a factor of one": (
        "llama",
        {"max_position_embeddings": 4096, "rope_scaling": {"type": "linear", "factor": 1.0}},
        4096,
    ),
    "GPT-2": ("gpt2", {}, 1024),
    "GPT-2 with another length": ("gpt2", {"n_positions": 77}, 77),
    "OPT": ("opt", {}, 2048),
    "MPT": ("mpt", {"max_seq_len": 8192}, 8192),
    "BLOOM": ("bloom", {}, NO_LIMIT),
    "Mamba": ("mamba", {}, NO_LIMIT),
    "Mamba-2": ("mamba2", {}, NO_LIMIT),
    "RecurrentGemma": ("recurrent_gemma", {}, NO_LIMIT),
}
TABLES = ("gpt2", "gpt2 (scaled by layer)", "gpt_bigcode", "opt")


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_length_is_the_one_that_its_makers_state(name: str, tmp_path: Path) -> None:
    kind, settings, length = PUBLISHED[name]
    AutoConfig.for_model(kind, **settings).save_pretrained(tmp_path)
    assert readable_tokens(AutoConfig.from_pretrained(tmp_path), "it") == length
    assert pretrained(tmp_path).readable_tokens() == length


@pytest.mark.parametrize("value", [None, 0, -1, True, "many", 8.5])
def test_a_config_that_says_nothing_asks_for_the_setting(value: Any) -> None:
    config = PreTrainedConfig()
    config.max_position_embeddings = value
    reason = rf"the config of it does not say .* \(max_position_embeddings is {value!r}\): set model\.max_tokens"
    with pytest.raises(ValueError, match=reason):
        readable_tokens(config, "it")


def test_the_setting_says_less_or_more(tmp_path: Path) -> None:
    tiny_of("llama").config.save_pretrained(tmp_path)
    assert pretrained(tmp_path).readable_tokens() == 128
    for tokens in (1, 100, 128, 4096):
        assert pretrained(tmp_path, max_tokens=tokens).readable_tokens() == tokens
    AutoConfig.for_model("vit").save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"set model\.max_tokens"):
        pretrained(tmp_path).readable_tokens()


@pytest.mark.parametrize("source", [Pretrained, Tiny, SmolLM2])
@pytest.mark.parametrize("tokens", [0, -5, True, 1.5])
def test_a_setting_below_one_token_is_refused(source: Any, tokens: Any) -> None:
    with pytest.raises(ValueError, match=rf"model\.max_tokens is {tokens!r}, must be null or at least 1 token"):
        source(path="", max_tokens=tokens)
    assert Tiny(max_tokens=9000).readable_tokens() == 9000


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_table_of_positions_is_a_bound_and_rotary_positions_are_none(architecture: str) -> None:
    model = tiny_of(architecture)
    check_table(model, 128)
    if architecture not in TABLES:
        check_table(model, 129)
        return
    with pytest.raises(ValueError, match=r"model\.max_tokens is 129, must be at most 128: \w+ has a table of so many"):
        check_table(model, 129)


def test_a_source_with_a_table_refuses_a_longer_setting(tmp_path: Path) -> None:
    tiny_of("opt").config.save_pretrained(tmp_path)
    assert pretrained(tmp_path, max_tokens=128).readable_tokens() == 128
    with pytest.raises(ValueError, match=r"max_tokens is 200, must be at most 128: OPTForCausalLM .*embed_positions"):
        pretrained(tmp_path, max_tokens=200).readable_tokens()


@pytest.mark.parametrize("kind", ["ctrl", "gpt_bigcode", "biogpt"])
def test_tables_of_other_names_and_kinds_are_seen(kind: str, tmp_path: Path) -> None:
    sizes = {"n_embd": 32, "n_layer": 1, "n_head": 4, "n_inner": 48, "dff": 48, "vocab_size": 64}
    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 48}
    AutoConfig.for_model(kind, **sizes, **(small if kind == "biogpt" else {})).save_pretrained(tmp_path)
    most = pretrained(tmp_path).readable_tokens()
    assert pretrained(tmp_path, max_tokens=most).readable_tokens() == most
    with pytest.raises(ValueError, match=f"must be at most {most}"):
        pretrained(tmp_path, max_tokens=most + 1).readable_tokens()
