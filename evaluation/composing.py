"""What the config files need before Hydra reads them: the word ``all``, and a function for use in values."""

import hashlib
from pathlib import Path

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

NOT_IN_ALL = ("kvpress",)  # needs a package of its own, and to be told which press


def register(configs: Path) -> None:
    """Defines ``heuristic=all`` (every file of that folder that runs as it is) and the resolver of configs/run.yaml."""
    names = sorted(file.stem for file in (configs / "heuristic").glob("*.yaml") if file.stem not in NOT_IN_ALL)
    ConfigStore.instance().store(name="all", group="heuristic", node={"defaults": names})
    OmegaConf.register_new_resolver("short_hash", short_hash, replace=True)


def short_hash(text: str) -> str:
    """Eight letters that stand for a text of any length, so that run folders can be named by their settings.

    >>> short_hash("heuristic=claa")
    '9930f8ab'
    """
    return hashlib.sha256(str(text).encode()).hexdigest()[:8]
