"""What the sweep says of a decoder class: exact, refused with a sentence, decoded one by one, wrong, or another error."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import tokenrank

EXACT, REFUSED, WRONG, TRACEBACK, NOT_MADE = "exact", "refused", "WRONG", "TRACEBACK", "cannot be made"
ONE_BY_ONE = "one by one"  # of answers that are not decoded together
BAD = (WRONG, TRACEBACK)
OURS = Path(tokenrank.__file__).resolve().parents[2]  # the checkout: src/tokenrank holds links to its folders


@dataclass(frozen=True)
class Verdict:
    """Of one check."""

    word: str  # EXACT, REFUSED, ONE_BY_ONE, WRONG, TRACEBACK or NOT_MADE
    reason: str = ""  # the sentence of a refusal, why one by one, what is wrong, or the error and its place


@dataclass
class Row:
    """What was found of one decoder class, with one variant of its config."""

    model_type: str
    variant: str  # empty: the tiny config itself
    class_name: str
    reading: Verdict  # of attention and answer
    engines: dict[str, Verdict] = field(default_factory=dict)  # where the reading is exact
    sharing: dict[str, Verdict] = field(default_factory=dict)  # where the full engine is exact
    acting: dict[str, bool] = field(
        default_factory=dict
    )  # windows and top-k of the config -> whether they change logits
    deviation: float = float("nan")  # largest difference of an attention weight

    @property
    def bad(self) -> bool:
        """Whether anything is wrong, or ends in an error that is no refusal."""
        return any(verdict.word in BAD for verdict in (self.reading, *self.engines.values(), *self.sharing.values()))


def judge(check: Callable[[], str]) -> Verdict:
    """The verdict of a check that returns what is wrong, or nothing, or raises.

    A ValueError is a refusal only if code of the project raised it: a sentence of transformers names no reason of ours.
    """
    try:
        wrong = check()
    except Exception as error:
        frames = [Path(frame.filename).resolve() for frame in traceback.extract_tb(error.__traceback__)]
        if isinstance(error, ValueError) and _is_ours(frames[-1]):
            return Verdict(REFUSED, " ".join(str(error).split()))
        return Verdict(TRACEBACK, _described(error))
    return Verdict(WRONG, wrong) if wrong else Verdict(EXACT)


def _is_ours(file: Path) -> bool:
    """Whether a file belongs to the package; tests and libraries do not."""
    return file.is_relative_to(OURS) and not {"tests", "site-packages"} & set(file.parts)


def _described(error: Exception) -> str:
    """The error, where it was raised, and the last line of the package before it."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if _is_ours(Path(frame.filename).resolve())]
    last, mine = (f"{Path(each[-1].filename).name}:{each[-1].lineno}" if each else "" for each in (frames, ours))
    place = last if last == mine or not mine else f"{last}, called from {mine}"
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]} ({place})"
