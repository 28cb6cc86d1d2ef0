"""What an answer loses: by hand, against a slow float64 version, forbidden tokens, and input that is refused."""

import math

import pytest
import torch
from torch import Tensor

from tokenrank.metrics import answer_loss as module
from tokenrank.metrics.answer_loss import CLIP, FullAnswer, answer_loss

DRAW = torch.Generator().manual_seed(0)


def logits_of(*rows: list[float]) -> Tensor:
    """Logits whose softmax has these probabilities."""
    return torch.tensor(rows).log() + 3.0  # a constant changes nothing


def slow(full: Tensor, pruned: Tensor, ids: Tensor) -> dict[str, float]:
    """Token by token and word by word, in float64 by its own softmax."""
    losses, logprobs, kls, same = [], [], [], []
    for one, other, token in zip(full.double().tolist(), pruned.double().tolist(), ids.tolist(), strict=True):
        p, q = ([math.exp(each - max(row)) for each in row] for row in (one, other))
        p, q = [each / sum(p) for each in p], [each / sum(q) for each in q]
        logprobs.append(math.log(q[token]))
        losses.append(math.log(p[token]) - math.log(q[token]))
        kls.append(sum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a))
        same.append(one.index(max(one)) == other.index(max(other)))
    tokens = len(same)
    return {
        "logprob": sum(logprobs) / tokens,
        "loss": sum(losses) / tokens,
        "loss_clipped": sum(min(max(each, -5), 5) for each in losses) / tokens,
        "kl": sum(kls) / tokens,
        "same_token": sum(same) / tokens,
        "departure": [*same, False].index(False),
    }


def drawn(tokens: int = 7, vocabulary: int = 50, spread: float = 3.0) -> tuple[Tensor, Tensor, Tensor]:
    full = torch.randn(tokens, vocabulary, generator=DRAW) * spread
    ids = torch.randint(0, vocabulary, (tokens,), generator=DRAW)
    return full, full + torch.randn(tokens, vocabulary, generator=DRAW), ids


def test_by_hand_on_a_vocabulary_of_three() -> None:
    full = logits_of([0.5, 0.25, 0.25], [0.1, 0.8, 0.1])
    pruned = logits_of([0.25, 0.5, 0.25], [0.1, 0.8, 0.1])
    found = answer_loss(full, pruned, torch.tensor([0, 1]))
    assert found == pytest.approx(
        {
            "logprob": (math.log(0.25) + math.log(0.8)) / 2,
            "loss": math.log(2) / 2,
            "loss_clipped": math.log(2) / 2,
            "kl": (0.5 * math.log(2) - 0.25 * math.log(2)) / 2,
            "same_token": 0.5,
            "departure": 0,
        },
        abs=1e-6,
    )


def test_the_departure_is_the_number_of_tokens_before_the_first_other_choice() -> None:
    first, other = [0.9, 0.1], [0.1, 0.9]
    full = logits_of(first, first, first, first)
    ids = torch.zeros(4, dtype=torch.int64)
    departures = {
        place: answer_loss(full, logits_of(*(other if row in (place, 3) else first for row in range(4))), ids)[
            "departure"
        ]
        for place in range(4)
    }
    assert departures == {0: 0, 1: 1, 2: 2, 3: 3}
    assert answer_loss(full, full, ids)["departure"] == 4


def test_it_agrees_with_a_slow_version_in_float64() -> None:
    for _ in range(5):
        full, pruned, ids = drawn()
        assert answer_loss(full, pruned, ids) == pytest.approx(slow(full, pruned, ids), abs=1e-5)


def test_rows_in_blocks_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    full, pruned, ids = drawn()
    whole = answer_loss(full, pruned, ids)
    monkeypatch.setattr(module, "BLOCK", 100)  # two rows of 50
    assert answer_loss(full, pruned, ids) == whole
    monkeypatch.setattr(module, "BLOCK", 1)
    assert answer_loss(full, pruned, ids) == whole


def test_an_answer_loses_nothing_under_its_own_cache() -> None:
    full, _, ids = drawn()
    found = answer_loss(full, full, ids)
    assert found == {
        "logprob": pytest.approx(slow(full, full, ids)["logprob"]), "loss": 0, "loss_clipped": 0, "kl": 0, "same_token": 1, "departure": 7,
    }  # fmt: skip
    assert answer_loss(full, full + 2.5, ids)["loss"] == pytest.approx(0, abs=1e-6)  # a constant changes nothing


