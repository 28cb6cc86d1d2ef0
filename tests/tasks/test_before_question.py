"""A prompt in two: what stands before the question, and what is refused."""

from dataclasses import replace
from typing import Any

import pytest

from tests.plans import composed
from tokenrank.planning.making import make_plan
from tokenrank.tasks.before_question import after_context, before_question, check_prompts, ranked_part
from tokenrank.tasks.task import Prompt

ONE = Prompt("one", "mine", tuple(range(20)), 3, evidence=(range(6, 8),), context=range(4, 12), question=range(13, 16))


def test_the_parts_are_the_prompt() -> None:
    head = before_question(ONE)
    assert head.input_ids == tuple(range(12))
    assert after_context(ONE) == tuple(range(12, 20))
    assert (head.id, head.task, head.context, head.evidence) == ("one", "mine", range(4, 12), (range(6, 8),))
    assert head.question is None
    assert ranked_part(ONE, "agnostic") == head
    assert ranked_part(ONE, "aware") is ONE


@pytest.mark.parametrize(
    "task", [("task=niah", "task.lengths=[300]"), ("task=ruler", "task.lengths=[600]", "task.kind=[niah_single]")]
)
def test_of_a_task_the_question_follows_what_is_before_it(task: tuple[str, ...]) -> None:
    prompt = make_plan(composed("model=tiny", "store=null", *task)).prompts[0]
    assert prompt.question is not None
    head, rest = before_question(prompt), after_context(prompt)
    assert head.input_ids + rest == prompt.input_ids
    assert prompt.question.start >= len(head.input_ids)
    assert len(prompt.question) <= len(rest)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"context": None}, r"^prompts=agnostic needs to know where the question begins, and the context of prompt one of mine is not"),
        ({"question": None}, r"and the question of prompt one of mine is not known: set prompts=aware, or leave the prompt out$"),
        ({"question": range(11, 14)}, r"the question of prompt one of mine begins at token 11, before the end of its context, token 11:"),
        ({"question": range(1, 3)}, r"begins at token 1, before the end of its context, token 11:"),
        ({"evidence": (range(6, 8), range(11, 13))}, r"and evidence of prompt one of mine lies behind it: set prompts=aware"),
        ({"context": range(4, 20), "question": range(20, 20)}, r"and nothing follows that of prompt one of mine: set prompts=aware"),
    ],
)  # fmt: skip
def test_prompts_that_have_no_such_part_are_refused(other: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        before_question(replace(ONE, **other))
    assert ranked_part(replace(ONE, **other), "aware").id == "one"


def test_a_question_at_the_end_of_the_context_is_behind_it() -> None:
    assert len(before_question(replace(ONE, question=range(12, 13))).input_ids) == 12


def test_the_setting_has_two_values() -> None:
    for value in ("aware", "agnostic"):
        check_prompts(value)
    with pytest.raises(ValueError, match=r"^prompts is 'blind', must be aware or agnostic$"):
        check_prompts("blind")
