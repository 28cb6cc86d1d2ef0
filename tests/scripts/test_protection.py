"""scripts/protection.py and prompts= in tables of runs: each choice is a column with its order, and what cannot stand together is refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scripts.collect import joined
from scripts.protection import command, compared
from tests.joinable import ran, written
from tests.plans import TINY, composed, records, tables
from tokenrank.heuristics.tova import TOVA
from tokenrank.planning.making import make_plan
from tokenrank.prefill.engine import Job
from tokenrank.prefill.layerwise import Layerwise
from tokenrank.records.schema import SAMPLES, table
from tokenrank.report.printed.contestant_tables import accuracy_summary
from tokenrank.report.rows.protection import protected
from tokenrank.report.rows.universe import BEFORE, universe
from tokenrank.report.tables.result_rows import IN_PRINT as PUBLISHED_ROLE
from tokenrank.report.tables.result_rows import result_rows
from tokenrank.report.tables.table_runs import check_alike, read_run
from tokenrank.work.made_tables import with_tables

SMALL = ("task.depths=[50]", "heuristic=[fastkv,tova,recency]", "prefill.keep=[60]")
SAID = "; ranked before the question, on the tokens up to the end of the context, of which keep rates are percentages"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two choices of a sweep, and a run that cannot stand beside them."""
    folder = tmp_path_factory.mktemp("runs")
    choices = [("prompts=aware", "prefill.protect=window"), ("prompts=agnostic", "prefill.protect=frame")]
    return [
        *(ran(folder / f"sweep/{number}", *SMALL, *each, evaluation="fidelity") for number, each in enumerate(choices)),
        ran(folder / "ranking", "task.depths=[50]", "heuristic=[recency]"),
    ]


