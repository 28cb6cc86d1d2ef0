"""All that is made of a collected run: pictures, published.md, tables for a paper, and report.html."""

import logging

from tokenrank.records.writing import write_text
from tokenrank.report.page.page import write_page
from tokenrank.report.report import draw, failure
from tokenrank.report.rows.loaded_run import LoadedRun
from tokenrank.report.tables.report_files import texts_of_report

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
    try:
        texts = texts_of_report(run)
    except Exception as error:  # whatever it was: pictures and page are still wanted
        texts = {}
        failures.append(failure("the tables were not written", error))
    wanted = {name: text for name, text in texts.items() if not (lacking and (folder.path / name).exists())}
    if wanted:
        LOG.info("writing the tables")
    for name, text in wanted.items():
        try:
            write_text(folder.path / name, text())
        except Exception as error:  # whatever it was: the run is whole without it
            failures.append(failure(f"{name} was not written", error))
    if not (page or lacking):
        try:
            folder.page.unlink(missing_ok=True)  # of fewer prompts
        except OSError as error:
            failures.append(failure(f"{folder.page.name} of earlier tables was not removed", error))
    elif page and not (lacking and folder.page.exists()):
        LOG.info("writing %s", folder.page.name)
        try:
            write_page(run)
        except Exception as error:  # whatever it was: the run is whole without a page
            failures.append(failure(f"{folder.page.name} was not written", error))
    return failures
