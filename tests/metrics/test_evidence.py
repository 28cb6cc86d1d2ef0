"""evidence_recall_at_k: values worked by hand, a loop over tokens, one span as the needle, and what is refused."""

import pytest
import torch

from tokenrank.metrics.evidence import evidence_recall_at_k
from tokenrank.metrics.needle import needle_recall_at_k
from tokenrank.metrics.ranked_tokens import Ranking

SPANS = [range(2, 5), range(7, 8), range(8, 10)]  # six tokens of 12


def looking_at(*best: int, tokens: int = 12) -> Ranking:
    """These tokens first, in this order, then the others."""
    scores = torch.zeros(1, tokens)
    for place, token in enumerate(best):
        scores[0, token] = 100.0 - place
    return Ranking(scores)


@pytest.mark.parametrize(
    ("best", "k", "kept"),
    [((2, 3, 4, 7, 8, 9), 6, 6), ((2, 7, 9), 3, 3), ((0, 1, 5, 6), 4, 0), ((1, 2, 5, 9), 4, 2), ((11, 8), 1, 0)],
)
def test_values_by_hand(best: tuple[int, ...], k: int, kept: int) -> None:
    assert evidence_recall_at_k(looking_at(*best), SPANS, k).tolist() == [pytest.approx(kept / 6)]


@pytest.mark.parametrize("seed", range(4))
def test_a_loop_over_tokens_gives_the_same(seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    scores = torch.rand(5, 40, generator=draw).mul(6).round()  # many ties
    cuts = sorted(torch.randperm(41, generator=draw)[:6].tolist())
    spans = [range(*cuts[place : place + 2]) for place in (0, 2, 4)]
    for k in (1, 7, 40):
        found = evidence_recall_at_k(Ranking(scores), spans, k)
        for row, value in zip(scores.tolist(), found.tolist(), strict=True):
            best = sorted(range(40), key=lambda token: (-row[token], token))[:k]
            tokens = [token for span in spans for token in span]
            assert value == pytest.approx(sum(token in best for token in tokens) / len(tokens))


def test_one_span_is_the_needle_and_cutting_it_in_two_changes_nothing() -> None:
    ranking = Ranking(torch.rand(3, 30, generator=torch.Generator().manual_seed(1)))
    whole = evidence_recall_at_k(ranking, [range(5, 15)], 9)
    assert torch.equal(whole, needle_recall_at_k(ranking, range(5, 15), 9))
    assert torch.equal(whole, evidence_recall_at_k(ranking, [range(5, 8), range(8, 15)], 9))


def test_a_token_that_two_spans_hold_counts_once() -> None:
    assert evidence_recall_at_k(looking_at(3), [range(2, 4), range(3, 5)], 1).tolist() == [pytest.approx(1 / 3)]


@pytest.mark.parametrize("spans", [[range(3, 3)], [range(2), range(11, 13)], [range(-1, 2)]])
def test_spans_that_are_not_ranked_are_refused(spans: list[range]) -> None:
    with pytest.raises(ValueError, match="must be a range within the 12 tokens ranked"):
        evidence_recall_at_k(looking_at(0), spans, 3)


def test_no_evidence_and_k_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="evidence is empty, must hold at least one span"):
        evidence_recall_at_k(looking_at(0), [], 3)
    for k in (0, 13):
        with pytest.raises(ValueError, match=f"k is {k}, must be from 1 to the 12 tokens ranked"):
            evidence_recall_at_k(looking_at(0), SPANS, k)
