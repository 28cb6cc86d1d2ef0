"""What the config files need before Hydra reads them: the word ``all``, and two functions for use in values."""

import hashlib
from pathlib import Path

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

LONGBENCH_TEMPLATES = "github://THUDM:LongBench@f6227eb7a25cacbd96310aea2c59af003f8d8925/config"


def register(configs: Path) -> None:
    """Defines ``heuristic=all`` (every file of that folder) and the resolvers of configs/run.yaml."""
    names = sorted(file.stem for file in (configs / "heuristic").glob("*.yaml"))
    ConfigStore.instance().store(name="all", group="heuristic", node={"defaults": names})
    OmegaConf.register_new_resolver("short_hash", short_hash, replace=True)
    OmegaConf.register_new_resolver("longbench_templates", longbench_templates, replace=True)


def short_hash(text: str) -> str:
    """Eight letters that stand for a text of any length, so that run folders can be named by their settings.

    >>> short_hash("heuristic=claa")
    '9930f8ab'
    """
    return hashlib.sha256(str(text).encode()).hexdigest()[:8]


def longbench_templates(path: str | None) -> str | None:
    """Where LongBench's two template files are: beside the data, or in its own repository if the data are a zip or the hub's."""
    return LONGBENCH_TEMPLATES if path is None or path.endswith(".zip") else None
