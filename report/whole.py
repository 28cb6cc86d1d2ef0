"""All that is made of a collected run: pictures, published.md, tables for a paper, and report.html."""

import logging

from tokenrank.records.run_files import REPORTS, SUMMARY
from tokenrank.report.page.page import write_page
from tokenrank.report.report import draw, failure
from tokenrank.report.rows.loaded_run import LoadedRun
from tokenrank.report.tables.report_files import write_tables_of_report

LOG = logging.getLogger("tokenrank")


def write_report(run: LoadedRun, *, lacking: bool = False) -> list[str]:
    """Draws and writes all of it; what fails costs nothing else.

    Args:
        run: a finished or unfinished run. Where its config has ``report: false``, report.html is not written, and one of earlier tables is removed.
        lacking: only what is not there is drawn and written.

    Returns:
        One line for each picture or file that could not be made.

    Raises:
        ValueError: as ``draw``.
    """
    folder, page = run.folder, run.config.get("report") is not False
    failures = draw(run, lacking=lacking)
    if not (lacking and (folder.path / SUMMARY).exists()):
        LOG.info("writing the tables")
        try:
            write_tables_of_report(run)
        except Exception as error:  # whatever it was: the run is whole without them
            failures.append(failure(f"{', '.join(REPORTS)} were not written", error))
    if not (page or lacking):
        folder.page.unlink(missing_ok=True)  # of fewer prompts
    elif page and not (lacking and folder.page.exists()):
        LOG.info("writing %s", folder.page.name)
        try:
            write_page(run)
        except Exception as error:  # whatever it was: the run is whole without a page
            failures.append(failure(f"{folder.page.name} was not written", error))
    return failures
