"""read_jsonl: what it reads, and that every refusal names the file and the line."""

import json
import re
from pathlib import Path

import pytest

from tokenrank.tasks.jsonl import parse_json, read_jsonl


def test_it_reads_objects_and_leaves_out_blank_lines(tmp_path: Path) -> None:
    rows = [{"id": "a", "text": "größer\u2028als"}, {"id": "b", "text": "line\nbreak", "more": [1, None]}]
    first, second = (json.dumps(row, ensure_ascii=False) for row in rows)
    file = tmp_path / "rows.jsonl"
    file.write_text(f"{first}\r\n\n   \n{second}", encoding="utf-8")
    assert read_jsonl(file, ("id", "text")) == rows


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"id": ', "not valid JSON"),
        ('{"id": 1} x', "not valid JSON .*column 11"),
        ("[1, 2]", "must be a JSON object, is list"),
        ("null", "must be a JSON object, is NoneType"),
        ('{"text": "a"}', "lacks the field 'id'"),
    ],
)
def test_a_broken_line_is_named_by_its_number(tmp_path: Path, line: str, reason: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(f'{{"id": 1}}\n\n{line}\n{{"id": 2}}\n')
    with pytest.raises(ValueError, match=f"{re.escape(str(file))}, line 3: {reason}"):
        read_jsonl(file, ("id",))
    file.write_text('{"id": 1}\n\n{"id": 2}\n')
    assert len(read_jsonl(file, ("id",))) == 2


@pytest.mark.parametrize("content", ["", "\n\n  \n"])
def test_a_file_without_rows_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(content)
    with pytest.raises(ValueError, match=f"{re.escape(str(file))} holds no rows"):
        read_jsonl(file, ())


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for place in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(ValueError, match=f"{re.escape(str(place))} is not there, or is not a file"):
            read_jsonl(place, ())


def test_a_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes('{"id": "größer"}'.encode("latin-1"))
    with pytest.raises(ValueError, match=re.escape(str(file))):
        read_jsonl(file, ("id",))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"id": "\\ud800"}', r"\\ud800 is half of a surrogate pair, and no character"),
        ('{"\\uDC00": 1}', r"\\udc00 is half of a surrogate pair, and no character"),
        ('{"id": NaN}', "NaN is no number"),
        ('{"id": [-Infinity]}', "-Infinity is no number"),
        ('{"id": 1e400}', "1e400 is too large a number"),
        ('{"id": ' + "9" * 5000 + "}", "a number has 5000 digits, at most 30 are read"),
        ('{"id": ' + "[" * 10**5 + "]" * 10**5 + "}", "nested too deeply"),
    ],
)
def test_what_json_allows_and_nothing_can_use_is_named_by_its_line(tmp_path: Path, line: str, reason: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(f'{{"id": "\\ud83d\\ude42"}}\n{line}\n')
    with pytest.raises(ValueError, match=rf"^{re.escape(str(file))}, line 2: not valid JSON \({reason}\)$"):
        read_jsonl(file, ("id",))


def test_a_whole_pair_of_surrogates_is_a_letter() -> None:
    assert parse_json('"\\ud83d\\ude42"') == "🙂"


def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="File name too long"):
        read_jsonl(tmp_path / ("x" * 5000), ())
