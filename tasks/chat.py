"""A user's message in the model's chat template: its arguments, its date, and which text is the template's."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from transformers import PreTrainedTokenizerBase as Tokenizer
from transformers.utils import chat_template_utils

from tokenrank.tasks.chat_arguments import check_arguments, names_read
from tokenrank.tasks.tokens import FinalText, Piece

DATE = "2024-07-26"  # the day that Llama 3's templates name where they are given none
WRITTEN = "%d %b %Y"  # how these templates want date_string: 26 Jul 2024
CLOCK = "{{ strftime_now('%Y-%m-%d') }}"  # a template that says the day
MARK = "\ue000"  # a message that no template holds: shows where a template puts the message


@dataclass(frozen=True)
class Chat:
    """What a chat template is given beside the message."""

    arguments: Mapping[str, Any] = field(default_factory=dict)  # of the template, as {enable_thinking: false}
    date: str = DATE  # YYYY-MM-DD: what a template with a clock says

    def __post_init__(self) -> None:
        try:
            written = date.fromisoformat(self.date).isoformat()
        except ValueError:
            written = None
        if written != self.date:  # ISO 8601 has other forms: 20240726, 2024-W30-5
            raise ValueError(f"task.date is {self.date!r}, must be a day as in {DATE}")

    def pieces(self, tokenizer: Tokenizer, message: str) -> tuple[Piece, ...]:
        """The rendered template as text of the template and the user's message, with the assistant's generation prompt.

        The message is given to the template as a text; where it does not come out, as a list of one part of type text.

        Raises:
            ValueError: no chat template, it fails, does not read one of the arguments, or leaves the message out or changes it.
        """
        if not tokenizer.chat_template:
            raise ValueError("the model has no chat template: choose one that has, or set chat_template to false")
        failure = ValueError(
            "the model's chat template leaves the user's message out or changes it, as a text and as a list of parts: "
            "set chat_template to false, or write the template's text into prompts of your own"
        )
        for wrapped in (_as_text, _as_parts):
            try:
                pieces = self._located(tokenizer, message, wrapped)
            except _Refused as error:
                failure = error if wrapped is _as_text else failure
                continue
            if pieces:
                return pieces
        raise failure

    def _located(self, tokenizer: Tokenizer, message: str, wrapped: Callable[[str], Any]) -> tuple[Piece, ...]:
        """The pieces; none where the template does not hold the message as it is, but for blanks at its ends."""
        text, core = self._rendered(tokenizer, wrapped(message)), message.strip()
        if core not in text or _printed(wrapped(message), text):
            return ()
        parts = self._rendered(tokenizer, wrapped(MARK)).split(MARK)
        for written in (message, core, message.lstrip(), message.rstrip()):
            if len(parts) > 1 and written.join(parts) == text:
                return _between(parts, written)
        if not core:
            return ()
        marked = (
            core + MARK
        )  # what the template writes may depend on the message: it stands where it can be made longer
        parts = self._rendered(tokenizer, wrapped(message.replace(core, marked))).split(marked)
        return _between(parts, core) if len(parts) > 1 and core.join(parts) == text else ()

    def _rendered(self, tokenizer: Tokenizer, content: Any) -> str:
        turns = [{"role": "user", "content": content}]
        day = datetime.fromisoformat(self.date)
        try:
            reads = names_read(tokenizer)
            check_arguments(tokenizer, self.arguments, reads)
            dated = {"date_string": day.strftime(WRITTEN)} if "date_string" in reads else {}
            with _clock_at(day):
                if "strftime_now" in reads and _apply(tokenizer, turns, chat_template=CLOCK) != self.date:
                    raise ValueError("it has a clock, which this version of transformers does not let us set")
                return _apply(tokenizer, turns, **dated | dict(self.arguments))
        except Exception as error:  # the template is a program of the model's authors
            said = " ".join(str(error).split()) or type(error).__name__
            raise _Refused(f"the model's chat template cannot be applied: {said}") from error


class _Refused(ValueError):
    """A template that fails, or would with a message of another form."""


def chat(tokenizer: Tokenizer, message: str) -> str:
    """The message as the user's turn in the model's chat template, with the generation prompt of the assistant.

    Raises:
        ValueError: as for ``Chat.pieces``.
    """
    return "".join(piece.text for piece in Chat().pieces(tokenizer, message))


def final_text(tokenizer: Tokenizer, message: str, *, chat: Chat | None, opening: str = "") -> FinalText:
    """The final text of a prompt.

    Args:
        tokenizer: the model's.
        message: the user's message.
        chat: what the model's chat template is given; None: no chat template.
        opening: first words of the answer, which the model continues; on a new line where there is no chat template.

    Raises:
        ValueError: as for ``Chat.pieces``.
    """
    if chat is None:
        return FinalText(
            (Piece(f"{message}\n{opening}" if opening else message),), bare=True, message=range(len(message))
        )
    pieces = chat.pieces(tokenizer, message)
    place, stripped = None, 0
    if len(pieces) == 3:  # the template holds the message once
        front, written = (piece.text for piece in pieces[:2])
        place, stripped = range(len(front), len(front) + len(written)), message.index(written)
    return FinalText((*pieces, Piece(opening)), bare=False, message=place, stripped=stripped)


def _as_text(message: str) -> str:
    return message


def _as_parts(message: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": message}]


def _printed(content: Any, text: str) -> bool:
    """Whether the text holds a list of parts as Python or JSON writes it: the template took it for a text."""
    return isinstance(content, list) and any(write(content[0]) in text for write in (str, _json))


def _json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False)


def _between(parts: list[str], message: str) -> tuple[Piece, ...]:
    """The parts of a template with the message between each two."""
    pieces = [Piece(parts[0], template=True)]
    for part in parts[1:]:
        pieces += [Piece(message), Piece(part, template=True)]
    return tuple(pieces)


def _apply(tokenizer: Tokenizer, turns: list[dict[str, Any]], **given: Any) -> str:
    return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True, **given))


@contextmanager
def _clock_at(day: datetime) -> Iterator[None]:
    """While the block runs, ``strftime_now`` of chat templates tells this day."""
    module: Any = chat_template_utils
    clock = module.datetime
    module.datetime = type("Day", (datetime,), {"now": classmethod(lambda *_: day)})
    try:
        yield
    finally:
        module.datetime = clock
