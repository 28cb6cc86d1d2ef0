"""Greedy decoding by hand: ends, ties, tokens that may not come first, logits that are not finite."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from transformers import LogitsProcessorList

from tokenrank.capture.decoding import AnswerSoFar, Decoding, check_finite_logits, greedy

NAN, INF = float("nan"), float("inf")


def answer_so_far(ends: set[int], not_first: set[int] | None = None) -> AnswerSoFar:
    return AnswerSoFar(Decoding(frozenset(ends), frozenset(not_first or ())), LogitsProcessorList(), torch.arange(3))


def one_hot(token: int) -> Tensor:
    return torch.nn.functional.one_hot(torch.tensor(token), 20).float()


def counting(fed: list[tuple[int, int]]) -> Callable[[Tensor, int], Tensor]:
    """Logits whose best token is always one more; notes (token, position)."""

    def feed(ids: Tensor, position: int) -> Tensor:
        fed.append((int(ids[0]), position))
        return one_hot(int(ids[0]) + 1)

    return feed


def test_greedy_feeds_each_token_but_the_last_at_its_position() -> None:
    fed: list[tuple[int, int]] = []
    assert greedy(counting(fed), answer_so_far(set()), one_hot(7), start=100, limit=4) == [7, 8, 9, 10]
    assert fed == [(7, 100), (8, 101), (9, 102)]


@pytest.mark.parametrize(("ends", "answer"), [({9}, [7, 8, 9]), ({7}, [7]), ({8, 9}, [7, 8]), ({99}, [7, 8, 9, 10])])
def test_an_end_token_ends_the_answer_and_is_part_of_it(ends: set[int], answer: list[int]) -> None:
    assert greedy(counting([]), answer_so_far(ends), one_hot(7), start=0, limit=4) == answer


def test_of_equal_logits_the_first_is_taken() -> None:
    logits = torch.tensor([0.0, 3.0, 1.0, 3.0])
    assert answer_so_far(set()).add(logits) == 1
    assert answer_so_far(set(), {1}).add(logits) == 3


def test_a_token_that_may_not_come_first_may_come_later() -> None:
    answer = answer_so_far(set(), {1})
    logits = torch.tensor([0.0, 3.0, 1.0])
    assert [answer.add(logits), answer.add(logits)] == [2, 1]


@pytest.mark.parametrize(
    ("logits", "found"),
    [([0.0, NAN, 1.0], "NaN"), ([NAN, 0.0], "NaN"), ([0.0, INF], "infinite"), ([-INF, -INF], "infinite")],
)
def test_logits_that_are_not_finite_are_refused_and_the_step_is_named(logits: list[float], found: str) -> None:
    answer = answer_so_far(set())
    answer.add(torch.tensor([1.0, 0.0]))
    with pytest.raises(ValueError, match=rf"^answer token 1: the model's logits are {found}, must be finite$"):
        answer.add(torch.tensor(logits))
    with pytest.raises(ValueError, match=rf"^here: the model's logits are {found}"):
        check_finite_logits(torch.tensor(logits), "here")


def test_logits_of_minus_infinity_beside_others_pass() -> None:
    logits = torch.tensor([-INF, 0.5, -INF])
    assert answer_so_far(set()).add(logits) == 1
    check_finite_logits(logits, "here")


def test_of_float16_the_message_says_what_helps() -> None:
    with pytest.raises(ValueError, match=r"infinite, must be finite: float16 overflows above 65,504, set model.dtype"):
        answer_so_far(set()).add(torch.tensor([0.0, INF], dtype=torch.float16))


def test_rules_that_leave_no_token_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"^answer token 0: the rules of decoding leave no token"):
        answer_so_far(set(), {0, 1}).add(torch.tensor([0.0, 1.0]))
