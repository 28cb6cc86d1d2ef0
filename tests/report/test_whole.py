"""What a report leaves of an earlier one."""

from pathlib import Path

from tests.report.page_examples import ranking_run
from tokenrank.report.whole import write_report


def test_without_a_page_none_of_earlier_tables_stays(tmp_path: Path) -> None:
    folder = ranking_run(tmp_path)
    folder.plots.mkdir()
    folder.page.write_text("of half a run")
    write_report(folder, page=False, lacking=True)  # the tables are the same
    assert folder.page.exists()
    write_report(folder, page=False)
    assert not folder.page.exists()
