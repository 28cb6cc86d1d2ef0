"""Prompts that cannot be used, and files that are not there: one sentence each, and no folder."""

import json
from pathlib import Path

import pytest

from tests.command import Command, refused

FINE = '{"id": "a", "prompt": "a prompt that is fine"}'


def prompts_file(folder: Path, *lines: str) -> str:
    (folder / "prompts.jsonl").write_text("\n".join(lines) + "\n")
    return f"task.path={folder / 'prompts.jsonl'}"


BAD_LINES = [
    ('{"id": "b", "prompt": ""}', "the prompt of id 'b' is empty"),
    ('{"id": "b", "prompt": "text"', "line 2: not valid JSON"),
    ('{"id": "b"}', "line 2: lacks the field 'prompt'"),
    (
        '{"id": "2", "prompt": "long enough for all"}\n{"prompt": "long enough for all"}\n{"id": 3, "prompt": "x"}',
        "line 4: id '3' stands there twice, first in line 3",
    ),
    ('["id", "prompt"]', "line 2: must be a JSON object"),
    ('{"id": "b", "prompt": "short"}', "and prompt b of prompts has 5"),
    ('{"id": "b", "prompt": "long enough for all", "max_new_tokens": 0}', "max_new_tokens"),
    ('{"id": "b", "prompt": "long enough for all", "max_new_tokens": NaN}', "NaN is no number"),
    ('{"id": "b", "prompt": "half \\ud800 of a pair"}', "\\ud800 is half of a surrogate pair"),
    ('{"id": "b\\ud800", "prompt": "half of a pair"}', "\\ud800 is half of a surrogate pair"),
    (FINE, "id 'a' stands there twice"),
    (FINE.replace('"a"', '"A"'), "ids 'a' and 'A' must differ in more than case"),
    (FINE.replace('"a"', '"../b"'), "id '../b' must be fit for a file's name"),
    (FINE.replace('"a"', json.dumps("b" * 300)), "must be fit for a file's name"),
    (FINE.replace('"a"', '"b\\u0000"'), "must be fit for a file's name"),
    ("[" * 100_000, "line 2: not valid JSON (nested too deeply)"),
    (FINE[:-1] + ', "x": ' + "[" * 5000 + "]" * 5000 + "}", "line 2: not valid JSON (nested too deeply)"),
    (FINE[:-1] + ', "max_new_tokens": ' + "9" * 5000 + "}", "a number has 5000 digits"),
]


@pytest.mark.parametrize(("line", "sentence"), BAD_LINES, ids=range(len(BAD_LINES)))
def test_bad_prompts_get_one_sentence_and_leave_nothing(
    tokenrank: Command, tmp_path: Path, line: str, sentence: str
) -> None:
    given = ("model=tiny", "task=prompts", "task.chat_template=false", prompts_file(tmp_path, FINE, line))
    refused(tokenrank(*given), sentence, tmp_path)


def test_a_file_in_another_encoding_or_without_prompts_is_refused(tokenrank: Command, tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    for content, sentence in (
        (FINE.replace("fine", "d\xfcnn").encode("latin-1"), "is not UTF-8 text"),
        (b"", "holds no rows"),
    ):
        file.write_bytes(content)
        refused(tokenrank("model=tiny", "task=prompts", f"task.path={file}"), sentence, tmp_path)


@pytest.mark.parametrize("path", ["ü.jsonl", "~/no-such-file.jsonl", "a=b.jsonl"])
def test_a_path_that_would_need_quotes_is_read_with_them_and_without(
    tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    given = ("model=tiny", "task=prompts", "metric=recall", "task.max_new_tokens=2")
    refused(
        tokenrank(*given, f"task.path={path}"), f"{path.removeprefix('~/')} is not there, or is not a file", tmp_path
    )
    (tmp_path / path.removeprefix("~/")).write_text(FINE + "\n")
    for written in (path, f"'{path}'"):
        ended = tokenrank(*given, f"task.path={written}", "overwrite=true")
        assert ended.code == 0, ended.err


def test_a_missing_folder_is_named_before_its_files(tokenrank: Command, tmp_path: Path) -> None:
    ended = tokenrank("model=tiny", "task=longbench", f"task.path={tmp_path / 'none'}", "task.subset=[qasper]")
    refused(ended, "there is no such folder", tmp_path)


def test_a_missing_template_file_is_named(tokenrank: Command, tmp_path: Path) -> None:
    (tmp_path / "qasper.jsonl").write_text('{"input": "", "context": "", "answers": []}\n')
    ended = tokenrank("model=tiny", "task=longbench", f"task.path={tmp_path}", "task.subset=[qasper]")
    refused(ended, "dataset2prompt.json cannot be read", tmp_path)
