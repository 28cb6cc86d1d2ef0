"""Data sets whose server cannot be reached are refused in seconds; no network is needed."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.models.hub_cache import dead_port, hub_at, silent_port
from tokenrank.models import hub
from tokenrank.models.tiny import Tiny
from tokenrank.tasks.longbench import LongBench
from tokenrank.tasks.ruler_data import RulerData

MOST_SECONDS = 9  # of any refusal


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No proxy of the machine that runs the tests; nothing is remembered from before or for later."""
    monkeypatch.setattr("tokenrank.models.hub.getproxies", dict)
    hub._reachable.cache_clear()
    yield
    hub._reachable.cache_clear()


@pytest.mark.parametrize("dropped", [False, True])
def test_data_sets_of_a_hub_out_of_reach_are_refused_in_seconds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, dropped: bool
) -> None:
    for name in ("dataset2prompt.json", "dataset2maxlen.json"):
        (tmp_path / name).write_text('{"qasper": ' + ("8}" if "max" in name else '"{context}"}'))
    with silent_port() as port:
        hub_at(port if dropped else dead_port(), monkeypatch, tmp_path)
        for task in (LongBench(subset=["qasper"], templates=str(tmp_path)), RulerData()):
            start = time.monotonic()
            with pytest.raises(ValueError, match=r"cannot be fetched .*; go online, or set task\.path"):
                task.prompts(Tiny().tokenizer(), 1000)
            assert time.monotonic() - start < MOST_SECONDS


def test_templates_out_of_reach_are_refused_in_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokenrank.tasks.longbench_files.reachable", lambda url: url.startswith("http://127"))
    start = time.monotonic()
    for templates in (None, "https://example.invalid/config"):
        with pytest.raises(ValueError, match=r"json cannot be read .*cannot be reached.*: set task\.templates"):
            LongBench(subset=["qasper"], templates=templates).prompts(Tiny().tokenizer(), 1000)
    assert time.monotonic() - start < MOST_SECONDS
