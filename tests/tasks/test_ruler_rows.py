"""Rows of RULER's prepared data: the three formats, the hub's client on a folder laid out like the data set, and what is refused."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from tokenrank.tasks.ruler_rows import COLUMNS, check_rows, file_rows, hub_rows

ROWS: list[dict[str, Any]] = [
    {
        "context": "On 2024-05-01,\r\nthe größe; was 'NA' \"quoted\"\u2028\n",
        "question": "2024-05-01",
        "answer_prefix": " Answer: ",
        "answer": ["2024-05-01", 'a"b'],
        "task": "niah_single_1",
        "max_new_tokens": 128,
    },
    {"context": "NA", "question": "", "answer_prefix": "nan", "answer": ["007"], "task": "qa_1", "max_new_tokens": 32},
]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    elif path.suffix == ".parquet":
        pd.DataFrame(rows).to_parquet(path)
    else:
        table = [{**row, "answer": json.dumps(row["answer"])} if "answer" in row else row for row in rows]
        pd.DataFrame(table).to_csv(path, index=False)
    return path


def without(column: str) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != column} for row in ROWS]


@pytest.mark.parametrize("ending", ["parquet", "jsonl", "csv"])
def test_every_format_gives_the_rows_unchanged(tmp_path: Path, ending: str) -> None:
    assert file_rows(write(tmp_path / f"data.{ending}", ROWS)) == ROWS


@pytest.mark.parametrize("ending", ["parquet", "jsonl", "csv"])
def test_a_changed_file_is_read_anew(tmp_path: Path, ending: str) -> None:
    path = write(tmp_path / f"data.{ending}", ROWS)
    before, stamp = file_rows(path), path.stat()
    changed = [row | {"question": row["question"][::-1]} for row in ROWS]
    os.utime(write(path, changed), ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert file_rows(path) == changed != before


@pytest.mark.parametrize("ending", ["parquet", "jsonl", "csv"])
@pytest.mark.parametrize("column", COLUMNS)
def test_a_missing_column_is_named(tmp_path: Path, ending: str, column: str) -> None:
    path = write(tmp_path / f"data.{ending}", without(column))
    with pytest.raises(ValueError, match=rf"data\.{ending}.* lacks the (column|field) '{column}'"):
        file_rows(path)


def test_a_file_that_is_not_there_or_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"task\.path is '.*none\.parquet', and there is no such file"):
        file_rows(tmp_path / "none.parquet")
    with pytest.raises(ValueError, match=r"data\.txt', must be a file that ends in \.parquet, \.jsonl, \.csv"):
        file_rows(write(tmp_path / "data.csv", ROWS).rename(tmp_path / "data.txt"))
    for ending in ("parquet", "csv"):
        broken = tmp_path / f"broken.{ending}"
        broken.write_bytes(b'\xff"')
        with pytest.raises(ValueError, match=rf"broken\.{ending} cannot be read as {ending}"):
            file_rows(broken)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"answer": "['a' 'b']"}, r"row 1: the answers are .* must be a list of texts"),
        ({"answer": [1]}, r"row 1: the answers are \[1\]"),
        ({"answer": []}, "row 1: the answers are empty"),
        ({"context": None}, "row 1: context is None, must be a text"),
        ({"max_new_tokens": "many"}, "row 1: max_new_tokens is 'many'"),
        ({"max_new_tokens": 0}, "row 1: max_new_tokens is 0, must be a whole number, at least 1"),
        ({"max_new_tokens": True}, "row 1: max_new_tokens is True"),
    ],
)
def test_a_row_with_a_wrong_value_is_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"here, {message}"):
        check_rows("here", [ROWS[0], ROWS[1] | wrong])
    check_rows("here", ROWS)


def test_no_rows_at_all_are_refused() -> None:
    with pytest.raises(ValueError, match="here holds no rows"):
        check_rows("here", [])


def test_answers_of_a_csv_must_be_json(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    pd.DataFrame(ROWS).to_csv(path, index=False)  # Python's way to write a list
    with pytest.raises(ValueError, match="row 0: the answers are"):
        file_rows(path)


@pytest.fixture
def laid_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder that the hub's client reads as the data set: a configuration a length, one split."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr("datasets.config.HF_DATASETS_OFFLINE", True)
    folder = tmp_path / "ruler"
    (folder / "4096").mkdir(parents=True)
    write(folder / "4096" / "test-00000-of-00001.parquet", ROWS)
    head = "configs:\n- config_name: '4096'\n  data_files:\n  - split: test\n    path: 4096/test-*"
    (folder / "README.md").write_text(f"---\n{head}\n---\n")
    return str(folder)


def test_the_hubs_client_gives_the_rows_of_a_configuration(laid_out: str) -> None:
    assert hub_rows(laid_out, "4096", "test") == ROWS


@pytest.mark.parametrize(("config", "split"), [("8192", "test"), ("4096", "train")])
def test_a_length_or_split_that_the_data_set_lacks_is_refused(laid_out: str, config: str, split: str) -> None:
    wanted = rf"data set .*ruler, {config}, {split} cannot be fetched .*(4096|test).*; .* set task\.path"
    with pytest.raises(ValueError, match=wanted):
        hub_rows(laid_out, config, split)


def test_a_hub_out_of_reach_comes_with_advice_and_leaves_nothing(tmp_path: Path) -> None:
    script = "from tokenrank.tasks.ruler_rows import hub_rows\nhub_rows('simonjegou/ruler', '4096', 'test')"
    surroundings = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf"), "HOME": str(tmp_path)}
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, env=surroundings, capture_output=True, text=True, check=False
    )
    assert "simonjegou/ruler, 4096, test cannot be fetched (ConnectionError" in done.stderr
    assert "set task.path to a file with the columns context, question" in done.stderr
    assert [path.name for path in tmp_path.rglob("*") if path.is_file() and "hf" not in path.parts] == []


COMMIT_A, COMMIT_B = "a" * 40, "b" * 40


def a_loaded_table(monkeypatch: pytest.MonkeyPatch, commit: str) -> list[dict[str, Any]]:
    """Puts a stand-in for the hub's client there; returns what it is called with."""
    asked: list[dict[str, Any]] = []

    class Table:
        info = SimpleNamespace(download_checksums={f"hf://datasets/me/ruler@{commit}/4096/test.parquet": {}})

        def to_list(self) -> list[dict[str, Any]]:
            return ROWS

    def load(*_: str, **options: Any) -> Table:
        asked.append(options)
        return Table()

    monkeypatch.setattr("datasets.load_dataset", load)
    monkeypatch.setattr("tokenrank.tasks.ruler_rows.hub_answers", lambda: True)
    return asked


def test_the_revision_is_asked_for_and_the_commit_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = a_loaded_table(monkeypatch, COMMIT_A)
    assert hub_rows("me/ruler", "4096", "test", "v1") == ROWS
    assert asked == [{"split": "test", "revision": "v1"}]
    assert capsys.readouterr().err == f"note: the hub's data set me/ruler, 4096, test is read at commit {COMMIT_A}\n"


def test_another_commit_than_the_one_asked_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    a_loaded_table(monkeypatch, COMMIT_A)
    assert hub_rows("me/ruler", "4096", "test", COMMIT_A) == ROWS
    with pytest.raises(
        ValueError, match=f"task.revision is '{COMMIT_B}', and the cache holds .* at commit {COMMIT_A} only"
    ):
        hub_rows("me/ruler", "4096", "test", COMMIT_B)
