"""The adapter to kvpress: a stand-in package everywhere; the real one where it is installed (docs/kvpress.md)."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from tests.slow import random_layer
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.needs import Needs
from tokenrank.capture.reading import read
from tokenrank.heuristics.keynorm import KeyNorm
from tokenrank.heuristics.kvpress import REFUSED, KVPress

PROMPT = torch.tensor([(7 * i * i + 3) % 256 for i in range(80)])
INSTALLED = importlib.util.find_spec("kvpress") is not None


def ranked(model: PreTrainedModel, tokenizer: Tokenizer, method: KVPress) -> list[tuple[AttentionLayer, Tensor]]:
    """Every layer with the method's scores."""
    method.check(tokenizer, "generated")
    method.attach(model)
    pairs: list[tuple[AttentionLayer, Tensor]] = []
    read(model, PROMPT, lambda layer: pairs.append((layer, method.score(layer))), max_new_tokens=2, needs=method.needs)
    return pairs


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of that name with one scorer, which checks the contract, and a module with somebody else's."""

    class ScorerPress:
        def post_init_from_model(self, model: PreTrainedModel) -> None:
            self.heads = model.config.num_key_value_heads

    class NormPress(ScorerPress):
        def __init__(self, power: float = 1.0) -> None:
            self.power = power

        def score(
            self, module: Any, hidden: Tensor, keys: Tensor, values: Tensor, attentions: None, kwargs: Any
        ) -> Tensor:
            assert attentions is None
            assert keys.shape == values.shape == (1, self.heads, *keys.shape[2:])
            assert hidden.shape == (1, keys.shape[2], module.q_proj.in_features)
            assert kwargs["position_embeddings"][0].shape == (1, *keys.shape[2:])
            assert module.rotary_emb is not None
            norms: Tensor = torch.linalg.vector_norm(keys, dim=-1)
            return -(norms**self.power)

    package = ModuleType("kvpress")
    vars(package).update(ScorerPress=ScorerPress, NormPress=NormPress)
    monkeypatch.setitem(sys.modules, "kvpress", package)

    class LastPress(ScorerPress):
        def score(self, module: Any, hidden: Tensor, keys: Tensor, *_: Any) -> Tensor:
            return torch.arange(keys.shape[2], dtype=torch.float32).expand(1, self.heads, -1)

    outside = ModuleType("outside_presses")
    vars(outside).update(LastPress=LastPress, NoPress=dict, number=5)
    monkeypatch.setitem(sys.modules, "outside_presses", outside)


@pytest.mark.usefixtures("stand_in")
def test_the_score_of_a_press_is_averaged_over_key_heads(
    tiny_model: PreTrainedModel, byte_tokenizer: Tokenizer
) -> None:
    pairs = ranked(tiny_model, byte_tokenizer, KVPress(press="NormPress"))
    assert len(pairs) == tiny_model.config.num_hidden_layers
    for layer, scores in pairs:
        torch.testing.assert_close(scores, KeyNorm().score(layer))


@pytest.mark.usefixtures("stand_in")
def test_options_reach_the_press(tiny_model: PreTrainedModel, byte_tokenizer: Tokenizer) -> None:
    pairs = ranked(tiny_model, byte_tokenizer, KVPress(press="NormPress", options={"power": 2.0}))
    for layer, scores in pairs:
        torch.testing.assert_close(scores, -(layer.keys.norm(dim=-1) ** 2).mean(dim=0))


@pytest.mark.usefixtures("stand_in")
def test_a_press_from_outside_is_named_by_its_path(tiny_model: PreTrainedModel, byte_tokenizer: Tokenizer) -> None:
    for _, scores in ranked(tiny_model, byte_tokenizer, KVPress(press="outside_presses.LastPress")):
        assert scores.tolist() == list(range(len(PROMPT)))
    for layer, scores in ranked(tiny_model, byte_tokenizer, KVPress(press="kvpress.NormPress")):
        torch.testing.assert_close(scores, KeyNorm().score(layer))


