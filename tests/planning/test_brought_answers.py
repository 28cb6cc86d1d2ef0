"""Answers made elsewhere: which tokens a line stands for, and one sentence for each line that cannot be used."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tokenrank.models.tiny import Tiny
from tokenrank.planning.brought_answers import brought_answers
from tokenrank.records.digests import ids_digest
from tokenrank.tasks.task import Prompt

TOKENIZER = Tiny().tokenizer()  # a token a byte: 0 to 255, and 256, the end
PROMPTS = (Prompt("a", "niah", (1, 2, 3), 4), Prompt("b", "niah", (7, 8), 2))
SHA = ids_digest((1, 2, 3))


def file_of(folder: Path, *lines: Any) -> Path:
    path = folder / "answers.jsonl"
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def test_texts_and_token_ids_are_cut_to_the_prompts_length(tmp_path: Path) -> None:
    path = file_of(
        tmp_path, {"id": "b", "token_ids": [256, 0, 5]}, {"id": "a", "answer": "hé <|end|>"}, {"id": "c", "answer": "x"}
    )
    found = brought_answers(path, PROMPTS, TOKENIZER)
    assert len(found["a"]) == 4
    assert TOKENIZER.decode(list(found["a"])) == "hé "
    assert found == {"a": found["a"], "b": (256, 0)}


def test_the_name_of_a_control_token_is_text(tmp_path: Path) -> None:
    path = file_of(tmp_path, {"id": "a", "answer": "<|end|>"})
    (ids,) = brought_answers(path, [Prompt("a", "niah", (1,), 20)], TOKENIZER).values()
    assert TOKENIZER.decode(list(ids)) == "<|end|>"
    assert len(ids) == 7  # and not the one token of that name


def test_ids_may_be_numbers_and_lines_may_name_their_prompt(tmp_path: Path) -> None:
    prompts = [Prompt("5", "prompts", (1, 2, 3), 4)]
    path = file_of(tmp_path, {"id": 5, "token_ids": [1], "input_ids_sha256": SHA})
    assert brought_answers(path, prompts, TOKENIZER) == {"5": (1,)}


GOOD = {"id": "b", "token_ids": [1]}


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (
            [GOOD],
            "answers=FILE has no answer to prompt a: leave out what it lacks, or let scripts/answers.py ask for it",
        ),
        ([{"id": "c", "answer": "x"}], "answers=FILE has no answer to prompt a and 1 other: "),
        ([GOOD, {"id": "a", "answer": "x"}, GOOD], "FILE has two answers to prompt b, must have one"),
        (
            [GOOD, {"id": "a", "answer": "x", "model": "m"}],
            "FILE, answer to prompt a: 'model' is not known, there are id, ",
        ),
        (
            [GOOD, {"id": "a", "answer": "x", "token_ids": [1]}],
            "FILE, answer to prompt a: it has both of answer and token_ids, must have one",
        ),
        (
            [GOOD, {"id": "a"}],
            "FILE, answer to prompt a: it has neither of answer and token_ids, must have one of them",
        ),
        ([GOOD, {"id": "a", "answer": None}], "FILE, answer to prompt a: answer is None, must be a text"),
        ([GOOD, {"id": "a", "answer": 5}], "FILE, answer to prompt a: answer is 5, must be a text"),
        (
            [GOOD, {"id": "a", "token_ids": "12"}],
            "FILE, answer to prompt a: token_ids is 12, must be a list of whole numbers",
        ),
        (
            [GOOD, {"id": "a", "token_ids": [1, True]}],
            "FILE, answer to prompt a: token_ids is [1, True], must be a list of whole",
        ),
        (
            [GOOD, {"id": "a", "token_ids": [1.0]}],
            "FILE, answer to prompt a: token_ids is [1.0], must be a list of whole numbers",
        ),
        (
            [GOOD, {"id": "a", "token_ids": [3, 257]}],
            "FILE, answer to prompt a: token id 257 is not one of the 257 of the model's",
        ),
        (
            [GOOD, {"id": "a", "token_ids": [-1]}],
            "FILE, answer to prompt a: token id -1 is not one of the 257 of the model's",
        ),
        ([GOOD, {"id": "a", "token_ids": []}], "FILE, answer to prompt a: it is empty, must have at least one token"),
        ([GOOD, {"id": "a", "answer": ""}], "FILE, answer to prompt a: it is empty, must have at least one token"),
        (
            [GOOD, {"id": "a", "answer": "x", "input_ids_sha256": ids_digest((1, 2))}],
            "FILE, answer to prompt a: input_ids_sha256 is that of another prompt",
        ),
        (
            [GOOD, {"id": "a", "answer": "x", "input_ids_sha256": 5}],
            "FILE, answer to prompt a: input_ids_sha256 is 5, must be a text",
        ),
        ([GOOD, {"id": None, "answer": "x"}], "FILE: id None must be a text or a whole number"),
        ([GOOD, {"answer": "x"}], "FILE, line 2: lacks the field 'id'"),
        ([GOOD, "", '{"id": '], "FILE, line 3: not valid JSON"),
        ([GOOD, "[1]"], "FILE, line 2: must be a JSON object, is list"),
        ([], "FILE holds no rows"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(lines: list[Any], sentence: str, tmp_path: Path) -> None:
    path = file_of(tmp_path, *lines)
    with pytest.raises(ValueError, match="^" + re.escape(sentence).replace("FILE", re.escape(str(path)))) as error:
        brought_answers(path, PROMPTS, TOKENIZER)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.jsonl is not there, or is not a file$"):
        brought_answers(tmp_path / "none.jsonl", PROMPTS, TOKENIZER)
