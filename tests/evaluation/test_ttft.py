"""evaluation=ttft: rounds, ratios within a round, quartiles, counted facts, and random weights in a true shape."""

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.plans import composed, plan, records, tables
from tokenrank.evaluation.ttft import TimeToFirstToken, quartiles
from tokenrank.planning.making import make_plan
from tokenrank.records.schema import MEASURED, RUNS, SUMMARY, table
from tokenrank.records.tables import Tables
from tokenrank.work.collecting import collected
from tokenrank.work.loading import load_model
from tokenrank.work.loop import run_unit

SMALL = ("task.lengths=[200,300]", "prefill.keep=[20,50]", "evaluation.repeats=3")
FACTS = {"flops", "flops_ratio", "kv_bytes", "kv_ratio", "choosing_share", "decode_tokens_per_second", "peak_bytes"}


@cache
def measured() -> Tables:
    return tables(*SMALL, evaluation="ttft")


def of(rows: pd.DataFrame, sample: str, heuristic: str | None, keep: float = 100) -> pd.DataFrame:
    who = rows["heuristic"].isna() if heuristic is None else rows["heuristic"] == heuristic
    return rows[(rows["sample"] == sample) & who & (rows["keep"] == keep)]


def test_every_contestant_is_timed_in_every_round() -> None:
    runs = measured().runs
    assert (runs.groupby(["sample", "engine", "heuristic", "keep"], dropna=False).size() == 3).all()
    assert len(runs) == 2 * (1 + 2 * 3) * 3
    assert (runs["prefill_seconds"] > 0).all()
    assert set(runs["repeat"]) == {0, 1, 2}
    assert set(measured().metrics["metric"]) == FACTS
    assert list(measured().samples["id"]) == ["random_200", "random_300"]
    assert (measured().samples["status"] == "ok").all()


def test_quartiles_and_ratios_are_those_of_the_rounds() -> None:
    runs, summary = measured().runs, measured().summary
    for keep in (20, 50):
        own, full = of(runs, "random_200", "claa", keep), of(runs, "random_200", None)
        seconds = own.set_index("repeat")["prefill_seconds"].astype(float)
        ratios = seconds / full.set_index("repeat")["prefill_seconds"].astype(float)
        said = of(summary, "random_200", "claa", keep).set_index("metric")
        for metric, each in (("ttft", seconds), ("ttft_ratio", ratios)):
            assert list(said.loc[metric, ["low", "value", "high"]]) == pytest.approx(
                list(each.quantile([0.25, 0.5, 0.75]))
            )
        assert set(said["statistic"]) == {"median"}
        assert set(said["model"]) == {"tiny"}
    assert list(of(summary, "random_200", None).set_index("metric").loc["ttft_ratio", ["low", "value", "high"]]) == [
        1,
        1,
        1,
    ]


def test_the_summary_has_two_rows_a_contestant_and_prompt() -> None:
    assert len(measured().summary) == 2 * (1 + 2 * 3) * 2
    assert dict(measured().summary.dtypes) == dict(table([], SUMMARY).dtypes)


def test_the_seconds_of_a_prompt_are_the_median_of_its_full_prefill() -> None:
    samples = measured().samples.set_index("id")["prefill_seconds"]
    assert samples["random_300"] == pytest.approx(of(measured().runs, "random_300", None)["prefill_seconds"].median())


def test_counted_facts_need_no_repeats() -> None:
    metrics = measured().metrics

    def fact(heuristic: str | None, keep: float, metric: str) -> float:
        own = of(metrics, "random_200", heuristic, keep).set_index("metric")["value"]
        return float(own[metric])

    assert fact(None, 100, "choosing_share") == 0
    assert 0 < fact("claa", 20, "choosing_share") < 1
    assert fact("claa", 20, "flops_ratio") < fact("claa", 50, "flops_ratio") < 1
    assert fact(None, 100, "flops_ratio") == fact(None, 100, "kv_ratio") == 1


def test_quartiles_are_the_median_and_a_quarter_to_each_side() -> None:
    assert quartiles(np.array([5.0, 1.0, 2.0, 4.0, 3.0])) == {"low": 2, "value": 3, "high": 4}
    assert quartiles(np.array([7.0])) == {"low": 7, "value": 7, "high": 7}


def test_ratios_pair_the_rounds_and_not_the_medians() -> None:
    seconds = {"full": [1.0, 2.0, 4.0], "claa": [2.0, 1.0, 4.0]}
    whose: dict[str, Any] = {"task": "t", "sample": "s", "status": "ok"}
    runs = [
        whose | {"engine": name, "heuristic": None if name == "full" else name, "keep": 20.0, "repeat": n, "prefill_seconds": each}
        for name, own in seconds.items() for n, each in enumerate(own)
    ]  # fmt: skip
    facts = table([{"model": "m", "task": "t", "sample": "s", "metric": "flops", "value": 1}], MEASURED)
    found = TimeToFirstToken(keep=[20]).summarize(facts, table(runs, RUNS))
    ratio = found[(found["heuristic"] == "claa") & (found["metric"] == "ttft_ratio")].iloc[0]
    assert (ratio["value"], ratio["low"], ratio["high"]) == (1, 0.75, 1.5)  # of 2, 0.5 and 1
    assert list(found.loc[found["heuristic"] == "claa", "metric"]) == ["ttft", "ttft_ratio"]


