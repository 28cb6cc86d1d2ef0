"""What the rows of a user's file of prompts must be, and where a prompt's parts lie in it."""

import sys
from collections.abc import Sequence
from typing import Any

from tokenrank.tasks.evidence import check_evidence, evidence_of
from tokenrank.tasks.grading.own_scores import can_be_met
from tokenrank.tasks.parts import Parts
from tokenrank.tasks.prompt_files import Row
from tokenrank.tasks.task import check_answers, check_id, refuse_twins

PARTS = ("context", "question")
OPTIONAL = ("id", "answers", "max_new_tokens", "chat_template", *PARTS, "evidence")


def check_rows(file: str, rows: Sequence[Row], score: str | None) -> None:
    """Prints the names of unknown fields, and checks everything else.

    Args:
        file: for messages.
        rows: of the file.
        score: by which answers are graded; None: they are not.

    Raises:
        ValueError: ids that are not unique or no file name, empty prompts, values of the wrong type or out of place,
            right answers that no prediction can meet under the score, or no right answer in the whole file.
    """
    unknown = sorted(
        {field if field.isprintable() else repr(field) for row in rows for field in row.fields} - {"prompt", *OPTIONAL}
    )
    if unknown:
        print(f"note: {file}: not read: {', '.join(unknown)} (optional are {', '.join(OPTIONAL)})", file=sys.stderr)
    for row in rows:
        _check_row(row)
        if score is not None:
            _check_graded(row, score)
    _check_ids(rows)
    if score is not None and not any(row.fields.get("answers") for row in rows):
        raise ValueError(
            f"task.score is {score!r}, and {file} has no answers to grade by: give them in the field answers"
        )


def parts_of(fields: dict[str, Any]) -> Parts:
    """Characters of the row's parts in its prompt."""
    found = []
    for name in PARTS:
        start = fields["prompt"].index(fields.get(name, ""))
        found.append(range(start, start + len(fields[name])) if name in fields else None)
    context, question = found
    return Parts(context, question, evidence_of(fields))


def _id(row: Row) -> str:
    return str(row.fields.get("id", row.number))


def _check_ids(rows: Sequence[Row]) -> None:
    """Raises ValueError for two rows of one id; both are named."""
    places: dict[str, str] = {}
    for row in rows:
        if _id(row) in places:
            first = places[_id(row)].rpartition(", ")[2]
            raise ValueError(f"{row.place}: id {_id(row)!r} stands there twice, first in {first}; ids must be unique")
        places[_id(row)] = row.place
    refuse_twins((row.place, _id(row)) for row in rows)


def _check_row(row: Row) -> None:
    """Raises ValueError for a value of one row that is of the wrong type or out of place."""
    fields, name = row.fields, _id(row)
    if "id" in fields and type(fields["id"]) not in (str, int):
        raise ValueError(f"{row.place}: id {name} must be a text or a whole number")
    check_id(row.place, name)
    if not isinstance(fields.get("prompt"), str) or not fields["prompt"]:
        raise ValueError(f"{row.place}: the prompt of id {name!r} is empty or not a text")
    check_answers(f"{row.place}, id {name!r}", fields.get("answers", []))
    for field, kind in (("max_new_tokens", int), ("chat_template", bool)):
        if field in fields and type(fields[field]) is not kind:
            wanted = "a whole number" if kind is int else "true or false"
            raise ValueError(f"{row.place}: {field} of id {name!r} is {fields[field]!r}, must be {wanted}")
    check_evidence(f"{row.place}, id {name!r}", fields)
    _check_parts(f"{row.place}, id {name!r}", fields)


def _check_graded(row: Row, score: str) -> None:
    """Raises ValueError for a right answer that no prediction can meet."""
    for answer in row.fields.get("answers", ()):
        if not can_be_met(score, answer):
            raise ValueError(
                f"{row.place}, id {_id(row)!r}: no prediction can meet the answer {answer!r} by task.score={score}"
            )


def _check_parts(where: str, fields: dict[str, Any]) -> None:
    """Raises ValueError unless each part is a text that the prompt holds exactly once, and the two do not overlap."""
    for name in PARTS:
        if name not in fields:
            continue
        if not isinstance(fields[name], str) or not fields[name]:
            raise ValueError(
                f"{where}: the {name} is {fields[name]!r}, must be a text that the prompt holds exactly once"
            )
        first = fields["prompt"].find(fields[name])
        if first < 0 or fields["prompt"].find(fields[name], first + 1) >= 0:
            times = "not at all" if first < 0 else "several times"
            raise ValueError(
                f"{where}: the prompt holds the {name} {fields[name][:40]!r} {times}, must hold it exactly once"
            )
    parts = parts_of(fields)
    context, question = (part or range(0) for part in (parts.context, parts.question))
    if max(context.start, question.start) < min(context.stop, question.stop):
        raise ValueError(
            f"{where}: the question {fields['question'][:40]!r} overlaps the context, must stand outside of it"
        )
