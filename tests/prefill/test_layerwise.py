"""Layerwise prefill against the slow version that masks; what is kept, cached and forgotten; which layer selects."""

from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.prefill.cases import ANSWER, HYBRID, PLAIN, TOKENS, answered, layers_of, model_of, prefilled, prompt
from tests.prefill.slow import Hidden, cache_heads, for_all_key_heads, masked_logits
from tokenrank.capture.decoder_layers import decoder_layers
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.pruning import Keep, PrunedRun
from tokenrank.capture.reading import read
from tokenrank.capture.select_layer import resolve_select_layer
from tokenrank.heuristics.claa import CLAA
from tokenrank.heuristics.controls import Random
from tokenrank.heuristics.fastkv import FastKV
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.heuristics.snapkv import SnapKV
from tokenrank.heuristics.speculative import Speculative
from tokenrank.heuristics.tova import TOVA
from tokenrank.models.architectures import ARCHITECTURES
from tokenrank.prefill.engine import Engine
from tokenrank.prefill.layerwise import Layerwise
from tokenrank.prefill.restart import Restart

WINDOW = 4
RANKERS: dict[str, Heuristic] = {
    "claa": CLAA(window=WINDOW, n=2),
    "fastkv": FastKV(window=WINDOW),
    "snapkv": SnapKV(window=6),
    "tova": TOVA(),
    "random": Random(),
}


def slow_best(scores: Tensor, kept: int) -> list[int]:
    """Places of the best tokens before the window and of the window; the earlier one of equals."""
    before = sorted(range(TOKENS - WINDOW), key=lambda token: (-float(scores[token]), token))[: kept - WINDOW]
    return sorted([*before, *range(TOKENS - WINDOW, TOKENS)])


def hidden_by(architecture: str, heuristic: Heuristic, kept: int, select: int, min_layer: int) -> Hidden:
    """What the engine should remove, from the layers of an ordinary reading."""
    rows: list[Tensor] = []
    cached: dict[int, list[list[int]]] = {}
    heads = cache_heads(model_of(architecture))

    def visit(layer: AttentionLayer) -> None:
        rows.append(heuristic.score(layer))
        if min_layer <= layer.index <= select:
            scores = for_all_key_heads(heuristic.score_heads(layer), heads[layer.index])
            cached[layer.index] = [slow_best(row, kept) for row in scores]

    read(model_of(architecture), prompt(), visit, max_new_tokens=1, needs=heuristic.needs)
    numbers = list(layers_of(architecture).attention)
    ranking = heuristic.combine(torch.stack(rows[: numbers.index(select) + 1]))[-1]
    return Hidden(TOKENS, {select: slow_best(ranking, kept)}, cached)


@pytest.mark.parametrize("kept", [8, 16])  # 20 and 40 % of 40 tokens
@pytest.mark.parametrize("architecture", PLAIN)
def test_removing_tokens_is_masking_them(architecture: str, kept: int) -> None:
    select = resolve_select_layer(layers_of(architecture), 1)
    engine = Layerwise(window=WINDOW, select_layer=select)
    answer, logits = answered(prefilled(architecture, engine, RANKERS["claa"], kept))
    hidden = hidden_by(architecture, RANKERS["claa"], kept, select, min_layer=0)
    assert torch.allclose(masked_logits(model_of(architecture), prompt(), answer, hidden), logits, atol=1e-4)


@pytest.mark.parametrize("select", [0, 1, 2])
@pytest.mark.parametrize("min_layer", [0, 1, 3])
@pytest.mark.parametrize("ranker", RANKERS)
@pytest.mark.parametrize("architecture", ["llama", "qwen2 (window)"])
def test_every_heuristic_ranks_for_it_at_every_layer(
    architecture: str, ranker: str, min_layer: int, select: int
) -> None:
    engine = Layerwise(window=WINDOW, select_layer=select, min_layer=min_layer)
    answer, logits = answered(prefilled(architecture, engine, RANKERS[ranker], 9))
    hidden = hidden_by(architecture, RANKERS[ranker], 9, select, min_layer)
    assert torch.allclose(masked_logits(model_of(architecture), prompt(), answer, hidden), logits, atol=1e-4)


def test_the_slow_version_notices_one_token_more() -> None:
    engine = Layerwise(window=WINDOW, select_layer=1)
    answer, logits = answered(prefilled("llama", engine, RANKERS["claa"], 9))
    hidden = hidden_by("llama", RANKERS["claa"], 9, 1, min_layer=0)
    missing = next(token for token in range(TOKENS) if token not in hidden.drops[1])
    wrong = Hidden(TOKENS, {1: [*hidden.drops[1], missing]}, hidden.cached)
    assert not torch.allclose(masked_logits(model_of("llama"), prompt(), answer, wrong), logits, atol=1e-3)


