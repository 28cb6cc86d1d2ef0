"""A converted model that was damaged, or whose files are not known, is converted again."""

import hashlib
import json
import subprocess

import pytest

from tests.models.wheel import CONTENT, refusing
from tokenrank.models import smollm2
from tokenrank.models.smollm2 import DIGESTS, smollm2_folder

pytestmark = pytest.mark.usefixtures("cache", "convertible")


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
