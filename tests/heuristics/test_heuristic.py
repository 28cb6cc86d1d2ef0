"""The contract: what every heuristic under configs/heuristic must do, whatever it computes."""

from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from tests import slow
from tests.slow import random_layer
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.model_layers import ModelLayers
from tokenrank.capture.needs import Needs
from tokenrank.heuristics.asl import ASL
from tokenrank.heuristics.claa import CLAA
from tokenrank.heuristics.fastkv import FastKV
from tokenrank.heuristics.gemfilter import GemFilter
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.heuristics.snapkv import SnapKV
from tokenrank.heuristics.speculative import Speculative
from tokenrank.heuristics.tova import TOVA
from tokenrank.models.tiny import Tiny

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "heuristic").glob("*.yaml"))
ELSEWHERE = (
    "kvpress",
    "oracle",
)  # kvpress needs a package (test_kvpress.py), the oracle is no heuristic (tests/oracle)
NAMES = [path.stem for path in CONFIGS if path.stem not in ELSEWHERE]
BAD = {"kernel": [0, -3, 4], "window": [0, -1]}
TOKENS = 50  # more than any window
LAYERS: dict[str, dict[str, Any]] = {
    "kv_heads=1": {"kv_heads": 1},
    "kv_heads=2": {"kv_heads": 2},
    "kv_heads=4": {"kv_heads": 4},
    "shared_rows": {"shared_rows": 32},
    "every rule": {"softcap": 2.0, "sliding_window": 20, "sinks": torch.ones(4), "index": 3},
    "one direction": {"queries": torch.ones(4, TOKENS, 8), "keys": torch.ones(2, TOKENS, 8)},  # all tokens tie
    "far apart": {"scale": 50.0},
    "bfloat16": {
        "queries": torch.randn(4, TOKENS, 8, generator=torch.Generator().manual_seed(0)).bfloat16(),
        "keys": torch.randn(2, TOKENS, 8, generator=torch.Generator().manual_seed(1)).bfloat16(),
    },
}


def config(name: str) -> DictConfig:
    """The file, with the seed that it takes from the run."""
    path = next(path for path in CONFIGS if path.stem == name)
    return OmegaConf.merge(OmegaConf.load(path), {"seed": 0})  # type: ignore[return-value]


def heuristic(name: str) -> Heuristic:
    built: Heuristic = instantiate(config(name)[name])
    return built


def scoring() -> list[str]:
    """Those that rank layer by layer: all but speculation."""
    return [name for name in NAMES if not heuristic(name).needs.answer]


def settings(field: str) -> list[str]:
    """The heuristics that have this setting."""
    return [name for name in NAMES if field in config(name)[name]]


def test_what_needs_the_answer_has_no_score_of_a_layer() -> None:
    assert "speculative" not in scoring()
    with pytest.raises(ValueError, match="known only after the draft's answer"):
        heuristic("speculative").score(random_layer())


@pytest.mark.parametrize("name", scoring())
def test_what_ranks_layer_by_layer_refuses_answer_and_draft(name: str) -> None:
    with pytest.raises(ValueError, match="ranks layer by layer, not from an answer"):
        heuristic(name).from_answer([random_layer()])


@pytest.mark.parametrize("name", NAMES)
def test_what_ranks_before_says_so_and_all_others_refuse(name: str) -> None:
    """Speculation and the controls, which do not ask the model."""
    method, ids = heuristic(name), torch.arange(40)
    assert method.ranks_before == (name in ("speculative", "random", "recency", "sinks"))
    if method.ranks_before:
        scores = method.draft_scores(Tiny().model(), ids)
        assert (scores.shape, scores.dtype) == ((40,), torch.float32)
        assert scores.isfinite().all()
        assert torch.equal(ids, torch.arange(40))
    else:
        with pytest.raises(ValueError, match="so it cannot rank before"):
            method.draft_scores(Tiny().model(), ids)


@pytest.mark.parametrize("name", NAMES)
def test_the_key_of_the_config_is_the_name_of_its_file(name: str) -> None:
    assert set(config(name)) == {name, "seed"}
    assert isinstance(heuristic(name), Heuristic)


@pytest.mark.parametrize("name", NAMES)
def test_a_config_shows_every_setting(name: str) -> None:
    built: Any = heuristic(name)
    assert set(config(name)[name]) - {"_target_"} == {field.name for field in fields(built)}


