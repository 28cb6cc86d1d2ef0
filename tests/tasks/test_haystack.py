"""The haystack: exactly as many tokens as asked, and the frame around the place of the mark."""

import random

import pytest
from transformers import PreTrainedTokenizerBase as Tokenizer

from tests.tasks.tokenizers_of_kinds import KINDS, legacy_llama
from tokenrank.tasks.chat import Chat, final_text
from tokenrank.tasks.haystack import MARK, frame, haystack, sentence
from tokenrank.tasks.tokens import FinalText, Piece, final_ids


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


def final(text: str) -> FinalText:
    return FinalText((Piece(text),), bare=True)


def test_a_frame_is_what_stands_before_and_after_the_mark(byte_tokenizer: Tokenizer) -> None:
    before, after, _ = frame(byte_tokenizer, final(f"ab{MARK}c"))
    assert (byte_tokenizer.decode(before), byte_tokenizer.decode(after)) == ("ab", "c")


@pytest.mark.parametrize("kind", KINDS)
def test_special_tokens_stand_at_the_ends_of_a_framed_prompt_only(kind: str) -> None:
    """A frame around nothing, with and without a chat template, has the tokens of the text without the mark."""
    tokenizer = KINDS[kind]()
    for chat in (Chat(), None):
        head, tail, _ = frame(tokenizer, final_text(tokenizer, f"Read.\n{MARK}\nWhy?", chat=chat))
        whole = final_ids(tokenizer, final_text(tokenizer, "Read.\n\nWhy?", chat=chat))
        assert head + tail == whole


@pytest.mark.parametrize("scheme", ["prepend", "first", "always"])
def test_sentences_of_a_haystack_have_single_spaces(scheme: str) -> None:
    tokenizer = legacy_llama(scheme)
    sentences = haystack(tokenizer, random.Random(0), 300)
    found = str(tokenizer.decode(tokenizer("Read.")["input_ids"] + [token for each in sentences for token in each]))
    assert "  " not in found
    assert found.count(" ") > 50


@pytest.mark.parametrize(("text", "times"), [("ab", 0), (f"a{MARK}b{MARK}", 2)])
def test_a_template_must_hold_the_message_once(byte_tokenizer: Tokenizer, text: str, times: int) -> None:
    with pytest.raises(ValueError, match=f"holds the user's message {times} times, must hold it once"):
        frame(byte_tokenizer, final(text))
