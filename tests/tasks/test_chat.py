"""The chat template: the tokens of apply_chat_template, the message in the text, arguments, the date, and what is refused."""

import datetime
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase as Tokenizer

from tests.tasks.tokenizers_of_kinds import KINDS, LLAMA3, made, qwen3, smollm2
from tokenrank.tasks.chat import Chat, final_text
from tokenrank.tasks.tokens import Piece, final_ids

MESSAGES = ["Why?", "  Why,\n and how? \n", "user", "größer\u2028 <b>x</b>"]
PARTS = "{% for message in messages %}<{% for part in message['content'] %}{{ part['text'] }}{% endfor %}>{% endfor %}"


def with_template(template: str) -> Tokenizer:
    return made(template, special=["<|im_start|>"])


def rendered(tokenizer: Tokenizer, message: str, chat: Chat | None = None) -> str:
    return final_text(tokenizer, message, chat=chat or Chat()).text


@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_tokens_are_those_of_apply_chat_template(kind: str, message: str) -> None:
    tokenizer = KINDS[kind]()
    turns = [{"role": "user", "content": message}]
    wanted = tokenizer.apply_chat_template(turns, tokenize=True, add_generation_prompt=True, return_dict=False)
    assert final_ids(tokenizer, final_text(tokenizer, message, chat=Chat())) == wanted


def test_the_message_is_told_from_the_template() -> None:
    pieces = Chat().pieces(smollm2(), "user")
    assert [piece.text for piece in pieces if not piece.template] == ["user"]
    assert pieces[0].text.endswith("<|im_start|>user\n")
    assert pieces[-1].text == "<|im_end|>\n<|im_start|>assistant\n"


def test_a_message_that_the_template_trims_is_the_trimmed_one() -> None:
    tokenizer = made(LLAMA3, special=["<|eot_id|>"])
    assert Piece("Why?") in Chat().pieces(tokenizer, " \nWhy?\n")
    assert Piece(" Why? ") in Chat().pieces(smollm2(), " Why? ")


def test_a_message_that_stands_twice_is_found_twice() -> None:
    pieces = Chat().pieces(with_template("{{ messages[0]['content'] }}|{{ messages[0]['content'] }}"), "a")
    assert [piece.text for piece in pieces if not piece.template] == ["a", "a"]


def test_a_template_whose_head_depends_on_the_message_holds_it_all_the_same() -> None:
    tokenizer = with_template("{% if 'b' in messages[0]['content'] %}Odd. {% endif %}<{{ messages[0]['content'] }}>")
    assert [piece.text for piece in Chat().pieces(tokenizer, "xbx")] == ["Odd. <", "xbx", ">"]


@pytest.mark.parametrize("message", ["user", "u", "Answer:"])
def test_a_message_that_the_template_says_too_is_not_taken_for_the_one_that_it_leaves_out(message: str) -> None:
    wants_parts = with_template(f"user: {PARTS}Answer:")
    assert rendered(wants_parts, message) == f"user: <{message}>Answer:"
    with pytest.raises(ValueError, match="leaves the user's message out"):
        Chat().pieces(with_template("user: Answer:"), message)


def test_a_template_that_wants_parts_gets_parts() -> None:
    assert rendered(with_template(PARTS), "Why?") == "<Why?>"
    raising = "{% if messages[0]['content'] is string %}{{ raise_exception('parts only') }}{% endif %}" + PARTS
    assert rendered(with_template(raising), "Why?") == "<Why?>"


