"""The report of a run folder: its pictures, published.md and the table for the terminal."""

import logging
from collections.abc import Sequence

from tokenrank.records.run_files import SUMMARY
from tokenrank.records.run_folder import RunFolder
from tokenrank.records.visible_text import visible
from tokenrank.records.writing import write_text
from tokenrank.report.evaluation_report import report_of
from tokenrank.report.pictures.drawing import SUFFIXES, Pictures, write_picture
from tokenrank.report.pictures.picture_index import INDEX, index_of
from tokenrank.report.rows.aligned import wrapped
from tokenrank.report.rows.contestant_rows import ACCURACY
from tokenrank.report.rows.loaded_run import LoadedRun
from tokenrank.report.rows.loading import drawn_metrics
from tokenrank.report.rows.published import TASK as LONGBENCH
from tokenrank.report.rows.published import published_text
from tokenrank.report.sentences.notes import notes, whose_answer

LOG = logging.getLogger("tokenrank")


def draw(run: LoadedRun, metrics: Sequence[str] | str | None = None, *, lacking: bool = False) -> list[str]:
    """Draws the pictures of a finished or unfinished run, lists them in plots/index.md, and writes published.md where all prompts are LongBench's.

    Args:
        run: the run, whose k is drawn of the metrics that have one.
        metrics: of evaluation=ranking that are drawn, or ``all``; None: ``plots.metrics`` of the config.
        lacking: only what is not there is drawn and written.

    Returns:
        One line for each picture or file that could not be made.

    Raises:
        ValueError: the run has no metric of ``metrics``, or its own report is none.
    """
    folder, tables = run.folder, run.tables
    report = report_of(tables, run.own_report)
    drawn = drawn_metrics(tables, run.config, metrics)
    groups = {} if report is None else report.pictures(tables, run.k, drawn, run.config.get("study"))
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
        try:
            write_text(folder.plots / INDEX, index_of(folder.plots))
        except Exception as error:
            failures.append(failure(f"plots/{INDEX} was not written", error))
    of_accuracy = run.kind == ACCURACY
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


def printed(run: LoadedRun) -> str:
    """The table of a finished or unfinished run, and below it what its means are over, and what failed or is not done: what a terminal shows.

    Args:
        run: the run, whose k is shown of the metrics that have one.

    Raises:
        ValueError: the run's own report is none.
    """
    tables, ours = run.tables, run.own_report is None
    report = report_of(tables, run.own_report)
    shown = "no prompt could be measured"
    if report is not None:
        try:
            shown = report.printed(tables, run.k)
        except Exception as error:  # the report may be somebody's own
            shown = failure("the table was not printed", error)
    said = [wrapped(line) for line in notes(tables, run.environment, ours=ours)]
    more = [f"all metrics: {SUMMARY}"] if ours and (run.folder.path / SUMMARY).exists() else []
    return visible("\n".join([*map(wrapped, whose_answer(run.config)), shown, *said, *more]))
