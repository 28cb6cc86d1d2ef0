"""Whether the hub can be reached: dead ports, hosts that do not answer, slow servers, proxies; no network is needed."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.models.hub_cache import LOADERS, dead_port, hub_at, into_hub_cache, pretrained, silent_port
from tokenrank.models import hub
from tokenrank.models.hub import data_sets_offline, hub_answers, reachable
from tokenrank.models.tiny import Tiny

MOST_SECONDS = 9  # of any refusal


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No proxy of the machine that runs the tests; nothing is remembered from before or for later."""
    monkeypatch.setattr("tokenrank.models.hub.getproxies", dict)
    hub._reachable.cache_clear()
    yield
    hub._reachable.cache_clear()


@pytest.fixture
def silent() -> Iterator[int]:
    """A port whose connections are never made."""
    with silent_port() as port:
        yield port


@pytest.fixture
def slow() -> Iterator[int]:
    """A server that takes connections and says nothing."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        yield server.getsockname()[1]


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Points the hub's clients to a port of this machine, with empty caches; returns the hub's cache."""
    return lambda port: hub_at(port, monkeypatch, tmp_path)


def test_a_server_that_takes_connections_is_reachable_however_slow(slow: int) -> None:
    assert reachable(f"http://127.0.0.1:{slow}/some/path")
    assert reachable(f"https://localhost:{slow}")


def test_a_dead_port_and_names_that_lead_nowhere_are_not_reachable() -> None:
    start = time.monotonic()
    urls = (f"http://127.0.0.1:{dead_port()}", "http://127.0.0.1:no-port", "no url", "", f"http://{'a' * 70}.invalid")
    assert [reachable(url) for url in urls] == [False] * len(urls)
    assert time.monotonic() - start < MOST_SECONDS


def test_a_host_that_does_not_answer_is_given_up_in_seconds(silent: int) -> None:
    start = time.monotonic()
    assert not reachable(f"http://127.0.0.1:{silent}")
    assert time.monotonic() - start < MOST_SECONDS


def test_a_name_that_is_looked_up_forever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: done.wait(30) and [])
    monkeypatch.setattr(hub, "SECONDS", 0.2)
    start = time.monotonic()
    assert not reachable("http://example.invalid")
    done.set()
    assert time.monotonic() - start < 5


def test_the_second_address_of_a_host_counts(slow: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        (socket.AF_INET6, socket.SOCK_STREAM, 0, "", ("::1", dead_port(), 0, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", slow)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert reachable("http://example.invalid")


def test_behind_a_proxy_the_proxy_is_asked(slow: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "getproxies", lambda: {"https": f"http://127.0.0.1:{slow}", "all": "127.0.0.1:1"})
    assert reachable("https://example.invalid")
    assert not reachable("http://example.invalid")
    monkeypatch.setattr(hub, "proxy_bypass", lambda host: host == "example.invalid")
    hub._reachable.cache_clear()
    assert not reachable("https://example.invalid")


def test_it_is_asked_once_a_minute(slow: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def connects(host: str, port: int) -> bool:
        asked.append((host, port))
        return False

    monkeypatch.setattr(hub, "_connects", connects)
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    assert [reachable("http://a"), reachable("http://a"), reachable("http://b:81")] == [False] * 3
    monkeypatch.setattr(time, "monotonic", lambda: 1100.0)
    reachable("http://a")
    assert asked == [("a", 80), ("b", 81), ("a", 80)]


def test_the_hub_is_not_asked_where_it_is_switched_off(
    slow: int, endpoint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint(slow)
    assert hub_answers()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert not hub_answers()


def test_the_data_sets_client_is_offline_only_for_as_long_as_it_is_told() -> None:
    from datasets import config

    def offline() -> bool:
        return bool(config.HF_HUB_OFFLINE)

    before = offline()
    with data_sets_offline(True):
        assert offline()
    assert offline() == before
    with data_sets_offline(False):
        assert offline() == before


@pytest.mark.parametrize("load", [*LOADERS, "skeleton", "identity"])
@pytest.mark.parametrize("dropped", [False, True])
def test_a_model_of_a_hub_out_of_reach_is_refused_in_seconds(
    endpoint: Any, silent: int, load: str, dropped: bool
) -> None:
    endpoint(silent if dropped else dead_port())
    start = time.monotonic()
    with pytest.raises(ValueError, match=r"'me/tiny' cannot be loaded: the hub cannot be reached"):
        getattr(pretrained("me/tiny"), load)()
    assert time.monotonic() - start < MOST_SECONDS


def test_a_model_in_the_cache_loads_where_the_hub_is_out_of_reach(endpoint: Any, tmp_path: Path) -> None:
    cache = endpoint(dead_port())
    tiny = Tiny(layers=1)
    tiny.model().save_pretrained(tmp_path / "saved")
    tiny.tokenizer().save_pretrained(tmp_path / "saved")
    into_hub_cache(tmp_path / "saved", cache, "me/tiny")
    start = time.monotonic()
    source = pretrained("me/tiny")
    assert source.model().config.num_hidden_layers == 1
    assert source.tokenizer()("a")["input_ids"] == [tiny.tokenizer()("a")["input_ids"][0]]
    assert time.monotonic() - start < MOST_SECONDS
