"""Each unit leaves a record as soon as it is done; one that fails leaves its reason, and the others go on."""

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from time import sleep

import pytest
from safetensors.torch import load_file

from tests.plans import plan, records
from tokenrank.capture.model_layers import ModelLayers
from tokenrank.evaluation.plan import Plan
from tokenrank.models.tiny import Tiny
from tokenrank.records.digests import ids_digest
from tokenrank.records.messages import messages_to
from tokenrank.records.record import Record
from tokenrank.records.run_folder import RunFolder
from tokenrank.records.token_levels import OUTSIDE
from tokenrank.work.environment import layer_record
from tokenrank.work.loop import done_since, prompt_row, stamp, token_bar, work

MODEL = Tiny(name="tiny").model()
FAILS = ("+heuristic.fails._target_=tests.doubles.Fails", "task.lengths=[300,340]", "task.depths=[0]")


def worked(made: Plan, folder: Path) -> list[Record]:
    run = RunFolder(folder)
    folder.mkdir(exist_ok=True)
    run.begin({}, {unit.name: unit.key for unit in made.units}, "")
    with messages_to(run.log):
        work(made, MODEL, made.units, run)
    return run.records()[0]


@pytest.mark.parametrize("terminal", [True, False])
def test_the_clock_of_the_bar_runs_on_a_terminal_while_a_prompt_is_measured(
    monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    shown = StringIO()
    monkeypatch.setattr(shown, "isatty", lambda: terminal, raising=False)
    monkeypatch.setattr("sys.stderr", shown)
    monkeypatch.setattr("tokenrank.work.loop.TICK", 0.05)
    with token_bar(plan("heuristic=claa").units, 1) as bar:
        before = len(shown.getvalue())
        sleep(0.5)
        drawn = len(shown.getvalue()) > before
    assert drawn == terminal
    assert bar.n == 0


def test_a_prompt_that_fails_leaves_a_record_with_its_reason_and_the_others_go_on(tmp_path: Path) -> None:
    made = plan(*FAILS, "task.lengths=[340,300]", "heuristic=claa")
    found = {record.unit: record for record in worked(made, tmp_path / "run")}
    assert list(found) == [unit.name for unit in made.units]
    failed, well = found["niah_340_0_0"], found["niah_300_0_0"]
    assert failed.failed
    assert failed.sample["error"] == "RuntimeError: it broke"
    assert failed.rows.empty
    assert (failed.sample["tokens"], failed.key) == (340, made.units[failed.number].key)
    assert not well.failed
    assert "error" not in well.sample
    assert set(well.rows["heuristic"].dropna()) == {"claa", "fails"}


def test_the_log_has_the_full_traceback_of_a_failure(tmp_path: Path) -> None:
    worked(plan(*FAILS, "heuristic=claa"), tmp_path / "run")
    log = (tmp_path / "run" / "run.log").read_text()
    assert "ERROR prompt niah_340_0_0 failed: RuntimeError: it broke" in log
    assert log.count("Traceback (most recent call last)") == 1
    assert 'raise MemoryError("no room") if self.memory else RuntimeError("it broke")' in log
    assert "niah_300_0_0" not in log


def test_a_contestant_that_fails_makes_the_prompt_partly_failed(tmp_path: Path) -> None:
    found = worked(plan(*FAILS, "heuristic=claa", "prefill.keep=[20]", evaluation="accuracy"), tmp_path / "run")
    assert [record.failed for record in found] == [False, True]
    assert not found[1].rows.empty
    log = (tmp_path / "run" / "run.log").read_text()
    assert "ERROR prompt niah_340_0_0, partly failed: fails at 20 %: RuntimeError: it broke" in log


def test_a_record_says_all_of_its_unit() -> None:
    made = plan()
    for unit, record in zip(made.units, records(made), strict=True):
        assert (record.unit, record.number, record.key) == (unit.name, unit.number, unit.key)
        assert record.key_fields == unit.key_fields
        assert record.layers == {"captured": [0, 1, 2, 3], "windowed": [], "of": 4}
        sample, prompt = record.sample, unit.prompt
        assert sample["input_ids_sha256"] == ids_digest(prompt.input_ids) == unit.key_fields["input_ids"]
        assert (sample["key"], sample["status"], sample["tokens"]) == (unit.key, "ok", 300)
        assert prompt.needle is not None
        assert (sample["needle_start"], sample["needle_tokens"]) == (prompt.needle.start, len(prompt.needle))
        assert sample["evidence"] == [[prompt.needle.start, prompt.needle.stop]]
        for name, part in (("context", prompt.context), ("question", prompt.question)):
            assert part is not None
            assert (sample[f"{name}_start"], sample[f"{name}_tokens"]) == (part.start, len(part))
        assert sample["references"] == list(prompt.answers)
        assert sample["prompt"] == made.tokenizer.decode(list(prompt.input_ids))
        assert sample["host"]
        assert sample["device"]
        assert sample["seconds"] >= sample["prefill_seconds"] > 0
        assert set(record.rows["model"]) == {"tiny"}
        assert set(record.rows["sample"]) == {unit.name}
        assert set(record.rows["task"]) == {"niah"}
        json.dumps([record.key_fields, record.sample], allow_nan=False)


def test_a_record_of_engines_holds_the_kept_tokens_of_every_contestant() -> None:
    made = plan("task.depths=[0]", "prefill.keep=[20]", evaluation="accuracy")
    runs = records(made)[0].runs
    assert {run["sample"] for run in runs} == {"niah_300_0_0"}
    kept = {run["heuristic"]: run["kept"] for run in runs if run["engine"] != "full"}
    added = {f"{end}{engine}" for end in ("oracle", "random") for engine in ("", "@claa", "@gemfilter")}
    assert set(kept) == {"claa", "fastkv", "gemfilter", *added}
    assert all(len(each) == 60 and each == sorted(each) for each in kept.values())
    assert len({tuple(each) for each in kept.values()}) > 1


@pytest.mark.parametrize("evaluation", ["ranking", "accuracy"])
def test_without_texts_no_record_quotes_a_prompt_or_an_answer(tmp_path: Path, evaluation: str) -> None:
    settings = ("task.depths=[0]", "prefill.keep=[20]", "heuristic=claa")
    made = plan("texts=false", *settings, evaluation=evaluation)
    record = worked(made, tmp_path / "run")[0]
    for row in (record.sample, *record.runs):
        assert not {"prompt", "references", "answer"} & set(row)
    reference = made.prompts[0].answers[0]
    header = str(record.sample) + str(record.runs) + str(record.key_fields)
    assert reference not in header
    whole = records(plan(*settings, evaluation=evaluation))[0]
    assert reference in str(whole.sample)
    assert {"prompt", "references", "answer"} <= set(whole.sample)
    assert whole.rows[["metric", "layer", "k"]].equals(record.rows[["metric", "layer", "k"]])


def test_rankings_are_saved_beside_the_record(tmp_path: Path) -> None:
    made = plan("save_rankings=true", "task.depths=[0]")
    worked(made, tmp_path / "run")
    saved = load_file(tmp_path / "run" / "rankings" / "niah_300_0_0.safetensors")
    assert saved["heuristic.claa"].shape == (4, 300)


@pytest.mark.parametrize(("evaluation", "ks"), [("ranking", (5, 10)), ("accuracy", (20, 40)), ("fidelity", (20, 40))])
def test_levels_of_the_tokens_are_kept_beside_the_record(tmp_path: Path, evaluation: str, ks: tuple[int, ...]) -> None:
    settings = ("task.depths=[0]", "heuristic=[claa,oracle]" if evaluation == "ranking" else "heuristic=claa")
    keep = () if evaluation == "ranking" else ("prefill.keep=[40,20]",)
    made = plan(*settings, *keep, evaluation=evaluation)
    record = worked(made, tmp_path / "run")[0]
    levels = RunFolder(tmp_path / "run").levels(record.unit)
    assert levels is not None
    assert (levels.k, levels.tokens, levels.importance.shape) == (ks, 300, (1, 300))
    assert "".join(levels.texts or ()) == record.sample["prompt"]
    of_ranking = {name: rows.shape for name, rows in levels.rankings.items()}
    assert of_ranking == ({"claa": (4, 300)} if evaluation == "ranking" else {})
    if evaluation == "ranking":
        rows = record.rows
        values = rows[(rows["metric"] == "recall") & (rows["heuristic"] == "claa") & (rows["k"] == 10)]
        best = [
            (each > 0) & (each != OUTSIDE) for each in (levels.truth, levels.rankings["claa"])
        ]  # of 10 percent, 29 tokens
        assert values.sort_values(by="layer")["value"].to_list() == pytest.approx((best[0] & best[1]).sum(axis=1) / 29)


def test_without_texts_levels_quote_nothing_and_without_levels_there_is_no_file(tmp_path: Path) -> None:
    worked(plan("texts=false", "task.depths=[0]"), tmp_path / "run")
    levels = RunFolder(tmp_path / "run").levels("niah_300_0_0")
    assert levels is not None
    assert levels.texts is None
    worked(plan("save_levels=false", "task.depths=[0]"), tmp_path / "without")
    assert RunFolder(tmp_path / "without").levels("niah_300_0_0") is None
    assert not (tmp_path / "without" / "levels").exists()


def test_a_record_is_there_as_soon_as_its_unit_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, run = plan(), RunFolder(tmp_path / "run")
    measure, seen = type(made.evaluation).measure, list[list[str]]()

    def interrupted(*arguments: object) -> object:
        seen.append([record.unit for record in run.records()[0]])
        if len(seen) == 2:
            raise KeyboardInterrupt
        return measure(*arguments)  # type: ignore[arg-type]

    run.path.mkdir()
    run.begin({}, {unit.name: unit.key for unit in made.units}, "")
    monkeypatch.setattr(type(made.evaluation), "measure", interrupted)
    with pytest.raises(KeyboardInterrupt):
        work(made, MODEL, made.units, run)
    assert seen == [[], ["niah_300_0_0"]]
    assert [record.unit for record in run.records()[0]] == ["niah_300_0_0"]


def test_the_same_plan_gives_the_same_rows_and_keys(tmp_path: Path) -> None:
    first, second = (worked(plan("heuristic=[claa,random]"), tmp_path / name) for name in "ab")
    for one, other in zip(first, second, strict=True):
        assert one.rows.equals(other.rows)
        assert one.key == other.key


def test_layers_are_recorded_with_their_windows_and_number() -> None:
    layers = ModelLayers(4, (0, 1, 3), {3: 16, 0: 16})
    assert layer_record(replace(plan(), layers=layers)) == {"captured": [0, 1, 3], "windowed": [0, 3], "of": 4}


def test_a_prompt_without_a_needle_says_so() -> None:
    made = plan("task.depths=[0]")
    unit = made.units[0]
    row = prompt_row(
        made,
        replace(unit, prompt=replace(unit.prompt, evidence=(), depth=None, answers=(), context=None, question=None)),
    )
    assert (row["needle_start"], row["needle_tokens"], row["depth"], row["references"]) == (None, None, None, [])
    assert row["evidence"] is None
    assert {row[f"{part}_{what}"] for part in ("context", "question") for what in ("start", "tokens")} == {None}


def test_a_unit_is_done_by_another_process_if_that_left_a_record_of_the_same_key(tmp_path: Path) -> None:
    made = plan("task.lengths=[300]", "task.depths=[0]")
    (unit,), run = made.units, RunFolder(tmp_path / "run")
    record = worked(made, run.path)[0]
    file = run.record_file(unit.name)
    before = stamp(file)
    assert done_since(unit, run, before)
    file.unlink()
    assert not done_since(unit, run, None)
    failed = replace(record, sample={**record.sample, "status": "failed"})
    run.write_record(failed)
    assert done_since(unit, run, None)  # another process has just tried it
    assert not done_since(unit, run, stamp(file))
    run.write_record(replace(record, key="of other settings"))
    assert not done_since(unit, run, None)
    file.write_bytes(b"damaged")
    assert not done_since(unit, run, None)
