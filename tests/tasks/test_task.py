"""What tasks share: ids as names of files, twins, the checks of settings, and which tasks grade answers."""

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra.utils import get_class
from omegaconf import OmegaConf

from tests.command import ROOT
from tests.doubles import GivenPrompts
from tokenrank.tasks.task import (
    Prompt,
    Task,
    check_answer_tokens,
    check_answers,
    check_at_least_one,
    check_id,
    check_ids,
    check_positive,
    check_seed,
)

CONFIGS = sorted((ROOT / "configs" / "task").glob("*.yaml"))


def target(config: Path) -> str:
    loaded: Any = OmegaConf.load(config)
    return str(loaded["_target_"])


def prompt(name: str, task: str = "mine") -> Prompt:
    return Prompt(id=name, task=task, input_ids=(1,), max_new_tokens=1)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.stem)
def test_every_task_of_ours_but_random_tokens_has_a_grade_of_its_own(config: Path) -> None:
    kind: Any = get_class(target(config))
    assert issubclass(kind, Task)
    assert (kind.grade is not Task.grade) == (config.stem != "random_tokens")


def test_a_task_grades_answers_where_it_has_a_grade_of_its_own() -> None:
    class Graded(GivenPrompts):
        def grade(self, prompt: Prompt, answer: str) -> float:
            return 1.0

    assert Graded(["a"]).grades_answers
    assert not GivenPrompts(["a"]).grades_answers


@pytest.mark.parametrize(
    "name", ["a\nb", "a\tb", "\x1b[31m", "a\x7f", "a\u200bb", "a\u202eb", "\ud800", "a\u2028b", "\ufeffa"]
)
def test_control_and_invisible_characters_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"id .* must be fit for a file's name: .* no control or invisible") as refused:
        check_id("here", name)
    assert str(refused.value).isprintable()
    with pytest.raises(ValueError, match=r"prompt of mine: id .* must be fit for a file's name"):
        check_ids([prompt("good"), prompt(name)])


@pytest.mark.parametrize("name", ["a", "größer 1", "数字", "🙂", "a.b", "x" * 200])
def test_ordinary_letters_are_fit_for_a_file_name(name: str) -> None:
    check_ids([prompt(name), prompt("other")])


def test_too_long_an_id_is_refused() -> None:
    with pytest.raises(ValueError, match="must be fit for a file's name"):
        check_id("here", "ö" * 101)


@pytest.mark.parametrize(
    "twins",
    [
        ("Paris", "paris"),
        ("größe", "gro\u0308ße"),
        ("STRASSE", "straße"),
        ("\ufb01x", "fix"),
        ("½", "1\u20442"),
        ("\u212b", "å"),
    ],
)
def test_ids_that_differ_in_case_or_normalisation_only_are_refused(twins: tuple[str, str]) -> None:
    wanted = f"prompts of mine: ids {twins[0]!r} and {twins[1]!r} must differ in more than case"
    with pytest.raises(ValueError, match=re.escape(wanted)):
        check_ids([prompt(twins[0]), prompt("other"), prompt(twins[1])])


def test_the_same_id_is_refused_within_and_across_subsets() -> None:
    with pytest.raises(ValueError, match="prompts of mine: id 'a' stands there twice"):
        check_ids([prompt("a"), prompt("b"), prompt("a")])
    with pytest.raises(ValueError, match="prompts of mine and prompts of yours: ids 'a' and 'a' must differ"):
        check_ids([prompt("a"), prompt("a", "yours")])
    check_ids([])


def test_settings_in_range_pass() -> None:
    check_seed(0)
    check_positive("x", None)
    check_positive("x", 1)
    check_at_least_one("x", 1)
    check_answer_tokens("a", 1, 2)
    check_answers("here", ["a"])


@pytest.mark.parametrize(
    ("check", "given", "message"),
    [
        (check_seed, (-1,), "task.seed is -1, must be at least 0"),
        (check_positive, ("x", 0), "x is 0, must be at least 1, or null"),
        (check_at_least_one, ("x", 0), "x is 0, must be at least 1"),
        (check_answer_tokens, ("a", 0, 2), "max_new_tokens of prompt a is 0, must be at least 1"),
        (check_answer_tokens, ("a", 2, 2), "max_new_tokens of prompt a is 2, and the model reads 2 in all"),
        (check_answers, ("here", [1]), "here: the answers are [1], must be a list of texts"),
    ],
)
def test_settings_out_of_range_are_named(check: Callable[..., None], given: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        check(*given)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.stem)
def test_a_negative_seed_is_refused(config: Path, tmp_path: Path) -> None:
    settings: Any = OmegaConf.merge(OmegaConf.load(config), {"seed": -1, "path": str(tmp_path)})
    kind: Any = get_class(target(config))
    names = {field.name for field in dataclasses.fields(kind)}
    with pytest.raises(ValueError, match=r"task\.seed is -1, must be at least 0"):
        kind(**{str(name): value for name, value in settings.items() if name in names})
