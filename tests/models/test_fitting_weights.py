"""Weights that are not those of the config are refused: too many or too few layers, parts without a place, other shapes."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.models.hub_cache import pretrained
from tokenrank.models.architectures import tiny_of
from tokenrank.models.fitting_weights import check_weights_fit
from tokenrank.models.tiny import Tiny

Weights = dict[str, Tensor]


def saved(folder: Path, architecture: str, change: Callable[[Weights], object] | None = None, **settings: Any) -> Path:
    """A tiny model in a folder, its weights and config.json changed afterwards."""
    tiny_of(architecture).save_pretrained(folder)
    file, config = folder / "model.safetensors", folder / "config.json"
    if change is not None:
        weights = load_file(file)
        change(weights)
        save_file(weights, file, {"format": "pt"})
    config.write_text(json.dumps(json.loads(config.read_text()) | settings))
    return folder


def test_the_weights_of_a_config_pass(tmp_path: Path) -> None:
    assert pretrained(saved(tmp_path, "llama")).model().config.num_hidden_layers == 3


@pytest.mark.parametrize("settings", [{}, {"device_map": "cpu"}])
@pytest.mark.parametrize(
    ("architecture", "layers", "name"),
    [
        ("llama", "num_hidden_layers", "model.layers.2.input_layernorm.weight"),
        ("gpt2", "n_layer", "h.2.attn.c_attn.weight"),
    ],
)
def test_more_layers_than_the_config_has_are_refused(
    tmp_path: Path, architecture: str, layers: str, name: str, settings: dict[str, Any]
) -> None:
    folder = saved(tmp_path, architecture, None, **{layers: 2})
    said = rf"cannot be loaded: its weights hold \S*{name} and \d+ more tensors, for which its config \(num_hidden_layers 2\)"
    with pytest.raises(ValueError, match=said):
        pretrained(folder, **settings).model()


def test_fewer_layers_than_the_config_has_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot be loaded: it lacks model.layers.3.input_layernorm.weight"):
        pretrained(saved(tmp_path, "llama", num_hidden_layers=4)).model()


@pytest.mark.parametrize(
    "name",
    [
        "model.layers.1.self_attn.q_proj.bias",
        "model.layers.0.self_attn.q_norm.weight",
        "model.layers.0.self_attn.q_proj.lora_A.weight",
        "score.weight",
    ],
)
def test_a_weight_without_a_place_is_refused(tmp_path: Path, name: str) -> None:
    folder = saved(tmp_path, "llama", lambda weights: weights.update({name: torch.ones(4)}))
    with pytest.raises(ValueError, match=rf"its weights hold {name}, for which its config .* has no place"):
        pretrained(folder).model()


def test_a_weight_of_another_shape_is_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path, "llama", intermediate_size=40)
    with pytest.raises(ValueError, match="cannot be loaded: "):
        pretrained(folder).model()
    report = {"missing_keys": set(), "unexpected_keys": set(), "mismatched_keys": {("a.weight", (2, 3), (2, 4))}}
    with pytest.raises(ValueError, match=r"a.weight has the shape \(2, 3\), its config asks for \(2, 4\)"):
        check_weights_fit(report, Tiny().config(), "here")


@pytest.mark.parametrize(
    ("architecture", "names"),
    [
        ("llama", ["model.layers.0.self_attn.rotary_emb.inv_freq", "model.layers.1.self_attn.rotary_emb.inv_freq"]),
        ("gpt2", ["transformer.h.0.attn.bias", "transformer.h.1.attn.masked_bias"]),
        ("opt", ["model.decoder.position_ids"]),
    ],
)
def test_constants_of_older_checkpoints_pass(tmp_path: Path, architecture: str, names: list[str]) -> None:
    folder = saved(tmp_path, architecture, lambda weights: weights.update({name: torch.ones(4) for name in names}))
    found = pretrained(folder).model()
    assert all(map(torch.equal, found.parameters(), tiny_of(architecture).parameters()))


def test_an_output_matrix_that_is_the_embeddings_may_be_left_out(tmp_path: Path) -> None:
    weights = load_file(saved(tmp_path, "llama") / "model.safetensors")
    assert "lm_head.weight" in weights
    folder = saved(tmp_path, "llama", lambda weights: weights.pop("lm_head.weight"), tie_word_embeddings=True)
    model: Any = pretrained(folder).model()
    assert torch.equal(model.lm_head.weight, weights["model.embed_tokens.weight"])


@pytest.mark.parametrize(
    ("name", "part", "settings"),
    [
        ("vision_tower.encoder.layers.0.mlp.fc1.weight", "vision_tower", {}),
        ("multi_modal_projector.linear.weight", "multi_modal_projector", {}),
        ("model.visual.blocks.0.attn.qkv.bias", "visual", {}),
        ("mtp.layers.0.self_attn.q_proj.weight", "mtp", {}),
        ("model.layers.3.self_attn.q_proj.weight", "layer 3", {"num_nextn_predict_layers": 1}),
    ],
)
def test_parts_that_generation_does_not_use_pass_and_are_named_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, part: str, settings: dict[str, Any]
) -> None:
    folder = saved(tmp_path, "llama", lambda weights: weights.update({name: torch.ones(4)}), **settings)
    with caplog.at_level(logging.INFO, "tokenrank"):
        found = pretrained(folder).model()
    assert f"these are not used: {part} (1 tensors)" in caplog.text
    assert all(map(torch.equal, found.parameters(), tiny_of("llama").parameters()))


def test_a_layer_beyond_those_that_predict_several_tokens_is_refused(tmp_path: Path) -> None:
    name = "model.layers.4.self_attn.q_proj.weight"
    folder = saved(tmp_path, "llama", lambda weights: weights.update({name: torch.ones(4)}), num_nextn_predict_layers=1)
    with pytest.raises(ValueError, match=f"its weights hold {name}"):
        pretrained(folder).model()
