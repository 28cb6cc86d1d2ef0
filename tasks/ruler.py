"""RULER: needles, variables and frequent words, generated at any length."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product

from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.tasks.choosing import check_lengths, check_lengths_fit, drawn_cells
from tokenrank.tasks.grading.containing import share_found
from tokenrank.tasks.ruler_counted import cwe, fwe
from tokenrank.tasks.ruler_hidden import niah, vt
from tokenrank.tasks.ruler_page import Page, Written
from tokenrank.tasks.task import Prompt, check_positive, check_seed
from tokenrank.tasks.templated import Templated

Kind = Callable[[Page, random.Random], Written]
KINDS: dict[str, tuple[Kind, int]] = {  # how it is written, and tokens of the answer
    "niah_single": (niah, 128),
    "niah_multikey": (partial(niah, keys=4), 128),  # RULER's niah_multikey_1
    "niah_multikey_2": (partial(niah, among_needles=True), 128),
    "niah_multivalue": (partial(niah, values=4), 128),
    "niah_multiquery": (partial(niah, keys=4, asked=4), 128),
    "vt": (vt, 30),
    "cwe": (cwe, 120),
    "fwe": (fwe, 50),
}


@dataclass(frozen=True)
class Ruler(Templated):
    """Prompts of RULER's construction in words of our own.

    Needles and variables are exactly as long as asked; lists of words are the longest that fit, a few tokens less. The
    questions are the same at every length. A prompt ends with the first words of the answer, in the assistant's turn
    where there is a chat template, as RULER's do. Departures: the haystack is the project's own sentences, not essays;
    keys and words are made up; a length counts the prompt without the answer. With answer=reference the
    first of several references is used.

    Source: Hsieh et al. 2024, https://arxiv.org/abs/2404.06654, and its code, https://github.com/NVIDIA/RULER.
    """

    kind: list[str]  # some of KINDS
    lengths: list[int]  # tokens of the whole prompt, chat template and opening of the answer included
    samples: int | None = None  # prompts in all, spread evenly over kinds and lengths; None: one each
    seed: int = 0  # which kinds and lengths, and all that is in the prompts
    max_new_tokens: int | None = None  # tokens of the answer; None: each kind's own
    chat_template: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = [kind for kind in self.kind if kind not in KINDS]
        if unknown or not self.kind:
            what = f"holds {unknown[0]!r}" if unknown else "is empty"
            raise ValueError(f"task.kind {what}, must name at least one of {', '.join(KINDS)}, and nothing else")
        if len(set(self.kind)) < len(self.kind):
            raise ValueError(f"task.kind holds one kind twice: {self.kind}")
        check_lengths(self.lengths)
        check_positive("task.samples", self.samples)
        check_positive("task.max_new_tokens", self.max_new_tokens)
        check_seed(self.seed)

    def prompts(self, tokenizer: Tokenizer, max_tokens: int) -> list[Prompt]:
        """One prompt per kind and length, or ``samples`` of them, in the order of the settings."""
        for kind in self.kind:
            check_lengths_fit(self.lengths, self.max_new_tokens or KINDS[kind][1], max_tokens)
        cells = list(product(self.kind, self.lengths))
        chosen = drawn_cells(cells, self.samples, self.seed)
        chosen.sort(key=lambda drawn: (cells.index(drawn[0]), drawn[1]))
        return [self._prompt(tokenizer, *cell, repeat) for cell, repeat in chosen]

    def grade(self, prompt: Prompt, answer: str) -> float:
        """Fraction of the references that the answer contains."""
        return share_found(answer, prompt.answers)

    def _prompt(self, tokenizer: Tokenizer, kind: str, length: int, repeat: int) -> Prompt:
        write, new_tokens = KINDS[kind]
        page = Page(tokenizer, kind, length, self.chat() if self.chat_template else None)
        written = write(page, random.Random(f"{self.seed} {kind} {repeat}"))
        return Prompt(
            id=f"{kind}_{length}_{repeat}",
            task=f"ruler/{kind}",
            input_ids=written.ids,
            max_new_tokens=self.max_new_tokens or new_tokens,
            answers=written.answers,
            evidence=written.evidence,
            context=written.parts.context,
            question=written.parts.question,
        )
