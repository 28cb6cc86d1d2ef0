"""The report of a run folder: its pictures, published.md and the table for the terminal."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from tokenrank.records.run_files import SUMMARY
from tokenrank.records.run_folder import RunFolder
from tokenrank.records.writing import write_text
from tokenrank.report.evaluation_report import report_of
from tokenrank.report.pictures.drawing import SUFFIXES, Pictures, write_picture
from tokenrank.report.pictures.picture_index import INDEX, index_of
from tokenrank.report.rows.aligned import wrapped
from tokenrank.report.rows.contestant_rows import ACCURACY, kind
from tokenrank.report.rows.loading import drawn_metrics, load, own_report, run_config
from tokenrank.report.rows.published import TASK as LONGBENCH
from tokenrank.report.rows.published import published_text
from tokenrank.report.sentences.notes import notes, whose_answer

LOG = logging.getLogger("tokenrank")


def draw(
    folder: RunFolder,
    k: float | None = None,
    metrics: Sequence[str] | str | None = None,
    *,
    plots: Mapping[str, Any] | None = None,
    lacking: bool = False,
) -> list[str]:
    """Draws the pictures of a finished or unfinished run, lists them in plots/index.md, and writes published.md where all prompts are LongBench's.

    Args:
        folder: with config.yaml and the four tables.
        k: percent; which k is drawn of the metrics that have one; None: ``plots.k`` of the config.
        metrics: of evaluation=ranking that are drawn, or ``all``; None: ``plots.metrics`` of the config.
        plots: in place of that part of the config.
        lacking: only what is not there is drawn and written.

    Returns:
        One line for each picture or file that could not be made.

    Raises:
        ValueError: the folder is no run folder, lacks a table, has no values at ``k``, or lacks a metric of ``metrics``.
    """
    folder.environment()  # refuses what is no run folder
    config = run_config(folder, plots)
    tables, k = load(folder, config, k)
    report = report_of(tables, own_report(config))
    drawn = drawn_metrics(tables, config, metrics)
    groups = {} if report is None else report.pictures(tables, k, drawn, config.get("study"))
    failures: list[str] = []
    drawn_now = False
    for group, pictures_of in groups.items():
        try:
            pictures = pictures_of()
        except Exception as error:  # whatever it was: the other pictures are still wanted
            failures.append(failure(f"plots of {group} were not drawn", error))
            continue
        wanted = {name: make for name, make in pictures.items() if not (lacking and _there(folder, name))}
        drawn_now |= bool(wanted)
        failures += _write_pictures(folder, wanted)
    if folder.plots.is_dir() and (drawn_now or not (folder.plots / INDEX).exists()):
        write_text(folder.plots / INDEX, index_of(folder.plots))
    of_accuracy = own_report(config) is None and kind(tables) == ACCURACY
    if (
        of_accuracy
        and len(tables.metrics)
        and tables.samples["task"].str.startswith(LONGBENCH).all()
        and not (lacking and folder.published.exists())
    ):
        LOG.info("writing %s", folder.published.name)
        try:
            write_text(folder.published, published_text(tables))
        except Exception as error:
            failures.append(failure(f"{folder.published.name} was not written", error))
    return failures


def _write_pictures(folder: RunFolder, pictures: Pictures) -> list[str]:
    failures = []
    for name, make in pictures.items():
        LOG.debug("drawing plots/%s", name)
        try:
            write_picture(folder.plots / name, make)
        except Exception as error:
            failures.append(failure(f"plots/{name} was not drawn", error))
    return failures


def _there(folder: RunFolder, picture: str) -> bool:
    return all((folder.plots / (picture + suffix)).exists() for suffix in SUFFIXES)


def failure(sentence: str, error: Exception) -> str:
    """One line; the traceback goes to the log."""
    LOG.debug("%s", sentence, exc_info=error)
    return f"{sentence}: {' '.join(str(error).split()) or type(error).__name__}"


def printed(folder: RunFolder, k: float | None = None, *, plots: Mapping[str, Any] | None = None) -> str:
    """The table of a finished or unfinished run, and below it what its means are over, and what failed or is not done.

    Args:
        folder: with config.yaml, environment.json and the four tables.
        k: percent; which k is shown of the metrics that have one; None: ``plots.k`` of the config.
        plots: in place of that part of the config.

    Raises:
        ValueError: as ``draw``.
    """
    environment, config = folder.environment(), run_config(folder, plots)
    tables, k = load(folder, config, k)
    report = report_of(tables, own_report(config))
    shown = "no prompt could be measured"
    if report is not None:
        try:
            shown = report.printed(tables, k)
        except Exception as error:  # the report may be somebody's own
            shown = failure("the table was not printed", error)
    ours = own_report(config) is None
    said = [wrapped(line) for line in notes(tables, environment, ours=ours)]
    more = [f"all metrics: {SUMMARY}"] if ours and (folder.path / SUMMARY).exists() else []
    return "\n".join([*map(wrapped, whose_answer(config)), shown, *said, *more])
