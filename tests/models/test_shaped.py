"""A true shape with random weights: Llama-3.1-8B's own size, nothing fetched, the same numbers each time."""

from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from transformers import AutoConfig, AutoModelForCausalLM

from tokenrank.models.shaped import Shaped

LLAMA3: Any = OmegaConf.to_container(OmegaConf.load(Path(__file__).parents[2] / "configs" / "model" / "llama3.yaml"))
SMALL = {
    "model_type": "llama", "vocab_size": 300, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 999,
}  # fmt: skip


def test_llama3s_shape_has_the_real_models_parameters() -> None:
    shape = dict(LLAMA3["shape"])
    config = AutoConfig.for_model(shape.pop("model_type"), **shape)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    assert sum(each.numel() for each in model.parameters()) == 8_030_261_248  # as the hub counts them
    assert config.head_dim == 128
    assert config.rope_parameters["rope_type"] == "llama3"


def test_random_weights_have_the_shape_and_the_dtype_and_come_out_the_same() -> None:
    source = Shaped(path="some/Model-8B", weights="random", shape=SMALL, dtype="bfloat16", device="cpu")
    before = torch.random.get_rng_state()
    first, second = source.model(), source.model()
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert first.dtype == torch.bfloat16
    assert first.config.num_hidden_layers == 2
    assert not first.training
    assert source.readable_tokens() == 999
    assert source.label == "Model-8B (random weights)"
    assert source.tokenizer().decode(source.tokenizer()("é")["input_ids"]) == "é"


def test_without_random_weights_it_is_the_model_at_the_path(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such file or folder"):
        Shaped(path=str(tmp_path / "none"), shape=SMALL).model()
    assert Shaped(path="some/Model-8B", shape=SMALL).label == "Model-8B"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"weights": "none"}, "model.weights is 'none', must be one of pretrained, random"),
        ({"weights": "random"}, "model.weights=random needs model.shape"),
        ({"weights": "random", "shape": {"hidden_size": 8}}, "model.weights=random needs model.shape"),
        ({"weights": "random", "shape": SMALL, "device_map": "auto"}, "model.device_map is 'auto', must be null"),
        ({"weights": "random", "shape": SMALL, "revision": "main"}, "model.revision is 'main', must be null"),
    ],
)
def test_bad_settings_are_refused(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Shaped(path="a/b", **given)


@pytest.mark.parametrize(
    "wrong",
    [
        {"model_type": "no such"},
        {"num_attention_heads": 0},
        {"hidden_size": "wide"},
        {"num_hidden_layers": -1},
        {"vocab_size": -5},
        {"model_type": "vit"},
        {"model_type": 7},
        {"rope_parameters": {"rope_type": "no such"}},
    ],
)
def test_a_shape_that_is_no_models_is_one_sentence(wrong: dict[str, Any]) -> None:
    source = Shaped(path="a/b", weights="random", shape=SMALL | wrong, device="cpu")
    for load in ("model", "skeleton"):
        with pytest.raises(ValueError, match=r"^model\.shape[^\n]*$"):
            getattr(source, load)()


def test_skeleton_and_identity_need_no_weights(tmp_path: Path) -> None:
    source = Shaped(path="a/b", weights="random", shape=SMALL, dtype="bfloat16")
    skeleton = source.skeleton()
    assert [each.shape for each in skeleton.parameters()] == [each.shape for each in source.model().parameters()]
    assert {str(each.device) for each in skeleton.parameters()} == {"meta"}
    assert (skeleton.dtype, skeleton.training, skeleton.config._attn_implementation) == (torch.bfloat16, False, "sdpa")
    assert source.identity() == {"source": "random", "shape": SMALL, "dtype": "bfloat16"}
    source.model().save_pretrained(tmp_path)
    assert Shaped(path=str(tmp_path), shape=SMALL).identity()["source"] == "files"
    assert Shaped(path=str(tmp_path)).skeleton().config.num_hidden_layers == 2


def test_the_config_asks_for_no_attention_of_its_own() -> None:
    source = Shaped(path="a/b", weights="random", shape=SMALL | {"attn_implementation": "flex_attention"}, device="cpu")
    assert source.model().config._attn_implementation == source.skeleton().config._attn_implementation == "sdpa"
