"""Prompts of random tokens, for timing."""

import random
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.tasks.choosing import check_lengths, check_lengths_fit
from tokenrank.tasks.task import Prompt, Task, check_at_least_one, check_seed


@dataclass(frozen=True)
class RandomTokens(Task):
    """One prompt a length, each token drawn from the vocabulary without special and added tokens; no answers, no grade."""

    lengths: list[int]  # tokens
    seed: int = 0
    max_new_tokens: int = 16

    def __post_init__(self) -> None:
        check_lengths(self.lengths)
        check_at_least_one("task.max_new_tokens", self.max_new_tokens)
        check_seed(self.seed)

    def prompts(self, tokenizer: Tokenizer, max_tokens: int) -> list[Prompt]:
        """Prompts in the order of the lengths; special tokens and others that were added to the vocabulary are left out."""
        check_lengths_fit(self.lengths, self.max_new_tokens, max_tokens)
        added = {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
        ordinary = sorted(set(tokenizer.get_vocab().values()) - added)
        if not ordinary:
            raise ValueError("the model's tokenizer has no token beside those that were added to its vocabulary")
        return [
            Prompt(
                id=f"random_{length}",
                task="random_tokens",
                input_ids=tuple(random.Random(f"{self.seed} {length}").choices(ordinary, k=length)),
                max_new_tokens=self.max_new_tokens,
            )
            for length in self.lengths
        ]
