"""What an answer loses without tokens is computed once: passes over answers and readings of prompts are counted."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.evaluation.test_stored import run, same
from tests.plans import plan
from tokenrank.capture import reading
from tokenrank.capture.answer_passes import AnswerPasses

LDS = ("metric=lds", "chunk=16", "masks.count=8")


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Passes over answers, and prompts read; each run has two prompts."""
    found = {"passes": 0, "read": 0}
    logprobs, prefill = AnswerPasses.logprobs, reading._prefill

    def counted(self: AnswerPasses, visible: Tensor) -> Tensor:
        found["passes"] += len(visible)
        return logprobs(self, visible)

    def read(*arguments: object, **named: object) -> object:
        found["read"] += 1
        return prefill(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(AnswerPasses, "logprobs", counted)
    monkeypatch.setattr(reading, "_prefill", read)
    return found


def spent(counts: dict[str, int]) -> tuple[int, int]:
    """(passes, prompts read) since the last call."""
    found = counts["passes"], counts["read"]
    counts |= {"passes": 0, "read": 0}
    return found


def test_another_ranking_is_measured_by_stored_losses_of_masks(tmp_path: Path, counts: dict[str, int]) -> None:
    run(*LDS, "heuristic=claa", f"store={tmp_path}")
    assert spent(counts) == (2 * (1 + 8 + 1), 2)  # all visible, masks, without the context
    run(*LDS, "heuristic=claa", f"store={tmp_path}")
    assert spent(counts) == (0, 0)
    found = run(*LDS, "heuristic=[claa,fastkv]", f"store={tmp_path}")
    assert spent(counts) == (0, 2)  # for its scores
    run(*LDS, "heuristic=claa", "masks.seed=1", f"store={tmp_path}")
    assert spent(counts) == (2 * (1 + 8), 2)  # other masks, the same context
    same(found, run(*LDS, "heuristic=[claa,fastkv]", "store=null"))


def test_a_new_ranking_alone_is_tried_on_the_answer(tmp_path: Path, counts: dict[str, int]) -> None:
    of_rankings = ("metric=[drop,kept]", f"store={tmp_path}")
    run(*of_rankings, "heuristic=claa")
    assert spent(counts) == (2 * (1 + 2 * 2 + 1), 2)  # two metrics at two k
    run(*of_rankings, "heuristic=claa")
    assert spent(counts) == (0, 0)
    found = run(*of_rankings, "heuristic=[claa,fastkv]")
    assert spent(counts) == (2 * (1 + 2 * 2), 2)
    same(found, run("metric=[drop,kept]", "store=null", "heuristic=[claa,fastkv]"))


def test_a_prompt_whose_rankings_are_stored_is_read_again_for_new_values_of_them(
    tmp_path: Path, counts: dict[str, int]
) -> None:
    run("metric=[drop,kept]", "heuristic=[claa,oracle]", f"store={tmp_path}")
    spent(counts)
    other = ("metric=[drop,kept]", "heuristic=[claa,oracle]", "loss_layers=[2]")
    found = run(*other, f"store={tmp_path}")
    assert spent(counts) == (2 * (1 + 2 * 2 * 2), 2)
    same(found, run(*other, "store=null"))


@pytest.mark.parametrize("answer", ["generated", "reference"])
def test_runs_that_hide_nothing_ask_for_no_passes(tmp_path: Path, counts: dict[str, int], answer: str) -> None:
    found = run("heuristic=claa", f"answer={answer}", f"store={tmp_path}")
    assert spent(counts) == (0, 2)
    assert found[0].sample["context_effect"] is None
    run(*LDS, "heuristic=claa", f"answer={answer}", f"store={tmp_path}")
    assert spent(counts) == (2 * (1 + 8 + 1), 2)  # the ranking is known, its answer's losses are not
    assert not list((tmp_path / "losses").rglob("*.tmp"))


def test_the_keys_of_losses_hold_all_that_decides_them() -> None:
    made = plan(*LDS)
    prompt, other = made.prompts
    answer = plan("answer=reference").given[prompt.id]
    visible = torch.ones(2, 5, dtype=torch.bool)
    fields = made.parts.losses(prompt, answer, range(2, 7), visible)
    hidden = visible.clone()
    hidden[1, 3] = False
    for changed in (
        made.parts.losses(other, answer, range(2, 7), visible),
        made.parts.losses(prompt, plan("answer=reference").given[other.id], range(2, 7), visible),
        made.parts.losses(prompt, answer, range(3, 8), visible),
        made.parts.losses(prompt, answer, range(2, 7), hidden),
        plan(*LDS, "model.seed=1").parts.losses(prompt, answer, range(2, 7), visible),
    ):
        assert changed != fields
    assert made.parts.losses(prompt, answer, range(2, 7), visible.clone()) == fields
