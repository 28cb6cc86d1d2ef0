"""The field ``evidence`` of a row of the user's prompts: texts that the prompt holds once, or places in it."""

from typing import Any

from tokenrank.tasks.parts import without_overlap

MEANT = "must be a text that the prompt holds exactly once, or [start, end]: characters of the prompt, counted from 0"


def evidence_of(fields: dict[str, Any]) -> tuple[range, ...]:
    """Characters of the row's evidence in its prompt, in order; pieces that overlap are one.

    Args:
        fields: of a row that passed ``check_evidence``.

    >>> evidence_of({"prompt": "It is blue. It is old.", "evidence": ["old", [6, 10]]})
    (range(6, 10), range(18, 21))
    """
    prompt = fields["prompt"]
    return without_overlap(
        range(prompt.index(each), prompt.index(each) + len(each)) if isinstance(each, str) else range(*each)
        for each in fields.get("evidence", ())
    )


def check_evidence(where: str, fields: dict[str, Any]) -> None:
    """Checks the field, if the row has it.

    Args:
        where: the file, the line or row, and the id, for messages.
        fields: of the row.

    Raises:
        ValueError: it is no list, or a piece of it is neither a text that the prompt holds exactly once nor two places in the prompt.
    """
    evidence, prompt = fields.get("evidence", []), fields["prompt"]
    if not isinstance(evidence, list):
        raise ValueError(f"{where}: the evidence is {evidence!r}, must be a list, of which each {MEANT}")
    for number, each in enumerate(evidence, start=1):
        said = f"{where}: number {number} of the evidence is"
        if isinstance(each, str) and each:
            first = prompt.find(each)
            if first < 0 or prompt.find(each, first + 1) >= 0:
                times = "not at all" if first < 0 else "several times"
                raise ValueError(f"{said} {each[:40]!r}, which the prompt holds {times}, {MEANT}")
        elif not isinstance(each, list) or len(each) != 2 or any(type(place) is not int for place in each):
            raise ValueError(f"{said} {each!r}, {MEANT}")
        elif not 0 <= each[0] < each[1] <= len(prompt):
            raise ValueError(f"{said} {each}, and the prompt has {len(prompt)} characters: {MEANT}")
