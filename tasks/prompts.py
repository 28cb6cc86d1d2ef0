"""The user's own prompts, from a jsonl file."""

import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.models.weight_files import user_path
from tokenrank.tasks.chat import final_text
from tokenrank.tasks.jsonl import read_jsonl
from tokenrank.tasks.layout import final_layout, own_layout
from tokenrank.tasks.parts import Parts
from tokenrank.tasks.task import (
    Prompt,
    check_answer_tokens,
    check_answers,
    check_at_least_one,
    check_id,
    check_positive,
    check_seed,
    refuse_twins,
)
from tokenrank.tasks.templated import Templated
from tokenrank.tasks.tokens import cut_middle

PARTS = ("context", "question")
OPTIONAL = ("answers", "max_new_tokens", "chat_template", *PARTS)


@dataclass(frozen=True)
class OwnPrompts(Templated):
    """One prompt a line: ``id``, ``prompt``, optionally ``answers``, ``max_new_tokens``, ``chat_template``, ``context`` and ``question``.

    ``context`` and ``question`` are texts that the prompt holds exactly once: the text that the question is about, and the question.
    ``chat_template`` is false unless a line says otherwise: the text is final, and names of control tokens in it are control
    tokens. In a message that is put into the chat template they are text.
    """

    path: str  # the jsonl file
    samples: int | None = None  # how many prompts; None: all
    seed: int = 0  # which ones, if not all; they keep the file's order
    max_new_tokens: int = 64  # where a line does not say
    max_tokens: int | None = None  # longer prompts are cut in the middle; None: at what the model can read

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("task.samples", self.samples)
        check_positive("task.max_tokens", self.max_tokens)
        check_at_least_one("task.max_new_tokens", self.max_new_tokens)
        check_seed(self.seed)

    def prompts(self, tokenizer: Tokenizer, max_tokens: int) -> list[Prompt]:
        """The file's prompts, in its order."""
        path = user_path("task.path", self.path)
        rows = read_jsonl(path, required=("id", "prompt"))
        _check(path, rows)
        if self.samples is not None:
            rows = [
                rows[i] for i in sorted(random.Random(self.seed).sample(range(len(rows)), min(self.samples, len(rows))))
            ]
        return [self._prompt(row, tokenizer, max_tokens) for row in rows]

    def _prompt(self, row: dict[str, Any], tokenizer: Tokenizer, max_tokens: int) -> Prompt:
        new_tokens = row.get("max_new_tokens", self.max_new_tokens)
        check_answer_tokens(str(row["id"]), new_tokens, max_tokens)
        limit = min(max_tokens - new_tokens, self.max_tokens or max_tokens)
        if row.get("chat_template", False):
            final = final_text(tokenizer, row["prompt"], chat=self.chat())
            layout, parts = final_layout(tokenizer, final), final.place(_parts(row))
        else:
            layout, parts = own_layout(tokenizer, row["prompt"]), _parts(row)
        whole = layout.ids
        ids, kept = cut_middle(whole, limit), layout.tokens(parts).without_middle(len(whole), limit)
        return Prompt(
            id=str(row["id"]),
            task="prompts",
            input_ids=tuple(ids),
            max_new_tokens=new_tokens,
            answers=tuple(row.get("answers", ())),
            cut_tokens=len(whole) - len(ids),
            context=kept.context,
            question=kept.question,
        )


def _parts(row: dict[str, Any]) -> Parts:
    """Characters of the line's parts in its prompt."""
    found = []
    for name in PARTS:
        start = row["prompt"].index(row.get(name, ""))
        found.append(range(start, start + len(row[name])) if name in row else None)
    return Parts(*found)


def _check_parts(where: str, row: dict[str, Any]) -> None:
    """Raises ValueError unless each part is a text that the prompt holds exactly once, and the two do not overlap."""
    for name in PARTS:
        if name not in row:
            continue
        if not isinstance(row[name], str) or not row[name]:
            raise ValueError(f"{where}: the {name} is {row[name]!r}, must be a text that the prompt holds exactly once")
        first = row["prompt"].find(row[name])
        if first < 0 or row["prompt"].find(row[name], first + 1) >= 0:
            times = "not at all" if first < 0 else "several times"
            raise ValueError(
                f"{where}: the prompt holds the {name} {row[name][:40]!r} {times}, must hold it exactly once"
            )
    context, question = (part or range(0) for part in (_parts(row).context, _parts(row).question))
    if max(context.start, question.start) < min(context.stop, question.stop):
        raise ValueError(
            f"{where}: the question {row['question'][:40]!r} overlaps the context, must stand outside of it"
        )


def _check(path: Path, rows: list[dict[str, Any]]) -> None:
    """Prints the names of unknown fields; raises ValueError for ids that are not unique or no file name, empty prompts, and values of the wrong type or out of place."""
    unknown = sorted({field for row in rows for field in row} - {"id", "prompt", *OPTIONAL})
    if unknown:
        print(f"note: {path}: not read: {', '.join(unknown)} (optional are {', '.join(OPTIONAL)})", file=sys.stderr)
    for row in rows:
        name = str(row["id"])
        if type(row["id"]) not in (str, int):
            raise ValueError(f"{path}: id {name} must be a text or a whole number")
        check_id(str(path), name)
        if not isinstance(row["prompt"], str) or not row["prompt"]:
            raise ValueError(f"{path}: the prompt of id {name!r} is empty or not a text")
        check_answers(f"{path}, id {name!r}", row.get("answers", []))
        for field, kind in (("max_new_tokens", int), ("chat_template", bool)):
            if field in row and type(row[field]) is not kind:
                raise ValueError(f"{path}: {field} of id {name!r} is {row[field]!r}, must be of type {kind.__name__}")
        _check_parts(f"{path}, id {name!r}", row)
    refuse_twins((str(path), str(row["id"])) for row in rows)
