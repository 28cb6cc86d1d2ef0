"""The haystack: exactly as many tokens as asked, and the frame around the place of the mark."""

import random

import pytest
from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.tasks.haystack import MARK, frame, haystack, sentence


@pytest.mark.parametrize("tokens", [0, 1, 7, 500])
def test_a_haystack_has_exactly_the_tokens_asked_for(byte_tokenizer: Tokenizer, tokens: int) -> None:
    sentences = haystack(byte_tokenizer, random.Random(0), tokens)
    assert sum(map(len, sentences)) == tokens
    text = str(byte_tokenizer.decode([token for each in sentences for token in each]))
    draw = random.Random(0)
    assert "".join(sentence(draw) for _ in range(20)).startswith(text)


def test_a_sentence_starts_with_a_space_and_ends_with_a_full_stop() -> None:
    text = sentence(random.Random(1))
    assert (text[0], text[-1], text.count(".")) == (" ", ".", 1)


def test_a_frame_is_what_stands_before_and_after_the_mark(byte_tokenizer: Tokenizer) -> None:
    before, after = frame(byte_tokenizer, f"ab{MARK}c")
    assert (byte_tokenizer.decode(before), byte_tokenizer.decode(after)) == ("ab", "c")


@pytest.mark.parametrize(("text", "times"), [("ab", 0), (f"a{MARK}b{MARK}", 2)])
def test_a_template_must_hold_the_message_once(byte_tokenizer: Tokenizer, text: str, times: int) -> None:
    with pytest.raises(ValueError, match=f"holds the user's message {times} times, must hold it once"):
        frame(byte_tokenizer, text)
