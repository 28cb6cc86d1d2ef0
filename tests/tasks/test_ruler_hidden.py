"""RULER's needles and variables, read back out of the prompts: what is hidden, where, and that it answers the question."""

import re

import pytest
from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.tasks.ruler import Ruler
from tokenrank.tasks.task import Prompt

NEEDLE = re.compile(r" One of the pass numbers of (\w+) is (\d+)\.")
ASSIGNMENT = re.compile(r"VAR (\w+) = (?:VAR )?(\w+)\.")
HAYSTACK = r" (The|An?|Her) [^.]*\."
SEEDS = range(6)


def prompt(tokenizer: Tokenizer, kind: str, seed: int, length: int = 4000) -> Prompt:
    (made,) = Ruler(kind=[kind], lengths=[length], seed=seed).prompts(tokenizer, 8192)
    return made


def text(tokenizer: Tokenizer, made: Prompt, part: slice = slice(None)) -> str:
    return str(tokenizer.decode(list(made.input_ids[part])))


def parts(tokenizer: Tokenizer, made: Prompt) -> tuple[str, str]:
    """The passage (with the instruction) and the question (with the opening of the answer)."""
    passage, question = text(tokenizer, made).rsplit("\n\n", maxsplit=1)
    return passage, question


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("kind", "keys", "values", "asked"),
    [
        ("niah_single", 1, 1, 1),
        ("niah_multikey", 4, 1, 1),
        ("niah_multivalue", 1, 4, 1),
        ("niah_multiquery", 4, 1, 4),
    ],
)
def test_every_needle_is_there_once_and_those_asked_for_are_the_answers(
    byte_tokenizer: Tokenizer, kind: str, keys: int, values: int, asked: int, seed: int
) -> None:
    made = prompt(byte_tokenizer, kind, seed)
    passage, question = parts(byte_tokenizer, made)
    found = NEEDLE.findall(passage)
    assert len(found) == len(set(found)) == len({code for _, code in found}) == keys * values
    names = {name for name, _ in found}
    assert len(names) == keys
    wanted = [name for name in names if name in question]
    assert len(wanted) == asked
    assert sorted(made.answers) == sorted(code for name, code in found if name in wanted)
    assert all(re.fullmatch(r"[1-9]\d{6}", code) for code in made.answers)
    assert all(text(byte_tokenizer, made).count(code) == 1 for code in made.answers)


@pytest.mark.parametrize("kind", ["niah_single", "niah_multikey", "niah_multikey_2"])
def test_the_one_needle_that_answers_is_in_place(byte_tokenizer: Tokenizer, kind: str) -> None:
    starts = set()
    for seed in SEEDS:
        made = prompt(byte_tokenizer, kind, seed)
        assert made.needle is not None
        starts.add(made.needle.start)
        there = text(byte_tokenizer, made, slice(made.needle.start, made.needle.stop))
        found = NEEDLE.fullmatch(there)
        assert found is not None
        assert (found[2],) == made.answers
        assert f"of {found[1]} in the text above?" in parts(byte_tokenizer, made)[1]
    assert len(starts) >= 4


@pytest.mark.parametrize("kind", ["niah_multivalue", "niah_multiquery", "vt"])
def test_several_needles_have_no_one_place(byte_tokenizer: Tokenizer, kind: str) -> None:
    assert prompt(byte_tokenizer, kind, 0).needle is None


def test_names_are_listed_in_the_question_in_the_order_of_the_answers(byte_tokenizer: Tokenizer) -> None:
    made = prompt(byte_tokenizer, "niah_multiquery", 0)
    passage, question = parts(byte_tokenizer, made)
    names = {code: name for name, code in NEEDLE.findall(passage)}
    a, b, c, d = (names[code] for code in made.answers)
    assert f"What are the pass numbers of {a}, {b}, {c} and {d} in the text above?" in question


