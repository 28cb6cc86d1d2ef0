"""The digest of a part's sources: what it imports changes it, all else does not."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tokenrank.planning import sources
from tokenrank.planning.sources import modules_of, source_digest


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Writes a file of a package outside of this one."""
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, content: str) -> None:
        (tmp_path / "theirs" / f"{name}.py").write_text(content)
        for each in (sources._closure, sources._file, sources._imported):
            each.cache_clear()
        for module in [each for each in sys.modules if each.startswith("theirs")]:
            del sys.modules[module]

    return write


@pytest.mark.parametrize(
    "line",
    [
        "import theirs.other",
        "from theirs import other",
        "from . import other",
        "from .other import x",
        "def f():\n    import theirs.other",
    ],
)
def test_a_file_that_is_imported_counts_however_it_is_written(theirs: Callable[[str, str], None], line: str) -> None:
    theirs("other", "x = 1")
    theirs("own", line)
    before = source_digest(["theirs.own"])
    theirs("other", "x = 2")
    assert source_digest(["theirs.own"]) != before
    theirs("other", "x = 1")
    assert source_digest(["theirs.own"]) == before


@pytest.mark.parametrize("test", ["TYPE_CHECKING", "typing.TYPE_CHECKING"])
def test_what_only_type_checkers_import_does_not_count(theirs: Callable[[str, str], None], test: str) -> None:
    theirs("other", "x = 1")
    theirs("third", "x = 1")
    theirs("own", f"import typing\nif {test}:\n    from theirs import other\nelse:\n    from theirs import third")
    before = source_digest(["theirs.own"])
    theirs("other", "x = 2")
    assert source_digest(["theirs.own"]) == before
    theirs("third", "x = 2")
    assert source_digest(["theirs.own"]) != before


def test_imports_are_followed_and_may_go_in_circles(theirs: Callable[[str, str], None]) -> None:
    theirs("third", "from theirs import own")
    theirs("other", "from theirs import third")
    theirs("own", "from theirs import other")
    before = source_digest(["theirs.own"])
    theirs("third", "from theirs import own  # and more")
    assert source_digest(["theirs.own"]) != before


def test_a_file_that_is_not_imported_does_not_count(theirs: Callable[[str, str], None]) -> None:
    theirs("own", "import numpy")
    before = source_digest(["theirs.own"])
    theirs("other", "x = 1")
    assert source_digest(["theirs.own"]) == before


def test_installed_packages_do_not_count_and_what_is_no_module_does_not_hurt() -> None:
    assert set(sources._closure(frozenset(["numpy", "json", "no.such.module", "tokenrank.records.digests"]))) == {
        "tokenrank.records.digests"
    }


def test_a_heuristic_depends_on_what_it_imports_and_on_no_other_heuristic() -> None:
    found = set(sources._closure(frozenset(["tokenrank.heuristics.fastkv"])))
    assert {"tokenrank.heuristics.fastkv", "tokenrank.heuristics.heuristic", "tokenrank.signals.window_votes"} <= found
    assert "tokenrank.heuristics.claa" not in found
    assert not [name for name in found if name.startswith("tokenrank.report")]


def test_the_targets_of_a_config_are_found_at_every_depth() -> None:
    node = {"a": {"_target_": "m.A", "list": [{"_target_": "n.f"}]}, "b": 3}
    assert modules_of(node) == {"m", "n"}
