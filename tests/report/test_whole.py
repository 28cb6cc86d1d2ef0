"""What a report leaves of an earlier one."""

from pathlib import Path

from tests.report.page_examples import ranking_run
from tests.report.run_folders import CONFIG
from tokenrank.report.rows.loaded_run import load_run
from tokenrank.report.whole import write_report


def test_without_a_page_none_of_earlier_tables_stays(tmp_path: Path) -> None:
    folder = ranking_run(tmp_path)
    folder.plots.mkdir()
    folder.page.write_text("of half a run")
    folder.config.write_text(CONFIG + "report: false\n")
    write_report(load_run(folder), lacking=True)  # the tables are the same
    assert folder.page.exists()
    write_report(load_run(folder))
    assert not folder.page.exists()
