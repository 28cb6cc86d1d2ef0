"""The script of the store: what it counts, which entries it calls damaged, and exactly what it removes."""

import os
import time
from pathlib import Path

import pytest
import torch

from scripts.store import command
from tokenrank.records.cache_folder import CACHE_VARIABLE
from tokenrank.records.store import Store

MODELS = [{"source": "hub", "id": name, "commit": "12", "dtype": "float16"} for name in ("org/a", "org/b")]


def put(store: Store, kind: str, number: int, days: float = 0, floats: int = 10_000) -> Path:
    """An entry of 40 kB that was used so many days ago."""
    fields = {"model": MODELS[number > 2], "device": "cpu", "number": number}
    store.put(kind, fields, {"x": torch.full((floats,), float(number))})
    file = store.file(kind, fields)
    os.utime(file, (time.time() - days * 86400,) * 2)
    return file


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Three rankings of two models and an answer, used 10, 5, 2 and 1 days ago."""
    store = Store(tmp_path / "store")
    for number, days in ((1, 10), (2, 5), (3, 2)):
        put(store, "rankings", number, days)
    put(store, "answers", 1, days=1, floats=1)
    return store


def numbers(store: Store, kind: str) -> list[int]:
    """Which entries are there."""
    there = []
    for number in (1, 2, 3):
        found = store.get(kind, {"model": MODELS[number > 2], "device": "cpu", "number": number})
        there += [number] if found is not None else []
    return there


def files(store: Store) -> list[Path]:
    return sorted(each for each in store.path.rglob("*") if each.is_file())


def test_show_counts_by_kind_and_model(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    (damaged := files(store)[0]).write_bytes(b"")
    assert damaged.parts[-3] == "answers"
    (store.path / "answers" / "notes.txt").write_text("not ours")
    (store.path / "rankings" / ".unfinished-abc.safetensors").write_text("not in a place of entries")
    (damaged.parent / ".unfinished-abc.safetensors").write_bytes(bytes(2000))
    assert command([str(store.path), "show"]) == 0
    rankings = [each for each in files(store) if "rankings" in each.parts and each.name[0] != "."]
    size = sum(each.stat().st_size for each in rankings) / 3000
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == [str(store.path)]
    assert lines[1] == ["answers", "(damaged)", "1", "entries", "0", "bytes"]
    assert [line[:4] for line in lines[2:4]] == [["rankings", "hub", name, "float16"] for name in ("org/a", "org/b")]
    assert [line[5:] for line in lines[2:4]] == [
        ["2", "entries", f"{2 * size:.1f}", "kB"],
        ["1", "entries", f"{size:.1f}", "kB"],
    ]
    assert lines[4] == ["all", "4", "entries", f"{3 * size:.1f}", "kB"]
    assert lines[5] == ["1", "unfinished", "files,", "2.0", "kB"]


def test_check_names_what_is_damaged(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert command([str(store.path), "check"]) == 0
    assert capsys.readouterr().out == "4 entries, 0 damaged\n"
    file = put(store, "values", 1)
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    assert command([str(store.path), "check"]) == 1
    first, last = capsys.readouterr().out.splitlines()
    assert first == f"{file} is no entry that can be read (its SHA-256 is another one)"
    assert last == "5 entries, 1 damaged"


def test_prune_removes_what_is_damaged_or_was_left_and_nothing_else(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = put(store, "rankings", 1)
    damaged.write_bytes(damaged.read_bytes()[:-500])
    old, young = (damaged.parent / f".unfinished-{name}.safetensors" for name in ("old", "young"))
    old.write_bytes(bytes(1000))
    os.utime(old, (time.time() - 3700,) * 2)
    young.write_bytes(bytes(1000))  # its writer may be alive
    theirs = [
        store.path / "notes.safetensors",
        store.path / "rankings" / "ab" / "model.safetensors",
        store.path / "x" / damaged.name,
    ]
    for each in theirs:
        each.parent.mkdir(parents=True, exist_ok=True)
        each.write_text("not ours")
    before, size = files(store), damaged.stat().st_size + 1000
    said = f" {size / 1000:.1f} kB: 1 unfinished files, 1 damaged entries, 0 other entries\n"
    assert command([str(store.path), "prune", "--dry"]) == 0
    assert capsys.readouterr().out == "would free" + said
    assert files(store) == before
    assert command([str(store.path), "prune"]) == 0
    assert capsys.readouterr().out == "freed" + said
    assert set(before) - set(files(store)) == {damaged, old}


@pytest.mark.parametrize(
    ("asked", "rankings", "answers"),
    [
        ("", [1, 2, 3], [1]),
        ("--kind rankings", [], [1]),
        ("--kind answers", [1, 2, 3], []),
        ("--older 4", [3], [1]),
        ("--older 0.5", [], []),
        ("--older 0.5 --kind rankings", [], [1]),
        ("--older 100 --kind rankings", [1, 2, 3], [1]),
        ("--keep 0.0001", [2, 3], [1]),  # 100 kB: two of 40 kB and the small one
        ("--keep 0.00005", [3], [1]),
        ("--keep 0.00005 --kind rankings", [3], [1]),
        ("--keep 0 --kind rankings", [], [1]),
        ("--keep 1", [1, 2, 3], [1]),
        ("--older 9 --keep 0.00005", [3], [1]),
        ("--older 4 --keep 0.0001", [3], [1]),
    ],
)
def test_prune_chooses_by_kind_age_and_size(store: Store, asked: str, rankings: list[int], answers: list[int]) -> None:
    assert command([str(store.path), "check"]) == 0  # reading them here does not count as use
    assert command([str(store.path), "show"]) == 0
    assert command([str(store.path), "prune", *asked.split()]) == 0
    assert (numbers(store, "rankings"), numbers(store, "answers")) == (rankings, answers)


def test_what_cannot_be_removed_is_named(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    file = put(store, "values", 1)
    file.unlink()
    file.mkdir()
    assert command([str(store.path), "prune"]) == 1
    assert capsys.readouterr().out.startswith(f"{file} cannot be removed: ")


def test_without_a_folder_it_is_the_one_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    assert command(["show"]) == 2
    assert capsys.readouterr().err == f"error: {tmp_path / 'store'} is no folder: nothing is stored there\n"
    put(Store(tmp_path / "store"), "truths", 1)
    assert command(["check"]) == 0
    assert capsys.readouterr().out == "1 entries, 0 damaged\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["list"],
        ["prune", "--kind", "answer"],
        ["prune", "--older", "-1"],
        ["prune", "--keep", "nan"],
        ["check", "--dry"],
        ["show", "--older", "3"],
    ],
)
def test_bad_arguments_are_refused(store: Store, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    before = files(store)
    with pytest.raises(SystemExit) as ended:
        command([str(store.path), *arguments])
    assert ended.value.code == 2
    assert "error: " in capsys.readouterr().err
    assert files(store) == before
