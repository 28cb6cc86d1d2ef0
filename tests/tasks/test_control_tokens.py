"""Names of control tokens in documents are text; texts without them keep their tokens; spaces in front of texts."""

import random

import pytest
from transformers import PreTrainedTokenizerBase as Tokenizer

from tests.tasks.tokenizers_of_kinds import KINDS, glm, legacy_llama, llama3, qwen3, smollm2
from tokenrank.tasks.chat import Chat, final_text
from tokenrank.tasks.control_tokens import control_tokens
from tokenrank.tasks.tokens import FinalText, Piece, added_tokens, encode, final_ids, tokens_of

SPECIAL = {
    "smollm2": "<|im_end|>",
    "llama3": "<|eot_id|>",
    "glm": "[gMASK]",
    "legacy_llama": "</s>",
    "qwen3": "<think>",
}
DOCUMENT = "It says {0}, and {0}\n{0}{0} twice."


def ids(tokenizer: Tokenizer, message: str, *, chat: bool) -> list[int]:
    return final_ids(tokenizer, final_text(tokenizer, message, chat=Chat() if chat else None))


def controls(tokenizer: Tokenizer, found: list[int]) -> list[int]:
    """The control tokens among them, in order."""
    return [token for token in found if token in tokenizer.added_tokens_decoder]


@pytest.mark.parametrize("chat", [True, False])
@pytest.mark.parametrize("kind", SPECIAL)
def test_names_of_control_tokens_in_a_document_are_text(kind: str, chat: bool) -> None:
    tokenizer = KINDS[kind]()
    document = DOCUMENT.format(SPECIAL[kind])
    found = ids(tokenizer, document, chat=chat)
    assert controls(tokenizer, found) == controls(tokenizer, ids(tokenizer, "Why?", chat=chat))
    assert document in str(tokenizer.decode(found))
    whole = final_text(tokenizer, document, chat=Chat() if chat else None).text
    parsed = tokenizer(whole, add_special_tokens=False)["input_ids"]
    assert len(controls(tokenizer, list(parsed))) >= 4  # the control: tokenised as a whole they are control tokens


@pytest.mark.parametrize("kind", ["smollm2", "llama3", "glm", "legacy_llama"])
def test_a_document_with_such_names_has_the_tokens_of_split_special_tokens(kind: str) -> None:
    tokenizer, document = KINDS[kind](), DOCUMENT.format(SPECIAL[kind])
    split = tokenizer(document, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    assert tokens_of(tokenizer, document) == split
    before, after = added_tokens(tokenizer)
    assert ids(tokenizer, document, chat=False) == before + list(split) + after


@pytest.mark.parametrize(
    ("head", "document", "tail"), [("a", "<|im_", "end|>"), ("<|im_end", "|>", "b"), ("<|", "im_end", "|>")]
)
def test_a_name_that_lies_only_partly_in_a_document_is_text(head: str, document: str, tail: str) -> None:
    tokenizer = smollm2()
    final = FinalText((Piece(head, template=True), Piece(document), Piece(tail, template=True)), bare=False)
    assert controls(tokenizer, final_ids(tokenizer, final)) == []
    assert tokenizer.decode(final_ids(tokenizer, final)) == head + document + tail


def test_in_a_final_text_of_the_users_own_they_are_control_tokens() -> None:
    tokenizer = smollm2()
    assert len(controls(tokenizer, encode(tokenizer, "<|im_start|>user\na<|im_end|>"))) == 2


def test_added_tokens_that_are_ordinary_text_stay_tokens() -> None:
    tokenizer = smollm2()
    tokenizer.add_tokens(["    ", "<table>", "<|tool|>", "<|im_sep|>"])
    control = control_tokens(tokenizer)
    assert control.others.findall("    <table> <|tool|><|im_sep|>") == ["<|tool|>", "<|im_sep|>"]
    document = "a    <table> b"
    assert ids(tokenizer, document, chat=False) == tokenizer(document)["input_ids"]
    assert len(controls(tokenizer, ids(tokenizer, document + "<|im_end|>", chat=False))) == 2


def test_documents_without_such_names_are_tokenised_as_a_whole() -> None:
    """Words of other letters at the borders: a text in pieces would have other tokens with a tokenizer that merges there."""
    draw = random.Random(0)
    for make in (smollm2, llama3, glm, qwen3, legacy_llama):
        tokenizer = make()
        for _ in range(20):
            message = "".join(draw.choice("aT h\n<|>[/") for _ in range(30))
            text = final_text(tokenizer, message, chat=Chat()).text
            assert ids(tokenizer, message, chat=True) == tokenizer(text, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("scheme", ["prepend", "first", "always"])
def test_a_text_that_goes_on_gets_no_space_in_front(scheme: str) -> None:
    tokenizer = legacy_llama(scheme)
    for text in (" The box", "The box", "\n\nWhy?", ". The"):
        behind = tokenizer("a" + text, add_special_tokens=False)["input_ids"]
        assert tokens_of(tokenizer, "a") + tokens_of(tokenizer, text, start=False) == behind
    first = " The box" if scheme == "prepend" else "The box"  # Metaspace leaves a space alone that is there
    assert tokens_of(tokenizer, first) != tokens_of(tokenizer, first, start=False)  # the control
    assert tokens_of(tokenizer, "", start=False) == []


@pytest.mark.parametrize("kind", ["smollm2", "llama3", "glm", "adds_eos", "qwen3"])
def test_other_tokenizers_have_the_same_tokens_at_the_start_and_inside(kind: str) -> None:
    tokenizer = KINDS[kind]()
    assert not control_tokens(tokenizer).leading_space
    assert tokens_of(tokenizer, " The box", start=False) == tokens_of(tokenizer, " The box")


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("smollm2", [], []),
        ("llama3", ["<|begin|>"], []),
        ("glm", ["[gMASK]", "<sop>"], []),
        ("adds_eos", [], ["<|end|>"]),
    ],
)
def test_bare_text_and_final_text_get_what_the_tokenizer_adds(kind: str, before: list[str], after: list[str]) -> None:
    tokenizer = KINDS[kind]()
    around = tuple(tokenizer.convert_tokens_to_ids(names) for names in (before, after))
    assert added_tokens(tokenizer) == around
    assert ids(tokenizer, "Why?", chat=False) == tokenizer("Why?")["input_ids"] == encode(tokenizer, "Why?")
    written = "".join(before) + "Why?"  # a final text that begins with them gets nothing more
    assert encode(tokenizer, written) == (tokenizer("Why?")["input_ids"])


def test_a_rendered_template_as_a_final_text_is_not_opened_twice() -> None:
    for make in (llama3, glm):
        tokenizer = make()
        text = final_text(tokenizer, "Why?", chat=Chat()).text
        assert encode(tokenizer, text) == ids(tokenizer, "Why?", chat=True)
