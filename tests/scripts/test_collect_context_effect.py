"""``collect.py FOLDER... --context-effect NATS --to NEW_FOLDER``: the prompts are those, and all that is written says so."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.collect import command
from tests.joinable import measured, ran
from tests.report.run_folders import printed
from tokenrank.evaluation.plan import Plan
from tokenrank.planning.replay import replayable
from tokenrank.records.record import Record
from tokenrank.records.run_folder import RunFolder
from tokenrank.records.tables import Tables
from tokenrank.report.rows.contestant_rows import origin
from tokenrank.report.rows.loaded_run import load_run
from tokenrank.report.rows.ranking_rows import heading
from tokenrank.report.tables.report_files import summary_text
from tokenrank.report.tables.result_rows import result_rows
from tokenrank.work.environment import environment

EFFECTS = (0.25, 0.05, 0.2, None)  # of four prompts


@pytest.fixture(autouse=True)
def nothing_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.collect.write_report", lambda run: [])


@pytest.fixture(scope="module")
def run() -> tuple[Plan, list[Record]]:
    made, found = measured(
        "heuristic=[claa,random]", "metric=[recall]", "task.lengths=[200,240]", "task.depths=[0,100]"
    )
    assert len(found) == len(EFFECTS)
    pairs = zip(found, EFFECTS, strict=True)
    return made, [replace(record, sample={**record.sample, "context_effect": effect}) for record, effect in pairs]


@pytest.fixture
def folder(tmp_path: Path, run: tuple[Plan, list[Record]]) -> RunFolder:
    made, found = run
    given = RunFolder(tmp_path / "run")
    given.begin(environment(made), {unit.name: unit.key for unit in made.units}, replayable(made.config))
    for record in found:
        given.write_record(record)
    return given


def chosen(folder: RunFolder, at_least: float) -> RunFolder:
    target = folder.path.parent / f"at_least_{at_least:g}"
    assert command([str(folder.path), "--context-effect", f"{at_least:g}", "--to", str(target)]) == 0
    return RunFolder(target)


def test_only_prompts_with_a_context_effect_that_is_large_enough_are_there(folder: RunFolder) -> None:
    ids = list(folder.environment()["units"])
    found = chosen(folder, 0.2)
    assert found.tables().samples["id"].tolist() == [ids[0], ids[2]]
    assert list(found.environment()["units"]) == [ids[0], ids[2]]
    assert found.environment()["joined"]["context_effect"] == {"at_least": 0.2, "kept": 2, "of": 4, "unknown": 1}
    assert chosen(folder, -math.pi).tables().samples["id"].tolist() == ids[:3]  # the last one has none


def test_means_are_over_these_prompts(folder: RunFolder) -> None:
    found = chosen(folder, 0.2).tables()
    whole = chosen(folder, -1.0).tables()

    def of_prompts(tables: Tables) -> "dict[str, float]":
        rows = tables.summary.query("metric == 'recall' and k == 10 and statistic == 'mean' and heuristic == 'claa'")
        return dict(rows.dropna(subset=["sample"])[["sample", "value"]].itertuples(index=False))

    means = found.means_against_all().query("metric == 'recall' and k == 10 and heuristic == 'claa'")
    kept = [of_prompts(whole)[name] for name in found.samples["id"]]
    assert means["value"].tolist() == [pytest.approx(sum(kept) / 2)]
    assert means["prompts"].tolist() == [2]


def test_titles_tables_and_sentences_say_which_prompts_these_are(folder: RunFolder) -> None:
    found = load_run(chosen(folder, 0.2))
    assert origin(found.tables) == "tiny on niah, 2 prompts with context_effect >= 0.2"
    assert heading(found.tables, 2, 10.0) == "tiny on niah, context_effect >= 0.2, n = 2 prompts, k = 10 %"
    said = (
        "only prompts whose answer needs their context: 2 of 4 measured prompts, those with a context_effect of at least 0.2 nats a token; "
        "1 of the others have none"
    )
    assert said in " ".join(printed(found.folder).split())
    rows = result_rows(found)
    assert set(rows["chosen"]) == {"context_effect >= 0.2"}
    assert set(rows["truth"]) == {"attention"}  # of the chance level, too
    assert "chance" in set(rows["role"])
    text = summary_text(found).replace("\\", "")
    assert said in text
    assert text.count("tiny on niah, 2 prompts with context_effect >= 0.2.") >= 2  # the sentence and a caption


def test_a_folder_of_all_prompts_says_nothing(folder: RunFolder, tmp_path: Path) -> None:
    assert command([str(folder.path), "--to", str(tmp_path / "all")]) == 0
    found = load_run(RunFolder(tmp_path / "all"))
    assert "context_effect" not in found.environment["joined"]
    assert found.tables.chosen == ""
    assert result_rows(found)["chosen"].isna().all()
    assert "needs their context" not in printed(found.folder)


def test_another_threshold_joins_again_in_the_same_folder(folder: RunFolder, tmp_path: Path) -> None:
    for at_least, count in ((0.2, 2), (0.25, 1), (0.01, 3)):
        arguments = [str(folder.path), "--context-effect", str(at_least), "--to", str(tmp_path / "same")]
        assert command(arguments) == 0
        assert len(RunFolder(tmp_path / "same").tables().samples) == count


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["0.3"], "--context-effect is 0.3, must be at most 0.25, the largest context_effect of these runs"),
        (["nan"], "--context-effect is nan, must be a finite number of nats a token"),
    ],
)
def test_a_bad_threshold_is_one_sentence(
    folder: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str], given: list[str], said: str
) -> None:
    assert command([str(folder.path), "--context-effect", *given, "--to", str(tmp_path / "new")]) == 2
    assert capsys.readouterr().err == f"error: {said}\n"
    assert not (tmp_path / "new").exists()


def test_it_needs_a_new_folder_and_a_number(folder: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    for given, said in (
        (["0.2"], "prompts with --context-effect are joined in a new one: name it, as in --to NEW_FOLDER"),
        ([], "argument --context-effect: expected one argument"),
        (["much"], "argument --context-effect: invalid float value: 'much'"),
    ):
        with pytest.raises(SystemExit, match="2"):
            command([str(folder.path), "--context-effect", *given])
        assert capsys.readouterr().err.endswith(f"collect.py: error: {said}\n")


def test_a_run_without_a_context_effect_is_refused_with_the_settings_that_give_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = ran(tmp_path / "run", "heuristic=[claa,random]", "metric=[recall]", "task.depths=[50]")
    assert command([str(path), "--context-effect", "0.1", "--to", str(tmp_path / "new")]) == 2
    assert capsys.readouterr().err == (
        f"error: --context-effect is 0.1, but no prompt of {path} has a context_effect: evaluation=ranking measures it with "
        "metric=[...,lds], drop or kept, of prompts that have a context\n"
    )
