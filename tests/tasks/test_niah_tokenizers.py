"""NeedleInAHaystack with tokenizers of several kinds: special tokens, single spaces, template arguments and the date."""

from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase as Tokenizer

from tests.tasks.tokenizers_of_kinds import KINDS, legacy_llama, qwen3
from tokenrank.tasks.chat import Chat, final_text
from tokenrank.tasks.niah import NeedleInAHaystack
from tokenrank.tasks.task import Prompt
from tokenrank.tasks.tokens import final_ids

READS = 8192  # tokens


def grid(lengths: list[int], depths: list[float] | None = None, **settings: Any) -> NeedleInAHaystack:
    return NeedleInAHaystack(lengths=lengths, depths=depths or [0, 50, 100], **settings)


def place(prompt: Prompt) -> range:
    assert prompt.needle is not None
    return prompt.needle


def text(tokenizer: Tokenizer, prompt: Prompt, part: slice = slice(None)) -> str:
    return str(tokenizer.decode(list(prompt.input_ids[part])))


@pytest.mark.parametrize("chat_template", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_special_tokens_stand_where_the_template_or_the_tokenizer_puts_them(kind: str, chat_template: bool) -> None:
    """The control tokens of a prompt are those of a short message: none lies between head, haystack, needle and question."""
    tokenizer = KINDS[kind]()
    chat = Chat() if chat_template else None
    control = set(tokenizer.added_tokens_decoder)
    wanted = [token for token in final_ids(tokenizer, final_text(tokenizer, "Why?", chat=chat)) if token in control]
    (prompt,) = grid(lengths=[400], depths=[50], chat_template=chat_template).prompts(tokenizer, READS)
    assert [token for token in prompt.input_ids if token in control] == wanted
    (value,) = prompt.answers
    assert value in str(tokenizer.decode(list(prompt.input_ids)))


@pytest.mark.parametrize("scheme", ["prepend", "first", "always"])
def test_a_tokenizer_that_puts_a_space_in_front_of_texts_doubles_none(scheme: str) -> None:
    tokenizer = legacy_llama(scheme)
    for prompt in grid(lengths=[700], chat_template=False).prompts(tokenizer, READS):
        assert len(prompt.input_ids) == 700
        assert "  " not in str(tokenizer.decode(list(prompt.input_ids), skip_special_tokens=True))
        assert text(tokenizer, prompt, slice(place(prompt).start, place(prompt).stop)).startswith(
            "The code number of the"
        )


def test_arguments_and_date_reach_the_chat_template() -> None:
    tokenizer = qwen3()
    (plain,) = grid(lengths=[400], depths=[50]).prompts(tokenizer, READS)
    (off,) = grid(lengths=[400], depths=[50], template={"enable_thinking": False}).prompts(tokenizer, READS)
    assert text(tokenizer, off).endswith("<think>\n\n</think>\n\n")
    assert not text(tokenizer, plain).endswith("<think>\n\n</think>\n\n")
    with pytest.raises(ValueError, match="sets thinking, which it does not read; it reads enable_thinking"):
        grid([400], template={"thinking": False}).prompts(tokenizer, READS)
    tokenizer.chat_template = "{{ strftime_now('%d %b %Y') }}|{{ messages[0]['content'] }}"
    (dated,) = grid(lengths=[400], depths=[50], date="2020-02-03").prompts(tokenizer, READS)
    assert text(tokenizer, dated).startswith("03 Feb 2020|Read")
    with pytest.raises(ValueError, match=r"task\.date is 'today', must be a day"):
        grid([400], date="today")
