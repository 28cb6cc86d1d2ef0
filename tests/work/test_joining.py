"""Joining records: shards give the bytes of the whole run, a sweep those of one run with all its heuristics; each contestant once."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scripts.collect import joined
from tests.joinable import NAMES, measured, ran, written
from tokenrank.evaluation.plan import Plan
from tokenrank.planning.comparable import evaluation_of
from tokenrank.records.record import Record, measured_table, read_record, write_record
from tokenrank.records.run_folder import RunFolder
from tokenrank.records.token_levels import TokenLevels
from tokenrank.work.collecting import collect

FOUR = ("task.lengths=[200,240]", "task.depths=[0,100]")


@pytest.fixture(autouse=True)
def nothing_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.collect.write_report", lambda folder: [])


@cache
def run(evaluation: str) -> tuple[Plan, list[Record]]:
    """Four prompts, or two lengths of ttft."""
    small = {
        "ranking": (*FOUR, "metric=[recall,jaccard]", "heuristic=[claa,random]"),
        "accuracy": (*FOUR, "prefill.keep=[40,20]", "heuristic=[claa]"),
        "fidelity": (*FOUR, "prefill.keep=[40,20]", "heuristic=[claa,tova]"),
        "ttft": ("task.lengths=[200,240]", "prefill.keep=[20]", "evaluation.repeats=2", "heuristic=[claa]"),
    }
    return measured(*small[evaluation], evaluation=evaluation)


def whole(path: Path, made: Plan, found: list[Record]) -> RunFolder:
    """The run that was never split, with its tables."""
    folder = RunFolder(written(path, made, found))
    assert collect(folder, made.evaluation) == []
    return folder


def bytes_of(folder: Path, names: Sequence[str] = NAMES) -> dict[str, bytes]:
    return {name: (folder / f"{name}.parquet").read_bytes() for name in names}


@pytest.mark.parametrize("evaluation", ["ranking", "accuracy", "fidelity", "ttft"])
def test_shards_give_the_bytes_of_the_whole_run(tmp_path: Path, evaluation: str) -> None:
    made, found = run(evaluation)
    own = whole(tmp_path / "whole", made, found)
    shards = [written(tmp_path / f"shard{number}", made, found[number::2]) for number in (0, 1)]
    folder, missing = joined(shards[::-1], tmp_path / "joined")
    assert missing == []
    assert bytes_of(folder.path) == bytes_of(own.path)
    assert folder.config.read_bytes() == own.config.read_bytes()
    assert folder.environment()["units"] == own.environment()["units"]
    for record in own.record_files():
        assert (folder.path / "records" / record.name).read_bytes() == record.read_bytes()


def test_equal_keys_count_once_and_the_sound_record_wins(tmp_path: Path) -> None:
    made, found = run("accuracy")
    own = whole(tmp_path / "whole", made, found)
    broken = replace(
        found[1], sample={**found[1].sample, "status": "failed", "error": "broken"}, measured=found[1].measured[:0]
    )
    first = written(tmp_path / "first", made, [found[0], broken, found[2]])
    second = written(tmp_path / "second", made, found[1:])
    folder, missing = joined([first, second], tmp_path / "joined")
    assert missing == []
    assert bytes_of(folder.path) == bytes_of(own.path)
    folder, missing = joined([first], tmp_path / "alone")  # nothing replaces the broken one here
    assert f"1 of 4 units of {first} failed, wholly or in part: {found[1].unit}" in missing
    assert f"1 of 4 units of {first} have no record: {found[3].unit}" in missing


def test_another_value_under_the_same_key_is_said_and_the_first_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("scripts.collect.log.info", said.append)
    made, found = run("ranking")
    own = whole(tmp_path / "whole", made, found)
    rows = found[2].measured.to_pylist()
    next(row for row in rows if row["heuristic"] == "claa")["value"] += 0.5
    other = replace(found[2], measured=measured_table(rows))
    folders = [written(tmp_path / "a", made, found), written(tmp_path / "b", made, [other]), tmp_path / "joined"]
    joined(folders[:2], folders[2])
    assert bytes_of(folders[2]) == bytes_of(own.path)
    assert said == [
        f"note: claa has other values in {folders[1]} than in {folders[0]}, which are kept: {found[2].unit}"
    ]
    said.clear()
    joined([folders[0], written(tmp_path / "c", made, [found[2]])], folders[2])  # the control
    assert said == []


def test_a_sweep_of_a_setting_is_the_study_of_that_setting(tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    for number, n in enumerate((4, 1, 2)):
        ran(sweep / f"{number}_x", f"heuristic.claa.n={n}", "heuristic=[claa,random,oracle]")
    study = "{name: x, parameter: n, values: [1,2,4], label: x, scale: linear, metric: recall}"
    one = whole(tmp_path / "one", *measured("heuristic=[claa,random,oracle]", f"study={study}"))
    folder, missing = joined([sweep], tmp_path / "joined")
    assert missing == []
    assert bytes_of(folder.path, NAMES[:2]) == bytes_of(one.path, NAMES[:2])
    assert list(pd.read_parquet(one.path / "metrics.parquet")["heuristic"].dropna().unique()) == [
        "claa_n1", "claa_n2", "claa_n4", "random", "oracle",
    ]  # fmt: skip


@pytest.mark.parametrize("evaluation", ["ranking", "accuracy"])
def test_a_sweep_of_heuristics_is_the_run_of_all(tmp_path: Path, evaluation: str) -> None:
    fixed = ("prefill.keep=[20,40]",) if evaluation == "accuracy" else ()
    own = [ran(tmp_path / name, *fixed, f"heuristic=[{name}]", evaluation=evaluation) for name in ("claa", "tova")]
    one = whole(tmp_path / "one", *measured(*fixed, "heuristic=[claa,tova]", evaluation=evaluation))
    folder, missing = joined(own, tmp_path / "joined")
    assert missing == []
    timed = ("prefill_seconds", "prefill_ratio")
    for name in ("metrics", "summary"):
        of_joined, of_one = (pd.read_parquet(each / f"{name}.parquet") for each in (folder.path, one.path))
        of_joined, of_one = (each[~each["metric"].isin(timed)].reset_index(drop=True) for each in (of_joined, of_one))
        # sums of other groups of rows round otherwise
        pd.testing.assert_frame_equal(of_joined, of_one, rtol=1e-4, atol=1e-5)
    whose = ["sample", "engine", "heuristic", "keep", "kept_tokens", "answer", "flops", "status"]
    of_joined, of_one = (pd.read_parquet(each / "runs.parquet")[whose] for each in (folder.path, one.path))
    pd.testing.assert_frame_equal(of_joined, of_one)


def test_keep_rates_of_several_runs_stand_beside_each_other_and_the_full_prefill_once(tmp_path: Path) -> None:
    own = [
        ran(tmp_path / f"{keep}", f"prefill.keep=[{keep}]", "heuristic=[claa]", evaluation="accuracy")
        for keep in (40, 20)
    ]
    folder, missing = joined(own, tmp_path / "joined")
    assert missing == []
    tables = folder.tables()
    assert list(tables.runs.loc[tables.runs["engine"] == "full", "keep"]) == [100.0, 100.0]  # two prompts
    assert set(tables.runs["keep"]) == {100.0, 20.0, 40.0}
    assert set(tables.runs["heuristic"].dropna()) == {"claa", "oracle@claa", "random@claa"}
    gaps = tables.summary[tables.summary["statistic"] == "gap_closed"]
    assert set(gaps["keep"]) == {20.0, 40.0}


def test_engines_of_a_sweep_are_told_apart_with_their_bounds_and_controls(tmp_path: Path) -> None:
    own = [
        ran(
            tmp_path / f"{layer}",
            f"prefill.select_layer={layer}",
            "heuristic=[tova]",
            "prefill.keep=[20]",
            evaluation="accuracy",
        )
        for layer in (2, 1)
    ]
    folder, missing = joined(own, tmp_path / "joined")
    assert missing == []
    tables = folder.tables()
    for rows in (tables.metrics, tables.runs, tables.summary[tables.summary["statistic"] == "gap_closed"]):
        found = {
            (engine, name) for engine, name in zip(rows["engine"], rows["heuristic"], strict=True) if engine != "full"
        }
        assert found == {
            (f"layerwise@select_layer{layer}", name)
            for layer in (1, 2)
            for name in (f"tova_select_layer{layer}", f"oracle@select_layer{layer}", f"random@select_layer{layer}")
        }
    keys = tables.metrics[["heuristic", "metric", "sample"]].itertuples(index=False, name=None)
    values = dict(zip(keys, tables.metrics["value"], strict=True))
    for path, layer in zip(own, (2, 1), strict=True):
        assert collect(RunFolder(path), evaluation_of(RunFolder(path))) == []
        single = RunFolder(path).tables().metrics.query("engine == 'layerwise'")
        for row in single.itertuples():
            joined_name = f"{row.heuristic}{'_' if row.heuristic == 'tova' else '@'}select_layer{layer}"
            assert values[joined_name, str(row.metric), str(row.sample)] == row.value


def test_every_merged_record_says_what_it_is_made_of(tmp_path: Path) -> None:
    own = [ran(tmp_path / f"{n}", "heuristic=[claa]", f"heuristic.claa.n={n}") for n in (1, 2)]
    folder, _ = joined(own, tmp_path / "joined")
    for file in folder.record_files():
        parts = [read_record(each / "records" / file.name) for each in own]
        made = read_record(file)
        assert made.key_fields["joined"] == [part.key_fields for part in parts]
        assert made.key not in {part.key for part in parts}
        assert made.sample["key"] == made.key
        assert made.sample["seconds"] == sum(part.sample["seconds"] for part in parts)
        assert made.rows["heuristic"].isna().sum() == parts[0].rows["heuristic"].isna().sum()  # chance levels once


def test_a_record_with_another_answer_is_left_out_and_named(tmp_path: Path) -> None:
    own = [ran(tmp_path / name, f"heuristic=[{name}]") for name in ("claa", "tova")]
    file = sorted((own[1] / "records").iterdir())[0]
    record = read_record(file)
    write_record(file, replace(record, sample={**record.sample, "answer": "another one"}))
    folder, missing = joined(own, tmp_path / "joined")
    assert missing == [
        f"left out: records of {own[1]}, whose answer is another one than in the first run that has the prompt: {record.unit}",
        f"1 of 2 prompts lack tova, and count for no comparison: {record.unit}",
    ]
    assert set(read_record(folder.path / "records" / file.name).rows["heuristic"].dropna()) == {"claa"}
    means = folder.tables().summary.query("sample.isna() and statistic == 'mean'")
    assert set(means["prompts"]) == {1}


def test_other_prompts_of_the_same_id_get_a_number(tmp_path: Path) -> None:
    own = [ran(tmp_path / f"{seed}", f"seed={seed}", "heuristic=[claa,random]") for seed in (1, 2)]
    folder, missing = joined(own, tmp_path / "joined")
    assert missing == []
    tables = folder.tables()
    ids = ["niah_300_0_0", "niah_300_50_0"]
    assert list(tables.samples["id"]) == [*ids, *(f"{each}~2" for each in ids)]
    assert set(tables.metrics["heuristic"].dropna()) == {"claa", "random"}
    values = tables.metrics.query("heuristic == 'claa'").groupby("sample")["value"].apply(list)
    for place, folder_of in enumerate(own):
        assert collect(RunFolder(folder_of), evaluation_of(RunFolder(folder_of))) == []
        metrics = RunFolder(folder_of).tables().metrics
        single = metrics.query("heuristic == 'claa'").groupby("sample")["value"].apply(list)
        for each in ids:
            assert values[each + "~2" * place] == single[each]


def test_prompts_that_lack_a_heuristic_are_named_and_compared_with_none(tmp_path: Path) -> None:
    made, found = measured("heuristic=[tova]", *FOUR)
    own = [ran(tmp_path / "claa", "heuristic=[claa]", *FOUR), written(tmp_path / "tova", made, found[:1])]
    folder, missing = joined(own, tmp_path / "joined")
    lacking = ", ".join(record.unit for record in found[1:])
    assert missing == [
        f"3 of 4 units of {own[1]} have no record: {lacking}",
        f"3 of 4 prompts lack tova, and count for no comparison: {lacking}",
    ]
    assert set(folder.tables().summary.query("sample.isna()")["prompts"]) == {1}


def kept_levels(folder: Path, unit: str, names: Sequence[str], value: int) -> None:
    """Levels of these heuristics, all of one value."""
    truth, rows = np.zeros((1, 3), np.float32), np.full((1, 3), value, np.uint8)
    RunFolder(folder).write_levels(
        unit, TokenLevels((10.0,), (0,), truth, truth.astype(np.uint8), dict.fromkeys(names, rows), ("a", "b", "c"))
    )


def test_levels_of_a_prompt_are_joined_under_joined_names(tmp_path: Path) -> None:
    prompt = ("task.lengths=[200]", "task.depths=[0]", "metric=[recall]")
    runs = [ran(tmp_path / f"n{n}", *prompt, "heuristic=[claa]", f"heuristic.claa.n={n}") for n in (1, 2, 3)]
    unit = next(iter(RunFolder(runs[0]).environment()["units"]))
    kept_levels(runs[0], unit, ["claa"], 1)
    kept_levels(runs[1], unit, ["claa"], 0)
    folder, _ = joined(runs, tmp_path / "joined")
    found = folder.levels(unit)
    assert found is not None
    assert {name: int(rows[0, 0]) for name, rows in found.rankings.items()} == {"claa_n1": 1, "claa_n2": 0}
    RunFolder(runs[1]).levels_file(unit).write_bytes(b"PAR1")
    folder, missing = joined(runs, tmp_path / "damaged")
    assert any("holds no levels that can be read" in line for line in missing)
    found = folder.levels(unit)
    assert found is not None
    assert list(found.rankings) == ["claa_n1"]


def test_rankings_of_further_truths_stand_where_a_run_has_them(tmp_path: Path) -> None:
    truths, small = "oracle=[attention,gradient]", ("metric=[recall]", "task.depths=[50]")
    parts = [ran(tmp_path / name, f"heuristic=[{name},oracle]", truths, *small) for name in ("claa", "tova")]
    made, found = measured("heuristic=[claa,oracle,tova]", truths, *small)
    wanted = list(dict.fromkeys(found[0].rows["heuristic"].dropna()))
    assert wanted == ["claa", "oracle", "oracle:gradient", "tova"]
    folder, _ = joined(parts, tmp_path / "joined")
    for rows in (folder.tables().metrics, folder.tables().summary):
        assert list(dict.fromkeys(rows["heuristic"].dropna())) == wanted
    assert len(made.units) == len(folder.tables().samples)
