"""The four tables of a folder are read back as they were written, or refused by name."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tokenrank.records.schema import METRICS, RUNS, SAMPLES, SUMMARY, arrow_table, table
from tokenrank.records.sealed import sealed_file
from tokenrank.records.tables import Tables, read_rows, read_tables, table_writer, write_tables


def tables() -> Tables:
    metrics = table([{"model": "m", "metric": "recall", "layer": 1, "value": 0.1}], METRICS)
    return Tables(metrics, table([], SUMMARY), table([{"id": "a"}], SAMPLES), table([], RUNS))


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    write_tables(tmp_path, tables())
    found = read_tables(tmp_path)
    pd.testing.assert_frame_equal(found.metrics, tables().metrics)
    assert list(found.runs) == list(RUNS)
    assert found.samples["id"].tolist() == ["a"]


def test_pandas_reads_the_files_in_the_types_of_the_tables(tmp_path: Path) -> None:
    write_tables(tmp_path, tables())
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "metrics.parquet"), tables().metrics)
    assert list(pd.read_parquet(tmp_path / "summary.parquet")) == list(SUMMARY)
    with pytest.raises(AssertionError):
        pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "metrics.parquet"), tables().metrics.assign(value=0.2))


def test_lists_come_back(tmp_path: Path) -> None:
    samples = table([{"id": "a", "references": ["x", "y"]}, {"id": "b", "references": []}, {"id": "c"}], SAMPLES)
    runs = table([{"sample": "a", "kept": [0, 5]}, {"sample": "b"}], RUNS)
    write_tables(tmp_path, replace(tables(), samples=samples, runs=runs))
    found = read_tables(tmp_path)
    assert [None if each is None else list(each) for each in found.samples["references"]] == [["x", "y"], [], None]
    assert list(found.runs["kept"][0]) == [0, 5]


def many(monkeypatch: pytest.MonkeyPatch) -> Tables:
    """Rows of five row groups, in each of which other texts come first."""
    monkeypatch.setattr("tokenrank.records.tables.AT_ONCE", 1)
    names = ["b", "a", None, "c", "a"]
    rows = [{"model": "m", "sample": f"s{n}", "heuristic": name, "value": n / 3} for n, name in enumerate(names)]
    return replace(tables(), metrics=table(rows, METRICS))


def test_a_file_of_many_row_groups_is_read_back_whole_and_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = many(monkeypatch).metrics
    with table_writer(tmp_path, "metrics") as add:
        for place in range(len(whole)):
            one: Any = whole.iloc[[place]].dropna(axis="columns").to_dict("records")
            add(arrow_table(one, METRICS))
    assert pq.ParquetFile(tmp_path / "metrics.parquet").num_row_groups == len(whole)
    pd.testing.assert_frame_equal(read_rows(tmp_path, "metrics"), whole)
    some = read_rows(tmp_path, "metrics", lambda rows: rows.filter(pc.equal(rows["heuristic"].cast("string"), "a")))
    pd.testing.assert_frame_equal(some, whole[whole["heuristic"] == "a"].reset_index(drop=True))


@pytest.mark.parametrize("name", ["metrics", "summary", "samples", "runs"])
def test_a_table_that_is_missing_damaged_or_of_another_version_is_named(tmp_path: Path, name: str) -> None:
    write_tables(tmp_path, tables())
    file = tmp_path / f"{name}.parquet"
    with sealed_file(file, pa.schema({"other": pa.int64()}), {}):
        pass
    with pytest.raises(ValueError, match=rf"{name}\.parquet lacks the column"):
        read_tables(tmp_path)
    pd.DataFrame({"other": [1]}).to_parquet(file)
    with pytest.raises(
        ValueError, match=rf"{name}\.parquet cannot be read: it was not written by this version of tokenrank"
    ):
        read_tables(tmp_path)
    file.write_bytes(b"half")
    with pytest.raises(ValueError, match=rf"{name}\.parquet cannot be read"):
        read_tables(tmp_path)
    file.unlink()
    with pytest.raises(ValueError, match=rf"has no {name}\.parquet: collect its records first"):
        read_tables(tmp_path)
