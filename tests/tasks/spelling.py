"""What each token of a prompt is made of, read from the vocabulary: a slow way to find which tokens hold a text."""

import re
from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase as Tokenizer
from transformers.convert_slow_tokenizer import bytes_to_unicode

from tokenrank.tasks.task import Prompt

LETTERS = {letter: byte for byte, letter in bytes_to_unicode().items()}


def spelled(tokenizer: Tokenizer, ids: Sequence[int]) -> tuple[str, list[range]]:
    """The text that the tokens make, the names of control tokens in it, and the characters that each holds (in part)."""
    names = tokenizer.convert_ids_to_tokens(list(ids))
    control, by_byte = set(tokenizer.added_tokens_decoder), "Ġ" in tokenizer.get_vocab()
    pieces = [
        name.encode() if token in control else _bytes(name, by_byte=by_byte)
        for token, name in zip(ids, names, strict=True)
    ]
    whole = b"".join(pieces)
    character = [at for at, letter in enumerate(whole.decode()) for _ in letter.encode()]
    held, end = [], 0
    for piece in pieces:
        first, end = end, end + len(piece)
        held.append(range(character[first], character[end - 1] + 1))
    return whole.decode(), held


def holding(held: Sequence[range], characters: range) -> range | None:
    """Positions of the tokens that hold at least one of the characters."""
    found = [at for at, own in enumerate(held) if own.start < characters.stop and characters.start < own.stop]
    return range(found[0], found[-1] + 1) if found else None


def check_parts(tokenizer: Tokenizer, prompt: Prompt, *, before: str, after: str, question: str | None) -> None:
    """The context is what lies between these texts (the last such place), the question is where it is written last."""
    text, held = spelled(tokenizer, prompt.input_ids)
    stop = text.rindex(after)
    start = text.rindex(before, 0, stop) + len(before) if before else 0
    context = holding(held, range(start, stop))
    assert context is not None
    assert prompt.context == context
    if question is None:
        assert prompt.question is None
        return
    asked = text.rindex(question)
    found = holding(held, range(asked, asked + len(question)))
    assert found is not None
    assert prompt.question == range(max(found.start, context.stop), found.stop)


def _bytes(name: str, *, by_byte: bool) -> bytes:
    """What a token's name in the vocabulary stands for."""
    if by_byte:
        return bytes(LETTERS[letter] for letter in name)
    byte = re.fullmatch("<0x([0-9A-F]{2})>", name)
    return bytes([int(byte[1], 16)]) if byte else name.replace("▁", " ").encode()
