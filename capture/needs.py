"""What a ranking reads of a forward pass: declared by each heuristic, combined for all of them, provided by capture."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Needs:
    """What one heuristic, or several together, must be given."""

    window: int = 0  # queries at the end of the prompt whose attention is read; it is computed once and shared
    values: bool = False  # reads ``AttentionLayer.values``
    call: bool = False  # reads ``AttentionLayer.call``, the call of the model's own attention module
    answer: bool = False  # ranks after an answer, one row for all layers, and not layer by layer
    look_ahead: int = 0  # tokens of the model's own answer that are read, even beyond the answer's limit

    @staticmethod
    def together(all_needs: Iterable["Needs"]) -> "Needs":
        """What serves all of them.

        >>> Needs.together([Needs(window=8), Needs(window=32, values=True)])
        Needs(window=32, values=True, call=False, answer=False, look_ahead=0)
        """
        each = list(all_needs)
        return Needs(
            window=max((needs.window for needs in each), default=0),
            values=any(needs.values for needs in each),
            call=any(needs.call for needs in each),
            answer=any(needs.answer for needs in each),
            look_ahead=max((needs.look_ahead for needs in each), default=0),
        )


NOTHING = Needs()  # beyond queries and keys
