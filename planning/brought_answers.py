"""Answers that were made elsewhere, by another run or a serving engine: the setting ``answers``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.records.digests import ids_digest
from tokenrank.tasks.jsonl import read_jsonl
from tokenrank.tasks.task import Prompt
from tokenrank.tasks.tokens import tokens_of

TEXT, TOKENS, PROMPT = "answer", "token_ids", "input_ids_sha256"  # keys of a line, beside ``id``


@dataclass(frozen=True)
class BroughtAnswer:
    """One line of the file."""

    text: str | None  # None where there are token ids
    token_ids: tuple[int, ...]  # empty where there is a text
    prompt_sha256: str | None  # ``ids_digest`` of the prompt that it answers, where the line says it


def brought_answers(path: Path, prompts: Sequence[Prompt], tokenizer: Tokenizer) -> dict[str, tuple[int, ...]]:
    """Token ids of each prompt's answer, at most its ``max_new_tokens``; id of the prompt -> ids.

    A text is tokenised as a reference answer is: without special tokens, so that no end-of-sequence token follows it.

    Args:
        path: the jsonl file; it may hold answers to other prompts too.
        prompts: of the run.
        tokenizer: the model's.

    Raises:
        ValueError: as for ``read_answers``; or the file lacks a prompt, or has an answer of another prompt with its id, an empty one, or
            one with a token that the tokenizer does not have.
    """
    found = read_answers(path)
    missing = [prompt.id for prompt in prompts if prompt.id not in found]
    if missing:
        raise ValueError(
            f"answers={path} has no answer to prompt {missing[0]}{_and_others(len(missing) - 1)}: leave out what it lacks, or let "
            "scripts/answers.py ask for it"
        )
    vocabulary = max(tokenizer.get_vocab().values()) + 1
    answers = {}
    for prompt in prompts:
        check_prompt(path, prompt, found[prompt.id])
        answers[prompt.id] = _token_ids(path, prompt, found[prompt.id], tokenizer, vocabulary)
    return answers


def read_answers(path: Path) -> dict[str, BroughtAnswer]:
    """Every line of the file by its id.

    Raises:
        ValueError: there is no such file; a line (its number is in the message) is not JSON; or an id is there twice, or a line has an
            unknown key, not exactly one of ``answer`` and ``token_ids``, or a value of another type.
    """
    answers: dict[str, BroughtAnswer] = {}
    for row in read_jsonl(path, required=("id",)):
        if type(row["id"]) not in (str, int):
            raise ValueError(f"{path}: id {row['id']!r} must be a text or a whole number")
        name = str(row["id"])
        if name in answers:
            raise ValueError(f"{path} has two answers to prompt {name}, must have one")
        try:
            answers[name] = _answer(row)
        except ValueError as error:
            raise ValueError(f"{path}, answer to prompt {name}: {error}") from None
    return answers


def check_prompt(path: Path, prompt: Prompt, answer: BroughtAnswer) -> None:
    """Raises ValueError for an answer that says it is one to other token ids."""
    if answer.prompt_sha256 is not None and answer.prompt_sha256 != ids_digest(prompt.input_ids):
        raise ValueError(
            f"{path}, answer to prompt {prompt.id}: {PROMPT} is that of another prompt, this run's prompt of that name has other tokens"
        )


def _answer(row: Mapping[str, Any]) -> BroughtAnswer:
    unknown = sorted(row.keys() - {"id", TEXT, TOKENS, PROMPT})
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not known, there are id, {TEXT}, {TOKENS} and {PROMPT}")
    if (TEXT in row) == (TOKENS in row):
        raise ValueError(f"it has {'both' if TEXT in row else 'neither'} of {TEXT} and {TOKENS}, must have one of them")
    text, ids, prompt = row.get(TEXT), row.get(TOKENS, []), row.get(PROMPT)
    if TEXT in row and not isinstance(text, str):
        raise ValueError(f"{TEXT} is {text!r}, must be a text")
    if not isinstance(ids, list) or any(type(each) is not int for each in ids):
        raise ValueError(f"{TOKENS} is {str(ids)[:80]}, must be a list of whole numbers")
    if PROMPT in row and not isinstance(prompt, str):
        raise ValueError(f"{PROMPT} is {prompt!r}, must be a text")
    return BroughtAnswer(text, tuple(ids), prompt)


def _token_ids(
    path: Path, prompt: Prompt, answer: BroughtAnswer, tokenizer: Tokenizer, vocabulary: int
) -> tuple[int, ...]:
    ids = answer.token_ids if answer.text is None else tuple(tokens_of(tokenizer, answer.text))
    if not ids:
        raise ValueError(f"{path}, answer to prompt {prompt.id}: it is empty, must have at least one token")
    outside = [each for each in ids if not 0 <= each < vocabulary]
    if outside:
        raise ValueError(
            f"{path}, answer to prompt {prompt.id}: token id {outside[0]} is not one of the {vocabulary} of the model's tokenizer"
        )
    return ids[: prompt.max_new_tokens]


def _and_others(count: int) -> str:
    return f" and {count} others" if count > 1 else " and 1 other" if count else ""