@pytest.mark.parametrize("rules", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("name", scoring())
def test_there_is_one_finite_float32_score_a_token(name: str, rules: dict[str, Any]) -> None:
    scores = heuristic(name).score(random_layer(tokens=TOKENS, **rules))
    assert scores.shape == (TOKENS,)
    assert scores.dtype == torch.float32
    assert scores.isfinite().all()


@pytest.mark.parametrize("name", scoring())
def test_the_same_layer_gets_the_same_scores(name: str) -> None:
    first, second = (heuristic(name).score(random_layer(tokens=TOKENS)) for _ in range(2))
    assert torch.equal(first, second)
    assert first.min() < first.max()


@pytest.mark.parametrize("name", scoring())
def test_shared_rows_change_no_score(name: str) -> None:
    alone, shared = (heuristic(name).score(random_layer(tokens=TOKENS, shared_rows=rows)) for rows in (0, 40))
    assert torch.allclose(alone, shared, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", scoring())
def test_the_layer_is_left_as_it_was(name: str) -> None:
    layer, untouched = (random_layer(tokens=TOKENS, shared_rows=32) for _ in range(2))
    before = layer.attention(32).clone()
    heuristic(name).score(layer)
    for field in ("queries", "keys", "values", "input_ids"):
        assert torch.equal(getattr(layer, field), getattr(untouched, field))
    assert torch.equal(layer.attention(32), before)


def is_causal(combine: Callable[[Tensor], Tensor]) -> bool:
    """Whether row l depends on rows 0 to l only: other later rows, or none at all, change nothing."""
    draw = torch.Generator().manual_seed(0)
    rows, others = torch.randn(7, TOKENS, generator=draw), torch.randn(7, TOKENS, generator=draw) * 10
    whole = combine(rows)
    return all(
        torch.equal(combine(torch.cat([rows[:seen], others[seen:]]))[:seen], whole[:seen])
        and torch.equal(combine(rows[:seen]), whole[:seen])
        for seen in range(1, 8)
    )


@pytest.mark.parametrize("name", NAMES)
def test_combine_keeps_the_shape_and_looks_at_no_later_layer(name: str) -> None:
    rows = torch.randn(7, TOKENS, generator=torch.Generator().manual_seed(1))
    before = rows.clone()
    combined = heuristic(name).combine(rows)
    assert combined.shape == rows.shape
    assert combined.dtype == torch.float32
    assert torch.equal(rows, before)
    assert is_causal(heuristic(name).combine)


@pytest.mark.parametrize("peek", [lambda rows: rows.flip(0), lambda rows: rows - rows.mean(dim=0)])
def test_a_look_at_later_layers_would_be_noticed(peek: Callable[[Tensor], Tensor]) -> None:
    assert not is_causal(peek)


@pytest.mark.parametrize("name", settings("window"))
def test_the_window_gets_the_maximum_and_must_be_shorter_than_the_prompt(name: str) -> None:
    windowed: Any = heuristic(name)
    scores = windowed.score(random_layer(tokens=TOKENS))
    assert (scores[-windowed.window :] == scores.max()).all()
    assert not (scores[: -windowed.window] == scores.max()).all()
    with pytest.raises(ValueError, match=f"window is {windowed.window}, must be below the prompt's 8 tokens"):
        windowed.score(random_layer(tokens=8))


@pytest.mark.parametrize(
    ("name", "field", "bad"),
    [(name, field, bad) for field, values in BAD.items() for name in settings(field) for bad in values],
)
def test_a_bad_kernel_or_window_is_an_error_that_names_it(name: str, field: str, bad: int) -> None:
    built: Any = heuristic(name)
    with pytest.raises(ValueError, match=f"{field} is {bad}, must be"):
        replace(built, **{field: bad})


@pytest.mark.parametrize("name", NAMES)
def test_a_heuristic_is_frozen(name: str) -> None:
    built: Any = heuristic(name)
    with pytest.raises(FrozenInstanceError):
        built.window = 3


def test_what_is_left_out_has_a_default() -> None:
    class Plain(Heuristic):
        def score(self, layer: Any) -> Tensor:
            return torch.zeros(layer.tokens)

    rows = torch.randn(3, 5)
    assert torch.equal(Plain().combine(rows), rows)
    assert Plain().needs == Needs()
    assert Plain().least_tokens() == 1
    assert list(Plain().always_kept(5)) == []
    Plain().check_layers(ModelLayers(1, (0,)))


NEEDED = {"asl": Needs(window=32), "claa": Needs(window=8), "fastkv": Needs(window=8), "snapkv": Needs(window=32)}
NEEDED |= {"speculative": Needs(answer=True, look_ahead=7), "keynorm": Needs(), "tova": Needs(), "h2o": Needs()}


@pytest.mark.parametrize(("name", "needs"), NEEDED.items())
def test_needs_are_those_of_the_settings(name: str, needs: Needs) -> None:
    assert heuristic(name).needs == needs


SHORTEST: list[tuple[Heuristic, int]] = [
    (ASL(window=8, kernel=7), 9),
    (ASL(window=8, kernel=13), 13),
    (CLAA(window=8, kernel=7), 9),
    (CLAA(window=8, kernel=99999), 99999),
    (FastKV(window=8, kernel=9), 9),
    (FastKV(window=3, kernel=13), 13),
    (SnapKV(window=32, kernel=7), 33),
    (SnapKV(window=4, kernel=7), 7),
    (GemFilter(kernel=13), 13),
    (Speculative(kernel=13), 13),
    (TOVA(), 1),
]


@pytest.mark.parametrize(("method", "tokens"), SHORTEST)
def test_a_prompt_is_longer_than_the_window_and_at_least_as_long_as_the_kernel(method: Heuristic, tokens: int) -> None:
    assert method.least_tokens() == tokens


@pytest.mark.parametrize("name", scoring())
def test_the_shortest_prompt_can_be_ranked(name: str) -> None:
    scores = heuristic(name).score(random_layer(tokens=heuristic(name).least_tokens()))
    assert scores.isfinite().all()


FOUR = ModelLayers(4, (0, 1, 2, 3))
HYBRID = ModelLayers(4, (1, 3))  # four layers too, two of them with attention
BEYOND: list[tuple[Heuristic, str]] = [
    (CLAA(n=5), "n is 5, must be at most 4"),
    (CLAA(n=999999), "n is 999999, must be at most 4"),
    (ASL(layers=5), "layers is 5, must be at most 4"),
    (ASL(layers=99), "layers is 99, must be at most 4"),
    (ASL(first_layer=4), "first_layer is 4, must be below 4"),
]


@pytest.mark.parametrize("layers", [FOUR, HYBRID])
@pytest.mark.parametrize(("method", "sentence"), BEYOND)
def test_layers_that_the_model_lacks_are_refused(method: Heuristic, sentence: str, layers: ModelLayers) -> None:
    with pytest.raises(ValueError, match=f"{sentence}, the number of layers of the model"):
        method.check_layers(layers)


@pytest.mark.parametrize("layers", [FOUR, HYBRID])
@pytest.mark.parametrize("method", [CLAA(n=4), ASL(layers=4, first_layer=3), FastKV(), SnapKV(), Speculative()])
def test_layers_that_the_model_has_are_accepted(method: Heuristic, layers: ModelLayers) -> None:
    method.check_layers(layers)


class ValueNorm(Heuristic):
    """The last query's attention times the L2 norm of the token's value, mean over heads: a method that reads values."""

    @property
    def needs(self) -> Needs:
        return Needs(values=True)

    def score(self, layer: AttentionLayer) -> Tensor:
        assert layer.values is not None
        attention = layer.attention(rows=1)[:, 0].view(layer.kv_heads, -1, layer.tokens)  # (kv_heads, group, tokens)
        norms: Tensor = torch.linalg.vector_norm(layer.values.float(), dim=-1)[:, None]  # (kv_heads, 1, tokens)
        return (attention * norms).flatten(0, 1).mean(dim=0)


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_a_heuristic_can_read_values(kv_heads: int) -> None:
    values = torch.randn(kv_heads, 40, 8, generator=torch.Generator().manual_seed(5))
    layer = random_layer(kv_heads=kv_heads, values=values)
    attention = slow.attention(layer)[:, -1]
    norms = [[sum(float(x) ** 2 for x in token) ** 0.5 for token in head] for head in values]
    for token in range(40):
        wanted = sum(attention[head, token] * norms[head * kv_heads // 4][token] for head in range(4)) / 4
        assert float(ValueNorm().score(layer)[token]) == pytest.approx(wanted, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("rules", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("name", scoring())
def test_every_key_head_has_one_finite_float32_score_a_token(name: str, rules: dict[str, Any]) -> None:
    layer = random_layer(tokens=TOKENS, **rules)
    scores = heuristic(name).score_heads(layer)
    assert scores.shape == (layer.kv_heads, TOKENS)
    assert scores.dtype == torch.float32
    assert scores.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_combine_reads_no_more_layers_than_it_says(name: str) -> None:
    rows = torch.randn(9, TOKENS, generator=torch.Generator().manual_seed(3))
    layers = heuristic(name).layers_combined()
    part = rows if layers is None else rows[-layers:]
    assert torch.equal(heuristic(name).combine(part)[-1], heuristic(name).combine(rows)[-1])


def test_a_method_may_read_all_layers() -> None:
    assert heuristic("asl").layers_combined() is None


OF_HEADS = ("asl", "claa", "fastkv", "keynorm", "snapkv")  # these give each key head its own


@pytest.mark.parametrize("name", scoring())
def test_key_heads_differ_where_the_method_tells_them_apart(name: str) -> None:
    layer = random_layer(tokens=TOKENS)
    scores = heuristic(name).score_heads(layer)
    by_default = type(heuristic(name)).score_heads is Heuristic.score_heads
    assert torch.equal(scores[0], scores[1]) is by_default
    assert not (by_default and name in OF_HEADS)
    if by_default:
        assert torch.equal(scores[0], heuristic(name).score(layer))
