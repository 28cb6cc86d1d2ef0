"""The files of a run folder: what is written is read back, and the same content gives the same bytes."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tokenrank.records.writing import write_json, write_tensors, write_text


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
    write_tensors(folder / "a.safetensors", {"a": torch.zeros(1)})
    assert sorted(each.name for each in folder.iterdir()) == ["a.json", "a.safetensors", "a.txt"]


def test_what_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"seed": 0})
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"seed": object()})
    assert json.loads((tmp_path / "a.json").read_text()) == {"seed": 0}
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.json"]
