"""tasks/token_texts.py: the texts of all tokens together are the prompt, for several kinds of tokenizers."""

import pytest
from transformers import PreTrainedTokenizerBase as Tokenizer

from tests.tasks.tokenizers_of_kinds import KINDS
from tokenrank.tasks.token_texts import token_texts

TEXT = "Two words, a €, 日本語, an emoji 👩‍🚀 and  two blanks.\n\n\tA tab — end.\ufffd"


@pytest.mark.parametrize("kind", KINDS)
def test_the_texts_together_are_the_prompt(kind: str) -> None:
    tokenizer: Tokenizer = KINDS[kind]()
    ids = tokenizer(TEXT)["input_ids"]
    texts = token_texts(tokenizer, ids)
    assert len(texts) == len(ids)
    assert "".join(texts) == tokenizer.decode(ids, clean_up_tokenization_spaces=False)
    assert sum(bool(text) for text in texts) > len(ids) / 4


def test_a_character_of_several_tokens_belongs_to_the_last(byte_tokenizer: Tokenizer) -> None:
    ids = byte_tokenizer.encode("a€b", add_special_tokens=False)
    assert token_texts(byte_tokenizer, ids) == ["a", "", "", "€", "b"]
    assert "".join(token_texts(byte_tokenizer, ids[:3])) == byte_tokenizer.decode(ids[:3])


def test_no_tokens_have_no_texts(byte_tokenizer: Tokenizer) -> None:
    assert token_texts(byte_tokenizer, []) == []
