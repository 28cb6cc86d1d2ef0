"""The cache folder: the variable, else the home directory; the store lies in it."""

from pathlib import Path

import pytest

from tokenrank.records.cache_folder import CACHE_VARIABLE, cache_folder, default_store


def test_the_cache_is_where_the_variable_says_else_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "elsewhere"))
    assert cache_folder() == tmp_path / "elsewhere"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for unset in ("", None):
        monkeypatch.delenv(CACHE_VARIABLE) if unset is None else monkeypatch.setenv(CACHE_VARIABLE, unset)
        assert cache_folder() == tmp_path / "home" / ".cache" / "tokenrank"
        assert default_store() == tmp_path / "home" / ".cache" / "tokenrank" / "store"


def test_without_a_home_directory_the_variable_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda _: (_ for _ in ()).throw(KeyError("uid not found")))
    with pytest.raises(
        ValueError, match=rf"^the home directory is not known [^\n]*: set {CACHE_VARIABLE} to a folder$"
    ):
        default_store()
