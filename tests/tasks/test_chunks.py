"""Chunks of a prompt: they tile it, stay on one side of the context's borders, and follow its sentences."""

from typing import Any

import pytest
import torch

from tokenrank.tasks.chunks import check_chunk, chunked, of_context, spread, visible_without
from tokenrank.tasks.token_texts import token_texts


def texts_of(text: str) -> list[str]:
    """Words with the blank before them, marks and line breaks, as tokens."""
    tokens: list[str] = []
    for letter in text:
        starts = letter in " \n.?!" or not tokens or tokens[-1][-1] in "\n.?!"
        tokens = [*tokens, letter] if starts else [*tokens[:-1], tokens[-1] + letter]
    return tokens


def sentences(*texts: str, context: range | None = None) -> list[str]:
    found = chunked(len(texts), "sentence", context, texts)
    return ["".join(texts[chunk.start : chunk.stop]) for chunk in found]


@pytest.mark.parametrize("context", [None, range(0, 30), range(5, 17), range(1, 29), range(4, 30)])
@pytest.mark.parametrize("chunk", [1, 3, 12, "sentence"])
def test_chunks_tile_the_prompt_and_stay_in_their_part(chunk: Any, context: range | None) -> None:
    texts = [". A" if place % 7 == 3 else "x" for place in range(30)]
    found = chunked(30, chunk, context, texts)
    assert [place for each in found for place in each] == list(range(30))
    assert all(found)
    if context is not None:
        inside = [sum(place in context for place in each) for each in found]
        assert all(count in (0, len(each)) for count, each in zip(inside, found, strict=True))
        assert [place for number in of_context(found, context) for place in found[number]] == list(context)
    else:
        assert of_context(found, None) == list(range(len(found)))
    if isinstance(chunk, int):
        parts = [range(30)] if context is None else [range(context.start), context, range(context.stop, 30)]
        for part in filter(None, parts):
            lengths = [len(each) for each in found if each.start in part]
            assert max(lengths) <= chunk
            assert max(lengths) - min(lengths) <= 1
            assert len(lengths) == -(-len(part) // chunk)  # no more chunks than needed


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("It is so. He left! Why? No", ["It is so.", " He left!", " Why?", " No"]),
        ("Of 3.5 km, i.e. a lot. So", ["Of 3.5 km, i.e. a lot.", " So"]),
        ("One line\nanother.\n\nThird", ["One line\n", "another.\n\n", "Third"]),
        ("no end at all", ["no end at all"]),
        ("End.", ["End."]),
        ("What?! Then", ["What?!", " Then"]),
    ],
)
def test_sentences_end_at_marks_and_line_breaks(text: str, wanted: list[str]) -> None:
    assert sentences(*texts_of(text)) == wanted


def test_closing_quotes_belong_to_the_sentence_and_chinese_needs_no_blank() -> None:
    assert sentences('"', "No", ".", '"', " She", " said", ".") == ['"No."', " She said."]
    assert sentences("好", "。", "是", "", "吗", "？」", "不") == ["好。", "是吗？」", "不"]  # noqa: RUF001


def test_a_token_that_holds_the_end_ends_the_sentence() -> None:
    assert sentences("He", " left.\n\n", "She", " too.", " Both") == ["He left.\n\n", "She too.", " Both"]
    assert sentences("A. B", " c. D", " e") == ["A. B", " c. D", " e"]


def test_bytes_of_a_letter_after_an_end_begin_the_next_sentence() -> None:
    assert [len(each) for each in chunked(6, "sentence", None, ["A", ".\n", "", "", "é", "b"])] == [2, 4]


def test_the_border_of_the_context_ends_a_sentence() -> None:
    words = ["Read", " this", ":", " It", " is", " so", " What"]
    assert sentences(*words, context=range(3, 6)) == ["Read this:", " It is so", " What"]


def test_sentences_of_a_tokenizer(byte_tokenizer: Any) -> None:
    text = "One two. Three é.\nFour"
    ids = byte_tokenizer(text)["input_ids"]
    found = chunked(len(ids), "sentence", None, token_texts(byte_tokenizer, ids))
    assert [byte_tokenizer.decode(ids[each.start : each.stop]) for each in found] == ["One two.", " Three é.\n", "Four"]


@pytest.mark.parametrize("chunk", [0, -3, "word", 2.5, True, None])
def test_a_chunk_is_a_number_of_tokens_or_a_sentence(chunk: Any) -> None:
    with pytest.raises(ValueError, match=r"chunk is .*, must be at least 1 token, or sentence"):
        check_chunk(chunk)
    with pytest.raises(ValueError, match="must be at least 1 token"):
        chunked(10, chunk)


def test_a_chunk_longer_than_the_context_is_refused() -> None:
    assert len(chunked(30, 10, range(5, 15))) == 4
    with pytest.raises(
        ValueError, match="chunk is 11 tokens, and the context has 10: must be at most as many, or sent"
    ):
        chunked(30, 11, range(5, 15))
    with pytest.raises(ValueError, match="chunk is 31 tokens, and the prompt has 30"):
        chunked(30, 31)


@pytest.mark.parametrize("texts", [None, ["a"] * 9])
def test_sentences_need_the_text_of_each_token(texts: list[str] | None) -> None:
    with pytest.raises(ValueError, match="chunk is sentence, which needs the text of each of the 10 tokens, got"):
        chunked(10, "sentence", None, texts)


def test_tokens_share_the_score_of_their_chunk() -> None:
    chunks = chunked(10, 4, range(1, 9))
    found = spread(torch.tensor([2.0, 8.0, -4.0, 1.0]), chunks)
    assert found.tolist() == [2, 2, 2, 2, 2, -1, -1, -1, -1, 1]
    assert found.dtype == torch.float32


def test_what_is_visible_without_chunks() -> None:
    seen = visible_without([range(0, 2), range(2, 5)], torch.tensor([[False, False], [False, True], [True, True]]))
    assert seen.tolist() == [[True] * 5, [True, True, False, False, False], [False] * 5]
