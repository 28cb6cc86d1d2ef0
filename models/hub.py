"""Whether the hub, or another server, can be reached at all: asked once, in seconds, before a client starts to retry."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import zip_longest
from threading import Thread
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from huggingface_hub import constants

SECONDS = 7.0  # for looking up the name and for a first connection
SECONDS_EACH = 3.0  # for one address of several
REMEMBERED = 60  # seconds


def hub_answers() -> bool:
    """Whether the hub may be asked: it is not switched off (HF_HUB_OFFLINE), and its server (HF_ENDPOINT) can be reached.

    The hub's client tries a server that cannot be reached for 20 to 60 seconds a file. A slow server is not refused here:
    only the connection has a limit of time, not the answer.
    """
    return not constants.HF_HUB_OFFLINE and reachable(constants.ENDPOINT)


def reachable(url: str) -> bool:
    """Whether the URL's server, or the proxy that the environment names for it, accepts a connection within ``SECONDS``.

    The result is used again for up to ``REMEMBERED`` seconds.
    """
    return _reachable(url, int(time.monotonic() // REMEMBERED))


@contextmanager
def data_sets_offline(offline: bool) -> Iterator[None]:
    """While the block runs, the package ``datasets`` reads its cache only, if ``offline``."""
    from datasets import config  # only here, as it takes a second to import

    before = config.HF_HUB_OFFLINE
    config.HF_HUB_OFFLINE = offline or before
    try:
        yield
    finally:
        config.HF_HUB_OFFLINE = before


@lru_cache(maxsize=64)
def _reachable(url: str, _: int) -> bool:
    parts = urlsplit(url)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if proxy and parts.hostname and not proxy_bypass(parts.hostname):
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    try:
        host, port = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:  # no port number
        return False
    return host is not None and _connects(host, port)


def _connects(host: str, port: int) -> bool:
    """Tries the addresses of the host, IPv4 and IPv6 in turn, in a thread: looking up a name has no limit of time."""
    connected = []

    def attempt() -> None:
        with suppress(OSError, UnicodeError):
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            families = ([each for each in found if (each[0] == socket.AF_INET) == wanted] for wanted in (True, False))
            for pair in zip_longest(*families):
                for address in filter(None, pair):
                    with suppress(OSError), socket.create_connection(address[4][:2], timeout=SECONDS_EACH):
                        connected.append(True)
                        return

    thread = Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(SECONDS)
    return bool(connected)
