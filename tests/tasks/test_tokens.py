"""From text to tokens: the chat template, the token that opens a text, and cutting in the middle."""

import pytest
from tokenizers import processors
from transformers import PreTrainedTokenizerBase as Tokenizer
from transformers import PreTrainedTokenizerFast

from tokenrank.models.tiny import byte_tokenizer as new_byte_tokenizer
from tokenrank.tasks.chat import chat
from tokenrank.tasks.tokens import cut_middle, encode

START = "<|start|>"


def opening_tokenizer() -> PreTrainedTokenizerFast:
    """The byte tokenizer, with a token that opens every text, as Llama's has."""
    tokenizer = new_byte_tokenizer()
    tokenizer.add_special_tokens({"bos_token": START})
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A", special_tokens=[(START, tokenizer.convert_tokens_to_ids(START))]
    )
    return tokenizer


def test_the_message_becomes_the_users_turn(byte_tokenizer: Tokenizer) -> None:
    assert chat(byte_tokenizer, "Why?") == "<user>Why?</user><assistant>"


def test_a_tokenizer_without_a_chat_template_is_refused() -> None:
    tokenizer = new_byte_tokenizer()
    tokenizer.chat_template = None
    with pytest.raises(ValueError, match=r"no chat template: .* chat_template to false"):
        chat(tokenizer, "Why?")


def test_the_token_that_opens_a_text_is_there_once() -> None:
    tokenizer = opening_tokenizer()
    start = tokenizer.bos_token_id
    assert isinstance(start, int)
    bare, written = encode(tokenizer, "Why?"), encode(tokenizer, f"{START}Why?")
    assert bare == written
    assert (bare[0], bare.count(start)) == (start, 1)
    assert tokenizer(f"{START}Why?")["input_ids"][:2] == [start, start]  # what it would be otherwise


def test_nothing_is_added_where_a_tokenizer_opens_with_nothing(byte_tokenizer: Tokenizer) -> None:
    assert byte_tokenizer.decode(encode(byte_tokenizer, " Why? ")) == " Why? "
    assert len(encode(byte_tokenizer, " Why? ")) == 6


@pytest.mark.parametrize("limit", range(1, 13))
@pytest.mark.parametrize("tokens", [0, 1, 9, 10])
def test_too_long_a_text_is_cut_in_the_middle_alone(tokens: int, limit: int) -> None:
    ids = list(range(tokens))
    kept = cut_middle(ids, limit)
    assert len(kept) == min(tokens, limit)
    split = len(kept) // 2
    assert kept == ids[:split] + ids[tokens - (len(kept) - split) :]
    assert ids == list(range(tokens))


@pytest.mark.parametrize("limit", [0, -3])
def test_no_room_at_all_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match=f"the prompt may have {limit} tokens, must be at least 1"):
        cut_middle([1, 2, 3], limit)


def test_a_chat_template_that_fails_is_one_sentence(byte_tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    for broken in ("{{ raise_exception('roles must alternate') }}", "{% if %}", "{{ 1 / 0 }}"):
        monkeypatch.setattr(byte_tokenizer, "chat_template", broken)
        with pytest.raises(ValueError, match="the model's chat template cannot be applied: "):
            chat(byte_tokenizer, "a")
