"""What all kinds of RULER prompts share: their specification, the text around the passage, and the result."""

from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.tasks.chat import Chat, final_text
from tokenrank.tasks.haystack import MARK, Frame, frame
from tokenrank.tasks.parts import Parts
from tokenrank.tasks.tokens import FinalText


@dataclass(frozen=True)
class Wording:
    """Instruction before the passage, question after it, and the first words of the answer."""

    instruction: str
    question: str
    opening: str

    def around(self, passage: str) -> str:
        """The user's message."""
        return f"{self.instruction}{passage}{self.question}"

    def example(self, passage: str, answer: str) -> str:
        """A worked example, placed before the instruction."""
        return f"{self.around(passage)}\n{self.opening} {answer}\n\n"


@dataclass(frozen=True)
class Page:
    """Specification of one RULER prompt."""

    tokenizer: Tokenizer
    kind: str
    length: int  # tokens of the whole prompt
    chat: Chat | None  # what the model's chat template is given; None: no chat template

    def text(self, wording: Wording, before: str = "") -> FinalText:
        """The final text with ``MARK`` for the passage; ``before`` (a worked example) starts the user's message."""
        message = before + wording.around(MARK)
        return final_text(self.tokenizer, message, chat=self.chat, opening=wording.opening)

    def frame(self, wording: Wording, before: str = "") -> Frame:
        """The tokens around the passage.

        Raises:
            ValueError: the chat template holds the message several times.
        """
        return frame(self.tokenizer, self.text(wording, before), wording.question.strip())

    def check(self, needed: int) -> None:
        """Raises ValueError unless the length is at least what is needed."""
        if needed > self.length:
            raise ValueError(
                f"task.lengths holds {self.length}, and {self.kind} needs at least {needed} tokens with this model's "
                f"tokenizer: raise task.lengths, or leave {self.kind} out of task.kind"
            )


@dataclass(frozen=True)
class Written:
    """One RULER prompt: its tokens with their parts, and its reference answers."""

    ids: tuple[int, ...]
    parts: Parts  # the passage and the question after it; a worked example is part of the frame
    answers: tuple[str, ...]  # all of them are wanted
    evidence: tuple[range, ...] = ()  # positions of each sentence that holds something of the answer
