"""Tiny: the same seed gives the same weights and disturbs nothing, and its tokenizer reads any text byte by byte."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.models.tiny import END, Tiny

TEXTS = [
    "",
    " ",
    "plain",
    "  two  spaces .  ",
    "größer — 数字 🙂\u2028\r\n\t\0",
    "don't n't ,. !",
    "\u0301\ufeff\U0010ffff",
]


def weights(model: PreTrainedModel) -> torch.Tensor:
    return torch.cat([each.detach().cpu().flatten() for each in model.parameters()])


def any_text(letters: int) -> str:
    """Letters from all over Unicode; half of a surrogate pair is no letter."""
    drawn = torch.randint(1, 0x10FFFF, (2 * letters,), generator=torch.Generator().manual_seed(0)).tolist()
    return "".join(chr(code) for code in drawn if not 0xD800 <= code <= 0xDFFF)[:letters]


def test_the_same_seed_gives_the_same_weights() -> None:
    first, again, other = (weights(Tiny(name="tiny", seed=seed).model()) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


def test_the_random_state_outside_is_left_as_it_was() -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    weights(Tiny(name="tiny").model())
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(1)
    assert not torch.equal(torch.get_rng_state(), before)


def test_the_state_outside_does_not_reach_the_weights(tiny_model: PreTrainedModel) -> None:
    torch.manual_seed(8)
    assert torch.equal(weights(Tiny(name="tiny").model()), weights(tiny_model))


def test_the_fields_are_the_models_shape() -> None:
    model = Tiny(name="tiny", layers=3, heads=6, kv_heads=3).model()
    config = model.config
    assert (config.num_hidden_layers, config.num_attention_heads, config.num_key_value_heads) == (3, 6, 3)
    assert not model.training
    assert str(model.device) == "cpu" or torch.cuda.is_available() or torch.backends.mps.is_available()


def test_it_reads_as_many_tokens_as_the_default_model(tiny_model: PreTrainedModel) -> None:
    assert Tiny(name="tiny").readable_tokens() == tiny_model.config.max_position_embeddings == 8192


@pytest.mark.parametrize("text", [*TEXTS, any_text(500)])
def test_any_text_comes_back_from_its_bytes(byte_tokenizer: Tokenizer, text: str) -> None:
    ids = list(byte_tokenizer(text)["input_ids"])
    assert len(ids) == len(text.encode())
    assert all(0 <= each < 256 for each in ids)
    assert byte_tokenizer.decode(ids) == text
    assert byte_tokenizer.decode(ids, skip_special_tokens=True) == text


def test_every_byte_has_its_own_token(byte_tokenizer: Tokenizer) -> None:
    codes = [*range(0x800), *range(0x800, 0x110000, 61)]
    every_byte = "".join(chr(code) for code in codes if not 0xD800 <= code <= 0xDFFF)
    pairs = set(zip(every_byte.encode(), byte_tokenizer(every_byte)["input_ids"], strict=True))
    of_bytes, of_tokens = zip(*pairs, strict=True)
    assert len(pairs) == len(set(of_bytes)) == len(set(of_tokens)) == 256 - 13  # UTF-8 never uses 13 of them


def test_one_token_ends_the_text(byte_tokenizer: Tokenizer, tiny_model: PreTrainedModel) -> None:
    assert list(byte_tokenizer(f"a{END}")["input_ids"])[1:] == [256]
    assert byte_tokenizer.eos_token_id == tiny_model.config.eos_token_id == 256
    assert byte_tokenizer.decode([*byte_tokenizer("a")["input_ids"], 256], skip_special_tokens=True) == "a"


def test_with_a_path_it_is_the_model_that_lies_there(tmp_path: Path) -> None:
    other = Tiny(name="other", layers=2, seed=5)
    other.model().save_pretrained(tmp_path)
    other.tokenizer().save_pretrained(tmp_path)
    loaded = Tiny(name="tiny", path=str(tmp_path), device="cpu")
    assert torch.equal(weights(loaded.model()), weights(other.model()))
    assert loaded.tokenizer()("größer")["input_ids"] == other.tokenizer()("größer")["input_ids"]
    assert loaded.readable_tokens() == 8192


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_the_dtype_is_obeyed(tiny_model: PreTrainedModel, dtype: str) -> None:
    model = Tiny(dtype=dtype, device="cpu").model()
    wanted = getattr(torch, dtype)
    assert {each.dtype for each in model.parameters()} == {wanted}
    assert torch.equal(weights(model), weights(tiny_model).to(wanted))
    with torch.no_grad():
        logits = model(torch.tensor([[1, 2, 3]])).logits
    assert logits.dtype == wanted
    assert logits.isfinite().all()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"layers": 0}, "model.layers is 0, must be at least 1"),
        ({"heads": 0}, "model.heads is 0, must be at least 1"),
        ({"kv_heads": -1}, "model.kv_heads is -1, must be at least 1"),
        ({"kv_heads": 3}, "model.kv_heads is 3, must divide model.heads=4"),
        ({"seed": -1}, "model.seed is -1, must be at least 0"),
        ({"seed": 2**63}, "must be at least 0 and below"),
        ({"dtype": "float64"}, "model.dtype is 'float64'"),
        ({"device_map": "auto"}, "model.device_map is 'auto', must be null unless model.path"),
        ({"revision": "main"}, "model.revision is 'main', must be null unless model.path"),
    ],
)
def test_bad_settings_are_refused(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Tiny(**given)


def test_skeleton_and_identity_need_no_weights(tiny_model: PreTrainedModel, tmp_path: Path) -> None:
    skeleton = Tiny().skeleton()
    assert [each.shape for each in skeleton.parameters()] == [each.shape for each in tiny_model.parameters()]
    assert {str(each.device) for each in skeleton.parameters()} == {"meta"}
    assert skeleton.config._attn_implementation == Tiny().model().config._attn_implementation == "sdpa"
    assert not skeleton.training
    wanted = {"source": "tiny", "seed": 3, "layers": 4, "heads": 4, "kv_heads": 2, "dtype": "float32"}
    assert Tiny(seed=3, name="any", device="cpu").identity() == wanted
    Tiny(layers=2).model().save_pretrained(tmp_path)
    assert Tiny(path=str(tmp_path)).identity()["source"] == "files"
    assert Tiny(path=str(tmp_path)).skeleton().config.num_hidden_layers == 2