@pytest.mark.parametrize("architecture", HYBRID)
def test_a_hybrids_later_layers_read_the_kept_tokens_as_if_there_were_no_others(architecture: str) -> None:
    """Layers without attention cannot be masked: the later layers are called by hand on the rows that stay."""
    model: Any = model_of(architecture)
    done = prefilled(architecture, Layerwise(window=WINDOW, select_layer=1), RANKERS["fastkv"], 12)
    layers = decoder_layers(model)
    given: dict[str, object] = {}
    handles = [
        layers[2].register_forward_pre_hook(
            lambda _, args, named: given.update(named, states=args[0]), with_kwargs=True
        )
    ]
    with torch.inference_mode():
        model(input_ids=prompt()[None], use_cache=False)
        handles[0].remove()
        states = given.pop("states")
        rest = {name: tuple(part[:, done.kept] for part in value) if isinstance(value, tuple) else value
                for name, value in given.items() if name not in ("position_ids", "past_key_values", "use_cache")}  # fmt: skip
        output = layers[2](states[:, done.kept], **rest)  # type: ignore[index]
        hidden = output[0] if isinstance(output, tuple) else output
        names = ("norm", "norm_f", "final_layernorm", "embedding_norm")
        norm = next(getattr(model.base_model, name) for name in names if hasattr(model.base_model, name))
        wanted = model.get_output_embeddings()(norm(hidden[:, -1]))[0]
    scale = getattr(model.config, "lm_head_multiplier", 1) / getattr(model.config, "logits_scaling", 1)
    assert torch.allclose(done.logits, wanted * scale, atol=1e-4)
    assert done.kept.tolist() == hidden_by(architecture, RANKERS["fastkv"], 12, 1, 0).drops[1]


