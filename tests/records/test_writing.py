"""The files of a run folder: what is written is read back, and the same content gives the same bytes."""

import json
from pathlib import Path

import pandas as pd
import pytest
import torch
from pandas.testing import assert_frame_equal
from safetensors.torch import load_file

from tokenrank.records.writing import write_json, write_table, write_tensors, write_text


def small_table(value: float = 0.5) -> pd.DataFrame:
    """The types of metrics.parquet, with gaps where they have them."""
    rows = [("recall", None, 10.0, 0.25), ("recall", 3, 10.0, value), ("spearman", 4, None, float("nan"))]
    return pd.DataFrame(rows, columns=["metric", "layer", "k", "value"]).astype(
        {"metric": "str", "layer": "Int64", "k": "Float64", "value": "float64"}
    )


def test_text_is_utf_8_and_unchanged(tmp_path: Path) -> None:
    text = "größer\n— 数 —\n"
    write_text(tmp_path / "a.txt", text)
    assert (tmp_path / "a.txt").read_bytes() == text.encode()


def test_json_comes_back(tmp_path: Path) -> None:
    content = {"seed": 0, "name": "größer", "packages": {"torch": None}, "list": [1, 2.5, True]}
    write_json(tmp_path / "a.json", content)
    written = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert json.loads(written) == content
    assert "größer" in written
    assert written.endswith("}\n")


def test_a_table_comes_back_with_its_types_and_gaps(tmp_path: Path) -> None:
    write_table(tmp_path / "a.parquet", small_table())
    assert_frame_equal(pd.read_parquet(tmp_path / "a.parquet"), small_table())
    with pytest.raises(AssertionError):
        assert_frame_equal(pd.read_parquet(tmp_path / "a.parquet"), small_table(value=0.51))


def test_a_table_without_rows_keeps_its_columns(tmp_path: Path) -> None:
    write_table(tmp_path / "a.parquet", small_table().head(0))
    back = pd.read_parquet(tmp_path / "a.parquet")
    assert list(back.columns) == list(small_table().columns)
    assert len(back) == 0


def test_the_same_table_gives_the_same_bytes(tmp_path: Path) -> None:
    tables = {"a": small_table(), "b": small_table(), "c": small_table(value=0.51)}
    for name, table in tables.items():
        write_table(tmp_path / name, table)
    written = {name: (tmp_path / name).read_bytes() for name in tables}
    assert written["a"] == written["b"] != written["c"]


def test_the_order_of_rows_before_is_not_written(tmp_path: Path) -> None:
    shuffled = small_table().iloc[[2, 0, 1]]  # its index is 2, 0, 1
    write_table(tmp_path / "a.parquet", shuffled)
    assert_frame_equal(pd.read_parquet(tmp_path / "a.parquet"), shuffled.reset_index(drop=True))


def test_tensors_come_back(tmp_path: Path) -> None:
    tensors = {"ids": torch.arange(5), "rows": torch.rand(3, 4).T, "one row for all": torch.rand(4).expand(3, -1)}
    write_tensors(tmp_path / "a.safetensors", tensors)
    back = load_file(tmp_path / "a.safetensors")
    assert back.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(back[name], tensor)
        assert back[name].dtype == tensor.dtype


def test_two_names_for_one_tensor_are_both_written(tmp_path: Path) -> None:
    oracle = torch.rand(3, 4)
    write_tensors(tmp_path / "a.safetensors", {"oracle": oracle, "heuristic.oracle": oracle.expand(3, -1)})
    back = load_file(tmp_path / "a.safetensors")
    assert torch.equal(back["oracle"], back["heuristic.oracle"])


def test_folders_are_made_and_nothing_unfinished_is_left(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "rankings"
    write_text(folder / "a.txt", "a")
    write_json(folder / "a.json", {})
    write_table(folder / "a.parquet", small_table())
    write_tensors(folder / "a.safetensors", {"a": torch.zeros(1)})
    assert sorted(each.name for each in folder.iterdir()) == ["a.json", "a.parquet", "a.safetensors", "a.txt"]


def test_what_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"seed": 0})
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"seed": object()})
    mixed = pd.DataFrame({"value": [1, "one", object()]})
    write_table(tmp_path / "a.parquet", small_table())
    with pytest.raises(Exception, match="value"):
        write_table(tmp_path / "a.parquet", mixed)
    assert json.loads((tmp_path / "a.json").read_text()) == {"seed": 0}
    assert_frame_equal(pd.read_parquet(tmp_path / "a.parquet"), small_table())
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.json", "a.parquet"]