@pytest.mark.parametrize(
    "template",
    [
        "Hello.",
        "{{ messages[0]['content'] | upper }}",
        "{% if messages[0]['content'] is string %}lost{% else %}{{ messages[0]['content'] }}{% endif %}",
        "{% if messages[0]['content'] is string %}lost{% else %}{{ raise_exception('no list') }}{% endif %}",
        "{% if messages[0]['content'] is string %}lost{% else %}{{ messages[0]['content'] | tojson }}{% endif %}",
    ],
)
def test_a_template_that_loses_or_changes_the_message_is_refused(template: str) -> None:
    with pytest.raises(
        ValueError, match=r"^the model's chat template leaves the user's message out or changes it[^\n]*$"
    ):
        Chat().pieces(with_template(template), "Why?")


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ raise_exception('roles must\nalternate') }}", "roles must alternate"),
        ("{% if %}", "Expected an expression"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ messages[0].content.nope.nope }}", "'str object' has no attribute 'nope'"),
    ],
)
def test_a_template_that_raises_is_one_sentence_with_what_it_said(template: str, said: str) -> None:
    with pytest.raises(ValueError, match=rf"^the model's chat template cannot be applied: [^\n]*{said}[^\n]*$"):
        Chat().pieces(with_template(template), "a")


def test_an_argument_reaches_the_template() -> None:
    tokenizer = qwen3()
    plain, off = (rendered(tokenizer, "a", Chat(each)) for each in ({}, {"enable_thinking": False}))
    assert off == f"{plain}<think>\n\n</think>\n\n"
    assert rendered(tokenizer, "a", Chat({"enable_thinking": True})) == plain


@pytest.mark.parametrize("name", ["enable_thinkin", "messages", "tokenize", "add_generation_prompt", "bos_token"])
def test_an_argument_that_the_template_does_not_read_is_refused(name: str) -> None:
    with pytest.raises(
        ValueError, match=rf"task\.template .* sets {name}, which it does not read; it reads enable_thinking$"
    ):
        Chat({name: False}).pieces(qwen3(), "a")


def test_names_inside_a_generation_block_and_loops_with_break_are_read() -> None:
    template = (
        "{% for m in messages %}{% generation %}{{ m.content }}{{ mine }}{% endgeneration %}{% break %}{% endfor %}"
    )
    assert rendered(with_template(template), "a", Chat({"mine": "!"})) == "a!"


class Later(datetime.datetime):
    """A clock that shows another day."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> "Later":
        return cls(2031, 1, 2)


LLAMA32 = (
    "{% if not date_string is defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}"
    "Today: {{ date_string }}. {{ messages[0]['content'] }}"
)
CLOCK = "Today: {{ strftime_now('%d %b %Y') }}. {{ messages[0]['content'] }}"
FIXED = "{% set day = date_string or '26 Jul 2024' %}Today: {{ day }}. {{ messages[0]['content'] }}"


@pytest.mark.parametrize("template", [LLAMA32, CLOCK, FIXED])
def test_a_template_with_a_clock_says_the_date_of_the_setting(template: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = with_template(template)
    turns: list[dict[str, Any]] = [{"role": "user", "content": "a"}]
    assert rendered(tokenizer, "a") == "Today: 26 Jul 2024. a"
    monkeypatch.setattr("transformers.utils.chat_template_utils.datetime", Later)
    assert ("02 Jan 2031" in tokenizer.apply_chat_template(turns, tokenize=False)) == (template != FIXED)  # the control
    assert rendered(tokenizer, "a") == "Today: 26 Jul 2024. a"
    assert rendered(tokenizer, "a", Chat(date="2023-12-01")) == "Today: 01 Dec 2023. a"
    assert ("02 Jan 2031" in tokenizer.apply_chat_template(turns, tokenize=False)) == (template != FIXED)  # set back


def test_a_clock_that_cannot_be_set_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers.utils.chat_template_utils import _compile_jinja_template

    for template in (CLOCK, "{{ strftime_now('%Y-%m-%d') }}"):
        compiled = _compile_jinja_template(template)
        monkeypatch.setitem(compiled.environment.globals, "strftime_now", lambda form: "2031-01-02")
    with pytest.raises(ValueError, match="it has a clock, which this version of transformers does not let us set"):
        Chat().pieces(with_template(CLOCK), "a")


@pytest.mark.parametrize("day", ["26 Jul 2024", "2024-13-01", "20240726", "2024-W30-5", ""])
def test_a_date_that_is_none_is_refused(day: str) -> None:
    with pytest.raises(ValueError, match=rf"task\.date is '{day}', must be a day as in 2024-07-26"):
        Chat(date=day)
