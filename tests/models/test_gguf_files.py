"""GGUF files whose metadata transformers drops: the logits of the same weights in a folder with the right config, or a sentence."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel

from tests.models.gguf_writing import SIZES, llama3_factors, random_model, write
from tests.models.hub_cache import pretrained
from tokenrank.capture.reading import read

THETA, DIM = 10000.0, 16
IDS = torch.randint(0, 256, (200,), generator=torch.Generator().manual_seed(3))
LLAMA3 = {"rope_type": "llama3", "rope_theta": THETA, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}  # fmt: skip
YARN = {"rope_type": "yarn", "rope_theta": THETA, "factor": 4.0, "original_max_position_embeddings": 128}
YARN_KEYS = {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 128}
FREQ = "rope_freqs.weight"
BASE = {"rope.freq_base": THETA, "rope.dimension_count": DIM}
SHORT, LONG = torch.linspace(1, 1.5, DIM // 2), torch.linspace(2, 40, DIM // 2)
FACTORS = {"rope_factors_short.weight": SHORT, "rope_factors_long.weight": LONG}
LONGROPE = {
    "rope_type": "longrope", "rope_theta": THETA, "short_factor": SHORT.tolist(), "long_factor": LONG.tolist(),
    "original_max_position_embeddings": 128,
}  # fmt: skip
LONG_KEYS = {"rope.scaling.original_context_length": 128, "rope.scaling.attn_factor": (1 + torch.log(torch.tensor(4.0)) / torch.log(torch.tensor(128.0))).sqrt().item()}  # fmt: skip
GEMMA = {"sliding_window": 64, "query_pre_attn_scalar": 16, "num_hidden_layers": 6}  # each sixth layer has no window
GEMMA_ROPE = {
    "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
    "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
}
GEMMA_KEYS = {
    "rope.freq_base": 1e6,
    "rope.scaling.type": "linear",
    "rope.scaling.factor": 8.0,
    "attention.sliding_window": 64,
}

# what the file holds -> (kind, settings of the right config, keys, tensors)
EXACT: dict[str, tuple[str, dict[str, Any], dict[str, Any], dict[str, Tensor]]] = {
    "nothing": ("llama", {}, {}, {}),
    "type none": ("llama", {}, {"rope.scaling.type": "none", "rope.scaling.finetuned": True}, {}),
    "yarn": ("llama", {"rope_parameters": YARN}, YARN_KEYS, {}),
    "yarn, attention factor one": ("llama", {"rope_parameters": YARN}, YARN_KEYS | {"rope.scaling.attn_factor": 1.0}, {}),
    "yarn, its own ramp": (
        "qwen2",
        {"rope_parameters": {**YARN, "beta_fast": 16.0, "beta_slow": 2.0}},
        {**YARN_KEYS, "rope.scaling.yarn_beta_fast": 16.0, "rope.scaling.yarn_beta_slow": 2.0},
        {},
    ),
    "linear": (
        "llama",
        {"rope_parameters": {"rope_type": "linear", "factor": 3.0, "rope_theta": THETA}},
        {"rope.scaling.type": "linear", "rope.scaling.factor": 3.0},
        {},
    ),
    "linear without a type": (
        "llama",
        {"rope_parameters": {"rope_type": "linear", "factor": 3.0, "rope_theta": THETA}},
        {"rope.scaling.factor": 3.0},
        {},
    ),
    "linear by the old key": (
        "llama",
        {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": THETA}},
        {"rope.scale_linear": 2.0},
        {},
    ),
    "Llama 3.1": (
        "llama",
        {"rope_parameters": LLAMA3 | {"factor": 8.0}},
        {},
        {FREQ: llama3_factors(DIM, THETA, 8.0, 1, 4, 8192)},
    ),
    "Llama 3.2": (
        "llama",
        {"rope_parameters": LLAMA3 | {"factor": 32.0}},
        {},
        {FREQ: llama3_factors(DIM, THETA, 32.0, 1, 4, 8192)},
    ),
    "frequencies of one": ("llama", {}, {}, {FREQ: torch.ones(DIM // 2)}),
    "longrope": (
        "phi3",
        {"rope_parameters": LONGROPE, "original_max_position_embeddings": 128},
        LONG_KEYS,
        FACTORS,
    ),
    "a window": ("phi3", {"sliding_window": 50}, {"attention.sliding_window": 50}, {}),
    "half of each head rotated": ("phi3", {"partial_rotary_factor": 0.5}, {"rope.dimension_count": DIM // 2}, {}),
    "large Gemma 3": ("gemma3_text", {**GEMMA, "rope_parameters": GEMMA_ROPE}, GEMMA_KEYS, {}),
    "windows by layer": (
        "gemma3_text",
        {**GEMMA, "rope_parameters": GEMMA_ROPE},
        {**GEMMA_KEYS, "attention.sliding_window_pattern": [True] * 5 + [False]},
        {},
    ),
    "windows by number, another base": (
        "gemma3_text",
        {**GEMMA, "rope_parameters": {**GEMMA_ROPE, "sliding_attention": {"rope_type": "default", "rope_theta": 500.0}}},
        {**GEMMA_KEYS, "attention.sliding_window_pattern": 6, "rope.freq_base_swa": 500.0},
        {},
    ),
}  # fmt: skip
DROPPED = [name for name, (_, settings, *_) in EXACT.items() if settings]


def written(path: Path, name: str) -> tuple[PreTrainedModel, Path]:
    """The right model, and its file."""
    kind, settings, keys, tensors = EXACT[name]
    model = random_model(kind, **settings)
    write(path / "tiny.gguf", model, BASE | keys, tensors)
    return model, path / "tiny.gguf"


@torch.inference_mode()
def logits(model: Any) -> Tensor:
    found: Tensor = model(input_ids=IDS[None]).logits[0]
    return found


@pytest.mark.parametrize("name", EXACT)
def test_a_file_is_the_folder_of_the_same_weights(tmp_path: Path, name: str) -> None:
    model, path = written(tmp_path, name)
    model.save_pretrained(tmp_path / "folder")
    folder, file = pretrained(tmp_path / "folder"), pretrained(path)
    wanted, found = folder.model(), file.model()
    assert torch.allclose(logits(found), logits(wanted), atol=1e-4)
    assert torch.allclose(logits(found), logits(model), atol=1e-4)
    answers = [read(each, IDS[:110], lambda _: None, max_new_tokens=5).answer_ids.tolist() for each in (wanted, found)]
    assert answers[0] == answers[1]
    assert file.readable_tokens() == folder.readable_tokens()


@pytest.mark.parametrize("name", DROPPED)
def test_transformers_alone_gives_other_logits(tmp_path: Path, name: str) -> None:
    """The control: what was mended is visible at this length."""
    model, path = written(tmp_path, name)
    alone = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
    alone.train(False)
    assert not torch.allclose(logits(alone), logits(model), atol=1e-2)


REFUSED: dict[str, tuple[str, dict[str, Any], dict[str, Tensor], str]] = {
    "unknown type": ("llama", {"rope.scaling.type": "ntk"}, {}, "rope.scaling.type=ntk, must be one of none, linear, yarn"),
    "attention factor": ("llama", YARN_KEYS | {"rope.scaling.attn_factor": 1.5}, {}, "attn_factor=1.5 with scaling of type yarn"),
    "no extrapolation": ("llama", YARN_KEYS | {"rope.scaling.yarn_ext_factor": 0.0}, {}, "yarn_ext_factor=0.0 with scaling"),
    "log multiplier": ("llama", YARN_KEYS | {"rope.scaling.yarn_log_multiplier": 0.5}, {}, "yarn_log_multiplier=0.5"),
    "alpha": ("llama", {"rope.scaling.alpha": 1000.0}, {}, "rope.scaling.alpha=1000.0 with scaling of type linear"),
    "factors of nothing": ("llama", {}, {FREQ: torch.linspace(1, 8, DIM // 2)}, "are not the factors of Llama 3's scaling"),
    "factors of another original": (
        "llama",
        {},
        {FREQ: llama3_factors(DIM, THETA, 8.0, 1, 4, 4096)},
        "are not the factors of Llama 3's scaling .largest 8",
    ),
    "too few factors": ("llama", {}, {FREQ: torch.full((4,), 2.0)}, "are not the factors of Llama 3's scaling"),
    "two scalings": ("llama", YARN_KEYS, {FREQ: torch.linspace(1, 8, DIM // 2)}, "which are not followed together"),
    "half of longrope": ("phi3", LONG_KEYS, {"rope_factors_long.weight": LONG}, "is longrope, and it lacks"),
    "longrope with another type": ("phi3", LONG_KEYS | {"rope.scaling.type": "yarn"}, FACTORS, "type=yarn and has factors of longrope"),
    "longrope without factors": ("phi3", LONG_KEYS | {"rope.scaling.type": "longrope"}, {}, "is longrope, and it lacks"),
    "yarn on Gemma": ("gemma3_text", YARN_KEYS, {}, "scales with type yarn, which a gemma3_text is not followed with"),
    "half of a Llama's heads": ("qwen2", {"rope.dimension_count": DIM // 2}, {}, "rope.dimension_count=8, and a qwen2 rotates the 16"),
    "two bases": ("llama", {"rope.freq_base_swa": 500.0}, {}, "freq_base_swa=500.0, and a llama has one base"),
    "a window": ("qwen2", {"attention.sliding_window": 64}, {}, "sliding_window=64, which transformers does not read"),
    "value heads of another size": ("qwen2", {"attention.value_length_mla": 8}, {}, "value_length_mla=8, .* nothing that is known"),
    "a soft-cap": ("llama", {"attn_logit_softcapping": 30.0}, {}, "attn_logit_softcapping=30.0, .* nothing that is known"),
    "a scale of the logits": ("llama", {"logit_scale": 0.5}, {}, "logit_scale=0.5, which transformers does not read"),
    "experts": ("qwen2", {"expert_count": 4}, {}, "expert_count=4"),
    "windows in other layers": ("gemma3_text", {"attention.sliding_window_pattern": 2}, {}, "sliding_window_pattern=2, and the config"),
    "windows in a model of none": ("llama", {"attention.sliding_window_pattern": 2}, {}, "sliding_window_pattern=2, and the config"),
    "a bias": ("llama", {}, {"blk.0.attn_q.bias": torch.ones(64)}, "the tensor blk.0.attn_q.bias, which LlamaForCausalLM"),
    "sinks": ("llama", {}, {"blk.1.attn_sinks.weight": torch.ones(4)}, "the tensor blk.1.attn_sinks.weight"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_followed_is_refused_in_one_sentence(tmp_path: Path, name: str) -> None:
    kind, keys, tensors, reason = REFUSED[name]
    settings = {**GEMMA, "rope_parameters": GEMMA_ROPE} if kind == "gemma3_text" else {}
    write(tmp_path / "tiny.gguf", random_model(kind, **settings), BASE | keys, tensors)
    with pytest.raises(ValueError, match=reason) as error:
        pretrained(tmp_path / "tiny.gguf").model()
    assert str(error.value).startswith(f"the model '{tmp_path / 'tiny.gguf'}' cannot be loaded: the file")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("layers", "scalar"), [(6, 16), (62, 24)])
def test_queries_of_the_27b_model_are_scaled_by_its_width(tmp_path: Path, layers: int, scalar: int) -> None:
    """As llama.cpp does by the number of layers; Gemma 3 27B has 5376 / 32 = 168, the others the size of a head."""
    model = random_model("gemma3_text", **GEMMA, hidden_size=96)
    model.config.num_hidden_layers = layers  # the file's tensors are not looked at
    write(tmp_path / "tiny.gguf", model, BASE | GEMMA_KEYS)
    assert pretrained(tmp_path / "tiny.gguf").config().query_pre_attn_scalar == scalar


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    model = random_model("llama")
    write(tmp_path / "tiny.gguf", model, BASE)
    assert pretrained(tmp_path / "tiny.gguf").config().rope_parameters["rope_type"] == "default"
    (tmp_path / "tiny.gguf").unlink()
    write(tmp_path / "tiny.gguf", model, BASE | YARN_KEYS)
    config = pretrained(tmp_path / "tiny.gguf").config()
    assert {key: config.rope_parameters[key] for key in YARN} == YARN
    assert pretrained(tmp_path / "tiny.gguf").readable_tokens() == SIZES["max_position_embeddings"] == 4 * 128
