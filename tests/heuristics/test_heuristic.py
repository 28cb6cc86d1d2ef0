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

from tests.slow import random_layer
from tokenrank.heuristics.heuristic import Heuristic, check_choice, check_window

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "heuristic").glob("*.yaml"))
NAMES = [path.stem for path in CONFIGS if path.stem != "kvpress"]  # that one needs a package: test_kvpress.py
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
    """All but the oracle and speculation."""
    return [name for name in NAMES if not heuristic(name).needs_answer]


def settings(field: str) -> list[str]:
    """The heuristics that have this setting."""
    return [name for name in NAMES if field in config(name)[name]]


@pytest.mark.parametrize("name", ["oracle", "speculative"])
def test_what_needs_the_answer_says_so(name: str) -> None:
    assert name not in scoring()
    with pytest.raises(ValueError, match=r"known only after the (draft's )?answer"):
        heuristic(name).score(random_layer())


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"oracle", "speculative"}))
def test_all_others_rank_layer_by_layer(name: str) -> None:
    assert name in scoring()
    with pytest.raises(NotImplementedError, match="ranks layer by layer"):
        heuristic(name).from_answer([random_layer()], torch.zeros(40))


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
    for field in ("queries", "keys", "input_ids"):
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
    windowed = heuristic(name)
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
    assert (Plain().window, Plain().needs_answer) == (0, False)


def test_the_checks_name_the_value_and_what_is_allowed() -> None:
    check_window(1)
    check_choice("heads", "mean", ("mean", "max"))
    with pytest.raises(ValueError, match="window is 0, must be at least 1 query"):
        check_window(0)
    with pytest.raises(ValueError, match="heads is 'sum', must be one of mean, max"):
        check_choice("heads", "sum", ("mean", "max"))


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
    assert (layers is None) is (name == "asl")


OF_HEADS = ("asl", "claa", "fastkv", "keynorm", "snapkv")  # these give each key head its own


@pytest.mark.parametrize("name", scoring())
def test_key_heads_differ_where_the_method_tells_them_apart(name: str) -> None:
    layer = random_layer(tokens=TOKENS)
    scores = heuristic(name).score_heads(layer)
    assert torch.equal(scores[0], scores[1]) is (name not in OF_HEADS)
    if name not in OF_HEADS:
        assert torch.equal(scores[0], heuristic(name).score(layer))
