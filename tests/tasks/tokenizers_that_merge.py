"""Tokenizers whose tokens hold several characters, built in the test: one for each way to split a text before merging."""

import re
from collections.abc import Callable
from random import Random
from typing import Any

from tokenizers import Regex, decoders, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as Tokenizers
from transformers import PreTrainedTokenizer, PreTrainedTokenizerFast
from transformers import PreTrainedTokenizerBase as Tokenizer

from tests.tasks.tokenizers_of_kinds import SMOLLM2, legacy_llama
from tokenrank.models.tiny import END
from tokenrank.tasks.haystack import sentence

LLAMA3_SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
NAMES = ["<|im_start|>", "<|im_end|>"]
WORDS = (
    "the", "Why", "Read", "Asked", "Said", "box", "What", "Question", "Answer", "Passage", "text", "number", "word",
)  # fmt: skip


def gpt2() -> PreTrainedTokenizerFast:
    """Words with the space in front of them, as SmolLM2's."""
    return trained(pre_tokenizers.ByteLevel(add_prefix_space=False))


def llama3_merges() -> PreTrainedTokenizerFast:
    """Words with the sign in front of them, signs with the line breaks behind them, digits in threes."""
    split = pre_tokenizers.Split(Regex(LLAMA3_SPLIT), "isolated")
    return trained(pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]))


def unsplit() -> PreTrainedTokenizerFast:
    """Tokens that go across words and lines."""
    return trained(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False))


def tidy() -> PreTrainedTokenizerFast:
    """Leaves out spaces in front of punctuation when it turns tokens into text, as Llama 3's."""
    tokenizer = gpt2()
    tokenizer.clean_up_tokenization_spaces = True
    tokenizer.clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output = True
    return tokenizer


def trained(splitter: Any) -> PreTrainedTokenizerFast:
    """A byte-level BPE with 400 merges of the project's own sentences."""
    core = Tokenizers(models.BPE())
    core.pre_tokenizer, core.decoder = splitter, decoders.ByteLevel()
    draw = Random(0)
    lines = ["".join(sentence(draw) for _ in range(4)) + "\n\n" + ": ".join(WORDS) + "?\n" for _ in range(60)]
    lines += [" ".join(("“box”", "the\nbox,", "Why.\n", "\n\nWhat", "Asked: Why?\nSaid:"))] * 20
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    core.train_from_iterator(
        lines, trainers.BpeTrainer(vocab_size=656, initial_alphabet=alphabet, show_progress=False, special_tokens=[])
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token=END, chat_template=SMOLLM2)  # type: ignore[no-untyped-call]
    tokenizer.add_special_tokens({"additional_special_tokens": NAMES})
    return tokenizer


class Greedy(PreTrainedTokenizer):
    """The longest known text first, in Python alone: it cannot say which characters a token holds."""

    def __init__(self) -> None:
        merged = [f" {word}" for word in WORDS] + [
            "\n\n",
            ".\n",
            "?\n",
            "\n\nWhat",
            " x\nAsked",
            ": ",
            "Why?\n",
            "“",
            "”",
        ]
        self.names = sorted({*map(chr, range(32, 127)), "\n", "\t", *merged, "�"})
        self.numbers = {name: number for number, name in enumerate(self.names)}
        longest = sorted(self.names, key=len, reverse=True)
        self.any = re.compile("|".join(map(re.escape, longest)) + "|.", re.DOTALL)
        super().__init__(eos_token=END, additional_special_tokens=NAMES, chat_template=SMOLLM2)  # type: ignore[no-untyped-call]

    @property
    def vocab_size(self) -> int:
        return len(self.names)

    def get_vocab(self) -> dict[str, int]:
        return self.numbers | self.added_tokens_encoder

    def _tokenize(self, text: str, **_: Any) -> list[str]:
        return self.any.findall(text)

    def _convert_token_to_id(self, token: str) -> int:
        return self.numbers.get(token, self.numbers["�"])

    def _convert_id_to_token(self, index: int) -> str:
        return self.names[index]

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        return "".join(tokens)


MERGING: dict[str, Callable[[], Tokenizer]] = {
    each.__name__: each for each in (gpt2, llama3_merges, unsplit, tidy, Greedy, legacy_llama)
}
