"""On a model whose answer copies one token of its prompt, every truth names that token, or its chunk, first."""

from typing import Any

import pytest

from tests.oracle.cases import COPIED, PLACE, copying
from tokenrank.oracle.ablation import AblationOracle
from tokenrank.oracle.answer_attention import AttentionOracle
from tokenrank.oracle.gradient import GradientOracle
from tokenrank.oracle.oracle import Oracle
from tokenrank.oracle.regression import RegressionOracle

FITS: list[dict[str, Any]] = [{"fit": "ridge"}, {"fit": "lasso"}]
OF_TOKENS: list[Oracle] = [
    AttentionOracle(kernel=1),
    GradientOracle(),
    *(AblationOracle(chunk=1, by=by) for by in ("hidden", "pruned", "removal")),
    *(RegressionOracle(chunk=1, keep=50, masks=64, **fit) for fit in FITS),
]
OF_CHUNKS: list[Oracle] = [
    *(AblationOracle(chunk=4, by=by) for by in ("hidden", "pruned", "removal")),
    *(RegressionOracle(chunk=4, keep=50, **fit) for fit in FITS),
]


def test_the_answer_is_the_copied_token() -> None:
    prompt = copying()
    assert prompt.answer.token_ids == (COPIED, COPIED)
    assert prompt.input_ids.tolist().count(COPIED) == 1


@pytest.mark.parametrize("oracle", OF_TOKENS, ids=repr)
def test_every_truth_names_the_copied_token_first(oracle: Oracle) -> None:
    importance = oracle.truth(copying()).importance[0]
    assert importance.argmax() == PLACE
    others = importance[[place for place in range(20) if place != PLACE]]
    assert importance[PLACE] > 3 * others.abs().max()


@pytest.mark.parametrize("oracle", OF_CHUNKS, ids=repr)
def test_every_truth_names_the_copied_tokens_chunk_first(oracle: Oracle) -> None:
    importance = oracle.truth(copying()).importance[0]
    assert sorted(importance.topk(4).indices.tolist()) == [8, 9, 10, 11]
    assert importance[PLACE] > 3 * importance[:8].abs().max()
