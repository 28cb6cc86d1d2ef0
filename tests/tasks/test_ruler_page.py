"""The specification of a RULER prompt: its text with and without a chat template, and lengths that are too small."""

import pytest
from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.tasks.chat import Chat
from tokenrank.tasks.haystack import MARK
from tokenrank.tasks.ruler_page import Page, Wording

WORDING = Wording(instruction="Read.\n", question="\nWhat?", opening="It is")


def test_the_text_opens_the_answer_in_the_assistants_turn(byte_tokenizer: Tokenizer) -> None:
    chat, bare = (Page(byte_tokenizer, "vt", 100, each).text(WORDING, "Before. ") for each in (Chat(), None))
    assert chat.text == f"<user>Before. Read.\n{MARK}\nWhat?</user><assistant>It is"
    assert bare.text == f"Before. Read.\n{MARK}\nWhat?\nIt is"


def test_an_example_is_a_whole_prompt_with_its_answer() -> None:
    assert WORDING.example("x y", "y") == "Read.\nx y\nWhat?\nIt is y\n\n"


def test_a_length_below_what_is_needed_is_refused(byte_tokenizer: Tokenizer) -> None:
    page = Page(byte_tokenizer, "vt", 100, chat=Chat())
    page.check(100)
    with pytest.raises(ValueError, match=r"task\.lengths holds 100, and vt needs at least 101 tokens"):
        page.check(101)
