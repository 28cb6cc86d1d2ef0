"""The files that a report writes into a run folder."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from tests.report.contestant_examples import as_tables
from tests.report.run_folders import run_folder, write_tables
from tests.report.table_examples import contestant_run, ranking_tables, table_run, without_means
from tests.report.ttft_examples import ttft_tables
from tokenrank.records.tables import Tables
from tokenrank.report.tables.report_files import (
    csv_text,
    grid,
    main_metrics,
    summary_text,
)
from tokenrank.report.tables.result_rows import result_rows
from tokenrank.report.tables.table_runs import metrics_of


def test_a_ranking_has_four_files(tmp_path: Path) -> None:
    tables = ranking_tables({("claa", "gemfilter"): 0.01}, prompts=6)
    folder = run_folder(tmp_path, tables, environment={"units": list("abcdefgh")})
    assert write_tables(folder) == ["report.md", "report.tex", "report.csv", "summary.md"]
    report, summary = ((tmp_path / name).read_text() for name in ("report.md", "summary.md"))
    assert report.index("## recall@10") < report.index("## spearman")
    assert "**0.500**\u2020 [0.450, 0.550]" in report
    assert "Unfinished: half a run: 6 of 8 units are done." in report
    assert (
        "- Declared comparison, recall@10, mean over layers (1 pair, 6 prompts): claa is better than gemfilter"
        in summary
    )
    assert "- half a run: 6 of 8 units are done" in summary
    assert "claa better than gemfilter by" not in summary  # the sentence of the terminal would say it twice
    assert (
        (tmp_path / "report.csv")
        .read_text()
        .startswith("run,model,task,chosen,method,role,engine,metric,truth,k,keep,statistic,value,")
    )


def test_summary_has_a_table_of_every_metric() -> None:
    run = contestant_run()
    text = summary_text(run)
    assert main_metrics(run) == ["accuracy", "loss"]
    for metric in metrics_of(run):
        assert f"## {metric}\n".replace("_", "\\_") in text


@pytest.mark.parametrize("tables", [ttft_tables(), as_tables()])
def test_times_and_empty_runs_have_a_summary_alone(tmp_path: Path, tables: Tables) -> None:
    folder = run_folder(tmp_path, tables)
    assert write_tables(folder) == ["summary.md"]
    text = (tmp_path / "summary.md").read_text()
    assert "# Summary of " in text
    assert ("No prompt could be measured." in text) == tables.metrics.empty


def test_a_run_without_a_mean_has_a_summary_alone_and_no_empty_table(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, without_means(ranking_tables()))
    assert write_tables(folder) == ["summary.md"]
    assert "\n\n\n" not in (tmp_path / "summary.md").read_text()


def test_a_name_does_not_end_the_fence_around_a_text() -> None:
    tables = ranking_tables()
    by_task = tables.summary.assign(task="a ``` b")
    other = by_task.assign(task="```")
    summary = pd.concat([tables.summary, by_task, other], ignore_index=True)
    text = summary_text(table_run(replace(tables, summary=summary)))
    assert text.count("\n````\n") == 2
    assert "a ``` b" in text.split("\n````\n")[1]


def test_what_a_run_lacks_is_named() -> None:
    run = table_run(ranking_tables(), "a")
    with pytest.raises(ValueError, match="metric is 'mass', must be one of those of a: recall, spearman"):
        grid([run], "mass", 10)
    with pytest.raises(ValueError, match="k is 7, must be one of those of a: 5, 10"):
        grid([run], "recall", 7)
    with pytest.raises(ValueError, match="keep is 30, must be one of those of run: 10, 20, 40"):
        grid([contestant_run()], "loss", None, keep=30)
    with pytest.raises(ValueError, match="keep is 30, must be left out: a has no keep rates"):
        grid([run], "recall", 10, keep=30)
    with pytest.raises(ValueError, match="evaluation is ranking in a and accuracy in run"):
        grid([run, contestant_run()], "recall", 10)


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@a", "\t=1", "a=b", "'=1"])
def test_a_name_is_no_formula_of_a_spreadsheet(name: str) -> None:
    run = table_run(ranking_tables(), name)
    text = csv_text([result_rows(run)])
    first = next(csv.DictReader(io.StringIO(text)))
    assert first["run"] == (name if name[0] in "a'" else f"'{name}")
    values = pd.read_csv(io.StringIO(text))["value"]
    pd.testing.assert_series_equal(values, result_rows(run)["value"], check_exact=True)


def test_a_negative_number_stays_a_number() -> None:
    rows = result_rows(table_run(ranking_tables(), "a")).assign(value=-0.5)
    assert {row["value"] for row in csv.DictReader(io.StringIO(csv_text([rows])))} == {"-0.5"}
