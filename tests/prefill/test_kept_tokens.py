"""Which tokens are kept: the highest scores and the window, ascending, the earlier of equals; bad input is refused."""

import pytest
import torch

from tokenrank.prefill.kept_tokens import best_and_window, refuse_nan


def test_the_best_and_the_window_are_kept_in_order() -> None:
    scores = torch.tensor([0.3, 0.9, 0.1, 0.8, 0.0, 0.0])
    assert best_and_window(scores, tokens=scores.shape[-1], kept=4, window=2).tolist() == [1, 3, 4, 5]


def test_without_a_window_only_the_best_are_kept() -> None:
    scores = torch.tensor([0.3, 0.9, 0.1, 0.8, 0.0])
    assert best_and_window(scores, tokens=5, kept=2, window=0).tolist() == [1, 3]
    assert best_and_window(scores, tokens=5, kept=5, window=0).tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="kept is 0, must be above the window of 0"):
        best_and_window(scores, tokens=5, kept=0, window=0)
    with pytest.raises(ValueError, match="a score is NaN"):
        refuse_nan([torch.tensor([0.1, torch.nan])], window=0)


def test_the_windows_own_scores_are_not_read() -> None:
    scores = torch.tensor([0.3, 0.9, 0.1, torch.nan, 5.0])
    assert best_and_window(scores, tokens=scores.shape[-1], kept=3, window=2).tolist() == [1, 3, 4]


def test_of_equals_the_earlier_is_kept() -> None:
    assert best_and_window(torch.zeros(8), tokens=8, kept=5, window=2).tolist() == [0, 1, 2, 6, 7]


def test_every_row_keeps_its_own() -> None:
    scores = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]])
    assert best_and_window(scores, tokens=scores.shape[-1], kept=2, window=1).tolist() == [[0, 3], [2, 3]]


def test_all_tokens_may_be_kept() -> None:
    assert best_and_window(torch.rand(5), tokens=5, kept=5, window=1).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("kept", [1, 2, 6])
def test_no_room_beside_the_window_or_more_than_there_are_is_an_error(kept: int) -> None:
    with pytest.raises(ValueError, match=f"kept is {kept}, must be above the window of 2 and at most the prompt's 5"):
        best_and_window(torch.rand(5), tokens=5, kept=kept, window=2)


def test_another_number_of_scores_than_tokens_is_an_error() -> None:
    with pytest.raises(ValueError, match="there are 5 scores for the prompt's 6 tokens"):
        best_and_window(torch.rand(5), tokens=6, kept=3, window=2)


def test_nan_before_the_window_is_an_error() -> None:
    fine = torch.tensor([[0.1, 0.2, torch.nan]])
    refuse_nan([fine, fine], window=1)
    with pytest.raises(ValueError, match="a score is NaN"):
        refuse_nan([fine, torch.tensor([[0.1, torch.nan, 0.3]])], window=1)


def test_without_scores_there_is_nothing_to_refuse_and_an_infinite_score_is_no_nan() -> None:
    refuse_nan([], window=1)
    refuse_nan([torch.tensor([torch.inf, -torch.inf, 0.0])], window=1)
    with pytest.raises(ValueError, match="a score is NaN"):
        refuse_nan([torch.zeros(3), torch.full((2, 3), torch.nan)], window=2)
