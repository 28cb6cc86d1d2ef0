"""Settings that decide what is shown of a run's tables: config.yaml has those of the command that drew last, so that all reports follow them."""

from typing import Any

from omegaconf import DictConfig, OmegaConf

from tokenrank.planning.replay import FOR_HYDRA, replayable
from tokenrank.records.run_folder import RunFolder
from tokenrank.records.writing import write_text

EVERYWHERE = ("plots", "report_class")  # in pictures, tables, page and terminal
SHOWN = (*EVERYWHERE, "report")


def shows_the_same(folder: RunFolder, config: DictConfig) -> bool:
    """Whether pictures, tables and page that are in the folder are as a command wants them.

    Args:
        folder: of a run that has begun.
        config: of the command, resolved.
    """
    there: Any = OmegaConf.load(folder.config)
    return all(there.get(name) == config.get(name) for name in EVERYWHERE)


def show_as(folder: RunFolder, config: DictConfig) -> None:
    """Puts a command's settings of this kind into the folder's config.yaml; the others there stay.

    Args:
        folder: of a run that has begun; the caller has the lock.
        config: of the command, resolved.
    """
    there: Any = OmegaConf.load(folder.config)
    if any(there.get(name) != config.get(name) for name in SHOWN):
        own = {name: there._get_node(name) for name in there if name not in FOR_HYDRA}
        write_text(folder.config, replayable(OmegaConf.create(own | {name: config.get(name) for name in SHOWN})))
