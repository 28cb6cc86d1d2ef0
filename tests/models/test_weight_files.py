"""Facts about weight files: what changes them and what does not; and paths without a home directory."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from tokenrank.models import weight_files
from tokenrank.models.weight_files import file_facts, sha256_of, user_path

SIZE = 3 * 2**20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    made.mkdir()
    (made / "model.safetensors").write_bytes(bytes(SIZE))
    (made / "config.json").write_text("{}")
    (made / "README.md").write_text("about")
    return made


def test_weights_and_configs_count_and_other_files_do_not(folder: Path) -> None:
    before = file_facts(folder)
    assert [(each["name"], each["bytes"]) for each in before] == [
        ("config.json", 2),
        ("model.safetensors", SIZE),
    ]
    (folder / "README.md").write_text("other")
    assert file_facts(folder) == before
    (folder / "config.json").write_text("[]")
    assert file_facts(folder) != before


@pytest.mark.parametrize("place", [0, SIZE // 2, SIZE - 1])
def test_every_bit_counts_and_the_size(folder: Path, place: int) -> None:
    before = file_facts(folder)
    with (folder / "model.safetensors").open("r+b") as opened:
        opened.seek(place)
        opened.write(b"\1")
    assert file_facts(folder) != before
    with (folder / "model.safetensors").open("r+b") as opened:
        opened.seek(place)
        opened.write(b"\0")
    assert file_facts(folder) == before
    with (folder / "model.safetensors").open("ab") as opened:
        opened.write(b"\0")
    assert file_facts(folder) != before


def test_the_digest_is_the_sha256_of_the_whole_file(folder: Path) -> None:
    found = {each["name"]: each["sha256"] for each in file_facts(folder)}
    assert found == {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in found}


def test_a_file_is_read_again_only_if_it_was_written_to(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = folder / "model.safetensors"
    before = sha256_of([file])
    with monkeypatch.context() as closed:
        closed.setattr(weight_files, "open", lambda *_: pytest.fail("read again"), raising=False)
        assert sha256_of([file]) == before
    file.write_bytes(b"other")
    assert sha256_of([file]) == [hashlib.sha256(b"other").hexdigest()]


def test_the_folders_place_does_not_count(folder: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(folder, tmp_path / "elsewhere" / "other name"))
    assert file_facts(moved) == file_facts(folder)


def test_a_single_file_is_described_alone(folder: Path) -> None:
    assert file_facts(folder / "model.safetensors") == file_facts(folder)[1:]


def test_a_file_that_cannot_be_read_is_named(folder: Path) -> None:
    (folder / "config.json").unlink()
    (folder / "config.json").mkdir()
    with pytest.raises(ValueError, match=r"config\.json.* cannot be read"):
        file_facts(folder)


def test_without_a_home_directory_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda _: (_ for _ in ()).throw(KeyError("uid not found")))
    with pytest.raises(ValueError, match=r"^model\.path is '~/tiny', and the home directory is not known: [^\n]*$"):
        user_path("model.path", "~/tiny")
    assert user_path("model.path", f"{os.sep}tiny") == Path(f"{os.sep}tiny")
