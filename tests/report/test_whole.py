"""What a report leaves of an earlier one."""

from pathlib import Path

from tests.report.page_examples import ranking_run
from tests.report.run_folders import CONFIG
from tokenrank.records.run_files import REPORTS
from tokenrank.report.pictures.picture_index import INDEX
from tokenrank.report.rows.loaded_run import load_run
from tokenrank.report.whole import write_report


def test_what_is_lacking_is_written_again_and_nothing_else(tmp_path: Path) -> None:
    folder = ranking_run(tmp_path)
    assert write_report(load_run(folder)) == []
    names = (*REPORTS, folder.page.name, f"plots/{INDEX}")
    for lost in names:
        for name in names:
            (tmp_path / name).write_text("kept")
        (tmp_path / lost).unlink()
        assert write_report(load_run(folder), lacking=True) == []
        assert (tmp_path / lost).read_text() != "kept"
        assert [name for name in names if (tmp_path / name).read_text() != "kept"] == [lost]


def test_a_file_that_cannot_be_written_costs_no_other(tmp_path: Path) -> None:
    folder = ranking_run(tmp_path)
    names = (*REPORTS, folder.page.name, f"plots/{INDEX}")
    for name in names:
        (tmp_path / name / "theirs").mkdir(parents=True)
    failures = write_report(load_run(folder))
    assert sorted(each.split(" was not written: ")[0] for each in failures) == sorted(names)
    folder.config.write_text(CONFIG + "report: false\n")
    said = write_report(load_run(folder))
    assert any(each.startswith("report.html of earlier tables was not removed: ") for each in said)


def test_without_a_page_none_of_earlier_tables_stays(tmp_path: Path) -> None:
    folder = ranking_run(tmp_path)
    folder.plots.mkdir()
    folder.page.write_text("of half a run")
    folder.config.write_text(CONFIG + "report: false\n")
    write_report(load_run(folder), lacking=True)  # the tables are the same
    assert folder.page.exists()
    write_report(load_run(folder))
    assert not folder.page.exists()
