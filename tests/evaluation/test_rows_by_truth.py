"""Rankings against several truths: the rows of each truth in their order, every ranking sorted once, little held at a time."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.evaluation.test_measuring import LAYERS, METRICS, SCORES, TOKENS
from tokenrank.evaluation.measuring import Asked
from tokenrank.evaluation.rows_by_truth import measured_rows, rows_by_truth
from tokenrank.evaluation.scoring import Ranked
from tokenrank.metrics import ranked_tokens
from tokenrank.metrics.ranked_tokens import Ranking
from tokenrank.oracle.oracle import Answer, Truth
from tokenrank.tasks.task import Prompt

PROMPT = Prompt("p", "t", tuple(range(TOKENS)), 4, evidence=(range(5, 8),))
ORACLES = {name: Truth(torch.rand(1, TOKENS, generator=torch.Generator().manual_seed(7))) for name in ("one", "two")}
AGREEMENT = {name: Truth(scores) for name, scores in SCORES.items()}
UNIVERSE = range(TOKENS - 4)


def ranked(truths: dict[str, Truth]) -> Ranked:
    return Ranked(Answer((1,), "generated"), (1,), truths, tuple(LAYERS), SCORES, {})


@pytest.fixture
def sorts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of rows of each sort."""
    found: list[int] = []
    original: Callable[[Tensor], Tensor] = ranked_tokens.sorted_places

    def counted(scores: Tensor) -> Tensor:
        found.append(len(scores))
        return original(scores)

    monkeypatch.setattr(ranked_tokens, "sorted_places", counted)
    return found


@pytest.mark.parametrize("truths", [ORACLES, ORACLES | AGREEMENT])
def test_rows_are_those_of_each_truth_alone_and_a_ranking_is_sorted_once(
    truths: dict[str, Truth], sorts: list[int]
) -> None:
    rows = list(measured_rows(ranked(truths), PROMPT, METRICS, [10, 50], UNIVERSE))
    assert sorted(sorts) == [1, 1, 3, 3]  # two oracles, two rankings of three layers, whether truths or not
    without = {name: each for name, each in METRICS.items() if name != "needle_recall"}
    apart = []
    for number, (name, truth) in enumerate(truths.items()):
        own = METRICS if number == 0 else without
        apart += list(measured_rows(ranked({name: truth}), PROMPT, own, [10, 50], UNIVERSE))
    assert rows == apart
    assert len(rows) > 50


def test_of_rankings_that_are_truths_the_order_alone_is_kept() -> None:
    found = ranked(ORACLES | AGREEMENT)
    each = list(Asked.against_each(found, PROMPT, METRICS, [10], UNIVERSE))
    held: list[int] = []

    def measure(asked: Asked, name: str, ranking: Ranking) -> list[dict[str, object]]:
        rows = asked.of_ranking(name, ranking)
        whole = {id(one): one for one in (*(other.target.truth for other in each), ranking)}.values()
        held.append(sum(len(one.scores) > 1 and "order" in vars(one) for one in whole))
        return rows

    rows_by_truth(each, found, UNIVERSE, (), measure)
    assert max(held) == 2  # the ranking and the truth that it is compared with
