"""Names of a tokenizer's control tokens, and whether it puts a space in front of every text."""

import re
from dataclasses import dataclass
from functools import lru_cache

from transformers import PreTrainedTokenizerBase as Tokenizer

MARKUP = re.compile(r"<\|.+\|>")  # names that only control tokens have: <|user|>
SPACES = ("▁", "Ġ")  # how vocabularies write a space


@dataclass(frozen=True)
class ControlTokens:
    """Names of tokens that say where turns and texts begin and end, as patterns; in a document they are ordinary text."""

    special: re.Pattern[str]  # tokenizers skip these where they are told to split special tokens
    others: re.Pattern[str]  # control tokens that are not declared special, as Qwen3's <think>
    any: re.Pattern[str]
    leading_space: bool  # whether the first word of every text gets a space in front, as with the first Llamas


def control_tokens(tokenizer: Tokenizer) -> ControlTokens:
    """The control tokens of a tokenizer: its special tokens, and of the other added tokens those that are no ordinary text.

    These are added tokens whose names stand in the chat template or are written ``<|name|>``. Added tokens that are
    ordinary text (runs of spaces, HTML tags) are not among them.
    """
    return _control_tokens(tokenizer, len(tokenizer), str(tokenizer.chat_template))


@lru_cache(maxsize=4)
def _control_tokens(tokenizer: Tokenizer, _: int, template: str) -> ControlTokens:
    added = tokenizer.added_tokens_decoder.values()
    special = {*tokenizer.all_special_tokens, *(str(token) for token in added if token.special)}
    others = {str(token) for token in added} - special
    others = {name for name in others if name.strip() and (name in template or MARKUP.fullmatch(name))}
    word = tokenizer.convert_ids_to_tokens(tokenizer("x", add_special_tokens=False)["input_ids"])
    leading_space = bool(word) and str(word[0]).startswith(SPACES)
    return ControlTokens(_one_of(special), _one_of(others), _one_of(special | others), leading_space)


def _one_of(names: set[str]) -> re.Pattern[str]:
    """Matches any of the names, the longest first; nothing where there are none."""
    ordered = sorted(filter(None, names), key=lambda name: (-len(name), name))
    return re.compile("|".join(map(re.escape, ordered)) or "(?!)")
