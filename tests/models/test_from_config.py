"""Models made from a config alone."""

import pytest
import torch
from transformers import LlamaConfig

from tokenrank.models.from_config import built

SMALL = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2, "vocab_size": 8}


def config(layers: int = 2) -> LlamaConfig:
    return LlamaConfig(num_hidden_layers=layers, **SMALL)  # type: ignore[arg-type]


def test_a_skeleton_has_the_shapes_of_the_model_and_no_numbers() -> None:
    skeleton, model = built(config(), "meta", "float32", "it"), built(config(), "cpu", "float32", "it")
    assert {each.device.type for each in skeleton.parameters()} == {"meta"}
    assert [each.shape for each in skeleton.parameters()] == [each.shape for each in model.parameters()]
    assert not skeleton.training


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_weights_have_the_dtype_asked_for(dtype: str) -> None:
    assert next(built(config(), "meta", dtype, "it").parameters()).dtype == getattr(torch, dtype)


def test_a_model_without_layers_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"model\.shape cannot be built: num_hidden_layers is 0, must be at least 1"):
        built(config(layers=0), "meta", "float32", "model.shape")