@pytest.mark.parametrize("implementation", [None, "eager"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_decoding_is_reading_the_answer_with_the_prompt(architecture: str, implementation: str | None) -> None:
    """The same tokens go on, no cache is compressed: then one pass over prompt and answer says what decoding said."""
    model, onward, tokens = model_of(architecture, implementation), torch.arange(25, TOKENS), [3, 9, 27]
    select = next(layer for layer in layers_of(architecture).attention if layer > 0)

    def run(ids: Tensor, places: Tensor) -> tuple[PrunedRun, Tensor]:
        run = PrunedRun(model, ids, answer_tokens=len(tokens))
        return run, run.prefill(lambda layer: Keep(onward=places if layer.index == select else None))

    decoding, found = run(prompt(), onward)
    for place, token in enumerate(tokens):
        found = decoding.decode(token, TOKENS + place)
    whole = torch.cat([prompt(), torch.tensor(tokens)])
    _, wanted = run(whole, torch.cat([onward, torch.arange(TOKENS, len(whole))]))
    assert torch.allclose(found, wanted, atol=1e-4)


@pytest.mark.parametrize("architecture", ["mistral (window)", "qwen2 (window)", "gemma3", "gpt2", "opt"])
def test_eager_attention_masks_what_is_removed_too(architecture: str) -> None:
    engine = Layerwise(window=WINDOW, select_layer=resolve_select_layer(layers_of(architecture), 1))
    plain, eager = (
        answered(prefilled(architecture, engine, RANKERS["claa"], 9, implementation))[1]
        for implementation in (None, "eager")
    )
    assert torch.allclose(plain, eager, atol=1e-3)


def test_no_layer_reserves_room_for_tokens_that_it_is_never_given() -> None:
    done = prefilled("llama", Layerwise(window=WINDOW, select_layer=0), RANKERS["fastkv"], 10)
    layers: list[Any] = done.run.kept.cache.layers
    assert [layer._keys.shape[2] for layer in layers] == [10 + ANSWER] * 3
    for place in range(ANSWER):
        done.run.decode(1, TOKENS + place)
    with pytest.raises(ValueError, match=f"room for {10 + ANSWER} tokens, {11 + ANSWER} were to be held"):
        done.run.decode(1, TOKENS + ANSWER)


@dataclass(frozen=True)
class Counting(TOVA):
    """Notes the layers whose scores it is asked for."""

    asked: list[int] = field(default_factory=list)
    layers: int | None = 1

    def score(self, layer: AttentionLayer) -> Tensor:
        self.asked.append(layer.index)
        return super().score(layer)

    def score_heads(self, layer: AttentionLayer) -> Tensor:
        return TOVA().score_heads(layer)

    def layers_combined(self) -> int | None:
        return self.layers


@pytest.mark.parametrize(("layers", "asked"), [(1, [2]), (2, [1, 2]), (9, [0, 1, 2]), (None, [0, 1, 2])])
@pytest.mark.parametrize("engine", [Layerwise(window=WINDOW, select_layer=2), Restart(window=WINDOW, select_layer=2)])
def test_no_layer_is_ranked_that_the_choice_does_not_read(engine: Engine, layers: int | None, asked: list[int]) -> None:
    counting = Counting(layers=layers)
    prefilled("llama", engine, counting, 10)
    assert counting.asked == asked


@dataclass(frozen=True)
class Short(Heuristic):
    """One score too few."""

    def score(self, layer: AttentionLayer) -> Tensor:
        return torch.zeros(layer.tokens - 1)


@pytest.mark.parametrize("engine", [Layerwise(window=WINDOW), Restart(window=WINDOW)])
def test_one_score_too_few_is_an_error(engine: Engine) -> None:
    with pytest.raises(ValueError, match="there are 39 scores for the prompt's 40 tokens"):
        prefilled("llama", engine, Short(), 10)


def test_kept_tokens_are_ascending_and_hold_the_window() -> None:
    done = prefilled("llama", Layerwise(window=WINDOW), RANKERS["claa"], 10)
    assert done.kept.tolist() == sorted(set(done.kept.tolist()))
    assert done.kept.tolist()[-WINDOW:] == [36, 37, 38, 39]
    assert done.next_position == TOKENS
    assert len(done.kept) == 10


def test_the_cache_holds_what_the_settings_say() -> None:
    done = prefilled("llama", Layerwise(window=WINDOW, select_layer=1, min_layer=1), RANKERS["claa"], 10)
    held = [layer.get_seq_length() for layer in done.run.kept.cache.layers]  # type: ignore[union-attr]
    assert held == [TOKENS, 10, 10]
    assert done.kv_bytes() == (TOKENS + 10 + 10) * 2 * 2 * 8 * 4  # keys and values, key heads, dim, bytes


def test_a_windowed_layer_counts_what_the_next_token_can_see() -> None:
    done = prefilled("mistral (window)", Layerwise(window=WINDOW), RANKERS["claa"], TOKENS)
    assert done.kv_bytes() == 3 * 15 * 2 * 2 * 8 * 4  # a window of 16 with the next token itself
    done.run.decode(0, TOKENS)
    assert done.kv_bytes() == 3 * 15 * 2 * 2 * 8 * 4


def test_choosing_takes_time() -> None:
    assert prefilled("llama", Layerwise(window=WINDOW), RANKERS["claa"], 10).choosing_seconds > 0


def test_a_ranking_that_comes_after_the_answer_is_refused() -> None:
    with pytest.raises(ValueError, match="Speculative has no ranking of a layer's own"):
        Layerwise().resolved(Speculative(), layers_of("llama"))


def test_a_layer_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="select_layer is 3, must be an attention layer of the model: 0 to 2"):
        Layerwise(select_layer=3).resolved(CLAA(), layers_of("llama"))
    with pytest.raises(ValueError, match="select_layer is 0, must be an attention layer of the model: 1"):
        Layerwise(select_layer=0).resolved(CLAA(), layers_of("lfm2 (hybrid)"))


def test_a_first_compressed_layer_outside_the_model_is_refused() -> None:
    with pytest.raises(ValueError, match="min_layer is -1"):
        Layerwise(min_layer=-1)
    assert Layerwise(min_layer=3).resolved(CLAA(), layers_of("llama")).min_layer == 3  # no cache is compressed
    with pytest.raises(ValueError, match="min_layer is 4, must be at most 3, the model's layers"):
        Layerwise(min_layer=4).resolved(CLAA(), layers_of("llama"))


@dataclass(frozen=True)
class Spoilt(Heuristic):
    """Scores that cannot be ordered."""

    def score(self, layer: AttentionLayer) -> Tensor:
        return torch.full((layer.tokens,), torch.nan)


def test_scores_that_cannot_be_ordered_are_an_error() -> None:
    with pytest.raises(ValueError, match="a score is NaN"):
        prefilled("llama", Layerwise(window=WINDOW), Spoilt(), 10)
    fine = answered(prefilled("llama", Layerwise(window=WINDOW), CLAA(window=4), 10))
    assert len(fine[0]) == ANSWER  # it left no trace
