"""The four tables of a folder are read back as they were written, or refused by name."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from tokenrank.records.schema import METRICS, RUNS, SAMPLES, SUMMARY, table
from tokenrank.records.sealed import sealed_file
from tokenrank.records.tables import Tables, read_tables, write_tables


def tables() -> Tables:
    metrics = table([{"model": "m", "metric": "recall", "layer": 1, "value": 0.1}], METRICS)
    return Tables(metrics, table([], SUMMARY), table([{"id": "a"}], SAMPLES), table([], RUNS))


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    write_tables(tmp_path, tables())
    found = read_tables(tmp_path)
    pd.testing.assert_frame_equal(found.metrics, tables().metrics)
    assert list(found.runs) == list(RUNS)
    assert found.samples["id"].tolist() == ["a"]


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
