"""Registers ``heuristic=all``, and checks overrides."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser

NOT_IN_ALL = ("kvpress",)  # needs the package kvpress and the setting press


def register(configs: Path) -> None:
    """Defines ``heuristic=all`` (every file of that folder but NOT_IN_ALL)."""
    names = sorted(file.stem for file in (configs / "heuristic").glob("*.yaml") if file.stem not in NOT_IN_ALL)
    ConfigStore.instance().store(name="all", group="heuristic", node={"defaults": names})


def check_overrides(overrides: Iterable[str]) -> None:
    """Raises ValueError for a config chosen twice, as in ``heuristic=[claa,claa]``, of which Hydra would make one."""
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        chosen = override.value()
        twice = isinstance(chosen, list) and [
            name for name in chosen if isinstance(name, str) and chosen.count(name) > 1
        ]
        if twice:
            raise ValueError(f"{override.key_or_group} holds {twice[0]} twice")


def short_hash(text: str) -> str:
    """The first eight hexadecimal digits of a text's SHA-256, for names of folders.

    >>> short_hash("heuristic=claa")
    '9930f8ab'
    """
    return hashlib.sha256(str(text).encode()).hexdigest()[:8]
