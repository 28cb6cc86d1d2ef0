"""The report of a run folder: its pictures, published.md and the table for the terminal."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from omegaconf import OmegaConf

from tokenrank.records.run_folder import RunFolder, Tables
from tokenrank.records.writing import write_text
from tokenrank.report.contestant_rows import ACCURACY, RANKING, TTFT, kind
from tokenrank.report.contestant_tables import accuracy_summary, ttft_summary
from tokenrank.report.drawing import Pictures, write_picture
from tokenrank.report.grid import contestant_grids, ranking_grids
from tokenrank.report.latency import latency_pictures
from tokenrank.report.layer_pairs import layer_pair_pictures
from tokenrank.report.notes import notes
from tokenrank.report.plots import layer_pictures
from tokenrank.report.published import TASK as LONGBENCH
from tokenrank.report.published import published_text
from tokenrank.report.study import study_pictures
from tokenrank.report.table import summary
from tokenrank.report.tradeoff import tradeoff_pictures

LOG = logging.getLogger("tokenrank")


def draw(folder: RunFolder, k: float | None = None) -> list[str]:
    """Draws all pictures of a finished or unfinished run, and writes published.md where all prompts are LongBench's.

    Args:
        folder: with config.yaml and the four tables.
        k: percent; which k is drawn of the metrics that have one; None: ``plots.k`` of the config.

    Returns:
        One line for each picture or file that could not be made.

    Raises:
        ValueError: the folder is no run folder, lacks a table, or has no values at ``k``.
    """
    folder.environment()  # refuses what is no run folder
    tables, config = folder.tables(), _config(folder)
    failures: list[str] = []
    for group, pictures_of in _groups(tables, config.get("study"), _k(tables, config, k)).items():
        try:
            pictures = pictures_of()
        except Exception as error:  # whatever it was: the other pictures are still wanted
            failures.append(_failure(f"plots of {group} were not drawn", error))
            continue
        failures += _write_pictures(folder, pictures)
    if kind(tables) == ACCURACY and len(tables.metrics) and tables.samples["task"].str.startswith(LONGBENCH).all():
        LOG.info("writing %s", folder.published.name)
        try:
            write_text(folder.published, published_text(tables))
        except Exception as error:
            failures.append(_failure(f"{folder.published.name} was not written", error))
    return failures


def _write_pictures(folder: RunFolder, pictures: Pictures) -> list[str]:
    failures = []
    for name, make in pictures.items():
        LOG.debug("drawing plots/%s", name)
        try:
            write_picture(folder.plots / name, make)
        except Exception as error:
            failures.append(_failure(f"plots/{name} was not drawn", error))
    return failures


def _failure(sentence: str, error: Exception) -> str:
    """One line; the traceback goes to the log."""
    LOG.debug("%s", sentence, exc_info=error)
    return f"{sentence}: {' '.join(str(error).split()) or type(error).__name__}"


def printed(folder: RunFolder, k: float | None = None) -> str:
    """The table of a finished or unfinished run, and below it what its means are over, and what failed or is not done.

    Args:
        folder: with config.yaml, environment.json and the four tables.
        k: percent; which k is shown of the metrics that have one; None: ``plots.k`` of the config.

    Raises:
        ValueError: as ``draw``.
    """
    environment, tables = folder.environment(), folder.tables()
    of = kind(tables)
    if of == RANKING:
        shown = summary(tables, _k(tables, _config(folder), k))
    elif of == ACCURACY:
        shown = accuracy_summary(tables)
    elif of == TTFT:
        shown = ttft_summary(tables)
    else:
        shown = "no prompt could be measured"
    return "\n".join([shown, *notes(tables, environment)])


def _groups(tables: Tables, study: Any, k: float) -> dict[str, Callable[[], Pictures]]:
    """What belongs to the run: a name for messages -> makes the pictures."""
    found: dict[str, Callable[[], Pictures]] = {}
    if kind(tables) == RANKING:
        found = {
            "layers": partial(layer_pictures, tables.metrics, k),
            "layer pairs": partial(layer_pair_pictures, tables, k),
            "the needle grid": partial(ranking_grids, tables, k),
        }
        if study:
            found["the study"] = partial(study_pictures, tables, study, k)
    elif kind(tables) == ACCURACY:
        found = {
            "accuracy against cost": partial(tradeoff_pictures, tables),
            "the needle grid": partial(contestant_grids, tables),
        }
    elif kind(tables) == TTFT:
        found = {"time to first token": partial(latency_pictures, tables)}
    return found


def _config(folder: RunFolder) -> dict[str, Any]:
    try:
        found: Any = OmegaConf.to_container(OmegaConf.load(folder.config))
    except OSError as error:
        raise ValueError(f"{folder.config} cannot be read: {error}") from error
    return dict(found)


def _k(tables: Tables, config: dict[str, Any], asked: float | None) -> float:
    k = float(config["plots"]["k"] if asked is None else asked)
    known = sorted(float(each) for each in tables.metrics["k"].dropna().unique())
    if known and k not in known:
        raise ValueError(f"k is {k:g}, must be one of this run's: {', '.join(f'{each:g}' for each in known)}")
    return k
