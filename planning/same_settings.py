"""Compares a run's settings with those of the run that is in its folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tokenrank.planning.folder_names import settings_of
from tokenrank.records.flat_settings import flat

SHOWN = 5  # settings that a message names


class OtherSettings(ValueError):
    """The folder holds a run with other settings."""


def check_same_settings(there: Path, config: DictConfig) -> None:
    """Raises OtherSettings if a config.yaml has other settings than a run, and names them, or if it cannot be read.

    Settings that change no table (``folder_names.OPERATIONAL``) may differ.

    Args:
        there: the config.yaml of the run in the folder.
        config: of this run, resolved.
    """
    try:
        other: Any = OmegaConf.load(there)
        before = settings_of(other)
    except (OSError, ValueError, AttributeError, yaml.YAMLError, OmegaConfBaseException) as error:
        raise OtherSettings(f"{there} cannot be read: {' '.join(str(error).split())}") from error
    found = differences(before, settings_of(config))
    if not found:
        return
    shown = "; ".join(found[:SHOWN]) + (f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else "")
    raise OtherSettings(
        f"{there.parent} holds a run with other settings: {shown}. Choose another hydra.run.dir, or overwrite=true removes that run"
    )


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """One phrase for each setting that differs, in the order of the names.

    >>> differences({"seed": 0, "k": [5]}, {"seed": 1, "k": [5]})
    ['seed is 0 there and 1 here']
    """
    old, new = flat(before), flat(now)
    return [
        f"{name} is {old.get(name, 'missing')} there and {new.get(name, 'missing')} here"
        for name in dict.fromkeys([*old, *new])
        if (name in old, old.get(name)) != (name in new, new.get(name))
    ]
