"""What every task provides: prompts as tokens, and a grade for an answer where the task defines one."""

import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase as Tokenizer

UNPRINTABLE = ("Cc", "Cf", "Cs", "Zl", "Zp")  # Unicode's categories: control, invisible, half a pair, line breaks


@dataclass(frozen=True)
class Prompt:
    """One question to the model, ready to run."""

    id: str  # unique within a run, and fit to be a file's name
    task: str  # what the records call the task: niah, longbench/qasper, ...
    input_ids: tuple[int, ...]  # final: chat template and special tokens included
    max_new_tokens: int
    answers: tuple[str, ...] = ()  # references: any of them is right, or all are wanted, as the task says; may be empty
    classes: tuple[str, ...] = ()  # where the task is to name one of a few classes: all their names
    cut_tokens: int = 0  # tokens taken out of the middle to fit
    evidence: tuple[
        range, ...
    ] = ()  # positions of the tokens that hold what answers the question, in order; empty: not known
    context: range | None = None  # positions of the text that the question is about; all other tokens are its frame
    question: range | None = None  # positions of the question, which is part of the frame
    depth: float | None = None  # percent of the haystack before the needle, where the task asked for it
    stop_ids: tuple[int, ...] = ()  # tokens that end the answer, beside the model's own
    not_first_ids: tuple[int, ...] = ()  # tokens that the answer may not begin with

    def __post_init__(self) -> None:
        ends = [0, *(end for span in self.evidence for end in (span.start, span.stop)), len(self.input_ids)]
        if not all(map(len, self.evidence)) or ends != sorted(ends):
            raise ValueError(
                f"the evidence of prompt {self.id} of {self.task} is {self.evidence}, must be ranges of its {len(self.input_ids)} tokens, "
                "none empty, in order and without overlap"
            )

    @property
    def needle(self) -> range | None:
        """Evidence that is one span; None where there is none, or there are several."""
        return self.evidence[0] if len(self.evidence) == 1 else None


class Task(ABC):
    """A source of prompts. The fields of a task are its config."""

    @abstractmethod
    def prompts(self, tokenizer: Tokenizer, max_tokens: int) -> list[Prompt]:
        """All prompts of a run.

        Args:
            tokenizer: the model's.
            max_tokens: what the model was made for, prompt and answer together.

        Raises:
            ValueError: the data are missing or broken; the message names file and line.
        """

    @property
    def grades_answers(self) -> bool:
        """Whether ``grade`` may give a number: where the task has a ``grade`` of its own."""
        return type(self).grade is not Task.grade

    def grade(self, prompt: Prompt, answer: str) -> float | None:  # noqa: ARG002
        """How good the answer is, in [0, 1]; None where the task defines no grade."""
        return None


def check_at_least_one(name: str, value: int) -> None:
    """Raises ValueError unless the setting is at least 1."""
    if value < 1:
        raise ValueError(f"{name} is {value}, must be at least 1")


def check_positive(name: str, value: int | None) -> None:
    """Raises ValueError unless the setting is at least 1, or null."""
    if value is not None and value < 1:
        raise ValueError(f"{name} is {value}, must be at least 1, or null")


def check_seed(seed: int) -> None:
    """Raises ValueError for a negative seed: Python's generator draws the same for 1 and -1."""
    if seed < 0:
        raise ValueError(f"task.seed is {seed}, must be at least 0")


def check_answer_tokens(prompt: str, max_new_tokens: int, max_tokens: int) -> None:
    """Raises ValueError unless the answer has a token, and the model can read a prompt token beside the answer."""
    if max_new_tokens < 1:
        raise ValueError(f"max_new_tokens of prompt {prompt} is {max_new_tokens}, must be at least 1")
    if max_new_tokens >= max_tokens:
        raise ValueError(
            f"max_new_tokens of prompt {prompt} is {max_new_tokens}, and the model reads {max_tokens} in all"
        )


def check_answers(where: str, answers: object) -> None:
    """Raises ValueError unless the reference answers are a list of texts."""
    if not isinstance(answers, list) or not all(isinstance(answer, str) for answer in answers):
        raise ValueError(f"{where}: the answers are {answers!r}, must be a list of texts")


def check_id(where: str, name: str) -> None:
    """Raises ValueError unless the id of a prompt is fit for a file's name."""
    unprintable = any(unicodedata.category(letter) in UNPRINTABLE for letter in name)
    if not name or name.startswith(".") or set("/\\") & set(name) or unprintable or len(name.encode()) > 200:
        raise ValueError(
            f"{where}: id {name!r} must be fit for a file's name: 1 to 200 bytes, no slash, no dot in front, "
            "no control or invisible characters"
        )


def check_ids(prompts: Sequence[Prompt]) -> None:
    """Checks the ids of all prompts of a run, which become names of files.

    Raises:
        ValueError: as for ``check_id``, or two ids are equal, if only after case folding or Unicode normalisation: many
            file systems treat these as one name.
    """
    for prompt in prompts:
        check_id(f"prompt of {prompt.task}", prompt.id)
    refuse_twins((f"prompts of {prompt.task}", prompt.id) for prompt in prompts)


def refuse_twins(places: Iterable[tuple[str, str]]) -> None:
    """Raises ValueError for two (where, id) pairs whose ids are equal but for case or Unicode normalisation."""
    seen: dict[str, tuple[str, str]] = {}
    for where, name in places:
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
        if folded not in seen:
            seen[folded] = (where, name)
            continue
        first_where, first = seen[folded]
        if (first_where, first) == (where, name):
            raise ValueError(f"{where}: id {name!r} stands there twice, ids must be unique")
        both = where if where == first_where else f"{first_where} and {where}"
        raise ValueError(
            f"{both}: ids {first!r} and {name!r} must differ in more than case and Unicode's ways to write a letter"
        )
