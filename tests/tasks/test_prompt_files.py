"""prompt_rows: what each format of a user's file gives, and that every refusal names the file and the line or row."""

import csv
import gzip
import io
import json
import math
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tokenrank.tasks import prompt_files
from tokenrank.tasks.prompt_files import prompt_rows

HARD = 'He said: "no",\r\nand\tleft;\u2028 größer 🙂'  # everything that a csv field must quote
ROWS: list[dict[str, Any]] = [
    {"id": "a", "prompt": HARD, "answers": ["x, y", "[z]"], "max_new_tokens": 7, "chat_template": True},
    {"prompt": "Why?", "context": "Wh"},
]


def in_csv(rows: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    written = [{name: json.dumps(value) if name == "answers" else value for name, value in row.items()} for row in rows]
    writer.writerows(written)
    return text.getvalue()


def write(file: Path, rows: list[dict[str, Any]]) -> Path:
    """The rows in the format of the file's ending."""
    if file.suffix == ".parquet":
        pd.DataFrame(rows).to_parquet(file)
        return file
    lines = in_csv(rows) if ".csv" in file.name else "\n".join(json.dumps(row) for row in rows)
    content = lines.encode()
    file.write_bytes(gzip.compress(content) if file.suffix == ".gz" else content)
    return file


@pytest.mark.parametrize("ending", [*prompt_files.ENDINGS, ".CSV"])
def test_every_format_gives_the_same_rows(tmp_path: Path, ending: str) -> None:
    """In parquet pandas makes a column of numbers, some of them missing, one of floats and NaN: 7 comes back as 7.0."""
    file = write(tmp_path / f"own{ending}", ROWS) if ending != ".CSV" else tmp_path / "own.CSV"
    if ending == ".CSV":
        file.write_bytes(in_csv(ROWS).encode())
    rows = prompt_rows(file)
    assert [row.fields for row in rows] == ROWS
    assert [type(value) for value in rows[0].fields.values()] == [str, str, list, int, bool]
    assert [row.number for row in rows] == [1, 2]
    place = {"p": "row 2", "j": "line 2", "c": "line 4"}[ending[1].lower()]  # the first row of csv takes lines 2 and 3
    assert rows[1].place == f"{file}, {place}"


def test_a_single_answer_in_csv_needs_no_list(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text('prompt,answers\nWhy?,"red, I think"\nWho?,\nWhat?,"[""a"", ""b""]"\n')
    assert [row.fields.get("answers") for row in prompt_rows(file)] == [["red, I think"], None, ["a", "b"]]


def test_a_list_as_python_writes_it_is_no_json_and_refused(tmp_path: Path) -> None:
    """This is what pandas writes into csv for a column of lists."""
    file = tmp_path / "own.csv"
    pd.DataFrame({"prompt": ["Why?", "Who?"], "answers": [["a"], ["b"]]}).to_csv(file, index=False)
    with pytest.raises(ValueError, match=r"own\.csv, line 2: the cell of answers begins with \[, must be a JSON list"):
        prompt_rows(file)


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".jsonl", ".jsonl.gz"])
def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path, ending: str) -> None:
    """As spreadsheets write it."""
    text = "prompt,answers\r\nWhy?,red\r\n" if "csv" in ending else '{"prompt": "Why?", "answers": ["red"]}\n'
    content = b"\xef\xbb\xbf" + text.encode()
    file = tmp_path / f"own{ending}"
    file.write_bytes(gzip.compress(content) if ending.endswith("gz") else content)
    (row,) = prompt_rows(file)
    assert row.fields == {"prompt": "Why?", "answers": ["red"]}


def test_a_field_of_csv_may_be_as_long_as_a_book(tmp_path: Path) -> None:
    """The csv module reads 131,072 characters unless told otherwise, and other code of the process keeps that limit."""
    before = csv.field_size_limit(131_072)
    (row,) = prompt_rows(write(tmp_path / "own.csv", [{"prompt": "long, " * 500_000}]))
    assert len(row.fields["prompt"]) == 3_000_000
    with pytest.raises(ValueError, match="has 1 fields"):
        prompt_rows(_file(tmp_path, b"id,prompt\na\n"))
    assert csv.field_size_limit(before) == 131_072


def test_nulls_and_nans_of_parquet_are_no_values(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "prompt": ["a", "b"],
            "id": [math.nan, 5.0],
            "answers": [None, ["x"]],
            "max_new_tokens": pd.array([3, None], dtype="Int64"),
            "context": [None, None],
        }
    )
    columns = pa.Table.from_pandas(table)
    columns = columns.set_column(1, "id", pa.array([math.nan, 5.0], from_pandas=False))  # pandas writes NaN as null
    assert columns["id"].null_count == 0
    pq.write_table(columns, tmp_path / "own.parquet")
    first, second = prompt_rows(tmp_path / "own.parquet")
    assert first.fields == {"prompt": "a", "max_new_tokens": 3}
    assert second.fields == {"prompt": "b", "id": 5, "answers": ["x"]}


