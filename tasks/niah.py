"""Needle in a haystack: one sentence to be found in a long text that has nothing to do with it."""

import random
from dataclasses import dataclass
from itertools import product

from transformers import PreTrainedTokenizerBase as Tokenizer

from tasks.task import Prompt, Task, check_positive
from tasks.tokens import chat, encode

TASK = "Read the report below and remember the code number that is hidden in it.\n\n"
NEEDLE = " The code number of {owner} is {value}."
QUESTION = "\n\nWhat is the code number of {owner}?"
MARK = "\x00"  # stands for the report while the template is applied

OWNERS = ("the lighthouse", "the bakery", "the observatory", "the harbour", "the museum", "the orchard", "the theatre")
WHO = ("The gardener", "An old teacher", "The postman", "A young painter", "The mayor", "Her neighbour", "The baker")
DID = ("walked past", "took a picture of", "talked about", "waited beside", "repaired", "forgot about", "looked for")
WHAT = (
    "the stone bridge",
    "a wooden cart",
    "the empty square",
    "the railway clock",
    "a blue bicycle",
    "the mill wheel",
)
WHEN = ("before breakfast", "on a rainy Tuesday", "late in the autumn", "while the bells rang", "during the market")
WHY = (
    "because the weather was about to change",
    "and nobody in the street seemed to mind",
    "although there were better things to do",
    "so the children had something to talk about",
    "as people there have done for many years",
    "and then went home without another word",
)


@dataclass(frozen=True)
class NeedleInAHaystack(Task):
    """A grid of prompts, length x depth, each exactly as long as asked, the place of the needle known to the token.

    Construction after Kamradt 2023, https://github.com/gkamradt/LLMTest_NeedleInAHaystack; the words are our own.
    """

    lengths: list[int]  # tokens of the whole prompt, chat template included
    depths: list[float]  # percent of the haystack before the needle, 0 to 100
    samples: int | None = None  # prompts in all: some cells of the grid, or several a cell; None: one a cell
    seed: int = 0  # which cells, and all that is in them
    max_new_tokens: int = 16
    chat_template: bool = True

    def __post_init__(self) -> None:
        for depth in self.depths:
            if not 0 <= depth <= 100:
                raise ValueError(f"task.depths holds {depth}, must be from 0 to 100 percent")
        for name, values in (("lengths", self.lengths), ("depths", self.depths)):
            if not values:
                raise ValueError(
                    f"task.{name} is empty, task.lengths and task.depths must each hold at least one value"
                )
            if len({f"{value:g}" for value in values}) < len(values):
                raise ValueError(f"task.{name} holds one value twice: {values}, must be different to six digits")
        check_positive("task.samples", self.samples)

    def prompts(self, tokenizer: Tokenizer, max_tokens: int) -> list[Prompt]:
        """One prompt per cell of the grid, or ``samples`` of them, drawn by ``seed``."""
        longest = max_tokens - self.max_new_tokens
        for length in self.lengths:
            if length > longest:
                raise ValueError(
                    f"task.lengths holds {length}, but the model reads {max_tokens} tokens, "
                    f"{self.max_new_tokens} of them kept for the answer: at most {longest}"
                )
        cells = list(product(self.lengths, self.depths))
        random.Random(self.seed).shuffle(cells)
        chosen = [(*cells[i % len(cells)], i // len(cells)) for i in range(self.samples or len(cells))]
        return [self._prompt(tokenizer, *cell) for cell in sorted(chosen)]

    def score(self, prompt: Prompt, answer: str) -> float:
        """1 if the answer holds the code number, else 0."""
        return float(any(right in answer for right in prompt.answers))

    def _prompt(self, tokenizer: Tokenizer, length: int, depth: float, repeat: int) -> Prompt:
        draw = random.Random(f"{self.seed} {length} {depth:g} {repeat}")
        owner, value = draw.choice(OWNERS), str(draw.randrange(10_000, 100_000))
        text = TASK + MARK + QUESTION.format(owner=owner)
        before, after = (chat(tokenizer, text) if self.chat_template else text).split(MARK)
        head = encode(tokenizer, before)
        needle = _plain(tokenizer, NEEDLE.format(owner=owner, value=value))
        tail = _plain(tokenizer, after)
        room = length - len(head) - len(needle) - len(tail)
        if room < 0:
            raise ValueError(
                f"task.lengths holds {length}, at least {length - room} tokens are needed around the haystack"
            )
        sentences = _haystack(tokenizer, draw, room)
        split = round(len(sentences) * depth / 100)
        first = [token for sentence in sentences[:split] for token in sentence]
        rest = [token for sentence in sentences[split:] for token in sentence]
        start = len(head) + len(first)
        return Prompt(
            id=f"niah_{length}_{depth:g}_{repeat}",
            task="niah",
            input_ids=(*head, *first, *needle, *rest, *tail),
            max_new_tokens=self.max_new_tokens,
            answers=(value,),
            needle=range(start, start + len(needle)),
            depth=float(depth),
        )


def _plain(tokenizer: Tokenizer, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _haystack(tokenizer: Tokenizer, draw: random.Random, tokens: int) -> list[list[int]]:
    """Sentences of exactly ``tokens`` tokens together; the last one is broken off where it must be."""
    sentences: list[list[int]] = []
    while tokens > 0:
        words = " ".join(draw.choice(part) for part in (WHO, DID, WHAT, WHEN, WHY))
        sentence = _plain(tokenizer, f" {words}.")[:tokens]
        sentences.append(sentence)
        tokens -= len(sentence)
    return sentences