def test_no_run_gives_an_empty_summary() -> None:
    assert TimeToFirstToken(keep=[20]).summarize(table([], MEASURED), table([], RUNS)).empty


FAILS = ("+heuristic.fails._target_=tests.doubles.Fails", "+heuristic.fails.memory=true", "heuristic=claa")


def test_a_contestant_that_is_out_of_memory_is_recorded_and_the_others_go_on() -> None:
    found = tables(*FAILS, "task.lengths=[200,340]", "prefill.keep=[20]", "evaluation.repeats=2", evaluation="ttft")
    runs, samples = found.runs, found.samples
    lost = runs[runs["status"] == "failed"]
    assert len(lost) == 1
    assert (lost.iloc[0]["heuristic"], lost.iloc[0]["sample"]) == ("fails", "random_340")
    assert lost.iloc[0]["error"] == "out of memory: no room"
    assert list(samples["status"]) == ["ok", "failed"]
    assert samples.iloc[1]["error"] == "fails at 20 %: out of memory: no room"
    well = runs[runs["status"] == "ok"]
    assert (well.groupby(["sample", "engine", "heuristic"], dropna=False).size() == 2).all()
    for rows in (found.metrics, found.summary):
        named = {(row.sample, None if row.engine == "full" else row.heuristic) for row in rows.itertuples()}
        short = {("random_200", name) for name in (None, "claa", "fails")}
        assert named == short | {("random_340", name) for name in (None, "claa")}


def test_without_a_full_prefill_there_are_seconds_and_no_ratios(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr("tokenrank.prefill.engine.Full.prefill", breaks)
    found = tables(
        "task.lengths=[200]", "prefill.keep=[20]", "evaluation.repeats=1", "heuristic=claa", evaluation="ttft"
    )
    assert set(found.summary["metric"]) == {"ttft"}
    assert not found.metrics["metric"].str.endswith("ratio").any()
    assert found.samples["prefill_seconds"].isna().all()
    assert found.samples.iloc[0]["error"] == "full at 100 %: out of memory: no room"


def test_contestants_take_turns_in_an_order_that_moves_on(monkeypatch: pytest.MonkeyPatch) -> None:
    made = plan("task.lengths=[200]", "prefill.keep=[20]", "evaluation.repeats=2", evaluation="ttft")
    order: list[str] = []
    monkeypatch.setattr("tokenrank.evaluation.ttft.guarded", lambda each, *_: order.append(each.label))
    read: list[int] = []
    model = load_model(made)
    monkeypatch.setattr("tokenrank.evaluation.ttft._measured", lambda *_: iter(()))
    run_unit(made, model, made.units[0], read.append)
    rounds = [order[start : start + 4] for start in range(0, 16, 4)]
    names = ["full", "claa", "fastkv", "gemfilter"]
    assert rounds == [names[turn:] + names[:turn] for turn in (2, 3, 0, 1)]
    assert sum(read) == made.evaluation.rounds(made) * 200


def test_a_true_shape_is_timed_without_its_weights() -> None:
    small = [f"model.shape.{name}={size}" for name, size in (
        ("vocab_size", 300), ("hidden_size", 32), ("intermediate_size", 48), ("num_hidden_layers", 2),
        ("num_attention_heads", 4), ("num_key_value_heads", 2),
    )]  # fmt: skip
    given = composed(
        "evaluation=ttft", "model=llama3", "model.weights=random", "model.device=cpu", *small, "task.lengths=[200]",
        "prefill.keep=[20]", "heuristic=claa", "heuristic.claa.n=2", "evaluation.repeats=1", "prefill.select_layer=0",
        "prefill.engine.claa.min_layer=0",
    )  # fmt: skip
    made = make_plan(given)
    model = load_model(made)
    found = collected(made.evaluation, [run_unit(made, model, unit, lambda _: None)[0] for unit in made.units])
    assert list(found.samples["status"]) == ["ok"]
    assert set(found.metrics["model"]) == {"Llama-3.1-8B-Instruct (random weights)"}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"repeats": 0}, "evaluation.repeats is 0, must be a whole number, at least 1"),
        ({"keep": []}, "prefill.keep is empty"),
        ({"keep": [120]}, "prefill.keep holds 120"),
        ({"save_rankings": True}, "save_rankings is true, must be false"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        TimeToFirstToken(**({"keep": [20]} | settings))


def test_keep_rates_that_leave_only_the_window_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"prefill\.keep holds 4 percent: of the 200 tokens of prompt random_200 these are 8"
    ):
        plan("task.lengths=[200]", "prefill.keep=[50,4]", evaluation="ttft")


def test_records_of_the_same_plan_have_the_same_kept_tokens() -> None:
    made = plan("task.lengths=[200]", "prefill.keep=[20]", "evaluation.repeats=1", evaluation="ttft")
    one, two = (records(made)[0].runs for _ in range(2))
    assert [run.get("kept") for run in one] == [run.get("kept") for run in two]
    assert sum("kept" in run for run in one) == 3
