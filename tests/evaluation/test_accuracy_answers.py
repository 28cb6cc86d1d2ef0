"""evaluation=accuracy: answers follow the rules of their prompt, and a truth that is not finite fails the prompt."""

from dataclasses import replace

import pytest
import torch

from tests.plans import plan, records
from tokenrank.oracle.answer_attention import AttentionOracle
from tokenrank.oracle.oracle import Truth
from tokenrank.work.collecting import collected


def test_every_contestants_answer_follows_the_rules_of_the_prompt() -> None:
    made = plan("task.depths=[0]", "prefill.keep=[20]", evaluation="accuracy")
    (unit,) = made.units
    (letter,) = made.tokenizer("A")["input_ids"]
    begins = replace(unit.prompt, not_first_ids=tuple(token for token in range(257) if token != letter))
    runs = records(replace(made, units=(replace(unit, prompt=begins),)))[0].runs
    assert [run["answer"][0] for run in runs] == ["A"] * 10
    ended = replace(unit.prompt, stop_ids=tuple(range(256)))
    alone = records(replace(made, units=(replace(unit, prompt=ended),)))[0].runs
    assert [run["answer_tokens"] for run in alone] == [1] * 10


def test_without_a_finite_truth_the_prompt_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    made = plan("task.depths=[0]", evaluation="accuracy")
    truth = Truth(torch.full((1, 300), float("inf")))
    monkeypatch.setattr(AttentionOracle, "truth", lambda *_: truth)
    found = collected(made.evaluation, records(made))
    (said,) = found.samples["error"]
    assert said == "ValueError: oracle attention, sample niah_300_0_0: a score is NaN or infinite, must be finite"
