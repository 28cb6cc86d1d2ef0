"""Where the needles of RULER's published prompts lie in their context."""

import re
from collections.abc import Sequence

KIND = "niah"  # what the names of RULER's tasks with needles begin with
NEEDLE = r"One of the special magic \w+ for [^:\n]+ is: {value}\."  # as RULER words it


def needles_of(context: str, answers: Sequence[str]) -> tuple[range, ...]:
    """Characters of the statements that hold the references, in order; empty unless each reference has exactly one.

    Args:
        context: of a prompt with needles, among which others may be that nobody asks for.
        answers: the values that are asked for.

    >>> text = "Grass is green. One of the special magic numbers for old-car is: 12. The sky is blue."
    >>> [text[each.start : each.stop] for each in needles_of(text, ["12"])], needles_of(text, ["12", "13"])
    (['One of the special magic numbers for old-car is: 12.'], ())
    """
    found = [list(re.finditer(NEEDLE.format(value=re.escape(value)), context)) for value in dict.fromkeys(answers)]
    if any(len(each) != 1 for each in found):
        return ()
    return tuple(sorted((range(*each[0].span()) for each in found), key=lambda span: span.start))
