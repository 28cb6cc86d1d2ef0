"""Which tokens are kept: the highest scores and what is protected, ascending, the earlier of equals; bad input is refused."""

import pytest
import torch
from torch import Tensor

from tokenrank.prefill.kept_tokens import best_and_protected, refuse_count, refuse_nan


def last(tokens: int, window: int) -> Tensor:
    return torch.arange(tokens - window, tokens)


def places(*numbers: int) -> Tensor:
    return torch.tensor(numbers, dtype=torch.int64)


def best_and_window(scores: Tensor, tokens: int, kept: int, window: int) -> Tensor:
    """Slow version for the last tokens alone: a sort of all others."""
    before = scores[..., : tokens - window]
    best = before.argsort(dim=-1, descending=True, stable=True)[..., : kept - window].sort(dim=-1).values
    ends = torch.arange(tokens - window, tokens, device=scores.device).expand(*scores.shape[:-1], window)
    return torch.cat([best, ends], dim=-1)


def one_by_one(scores: list[float], kept: int, protected: list[int]) -> list[int]:
    """Slow version: the next best other token again and again."""
    found = set(protected)
    while len(found) < kept:
        found.add(max((place for place in range(len(scores)) if place not in found), key=lambda each: scores[each]))
    return sorted(found)


@pytest.mark.parametrize("window", [0, 1, 8])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
@pytest.mark.parametrize("levels", [4, 10_000])  # many equal scores, and hardly any
def test_with_the_last_tokens_protected_it_is_the_window(window: int, shape: tuple[int, ...], levels: int) -> None:
    generator = torch.Generator().manual_seed(levels + window)
    scores = torch.randint(levels, (*shape, 200), generator=generator).float() / levels
    for kept in (window + 1, 40, 199, 200):
        found = best_and_protected(scores, kept, last(200, window))
        assert found.dtype == torch.int64
        assert torch.equal(found, best_and_window(scores, 200, kept, window))


@pytest.mark.parametrize("levels", [3, 1000])
def test_any_places_can_be_protected(levels: int) -> None:
    generator = torch.Generator().manual_seed(levels)
    for count in (0, 1, 7, 20):
        scores = torch.randint(levels, (30,), generator=generator).float()
        protected = torch.randperm(30, generator=generator)[:count].sort().values
        for kept in (count + 1, 25, 30):
            wanted = one_by_one(scores.tolist(), kept, protected.tolist())
            assert best_and_protected(scores, kept, protected).tolist() == wanted


def test_the_best_and_the_protected_are_kept_in_order() -> None:
    scores = torch.tensor([0.3, 0.9, 0.1, 0.8, 0.0, 0.0])
    assert best_and_protected(scores, 4, last(6, 2)).tolist() == [1, 3, 4, 5]
    assert best_and_protected(scores, 4, places(2, 4)).tolist() == [1, 2, 3, 4]


def test_with_nothing_protected_only_the_best_are_kept() -> None:
    scores = torch.tensor([0.3, 0.9, 0.1, 0.8, 0.0])
    assert best_and_protected(scores, 2, places()).tolist() == [1, 3]
    assert best_and_protected(scores, 5, places()).tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="kept is 0, must be above the 0 protected tokens"):
        best_and_protected(scores, 0, places())
    with pytest.raises(ValueError, match="a score is NaN"):
        refuse_nan([torch.tensor([0.1, torch.nan])], places())


def test_scores_of_protected_tokens_are_not_read() -> None:
    scores = torch.tensor([0.3, 0.9, 0.1, torch.nan, 5.0])
    assert best_and_protected(scores, 3, last(5, 2)).tolist() == [1, 3, 4]
    assert best_and_protected(torch.tensor([torch.nan, 0.9, 0.1, -5.0]), 3, places(0, 3)).tolist() == [0, 1, 3]


def test_of_equals_the_earlier_is_kept() -> None:
    assert best_and_protected(torch.zeros(8), 5, last(8, 2)).tolist() == [0, 1, 2, 6, 7]
    assert best_and_protected(torch.zeros(8), 5, places(1, 5)).tolist() == [0, 1, 2, 3, 5]


def test_every_row_keeps_its_own() -> None:
    scores = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]])
    assert best_and_protected(scores, 2, places(3)).tolist() == [[0, 3], [2, 3]]


def test_all_tokens_may_be_kept() -> None:
    assert best_and_protected(torch.rand(5), 5, places(4)).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("kept", [1, 2, 6])
def test_nothing_beside_the_protected_or_more_than_there_are_is_an_error(kept: int) -> None:
    with pytest.raises(
        ValueError, match=f"kept is {kept}, must be above the 2 protected tokens and at most the prompt's 5"
    ):
        best_and_protected(torch.rand(5), kept, places(0, 4))


def test_another_number_of_scores_than_tokens_is_an_error() -> None:
    refuse_count(torch.rand(2, 6), tokens=6)
    with pytest.raises(ValueError, match="there are 5 scores for the prompt's 6 tokens"):
        refuse_count(torch.rand(5), tokens=6)


def test_the_inputs_stay_as_they_are() -> None:
    scores, protected = torch.rand(6), places(0, 5)
    before = scores.clone()
    best_and_protected(scores, 4, protected)
    refuse_nan([scores], protected)
    assert torch.equal(scores, before)
    assert protected.tolist() == [0, 5]


def test_nan_of_a_token_that_is_not_protected_is_an_error() -> None:
    fine = torch.tensor([[0.1, 0.2, torch.nan]])
    refuse_nan([fine, fine], places(2))
    with pytest.raises(ValueError, match="a score is NaN"):
        refuse_nan([fine, torch.tensor([[0.1, torch.nan, 0.3]])], places(2))
    with pytest.raises(ValueError, match="a score is NaN"):
        refuse_nan([fine], places(0, 1))


def test_without_scores_there_is_nothing_to_refuse_and_an_infinite_score_is_no_nan() -> None:
    refuse_nan([], places(2))
    refuse_nan([torch.tensor([torch.inf, -torch.inf, 0.0])], places(2))
    with pytest.raises(ValueError, match="a score is NaN"):
        refuse_nan([torch.zeros(3), torch.full((2, 3), torch.nan)], places(1, 2))
