"""Layout: which tokens hold which characters, against the vocabulary's own spelling of each token."""

import pytest
from tokenizers import Tokenizer as Tokenizers
from tokenizers import decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerBase as Tokenizer
from transformers import PreTrainedTokenizerFast

from tests.tasks.spelling import holding, spelled
from tests.tasks.tokenizers_of_kinds import KINDS, legacy_llama
from tests.tasks.tokenizers_that_merge import MERGING
from tokenrank.tasks.chat import Chat, final_text
from tokenrank.tasks.layout import final_layout, own_layout, piece_layout
from tokenrank.tasks.parts import Parts
from tokenrank.tasks.tokens import Piece, encode, final_ids, piece_ids

TEXT = "Read the box.\n\nWhat  was “the\nbox”, Why.\n? Asked: 1234567, <|im_end|>!\n\n\n   the text\t<think>? "
EVERY = KINDS | MERGING


def joined(*parts: str) -> PreTrainedTokenizerFast:
    """Letters, and these merges of two."""
    letters = sorted({letter for part in parts for letter in part})
    vocabulary = {name: number for number, name in enumerate(dict.fromkeys([*letters, *parts]))}
    core = Tokenizers(models.BPE(vocabulary, [(part[0], part[1:]) for part in parts]))
    core.pre_tokenizer, core.decoder = pre_tokenizers.ByteLevel(False, False), decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=core)  # type: ignore[no-untyped-call]


def held(tokenizer: Tokenizer, parts: Parts, text: str) -> tuple[list[int] | None, ...]:
    found = own_layout(tokenizer, text).tokens(parts)
    return tuple(part and list(part) for part in (found.context, found.question))


def test_a_token_of_two_parts_by_hand() -> None:
    """'abcd' is the tokens a, bc, d: what lies in bc belongs to the part that has a letter in it, first to the context."""
    tokenizer = joined("bc", "aa", "dd")
    assert tokenizer("abcd")["input_ids"] == tokenizer.convert_tokens_to_ids(["a", "bc", "d"])
    for context, question, wanted in (
        (range(0, 1), None, ([0], None)),
        (range(0, 2), None, ([0, 1], None)),  # ends in the middle of bc
        (range(2, 4), None, ([1, 2], None)),  # begins there
        (range(1, 2), None, ([1], None)),
        (range(0, 2), range(2, 4), ([0, 1], [2])),
        (range(2, 4), range(0, 2), ([1, 2], [0])),
        (range(1, 2), range(2, 3), ([1], None)),  # the question has no token of its own
        (None, range(2, 4), (None, [1, 2])),
        (range(2, 2), None, (None, None)),
    ):
        assert held(tokenizer, Parts(context, question), "abcd") == wanted


@pytest.mark.parametrize("start", [True, False])
@pytest.mark.parametrize("kind", EVERY)
def test_every_stretch_of_a_text_has_the_tokens_that_spell_it(kind: str, start: bool) -> None:
    """Each one and each pair of edges; names of control tokens, which a document may hold, included."""
    tokenizer = EVERY[kind]()
    for pieces in ([Piece(TEXT)], [Piece("<|im_start|>", True), Piece(TEXT), Piece("<|im_end|>\n", True)]):
        layout = piece_layout(tokenizer, pieces, start=start)
        assert layout.ids == piece_ids(tokenizer, pieces, start=start)
        text, spans = spelled(tokenizer, layout.ids)
        whole = "".join(piece.text for piece in pieces)
        extra = len(text) - len(whole)  # the space that legacy Llamas put in front counts as part of the first letter
        assert text[extra:] == whole
        for first in range(0, len(whole), 3):
            for last in {min(first + more, len(whole)) for more in (1, 2, 7, len(whole))}:
                wanted = _whole_letters(holding(spans, range(first and first + extra, last + extra)), spans)
                assert layout.tokens(Parts(range(first, last))).context == wanted


def _whole_letters(tokens: range | None, spans: list[range]) -> range | None:
    """Tokens that hold one character together count as one, so the stretch takes in all of them."""
    assert tokens is not None
    first, last = tokens.start, tokens.stop
    while last < len(spans) and spans[last].start < spans[last - 1].stop:
        last += 1
    while first and spans[first - 1].stop > spans[first].start:
        first -= 1
    return range(first, last)


@pytest.mark.parametrize("kind", EVERY)
def test_the_ids_are_those_of_the_text(kind: str) -> None:
    tokenizer = EVERY[kind]()
    for chat in (Chat(), None):
        final = final_text(tokenizer, TEXT, chat=chat, opening="So")
        assert final_layout(tokenizer, final).ids == final_ids(tokenizer, final)
    for text in ("Why?", f"{tokenizer.bos_token or ''}Why?"):
        assert own_layout(tokenizer, text).ids == encode(tokenizer, text)


@pytest.mark.parametrize("kind", KINDS)
def test_special_tokens_in_front_are_counted(kind: str) -> None:
    tokenizer = KINDS[kind]()
    layout = own_layout(tokenizer, "Why?")
    found = layout.tokens(Parts(range(0, 4))).context
    assert found is not None
    assert str(tokenizer.decode(layout.ids[found.start : found.stop])) == "Why?"
    added = set(tokenizer.added_tokens_decoder) | set(tokenizer.all_special_ids)
    assert not added & set(layout.ids[found.start : found.stop])


def test_a_text_that_a_tokenizer_cannot_begin_with_is_no_border() -> None:
    """A legacy Llama whose anchors all merge with a line break finds the borders around it."""
    tokenizer = legacy_llama()
    layout = piece_layout(tokenizer, [Piece("The  box.\n\nWhat")], start=False)
    text, spans = spelled(tokenizer, layout.ids)
    at = text.index("\n")
    assert layout.tokens(Parts(range(at, at + 2))).context == holding(spans, range(at, at + 2))