def test_the_version_of_the_package_and_a_press_from_outside_decide_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stand_in: None
) -> None:
    source = "import kvpress\n\nclass MyPress(kvpress.ScorerPress):\n    factor = 1\n"
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("tokenrank.heuristics.kvpress.version", lambda _: "0.5.5")
    found = []
    for factor in (1, 1, 2):
        (tmp_path / "own_presses.py").write_text(source.replace("1", str(factor)))
        found.append(KVPress(press="own_presses.MyPress").identity())
    assert found[0] == found[1]
    assert found[0]["kvpress"] == found[2]["kvpress"] == "0.5.5"
    assert found[0]["press_sha256"] != found[2]["press_sha256"]
    assert (
        KVPress(press="NormPress").identity() == KVPress(press="kvpress.NormPress").identity() == {"kvpress": "0.5.5"}
    )


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize(
    ("press", "sentence"),
    [
        ("outside_presses.NoPress", r"must be a subclass of kvpress\.ScorerPress"),
        ("outside_presses.number", r"must be a subclass of kvpress\.ScorerPress"),
        ("outside_presses.Missing", "which cannot be imported: .*Missing"),
        ("no_such_package.MyPress", "which cannot be imported: No module named 'no_such_package'"),
        (".MyPress", "which cannot be imported"),
    ],
)
def test_what_is_wrong_with_a_path_is_said(byte_tokenizer: Tokenizer, press: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"press is '{press}', {sentence}"):
        KVPress(press=press).check(byte_tokenizer, "generated")


@pytest.mark.usefixtures("stand_in")
def test_what_is_wrong_with_a_press_is_said(byte_tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match=r"press is 'NormPres'; did you mean NormPress\? kvpress has NormPress"):
        KVPress(press="NormPres").check(byte_tokenizer, "generated")
    with pytest.raises(ValueError, match=r"press NormPress refuses options=.*colour"):
        KVPress(press="NormPress", options={"colour": 1}).check(byte_tokenizer, "generated")
    with pytest.raises(ValueError, match="captured without its module's call"):
        KVPress(press="NormPress").score(random_layer())


def test_a_press_needs_the_call_of_the_models_module() -> None:
    assert KVPress(press="SnapKVPress").needs == Needs(call=True)


def test_no_press_and_presses_that_need_more_are_refused() -> None:
    with pytest.raises(ValueError, match="press is null, must name a scorer"):
        KVPress()
    for press, need in REFUSED.items():
        for path in (press, f"kvpress.{press}"):
            with pytest.raises(ValueError, match=f"press is '{path}', which needs {need}"):
                KVPress(press=path)


@pytest.mark.skipif(INSTALLED, reason="kvpress is installed here")
def test_without_the_package_the_error_says_where_to_read(byte_tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match=r"kvpress cannot be imported .*docs/kvpress\.md"):
        KVPress(press="SnapKVPress").check(byte_tokenizer, "generated")


REAL = [
    "KnormPress",
    "KeyDiffPress",
    "TOVAPress",
    "SnapKVPress",
    "PyramidKVPress",
    "ExpectedAttentionPress",
    "LagKVPress",
]


@pytest.mark.skipif(not INSTALLED, reason="kvpress is not installed (docs/kvpress.md says how)")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("press", REAL)
def test_a_real_press_scores_as_kvpress_itself_does(press: str, byte_tokenizer: Tokenizer) -> None:
    """The other way to its scores: a forward hook as kvpress sets it, the keys out of the cache."""
    import kvpress

    from tokenrank.models.tiny import Tiny

    model = Tiny(layers=2, seed=3).model()  # not the shared one: importing kvpress wraps what models call
    wanted: dict[int, Tensor] = {}
    own = getattr(kvpress, press)()
    own.post_init_from_model(model)

    def hook(module: Any, _inputs: Any, named: dict[str, Any], _output: Any) -> None:
        layer = named["past_key_values"].layers[module.layer_idx]
        module.rotary_emb = model.model.rotary_emb
        wanted[module.layer_idx] = own.score(module, named["hidden_states"], layer.keys, layer.values, None, named)

    handles = [layer.self_attn.register_forward_hook(hook, with_kwargs=True) for layer in model.model.layers]
    with torch.inference_mode():
        model(PROMPT[None], use_cache=True)
    for handle in handles:
        handle.remove()
    for layer, scores in ranked(model, byte_tokenizer, KVPress(press=press)):
        assert scores.isfinite().all()
        torch.testing.assert_close(scores, wanted[layer.index][0].float().mean(dim=0), rtol=1e-5, atol=1e-6)
