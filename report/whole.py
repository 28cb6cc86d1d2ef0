"""All that is made of a collected run: pictures, published.md, tables for a paper, and report.html."""

import logging
from collections.abc import Mapping
from typing import Any

from tokenrank.records.run_files import REPORTS, SUMMARY
from tokenrank.records.run_folder import RunFolder
from tokenrank.report.page.page import write_page
from tokenrank.report.report import draw, failure
from tokenrank.report.rows.loading import load, run_config
from tokenrank.report.tables.report_files import write_tables_of_report

LOG = logging.getLogger("tokenrank")


def write_report(
    folder: RunFolder, *, plots: Mapping[str, Any] | None = None, page: bool = True, lacking: bool = False
) -> list[str]:
    """Draws and writes all of it; what fails costs nothing else.

    Args:
        folder: with config.yaml, environment.json and the four tables.
        plots: in place of that part of the config.
        page: whether report.html is written; where it is not, one of earlier tables is removed.
        lacking: only what is not there is drawn and written.

    Returns:
        One line for each picture or file that could not be made.

    Raises:
        ValueError: as ``draw``.
    """
    failures = draw(folder, plots=plots, lacking=lacking)
    if not (lacking and (folder.path / SUMMARY).exists()):
        LOG.info("writing the tables")
        try:
            config = run_config(folder, plots)
            tables, k = load(folder, config, None)
            write_tables_of_report(folder, tables, config, k)
        except Exception as error:  # whatever it was: the run is whole without them
            failures.append(failure(f"{', '.join(REPORTS)} were not written", error))
    if not (page or lacking):
        folder.page.unlink(missing_ok=True)  # of fewer prompts
    elif page and not (lacking and folder.page.exists()):
        LOG.info("writing %s", folder.page.name)
        try:
            write_page(folder, plots=plots)
        except Exception as error:  # whatever it was: the run is whole without a page
            failures.append(failure(f"{folder.page.name} was not written", error))
    return failures
