"""From records to tables: the same records the same bytes, some of them the tables of those, in whatever order they lie."""

import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.plans import plan, records, written
from tokenrank.evaluation.plan import Plan
from tokenrank.records.record import Record
from tokenrank.records.run_folder import RunFolder
from tokenrank.records.schema import METRICS, RUNS, SAMPLES, SUMMARY
from tokenrank.work.collecting import collect, collected, parts

NAMES = ("metrics", "summary", "samples", "runs")


@cache
def measured(evaluation: str) -> tuple[Plan, list[Record]]:
    """Four prompts, or the two lengths of ttft."""
    grid = ("task.lengths=[200,240]", *(() if evaluation == "ttft" else ("task.depths=[0,100]",)))
    small = {
        "ranking": ("metric=[recall,jaccard]",),
        "accuracy": ("prefill.keep=[20]",),
        "ttft": ("prefill.keep=[20]", "evaluation.repeats=1"),
    }
    made = plan(*grid, *small[evaluation], "heuristic=[claa,recency]", evaluation=evaluation)
    return made, records(made)


def bytes_of(folder: RunFolder, made: Plan) -> dict[str, bytes]:
    assert collect(folder, made.evaluation) == []
    return {name: (folder.path / f"{name}.parquet").read_bytes() for name in NAMES}


@pytest.mark.parametrize("evaluation", ["ranking", "accuracy", "ttft"])
def test_the_same_records_give_the_same_bytes(tmp_path: Path, evaluation: str) -> None:
    made, found = measured(evaluation)
    folder = written(tmp_path / "a", found)
    first = bytes_of(folder, made)
    assert bytes_of(folder, made) == first
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert bytes_of(RunFolder(tmp_path / "b"), made) == first


@pytest.mark.parametrize("evaluation", ["ranking", "accuracy"])
def test_the_order_of_the_files_on_disk_does_not_matter(tmp_path: Path, evaluation: str) -> None:
    made, found = measured(evaluation)
    first = bytes_of(written(tmp_path / "a", found), made)
    assert bytes_of(written(tmp_path / "b", found[::-1]), made) == first


@pytest.mark.parametrize("evaluation", ["ranking", "accuracy", "ttft"])
def test_half_of_the_records_give_the_tables_of_that_half(evaluation: str) -> None:
    made, found = measured(evaluation)
    whole, half = collected(made.evaluation, found), collected(made.evaluation, found[::2])
    ids = [record.sample["id"] for record in found[::2]]
    for name, column in (("metrics", "sample"), ("runs", "sample"), ("samples", "id")):
        of_whole, of_half = getattr(whole, name), getattr(half, name)
        pd.testing.assert_frame_equal(of_half, of_whole[of_whole[column].isin(ids)].reset_index(drop=True))
    counted = half.summary["prompts"].dropna()
    assert evaluation == "ttft" or set(counted) == {len(ids)}
    alone = whole.summary[whole.summary["sample"].isin(ids)].reset_index(drop=True)
    own = half.summary[half.summary["sample"].notna()].reset_index(drop=True)
    pd.testing.assert_frame_equal(own, alone)


def test_tables_are_those_of_their_schemas_and_in_the_order_of_the_plan(tmp_path: Path) -> None:
    made, found = measured("ranking")
    tables = collected(made.evaluation, found)
    for name, columns in (("metrics", METRICS), ("summary", SUMMARY), ("samples", SAMPLES), ("runs", RUNS)):
        assert list(getattr(tables, name)) == list(columns)
    assert list(tables.samples["id"]) == [unit.name for unit in made.units]
    assert list(tables.metrics["sample"].unique()) == [unit.name for unit in made.units]
    assert not (
        tables.metrics["metric"].eq("jaccard") & tables.metrics["layer"].eq(0)
    ).any()  # pairs are in the summary


def test_what_was_read_back_gives_the_same_tables(tmp_path: Path) -> None:
    made, found = measured("accuracy")
    direct, read = collected(made.evaluation, found), collected(made.evaluation, written(tmp_path, found).records()[0])
    for name in NAMES:
        pd.testing.assert_frame_equal(getattr(read, name), getattr(direct, name))


def test_no_record_gives_empty_tables() -> None:
    for evaluation in ("ranking", "accuracy", "ttft"):
        tables = collected(measured(evaluation)[0].evaluation, [])
        assert all(getattr(tables, name).empty for name in NAMES)
        assert list(tables.summary) == list(SUMMARY)


def test_a_record_that_cannot_be_read_is_named_and_left_out(tmp_path: Path) -> None:
    made, found = measured("ranking")
    folder = written(tmp_path / "whole", found)
    assert collect(folder, made.evaluation) == []
    whole = folder.tables()
    file = folder.record_file(found[1].unit)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    (folder.path / "records" / "strange.parquet").write_bytes(b"not ours")
    lines = collect(folder, made.evaluation)
    assert len(lines) == 2
    assert all(line.startswith("left out: ") for line in lines)
    assert any(file.name in line and "SHA-256" in line for line in lines)
    assert any("strange.parquet" in line for line in lines)
    left = folder.tables().metrics
    others = whole.metrics[whole.metrics["sample"] != found[1].sample["id"]].reset_index(drop=True)
    pd.testing.assert_frame_equal(left, others)


def test_records_are_taken_one_at_a_time() -> None:
    made, found = measured("ranking")
    taken: list[str] = []

    def one_by_one() -> Iterator[Record]:
        for record in found:
            taken.append(record.unit)
            yield record

    rows = parts(made.evaluation, one_by_one())
    names = [next(rows)[0] for _ in range(3)]
    assert names == ["metrics", "samples", "metrics"]
    assert taken == [found[0].unit, found[1].unit]


def test_row_groups_do_not_change_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, found = measured("accuracy")
    one, many = written(tmp_path / "one", found), written(tmp_path / "many", found)
    collect(one, made.evaluation)
    monkeypatch.setattr("tokenrank.records.tables.AT_ONCE", 1)
    collect(many, made.evaluation)
    assert pq.ParquetFile(many.path / "metrics.parquet").num_row_groups == len(found)
    assert pq.ParquetFile(one.path / "metrics.parquet").num_row_groups == 1
    for name in NAMES:
        pd.testing.assert_frame_equal(getattr(many.tables(), name), getattr(one.tables(), name))