def test_each_choice_is_a_column_with_its_order(runs: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    """Against summary.parquet."""
    assert command([str(runs[0].parent)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("loss, lower is better: ")
    assert lines[0].endswith("Keep rate 60 %.")
    assert lines[2] == "| method | engine | protect=window, prompts=aware | protect=frame, prompts=agnostic |"
    cells = {line.split(" | ")[0].removeprefix("| "): line.removesuffix(" |").split(" | ")[2:] for line in lines[4:]}
    assert list(cells)[-2:] in (["oracle", "random"], ["random", "oracle"])
    for column, path in enumerate(runs[:2]):
        summary = read_run(path).tables.summary
        own = summary[(summary["metric"] == "loss") & (summary["statistic"] == "mean") & summary["sample"].isna()]
        own = own[own["task"].isna() & own["against"].isna() & own["heuristic"].notna()]
        order = own.set_index("heuristic")["value"].drop(["oracle", "random"]).sort_values()
        for place, (name, value) in enumerate(order.items(), start=1):
            assert cells[str(name)][column].startswith(f"{value:.3f} ")
            assert cells[str(name)][column].endswith(f"({place})")
        assert "(" not in cells["random"][column]


def test_what_is_asked_for_is_written(runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command([*map(str, runs[:2]), "--metric", "same_token", "--to", str(tmp_path / "t.md")]) == 0
    assert (tmp_path / "t.md").read_text() == compared(runs[:2], "same_token")
    assert "same_token, higher is better" in (tmp_path / "t.md").read_text()
    assert capsys.readouterr().out == f"{tmp_path / 't.md'}\n"


def test_runs_that_cannot_stand_beside_each_other_are_refused(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command([str(runs[2])]) == 2
    assert "is no run of evaluation=accuracy or fidelity" in capsys.readouterr().err
    assert command([str(runs[0]), "--metric", "nonsense"]) == 2
    assert "has no mean of nonsense" in capsys.readouterr().err
    twin = ran(tmp_path / "twin", *SMALL, "prompts=aware", "prefill.protect=window", evaluation="fidelity")
    for setting, said in (
        ("seed=1", "task.seed is "),
        ("prefill.select_layer=2", "prefill.select_layer is "),
        ("task.max_new_tokens=3", "task.max_new_tokens is "),
    ):
        other = ran(tmp_path / setting, *SMALL, setting, "prefill.protect=frame", evaluation="fidelity")
        assert command([str(runs[0]), str(other)]) == 2
        assert said in capsys.readouterr().err
    assert command([str(runs[0]), str(twin)]) == 2
    assert "two runs have all settings alike: give one of them" in capsys.readouterr().err


def test_published_results_are_no_rows_of_it(tmp_path: Path) -> None:
    """Accuracy on LongBench: other tables have the paper's numbers beside it, at other keep rates."""
    row = {"input": "Who?", "context": "Ada wrote it. " * 40, "answers": ["Ada"], "all_classes": None, "length": 9}
    (tmp_path / "hotpotqa.jsonl").write_text(json.dumps(row))
    (tmp_path / "dataset2prompt.json").write_text('{"hotpotqa": "{context} {input}"}')
    (tmp_path / "dataset2maxlen.json").write_text('{"hotpotqa": 4}')
    given = ("task=longbench", f"task.path={tmp_path}", "task.subset=[hotpotqa]", "heuristic=[claa]")
    made = make_plan(composed("evaluation=accuracy", *TINY, *given, "prefill.keep=[60]"))
    folder = with_tables(written(tmp_path / "run", made, records(made)))
    assert PUBLISHED_ROLE in set(result_rows(read_run(folder.path))["role"])  # the control
    lines = compared([folder.path], "accuracy").splitlines()
    assert [line for line in lines if "Keep rate" in line] == [lines[0]]
    assert "Keep rate 60 %" in lines[0]
    assert {line.split(" | ")[0] for line in lines[4:]} == {"| claa", "| oracle@claa", "| random@claa"}


def test_a_run_in_which_answers_failed_is_refused(
    runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Layerwise.prefill_after

    def broken(self: Layerwise, job: Job, *rest: Any) -> Any:
        if isinstance(job.heuristic, TOVA):
            raise ValueError("no")
        return own(self, job, *rest)

    monkeypatch.setattr(Layerwise, "prefill_after", broken)
    failed = ran(tmp_path / "failed", *SMALL, "prompts=agnostic", evaluation="fidelity")
    with pytest.raises(
        ValueError, match=r"^answers of .*failed failed \(1\), so that its means are over other prompts"
    ):
        compared([runs[0], failed])


def test_runs_before_and_after_the_question_are_not_joined(runs: list[Path], tmp_path: Path) -> None:
    other = ran(tmp_path / "agnostic", *SMALL, "prompts=agnostic", evaluation="fidelity")
    with pytest.raises(
        ValueError, match=r"cannot be joined: prompts is aware in the first and agnostic in the second$"
    ):
        joined([runs[0], other], tmp_path / "joined")
    found = [read_run(with_tables(path).path) for path in (runs[0], other)]
    with pytest.raises(ValueError, match=r"evaluation\.prompts is aware in .* and agnostic in "):
        check_alike(found, ["loss"])
    rankings = [
        read_run(
            with_tables(
                ran(tmp_path / "rankings" / each, "task.depths=[50]", "heuristic=[recency]", f"prompts={each}")
            ).path
        )
        for each in ("aware", "agnostic")
    ]
    with pytest.raises(ValueError, match=r": prompts is aware in .* and agnostic in "):
        check_alike(rankings, ["recall"])


def test_headings_say_that_the_question_was_not_known(runs: list[Path]) -> None:
    aware, agnostic = (read_run(with_tables(path).path).tables for path in runs[:2])
    assert SAID not in " ".join(protected(aware.runs))
    (line,) = protected(agnostic.runs)
    assert line.startswith("prefill.protect=frame: ")
    assert SAID in line
    assert SAID in " ".join(accuracy_summary(agnostic).split())
    earlier = replace(agnostic, runs=agnostic.runs.assign(prompts=None))
    assert SAID not in " ".join(accuracy_summary(earlier).split())
    assert universe(agnostic.samples) == []
    ranked = tables("task.depths=[50]", "heuristic=[recency]", "prompts=agnostic", "universe=context").samples
    assert universe(ranked)[0] == BEFORE
    assert len(universe(ranked)) == 2
    assert universe(table([{"id": "a", "universe": "prompt", "prompts": "aware"}], SAMPLES)) == []
