"""A record is one file, whole, with everything that a unit left."""

import math
import random
from pathlib import Path

import pytest

from tokenrank.records.record import Record, measured_table, read_header, read_record, write_record
from tokenrank.records.schema import MEASURED


def record(**changes: object) -> Record:
    rows = measured_table(
        [
            {
                "model": "m",
                "heuristic": "claa",
                "layer": 3,
                "windowed": False,
                "metric": "recall",
                "k": 10,
                "value": 0.1,
            },
            {
                "model": "m",
                "heuristic": "claa",
                "layer": 3,
                "other_layer": 4,
                "metric": "jaccard",
                "k": 10,
                "value": 1 / 3,
            },
        ]
    )
    content = {
        "unit": "a", "number": 2, "key": "k", "key_fields": {"dtype": "float32"}, "layers": {"of": 4},
        "sample": {"id": "a", "status": "ok", "prompt": 'line\nquote " ü \ud800', "references": ["x", "y"]},
        "runs": [{"engine": "layerwise", "kept": [0, 5, 6]}], "measured": rows,
    }  # fmt: skip
    return Record(**(content | changes))


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    write_record(tmp_path / "a.parquet", record())
    found = read_record(tmp_path / "a.parquet")
    for name in ("unit", "number", "key", "key_fields", "layers", "sample", "runs"):
        assert getattr(found, name) == getattr(record(), name)
    assert found.rows.equals(record().rows)
    assert found.rows["value"].tolist() == [0.1, 1 / 3]  # to the last bit


def test_the_header_alone_is_read_without_the_values(tmp_path: Path) -> None:
    write_record(tmp_path / "a.parquet", record())
    found = read_header(tmp_path / "a.parquet")
    assert found.sample == record().sample
    assert found.rows.empty
    (tmp_path / "a.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"a\.parquet is not a record"):
        read_header(tmp_path / "a.parquet")


def test_a_text_of_the_record_may_hold_the_name_of_the_digest(tmp_path: Path) -> None:
    text = "\x18\x10tokenrank.sha256\x18@" + "0" * 64
    write_record(tmp_path / "a.parquet", record(sample={"id": "a", "status": "ok", "prompt": text}))
    assert read_record(tmp_path / "a.parquet").sample["prompt"] == text


def test_the_same_record_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_record(tmp_path / name, record())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_failed_unit_has_no_rows_and_says_so(tmp_path: Path) -> None:
    failed = record(measured=measured_table([]), sample={"id": "a", "status": "failed", "error": "ValueError: why"})
    write_record(tmp_path / "a.parquet", failed)
    found = read_record(tmp_path / "a.parquet")
    assert found.failed
    assert not record().failed
    assert found.rows.empty
    assert list(found.rows) == list(MEASURED)


def test_a_value_that_is_no_number_in_json_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_record(tmp_path / "a.parquet", record(sample={"id": "a", "status": "ok", "seconds": math.nan}))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", [lambda content: content[: len(content) // 2], lambda _: b"", lambda _: b"{}"])
def test_a_damaged_file_is_named(tmp_path: Path, damage: object) -> None:
    file = tmp_path / "a.parquet"
    write_record(file, record())
    file.write_bytes(damage(file.read_bytes()))  # type: ignore[operator]
    with pytest.raises(ValueError, match=r"a\.parquet is not a record"):
        read_record(file)


def test_every_flipped_bit_is_found(tmp_path: Path) -> None:
    file, good = tmp_path / "a.parquet", tmp_path / "good.parquet"
    write_record(good, record())
    content, draw, caught = good.read_bytes(), random.Random(0), 0
    for _ in range(300):
        place = draw.randrange(len(content))
        file.write_bytes(content[:place] + bytes([content[place] ^ (1 << draw.randrange(8))]) + content[place + 1 :])
        try:
            read_record(file)
        except ValueError:
            caught += 1
    assert caught == 300
    file.write_bytes(content)
    assert read_record(file).rows.equals(record().rows)


def test_a_parquet_file_of_somebody_else_is_no_record(tmp_path: Path) -> None:
    record().rows.to_parquet(tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="is not a record"):
        read_record(tmp_path / "a.parquet")
