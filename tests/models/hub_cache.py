"""What tests of the hub share: a model in the place where the hub's client keeps one, and ports that do not answer."""

import hashlib
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tokenrank.models.pretrained import Pretrained

LOADERS = ["tokenizer", "readable_tokens", "model"]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def pretrained(path: Path | str, **settings: Any) -> Pretrained:
    return Pretrained(name="tiny", path=str(path), **({"device": "cpu"} | settings))


def into_hub_cache(saved: Path, hub: Path, name: str) -> None:
    """The folder as the hub's client keeps a model."""
    place = hub / f"models--{name.replace('/', '--')}"
    shutil.copytree(saved, place / "snapshots" / COMMIT)
    (place / "blobs").mkdir()
    for file in (place / "snapshots" / COMMIT).glob("*.safetensors"):  # the hub names large files by their digest
        blob = place / "blobs" / hashlib.sha256(file.read_bytes()).hexdigest()
        shutil.move(file, blob)
        file.symlink_to(blob)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(COMMIT)


def dead_port() -> int:
    """A port of this machine that refuses connections."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def silent_port() -> Iterator[int]:
    """A port whose connections are never made: its queue is full, as behind a firewall that drops packets."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        time.sleep(0.1)
        yield int(full.getsockname()[1])
        for each in waiting:
            each.close()


def hub_at(port: int, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """Points the hub's client and the data sets' client to a port of this machine, with caches in the folder; returns the hub's."""
    url = f"http://127.0.0.1:{port}"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", url)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder / "hub"))
    monkeypatch.setattr("datasets.config.HF_ENDPOINT", url)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", folder / "data sets")
    return folder / "hub"