def test_kl_is_never_below_0_and_the_loss_may_be() -> None:
    for spread in (0.0, 1e-5, 1e-4, 10.0):
        full = torch.randn(16, 2000, generator=DRAW)
        pruned = full + spread * torch.randn(16, 2000, generator=DRAW)
        for one, other in zip(full, pruned, strict=True):  # rounding alone is -3e-7 of some tokens
            assert answer_loss(one[None], other[None], torch.tensor([0]))["kl"] >= 0
    assert answer_loss(logits_of([0.5, 0.5]), logits_of([0.9, 0.1]), torch.tensor([0]))["loss"] == pytest.approx(
        -math.log(1.8)
    )


def test_one_token_counts_for_at_most_the_clip_in_both_directions() -> None:
    sure, lost = [20.0, 0.0], [0.0, 20.0]
    ids = torch.tensor([0, 0])
    found = answer_loss(torch.tensor([sure, sure]), torch.tensor([lost, sure]), ids)
    assert found["loss"] == pytest.approx(10, abs=1e-4)
    assert found["loss_clipped"] == pytest.approx(CLIP / 2)
    assert answer_loss(torch.tensor([lost, sure]), torch.tensor([sure, sure]), ids)["loss_clipped"] == pytest.approx(
        -2.5
    )


def test_forbidden_tokens_count_nothing() -> None:
    full, pruned, ids = drawn()
    ids = ids % 40
    wanted = answer_loss(full[:, :40], pruned[:, :40], ids)
    full[:, 40:], pruned[:, 40:] = -torch.inf, -torch.inf
    assert answer_loss(full, pruned, ids) == pytest.approx(wanted, abs=1e-6)
    pruned[:, 40] = 0.0  # possible under the pruned cache alone: 0 * log(0 / q) = 0
    assert math.isfinite(answer_loss(full, pruned, ids)["kl"])


def test_half_precision_is_computed_in_float32() -> None:
    full, pruned, ids = (each.bfloat16() if each.is_floating_point() else each for each in drawn())
    assert answer_loss(full, pruned, ids) == answer_loss(full.float(), pruned.float(), ids)


def test_one_full_answer_serves_several_and_is_not_changed() -> None:
    full, pruned, ids = drawn()
    before = (full.clone(), pruned.clone(), ids.clone())
    shared = FullAnswer.of(full, ids)
    assert [shared.loss_of(each) for each in (pruned, full, pruned)] == [
        answer_loss(full, each, ids) for each in (pruned, full, pruned)
    ]
    assert all(torch.equal(one, other) for one, other in zip(before, (full, pruned, ids), strict=True))


@pytest.mark.parametrize(
    ("full", "pruned", "ids", "said"),
    [
        (
            (2, 3),
            (2, 3),
            [0],
            r"logits \(2, 3\) and answer_ids \(1,\) must have the shapes \(T, vocabulary\) and \(T,\)",
        ),
        ((3,), (3,), [0], r"logits \(3,\) and answer_ids"),
        ((0, 3), (0, 3), [], "answer_ids is empty"),
        ((1, 3), (2, 3), [0], r"logits of the pruned cache \(2, 3\) must have the shape of the full one's, \(1, 3\)"),
        ((2, 3), (2, 3), [0, 3], r"answer_ids hold 3, must be in 0\.\.2"),
        ((2, 3), (2, 3), [-1, 0], "answer_ids hold -1"),
    ],
)
def test_shapes_and_ids_that_do_not_fit_are_refused(
    full: tuple[int, ...], pruned: tuple[int, ...], ids: list[int], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        answer_loss(torch.zeros(full), torch.zeros(pruned), torch.tensor(ids, dtype=torch.int64))


def test_values_that_are_not_finite_are_refused_with_the_token() -> None:
    ids = torch.tensor([0, 1])
    plain = torch.zeros(2, 3)
    forbidden, nan, other = plain.clone(), plain.clone(), plain.clone()
    forbidden[1, 1], nan[0, 2], other[1, 2] = -torch.inf, torch.nan, -torch.inf
    with pytest.raises(ValueError, match="log-probability under the full cache of answer token 1 of 2 is -inf"):
        answer_loss(forbidden, plain, ids)
    with pytest.raises(ValueError, match="log-probability under the pruned cache of answer token 1 of 2 is -inf"):
        answer_loss(plain, forbidden, ids)
    with pytest.raises(ValueError, match="log-probability under the pruned cache of answer token 0 of 2 is nan"):
        answer_loss(plain, nan, ids)
    with pytest.raises(ValueError, match="Kullback-Leibler divergence of answer token 1 of 2 is inf"):
        answer_loss(plain, other, ids)
    with pytest.raises(ValueError, match="log-probability under the full cache of answer token 0 of 2 is nan"):
        answer_loss(nan, plain, ids)
