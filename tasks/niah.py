"""Needle in a haystack: one sentence with the answer, hidden in unrelated text."""

import random
from dataclasses import dataclass
from itertools import product

from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.tasks.chat import final_text
from tokenrank.tasks.choosing import check_lengths_fit, drawn_cells
from tokenrank.tasks.haystack import MARK, frame, haystack
from tokenrank.tasks.task import Prompt, check_at_least_one, check_positive, check_seed
from tokenrank.tasks.templated import Templated
from tokenrank.tasks.tokens import tokens_of

TASK = "Read the report below and remember the code number that is hidden in it.\n\n"
NEEDLE = " The code number of {owner} is {value}."
QUESTION = "What is the code number of {owner}?"

OWNERS = ("the lighthouse", "the bakery", "the observatory", "the harbour", "the museum", "the orchard", "the theatre")


@dataclass(frozen=True)
class NeedleInAHaystack(Templated):
    """A grid of prompts, length x depth, each with exactly the length asked for; the needle's tokens are known.

    Construction after Kamradt 2023, https://github.com/gkamradt/LLMTest_NeedleInAHaystack; the words are our own.
    """

    lengths: list[int]  # tokens of the whole prompt, chat template included
    depths: list[float]  # percent of the haystack before the needle, 0 to 100
    samples: int | None = None  # prompts in all: some cells of the grid, or several a cell; None: one a cell
    seed: int = 0  # which cells, and all that is in them
    max_new_tokens: int = 16
    chat_template: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
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
        check_at_least_one("task.max_new_tokens", self.max_new_tokens)
        check_seed(self.seed)

    def prompts(self, tokenizer: Tokenizer, max_tokens: int) -> list[Prompt]:
        """One prompt per cell of the grid, or ``samples`` of them, drawn by ``seed``."""
        check_lengths_fit(self.lengths, self.max_new_tokens, max_tokens)
        chosen = drawn_cells(list(product(self.lengths, self.depths)), self.samples, self.seed)
        return [self._prompt(tokenizer, *cell, repeat) for cell, repeat in sorted(chosen)]

    def grade(self, prompt: Prompt, answer: str) -> float:
        """1 if the answer contains the code number, else 0."""
        return float(any(right in answer for right in prompt.answers))

    def _prompt(self, tokenizer: Tokenizer, length: int, depth: float, repeat: int) -> Prompt:
        draw = random.Random(f"{self.seed} {length} {depth:g} {repeat}")
        owner, value = draw.choice(OWNERS), str(draw.randrange(10_000, 100_000))
        question = QUESTION.format(owner=owner)
        text = f"{TASK}{MARK}\n\n{question}"
        final = final_text(tokenizer, text, chat=self.chat() if self.chat_template else None)
        around = frame(tokenizer, final, question)
        needle = tokens_of(tokenizer, NEEDLE.format(owner=owner, value=value), start=False)
        hay = length - len(around.head) - len(needle) - len(around.tail)
        if hay < 0:
            raise ValueError(
                f"task.lengths holds {length}, at least {length - hay} tokens are needed around the haystack"
            )
        sentences = haystack(tokenizer, draw, hay)
        split = round(len(sentences) * depth / 100)
        first = [token for sentence in sentences[:split] for token in sentence]
        rest = [token for sentence in sentences[split:] for token in sentence]
        start = len(around.head) + len(first)
        parts = around.parts(length)
        return Prompt(
            id=f"niah_{length}_{depth:g}_{repeat}",
            task="niah",
            input_ids=(*around.head, *first, *needle, *rest, *around.tail),
            max_new_tokens=self.max_new_tokens,
            answers=(value,),
            evidence=(range(start, start + len(needle)),),
            context=parts.context,
            question=parts.question,
            depth=float(depth),
        )
