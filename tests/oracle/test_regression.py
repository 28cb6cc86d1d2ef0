"""Regression: against least squares by hand on the same masks and slow passes; planted weights; what is refused."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.capture.slow_passes import hidden_logits
from tests.oracle.cases import CONTEXT, SHAPES, random_case
from tests.prefill.cases import TOKENS
from tokenrank.oracle.oracle import AnsweredPrompt
from tokenrank.oracle.regression import RegressionOracle, random_masks

INSIDE = [(4, 14), (14, 24), (24, 34)]  # chunks of 10 tokens of the context


def slow(case: AnsweredPrompt, masks: Tensor, chunks: list[tuple[int, int]]) -> list[float]:
    """Ordinary least squares on log-odds of passes in which masked chunks are hidden, one by one."""
    outcomes = []
    for mask in masks.tolist():
        gone = {place for on, (start, stop) in zip(mask, chunks, strict=True) if not on for place in range(start, stop)}
        rows = hidden_logits(case.model, case.input_ids, list(case.answer.token_ids), gone).double().softmax(dim=1)
        chosen = [float(row[token]) for row, token in zip(rows, case.answer.token_ids, strict=True)]
        outcomes.append(sum(np.log(p / (1 - p)) for p in chosen))
    design = np.column_stack([np.ones(len(masks)), masks.double().numpy()])
    weights: list[float] = np.linalg.lstsq(design, np.array(outcomes), rcond=None)[0][1:].tolist()
    return weights


@pytest.mark.parametrize("fit", ["ridge", "lasso"])
@pytest.mark.parametrize("architecture", SHAPES)
def test_with_almost_no_penalty_the_weights_are_those_of_least_squares(architecture: str, fit: str) -> None:
    case = random_case(architecture)
    oracle = RegressionOracle(chunk=10, masks=16, keep=50, fit=fit, strength=1e-7, seed=2)
    found = oracle.truth(case).importance[0]
    weights = slow(case, random_masks(16, 3, 50, 2), INSIDE)
    wanted = torch.zeros(TOKENS)
    for weight, (start, stop) in zip(weights, INSIDE, strict=True):
        wanted[start:stop] = weight / (stop - start)
    assert torch.allclose(found, wanted, atol=1e-3 * float(wanted.abs().max()))
    assert wanted.abs().max() > 1e-2


def test_without_a_context_all_chunks_are_masked() -> None:
    case = random_case("llama", context=None)
    found = RegressionOracle(chunk=10, masks=16, keep=50, strength=1e-7, seed=2).truth(case).importance[0]
    weights = slow(case, random_masks(16, 4, 50, 2), [(0, 10), (10, 20), (20, 30), (30, 40)])
    wanted = (torch.tensor(weights) / 10).repeat_interleave(10)
    assert torch.allclose(found, wanted, atol=1e-3 * float(wanted.abs().max()))


def test_the_frame_has_no_importance() -> None:
    found = RegressionOracle(chunk=5).truth(random_case("llama")).importance[0]
    frame = [place for place in range(TOKENS) if place not in CONTEXT]
    assert found[frame].tolist() == [0] * len(frame)
    assert (found[list(CONTEXT)] != 0).all()


@dataclass(frozen=True)
class Planted:
    """Passes whose log-odds of the answer are linear in what is visible: two tokens' answer over a vocabulary of two."""

    weights: Tensor  # (tokens,)
    rows: int = 2
    answer_ids: Tensor = field(default_factory=lambda: torch.tensor([0, 1]))

    def logits(self, visible: Tensor) -> Iterator[tuple[int, Tensor]]:
        """The log-odds of both tokens sum to the weights of what is visible, less 3."""
        for number, each in enumerate(visible):
            half = float(self.weights[each].sum() - 3) / 2
            yield number, torch.tensor([[half, 0.0], [0.0, half]])


@pytest.mark.parametrize("fit", ["ridge", "lasso"])
def test_planted_weights_are_found(fit: str) -> None:
    weights = torch.zeros(TOKENS)
    weights[10:15], weights[20:25], weights[0:4] = 0.4, -0.2, 9.0  # the frame is always visible
    passes: Any = Planted(weights)
    case = replace(random_case("llama"), passes=passes)
    oracle = RegressionOracle(chunk=1, masks=300, keep=50, fit=fit, strength=1e-4)
    found = oracle.truth(case).importance[0]
    assert torch.allclose(found[4:34], weights[4:34], atol=0.01)
    coarse = replace(oracle, chunk=5, masks=48).truth(case).importance[0]
    assert torch.allclose(coarse[[9, 14, 19]], torch.tensor([0.32, 0.08, -0.16]), atol=0.01)


def test_masks_keep_what_they_should_and_follow_the_seed() -> None:
    masks = random_masks(400, 50, 20, 0)
    assert masks.double().mean() == pytest.approx(0.2, abs=0.01)
    assert torch.equal(masks, random_masks(400, 50, 20, 0))
    assert not torch.equal(masks, random_masks(400, 50, 20, 1))
    case = random_case("llama")
    one, other = (RegressionOracle(chunk=5, seed=seed).truth(case).importance for seed in (0, 1))
    assert not torch.equal(one, other)


def test_an_answer_of_one_token() -> None:
    case = random_case("llama", answer=[7])
    found = RegressionOracle(chunk=10, masks=16, keep=50, strength=1e-7, seed=2).truth(case).importance[0]
    weights = slow(case, random_masks(16, 3, 50, 2), INSIDE)
    assert torch.allclose(found[[4, 14, 24]], torch.tensor(weights) / 10, atol=1e-3)


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"chunk": -1}, "chunk is -1, must be at least 1 token, or sentence"),
        ({"masks": 1}, "masks is 1, must be at least 2"),
        ({"keep": 0}, "keep is 0 percent, must be above 0 and below 100"),
        ({"keep": 100}, "keep is 100 percent, must be above 0 and below 100"),
        ({"fit": "ols"}, "fit is 'ols', must be one of ridge, lasso"),
        ({"strength": 0}, "strength is 0, must be above 0"),
        ({"seed": -1}, "seed is -1, must be at least 0"),
    ],
)
def test_bad_settings_are_refused(setting: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        RegressionOracle(**setting)


def test_a_chunk_longer_than_the_context_is_refused() -> None:
    with pytest.raises(ValueError, match="chunk is 31 tokens, and the context has 30"):
        RegressionOracle(chunk=31).truth(random_case("llama"))
