"""Precomputed scores: each layer gets its own, a layer without any is an error, and an engine keeps the tokens they name."""

import pytest
import torch

from tests.prefill.cases import TOKENS, model_of, prefilled
from tests.slow import random_layer
from tokenrank.prefill.draft import Draft
from tokenrank.prefill.engine import Engine
from tokenrank.prefill.layerwise import Layerwise
from tokenrank.prefill.precomputed import Precomputed
from tokenrank.prefill.restart import Restart

SCORES = torch.zeros(TOKENS)
SCORES[[3, 5, 20]] = 1


def test_each_layer_gets_the_scores_that_were_given_for_it() -> None:
    rows = {2: torch.rand(40), 5: torch.rand(40)}
    heuristic = Precomputed(rows)
    assert torch.equal(heuristic.score(random_layer(index=5)), rows[5])
    assert torch.equal(heuristic.score(random_layer(index=2)), rows[2])


@pytest.mark.parametrize(("rows", "known"), [({}, "none"), ({2: SCORES, 1: SCORES}, "1, 2")])
def test_a_layer_without_scores_is_an_error(rows: dict[int, torch.Tensor], known: str) -> None:
    with pytest.raises(ValueError, match=f"no precomputed scores for layer 0, only for: {known}$"):
        Precomputed(rows).score(random_layer())


def test_before_the_prompt_is_read_the_scores_are_the_mean_over_layers() -> None:
    model = model_of("llama")
    rows = {1: torch.tensor([1.0, 2.0, 6.0]), 4: torch.tensor([3.0, 0.0, 0.0])}
    assert Precomputed(rows).ranks_before
    assert Precomputed(rows).draft_scores(model, torch.arange(3)).tolist() == [2.0, 1.0, 3.0]
    with pytest.raises(ValueError, match="there are no precomputed scores for any layer"):
        Precomputed({}).draft_scores(model, torch.arange(3))


def test_the_mean_of_equal_rows_is_the_row_to_the_last_bit() -> None:
    row = torch.rand(1000, generator=torch.Generator().manual_seed(0))
    found = Precomputed(dict.fromkeys(range(30), row)).draft_scores(model_of("llama"), torch.arange(1000))
    assert torch.equal(found, row)


def test_it_ranks_layer_by_layer_and_reads_only_queries_and_keys() -> None:
    needs = Precomputed({}).needs
    assert (needs.answer, needs.call, needs.values, needs.window) == (False, False, False, 0)


@pytest.mark.parametrize(
    "engine", [Layerwise(window=4, select_layer=1), Restart(window=4, select_layer=1), Draft(window=4)]
)
def test_an_engine_keeps_the_tokens_that_the_scores_name(engine: Engine) -> None:
    done = prefilled("llama", engine, Precomputed({0: SCORES, 1: SCORES}), 7)
    assert done.kept.tolist() == [3, 5, 20, 36, 37, 38, 39]
