"""A sealed file is a parquet file like any other, and no bit of it can change unseen."""

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tokenrank.records.sealed import check_seal, sealed_file

ROWS = pa.table({"name": pa.array(["a", "b", "a"]).dictionary_encode(), "value": [0.5, 1 / 3, 0.25]})


def written(path: Path, rows: pa.Table = ROWS) -> bytes:
    with sealed_file(path, rows.schema, {b"who": b"me"}) as file:
        file.write_table(rows)
    return path.read_bytes()


def test_others_read_it_as_plain_parquet(tmp_path: Path) -> None:
    written(tmp_path / "a.parquet")
    found = pq.read_table(tmp_path / "a.parquet")
    assert found.to_pydict() == {"name": ["a", "b", "a"], "value": [0.5, 1 / 3, 0.25]}
    assert found.schema.field("name").type == pa.string()
    assert found.schema.metadata[b"who"] == b"me"
    with (tmp_path / "a.parquet").open("rb") as file:
        check_seal(file)


def test_the_same_rows_give_the_same_bytes_and_others_do_not(tmp_path: Path) -> None:
    first = written(tmp_path / "a.parquet")
    assert written(tmp_path / "b.parquet") == first
    assert written(tmp_path / "c.parquet", ROWS.slice(0, 2)) != first


def test_every_single_flipped_bit_is_found(tmp_path: Path) -> None:
    content = written(tmp_path / "a.parquet")
    for place in range(len(content)):
        for bit in range(8):
            changed = bytearray(content)
            changed[place] ^= 1 << bit
            with pytest.raises(ValueError, match=r"SHA-256|no whole parquet file|not written by this version"):
                check_seal(io.BytesIO(changed))


def test_every_missing_end_is_found(tmp_path: Path) -> None:
    content = written(tmp_path / "a.parquet")
    for length in range(len(content)):
        with pytest.raises(ValueError, match=r"no whole parquet file|not written by this version"):
            check_seal(io.BytesIO(content[:length]))


def test_a_parquet_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    pq.write_table(ROWS, tmp_path / "a.parquet")
    with (
        pytest.raises(ValueError, match=r"not written by this version of tokenrank"),
        (tmp_path / "a.parquet").open("rb") as file,
    ):
        check_seal(file)


def test_what_fails_half_way_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="schema"), sealed_file(tmp_path / "a.parquet", ROWS.schema, {}) as file:
        file.write_table(ROWS.drop_columns("name"))
    assert list(tmp_path.iterdir()) == []
