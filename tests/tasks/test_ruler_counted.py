"""RULER's word lists, counted again from the prompts."""

import re
from collections import Counter

import pytest
from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.tasks.ruler import Ruler
from tokenrank.tasks.task import Prompt

SEEDS = range(4)


def prompt(tokenizer: Tokenizer, kind: str, seed: int, length: int) -> Prompt:
    (made,) = Ruler(kind=[kind], lengths=[length], seed=seed).prompts(tokenizer, 40_000)
    return made


def blocks(tokenizer: Tokenizer, made: Prompt) -> list[str]:
    """The prompt's paragraphs: of cwe instruction, list, question and answer, twice; of fwe once."""
    return str(tokenizer.decode(list(made.input_ids))).split("\n\n")


def counted(listed: str) -> Counter[str]:
    """How often each word of a numbered list is there; the numbers must be 1, 2, 3, ..."""
    items = re.findall(r"(\d+)\. ([a-z]+)", listed)
    assert " ".join(f"{number}. {word}" for number, word in items) == listed
    assert [int(number) for number, _ in items] == list(range(1, len(items) + 1))
    return Counter(word for _, word in items)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("length", "often", "rest"), [(9000, 30, 3), (20_000, 30, 3), (3000, 6, 1), (4095, 6, 1)])
def test_ten_words_are_common_and_the_others_are_not(
    byte_tokenizer: Tokenizer, length: int, often: int, rest: int, seed: int
) -> None:
    made = prompt(byte_tokenizer, "cwe", seed, length)
    counts = counted(blocks(byte_tokenizer, made)[4])
    common = {word for word, times in counts.items() if times == often}
    assert common == set(made.answers)
    assert len(made.answers) == 10
    assert set(counts.values()) == {often, rest}
    assert len(counts) >= 20


@pytest.mark.parametrize(("length", "often", "rest", "others"), [(9000, 10, 3, 30), (3000, 3, 1, 10)])
def test_the_example_is_right_and_of_other_words(
    byte_tokenizer: Tokenizer, length: int, often: int, rest: int, others: int
) -> None:
    made = prompt(byte_tokenizer, "cwe", 0, length)
    _, example, asked, _, listed, again = blocks(byte_tokenizer, made)
    counts = counted(example)
    assert Counter(counts.values()) == {often: 10, rest: others}
    question, opening, *_ = asked.split("\n")
    answer = opening.partition("list: ")[2]
    assert set(counted(answer)) == {word for word, times in counts.items() if times == often}
    assert not set(counts) & set(counted(listed))
    assert again.startswith(question)


def test_the_common_words_are_mixed_with_the_others(byte_tokenizer: Tokenizer) -> None:
    made = prompt(byte_tokenizer, "cwe", 0, 20_000)
    words = re.findall("[a-z]+", blocks(byte_tokenizer, made)[4])
    half = len(words) // 2
    shares = [sum(word in made.answers for word in part) / half for part in (words[:half], words[half:])]
    assert abs(shares[0] - shares[1]) < 0.1


def test_a_longer_list_has_more_of_the_other_words(byte_tokenizer: Tokenizer) -> None:
    short, long = (
        counted(blocks(byte_tokenizer, prompt(byte_tokenizer, "cwe", 0, length))[4]) for length in (9000, 20_000)
    )
    assert set(short) < set(long)


def coded(tokenizer: Tokenizer, made: Prompt) -> Counter[str]:
    _, passage, _ = blocks(tokenizer, made)
    return Counter(passage.split(" "))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("length", [900, 3000, 20_000])
def test_the_three_most_frequent_code_words_are_the_answers(byte_tokenizer: Tokenizer, length: int, seed: int) -> None:
    made = prompt(byte_tokenizer, "fwe", seed, length)
    ranked = coded(byte_tokenizer, made).most_common()
    assert ranked[0][0] == "..."
    assert tuple(word for word, _ in ranked[1:4]) == made.answers
    first, second, third, fourth = (times for _, times in ranked[1:5])
    assert first > second > third > fourth
    assert all(re.fullmatch("[a-z]{6}", word) for word, _ in ranked[1:])


def test_frequencies_fall_with_the_square_of_the_rank(byte_tokenizer: Tokenizer) -> None:
    counts = [times for _, times in coded(byte_tokenizer, prompt(byte_tokenizer, "fwe", 0, 40_000 - 50)).most_common()]
    assert counts[0] > 1000
    for rank, times in enumerate(counts, start=1):
        assert times == pytest.approx(counts[0] / rank**2, abs=1)
    total = sum(counts)
    assert counts[0] / total == pytest.approx(0.6079, abs=0.02)  # 1 / zeta(2)


@pytest.mark.parametrize("length", [*range(900, 960), *range(8000, 8020)])
def test_the_length_asked_for_is_never_passed(byte_tokenizer: Tokenizer, length: int) -> None:
    assert len(prompt(byte_tokenizer, "fwe", 0, length).input_ids) <= length