def test_a_haystack_of_needles_holds_nothing_else_but_for_a_rest(byte_tokenizer: Tokenizer) -> None:
    made = prompt(byte_tokenizer, "niah_multikey_2", 0)
    passage, question = parts(byte_tokenizer, made)
    _, hay = passage.split("\n\n")
    found = NEEDLE.findall(hay)
    assert len({name for name, _ in found}) == len({code for _, code in found}) == len(found) > 60
    longest = max(len(each[0]) for each in NEEDLE.finditer(hay))
    assert len(NEEDLE.sub("", hay)) < longest
    assert [name for name, _ in found if name in question] == [name for name, code in found if code in made.answers]


def test_the_haystack_is_whole_sentences_but_for_one(byte_tokenizer: Tokenizer) -> None:
    passage, _ = parts(byte_tokenizer, prompt(byte_tokenizer, "niah_multikey", 3))
    rest = re.sub(HAYSTACK, "", NEEDLE.sub("", passage.split("\n\n")[1]))
    assert len(rest) < 130


def held(passage: str, value: str) -> list[str]:
    """The variables that hold the value, by carrying the assignments out one after the other."""
    memory: dict[str, str] = {}
    for name, source in ASSIGNMENT.findall(passage):
        assert name not in memory
        memory[name] = source if source.isdigit() else memory[source]
    return [name for name, content in memory.items() if content == value]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_chain_leads_to_the_answers_and_only_to_them(byte_tokenizer: Tokenizer, seed: int) -> None:
    made = prompt(byte_tokenizer, "vt", seed)
    passage, question = parts(byte_tokenizer, made)
    asked = re.search(r"Which variables of the text above hold (\d{5})\?", question)
    assert asked is not None
    assert held(passage, asked[1]) == list(made.answers)  # assignments are in order, or this stops at one that is not
    assert len(made.answers) == 5
    assert all(re.fullmatch("[A-Z]{5}", name) for name in made.answers)
    assert f"these 5 variables hold {asked[1]}:" in question


def test_a_chain_with_a_statement_moved_would_be_noticed(byte_tokenizer: Tokenizer) -> None:
    passage, _ = parts(byte_tokenizer, prompt(byte_tokenizer, "vt", 0))
    statements = ASSIGNMENT.findall(passage)
    first, second = (f"VAR {name} = VAR {source}." for name, source in statements[-2:])
    with pytest.raises(KeyError):
        held(passage.replace(first, "?").replace(second, first).replace("?", second), "")


@pytest.mark.parametrize("seed", SEEDS)
def test_the_worked_example_is_right_and_about_other_variables(byte_tokenizer: Tokenizer, seed: int) -> None:
    made = prompt(byte_tokenizer, "vt", seed)
    whole = text(byte_tokenizer, made)
    example = re.search(r"hold (\d+)\?\nAnswer: .* hold \1: ([A-Z ]+)\n\n", whole)
    assert example is not None
    names = example[2].split()
    assert held(whole[: example.start()], example[1]) == names
    assert len(names) == 5
    assert not {*names, example[1]} & {*made.answers, *re.findall(r"\d{5}", whole[example.end() :])}
    assert len(ASSIGNMENT.findall(whole)) == 10


@pytest.mark.parametrize("kind", ["niah_multivalue", "vt"])
def test_what_is_hidden_is_spread_over_the_text(byte_tokenizer: Tokenizer, kind: str) -> None:
    depths = []
    for seed in range(20):
        passage, _ = parts(byte_tokenizer, prompt(byte_tokenizer, kind, seed, length=6000))
        hay = passage.rsplit("\n\n", maxsplit=1)[1]
        pattern = NEEDLE if kind != "vt" else ASSIGNMENT
        depths += [found.start() / len(hay) for found in pattern.finditer(hay)]
    thirds = [sum(low <= depth < low + 1 / 3 for depth in depths) / len(depths) for low in (0, 1 / 3, 2 / 3)]
    assert min(thirds) > 0.2
