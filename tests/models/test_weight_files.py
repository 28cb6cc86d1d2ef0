"""Facts about weight files: what changes them and what does not; and paths without a home directory."""

import os
import shutil
from pathlib import Path

import pytest

from tokenrank.models.weight_files import END_BYTES, file_facts, user_path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    made.mkdir()
    (made / "model.safetensors").write_bytes(bytes(3 * END_BYTES))
    (made / "config.json").write_text("{}")
    (made / "README.md").write_text("about")
    return made


def test_weights_and_configs_count_and_other_files_do_not(folder: Path) -> None:
    before = file_facts(folder)
    assert [(each["name"], each["bytes"]) for each in before] == [
        ("config.json", 2),
        ("model.safetensors", 3 * END_BYTES),
    ]
    (folder / "README.md").write_text("other")
    assert file_facts(folder) == before
    (folder / "config.json").write_text("[]")
    assert file_facts(folder) != before


@pytest.mark.parametrize("place", [0, END_BYTES - 1, 2 * END_BYTES, 3 * END_BYTES - 1])
def test_a_byte_in_the_first_or_last_mib_counts(folder: Path, place: int) -> None:
    before = file_facts(folder)
    with (folder / "model.safetensors").open("r+b") as opened:
        opened.seek(place)
        opened.write(b"x")
    assert file_facts(folder) != before


def test_a_byte_in_the_middle_is_not_read_but_the_size_counts(folder: Path) -> None:
    before = file_facts(folder)
    with (folder / "model.safetensors").open("r+b") as opened:
        opened.seek(END_BYTES)
        opened.write(b"x")
    assert file_facts(folder) == before
    with (folder / "model.safetensors").open("ab") as opened:
        opened.write(b"\0")
    assert file_facts(folder) != before


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