def _file(folder: Path, content: bytes, name: str = "own.csv") -> Path:
    (folder / name).write_bytes(content)
    return folder / name


PACKED = gzip.compress(b'{"prompt": "Why?"}\n' * 50, mtime=0)
PARQUET = io.BytesIO()
pd.DataFrame({"text": ["Why?"]}).to_parquet(PARQUET)
NO_ROWS = io.BytesIO()
pd.DataFrame({"prompt": []}).to_parquet(NO_ROWS)

BROKEN = [
    ("own.csv", b"", "own.csv holds no rows"),
    ("own.csv", b"id,prompt\n", "own.csv holds no rows"),
    ("own.csv", b"\n\nprompt\n", "own.csv holds no rows"),
    ("own.jsonl.gz", gzip.compress(b""), "own.jsonl.gz holds no rows"),
    ("own.parquet", NO_ROWS.getvalue(), "own.parquet holds no rows"),
    ("own.csv", b"id;prompt\na;Why?\n", "own.csv lacks the column 'prompt'; it has 'id;prompt'"),
    ("own.parquet", PARQUET.getvalue(), "own.parquet lacks the column 'prompt'; it has 'text'"),
    ("own.jsonl", b'{"prompt": "a"}\n{"text": "b"}', "own.jsonl, line 2: lacks the field 'prompt'"),
    ("own.csv", b"prompt,id,prompt\na,b,c\n", "own.csv: the column 'prompt' stands there twice"),
    ("own.csv", b"prompt,id\na,b\nc\n", "own.csv, line 3: has 1 fields, must have 2 as the first line"),
    ("own.csv", b"prompt,id\na,b,c\n", "own.csv, line 2: has 3 fields, must have 2 as the first line"),
    ("own.csv", b'prompt,id\n"two\nlines",b\nc\n', "own.csv, line 4: has 1 fields"),
    ("own.csv", b'prompt,id\n"a,b\nc,d\n', "own.csv, line 3: cannot be read as csv: unexpected end of data"),
    ("own.csv", b'prompt,id\n"a"b,c\n', "own.csv, line 2: cannot be read as csv"),
    (
        "own.csv",
        b'prompt,answers\na,"[""b"""\n',
        "own.csv, line 2: the cell of answers begins with [, must be a JSON list",
    ),
    ("own.csv", "prompt\ngrößer\n".encode("latin-1"), "own.csv is not UTF-8 text: byte 9 cannot be read"),
    ("own.csv", "prompt\nWhy?\n".encode("utf-16"), "own.csv is not UTF-8 text: byte 0 cannot be read"),
    ("own.csv.gz", gzip.compress("prompt\ngrößer\n".encode("latin-1")), "own.csv.gz is not UTF-8 text"),
    ("own.jsonl.gz", PACKED[:-4], "own.jsonl.gz cannot be read as gzip: Compressed file ended before"),
    ("own.jsonl.gz", PACKED[:15], "own.jsonl.gz cannot be read as gzip"),
    ("own.jsonl.gz", PACKED[:12] + b"xx" + PACKED[14:], "own.jsonl.gz cannot be read as gzip"),
    ("own.jsonl.gz", b'{"prompt": "Why?"}\n', "own.jsonl.gz cannot be read as gzip: Not a gzipped file"),
    ("own.parquet", b"PAR1 and no more", "own.parquet cannot be read as parquet"),
    ("own.json", b"[]", "must be a file that ends in .jsonl, .jsonl.gz, .csv, .csv.gz, .parquet"),
    ("own.parquet.gz", b"", "must be a file that ends in .jsonl, .jsonl.gz, .csv, .csv.gz, .parquet"),
]


@pytest.mark.parametrize(("name", "content", "reason"), BROKEN, ids=range(len(BROKEN)))
def test_a_broken_file_is_refused_in_one_sentence(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    file = _file(tmp_path, content, name)
    with pytest.raises(ValueError, match=re.escape(reason)) as refused:
        prompt_rows(file)
    assert str(file) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_files, "MOST_GIB", 1 / 2**10)  # 1 MiB
    line = b'{"prompt": "%s"}'
    for letters, fits in ((2**20 - len(line) + 2, True), (2**20 - len(line) + 3, False)):
        file = _file(tmp_path, gzip.compress(line % (b"a" * letters)), "own.jsonl.gz")
        if fits:
            assert len(prompt_rows(file)) == 1
            continue
        with pytest.raises(ValueError, match=r"own\.jsonl\.gz unpacks to more than .* GiB"):
            prompt_rows(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.csv is not there, or is not a file"):
        prompt_rows(tmp_path / "none.csv")
