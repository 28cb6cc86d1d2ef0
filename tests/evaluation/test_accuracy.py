"""evaluation=accuracy: every contestant answers every prompt at every keep rate; what fails is recorded and the others go on."""

from dataclasses import replace
from functools import cache
from itertools import count
from pathlib import Path

import pandas as pd
import pytest
from torch import Tensor

from tests.plans import composed, plan, records, tables
from tokenrank.capture.layer import AttentionLayer
from tokenrank.heuristics.claa import CLAA
from tokenrank.planning.making import make_plan
from tokenrank.records.measures import COSTS, FIDELITY
from tokenrank.records.tables import Tables
from tokenrank.work.collecting import collected

GRID = ("task.lengths=[300,340]", "task.depths=[0,100]")
ENGINES = {
    "claa": "layerwise@claa", "oracle@claa": "layerwise@claa", "random@claa": "layerwise@claa",
    "fastkv": "layerwise", "oracle": "layerwise", "random": "layerwise",
    "gemfilter": "restart@gemfilter", "oracle@gemfilter": "restart@gemfilter", "random@gemfilter": "restart@gemfilter",
}  # fmt: skip
KEY_BYTES = 4 * 2 * 2 * 16 * 4  # a token: layers, keys and values, key heads, dim, bytes
FAILS = ("+heuristic.fails._target_=tests.doubles.Fails", "prefill.keep=[20]")


@cache
def measured() -> Tables:
    """Four prompts at two keep rates."""
    return tables(*GRID, "prefill.keep=[10,50]", evaluation="accuracy")


@cache
def with_failure() -> Tables:
    """A heuristic that breaks on the two prompts of 340 tokens."""
    return tables(*GRID, *FAILS, "heuristic=claa", evaluation="accuracy")


def test_every_contestant_answers_every_prompt_at_every_keep_rate() -> None:
    runs = measured().runs
    assert len(measured().samples) == 4
    assert len(runs) == 4 * (1 + 2 * 9)
    assert {(row.heuristic, row.engine) for row in runs.dropna(subset=["heuristic"]).itertuples()} == set(
        ENGINES.items()
    )
    assert (runs["status"] == "ok").all()
    full = runs[runs["engine"] == "full"]
    assert len(full) == 4
    assert (full["keep"] == 100).all()
    assert full["heuristic"].isna().all()
    counts = runs.dropna(subset=["heuristic"]).groupby(["sample", "heuristic", "keep"]).size()
    assert (counts == 1).all()
    assert len(counts) == 4 * 9 * 2


def test_as_many_tokens_are_kept_as_the_keep_rate_says() -> None:
    runs = measured().runs.dropna(subset=["heuristic"])
    wanted = {("300", 10): 30, ("300", 50): 150, ("340", 10): 34, ("340", 50): 170}
    for run in runs.to_dict("records"):
        tokens, kept = run["sample"].split("_")[1], list(run["kept"])
        assert run["kept_tokens"] == len(kept) == wanted[tokens, run["keep"]]
        assert kept == sorted(set(kept))
        assert set(range(int(tokens) - 8, int(tokens))) <= set(kept)


def test_costs_are_ratios_to_the_full_prefill_of_the_same_prompt() -> None:
    metrics = measured().metrics
    ratios = metrics[metrics["metric"].isin(["flops_ratio", "kv_ratio"])]
    assert (ratios.loc[ratios["engine"] == "full", "value"] == 1).all()
    own = ratios[(ratios["engine"] != "full") & (ratios["metric"] == "flops_ratio")]
    assert len(own) == 4 * 2 * 9
    assert (own["value"] < 1).all()
    assert set(metrics["metric"]) == {"accuracy", "needle_kept", *COSTS, *COSTS.values(), *FIDELITY}  # no time


def test_bytes_are_those_of_the_kept_tokens() -> None:
    metrics = measured().metrics
    own = metrics[(metrics["metric"] == "kv_bytes") & (metrics["sample"] == "niah_300_0_0")]
    found = {(row.heuristic if row.engine != "full" else "full", row.keep): row.value for row in own.itertuples()}
    assert found["full", 100] == 300 * KEY_BYTES
    assert found["fastkv", 10] == 30 * KEY_BYTES
    assert found["claa", 10] == (2 * 300 + 2 * 30) * KEY_BYTES / 4  # its min_layer of 4 leaves layers 0 and 1 whole


def test_the_facts_of_a_prompt_are_those_of_its_full_prefill() -> None:
    samples, runs = measured().samples.set_index("id"), measured().runs
    full = runs[runs["engine"] == "full"].set_index("sample")
    for column in ("answer", "answer_tokens", "accuracy"):
        assert samples[column].equals(full[column].rename_axis("id"))
    assert (samples[["prefill_seconds", "decode_seconds", "oracle_seconds"]] > 0).all(axis=None)
    assert runs[["prefill_seconds", "decode_seconds", "choosing_seconds"]].isna().all(axis=None)  # evaluation=ttft's
    assert (samples["status"] == "ok").all()
    assert samples["error"].isna().all()


def test_with_every_token_kept_all_answer_alike() -> None:
    found = tables(*GRID, "prefill.keep=[100]", "heuristic=[claa,gemfilter,speculative,tova]", evaluation="accuracy")
    assert all(len(set(answers)) == 1 for _, answers in found.runs.groupby("sample")["answer"])
    ratios = found.metrics[found.metrics["metric"] == "kv_ratio"]
    assert (ratios["value"] == 1).all()
    assert len(set(found.runs["answer"])) > 1  # of different prompts


def test_the_numbers_over_all_prompts_have_intervals_comparisons_and_the_gap() -> None:
    summary = measured().summary
    assert summary["sample"].isna().all()
    own = summary[(summary["heuristic"] == "claa") & summary["against"].isna() & (summary["keep"] == 10)]
    assert {(row.metric, row.statistic) for row in own.itertuples()} == {
        *((metric, statistic) for metric in ("accuracy", *FIDELITY) for statistic in ("mean", "gap_closed")), ("flops", "mean"),
        ("flops_ratio", "mean"), ("kv_bytes", "mean"), ("kv_ratio", "mean"), ("needle_kept", "mean"),
    }  # fmt: skip
    assert own.loc[own["statistic"] == "mean", ["low", "high"]].notna().all(axis=None)
    pairs = summary[summary["against"].notna() & (summary["exploratory"] == False)]  # noqa: E712
    assert {("claa", "fastkv"), ("claa", "gemfilter"), ("fastkv", "gemfilter")} == {
        (row.heuristic, row.against) for row in pairs.itertuples()
    }
    assert set(pairs["metric"]) == {"accuracy"}


def test_the_same_config_and_seed_give_the_same_answers() -> None:
    columns = ["sample", "engine", "heuristic", "keep", "answer", "kept", "flops", "kv_bytes"]
    again = tables(*GRID, "prefill.keep=[10,50]", evaluation="accuracy")
    pd.testing.assert_frame_equal(again.runs[columns], measured().runs[columns])


class Uneven(CLAA):
    """Computes more for some prompts than for others."""

    def score(self, layer: AttentionLayer) -> Tensor:
        if int(layer.input_ids[150]) % 2:
            _ = layer.keys[0] @ layer.keys[0].T
        return super().score(layer)


def test_a_prompts_rows_are_the_same_whatever_was_measured_before_it_and_however_long_it_took(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tokenrank.heuristics.claa.CLAA", Uneven)
    settings = ("task.depths=[0,20,40,60,80,100]", "heuristic=[claa,gemfilter,speculative,asl]", "prefill.keep=[20]")
    first, again = (plan(*settings, evaluation="accuracy") for _ in range(2))
    found = {each.unit: each for each in records(first)}
    slowly = count(step=7.0)
    monkeypatch.setattr("tokenrank.evaluation.scoring.time.perf_counter", lambda: next(slowly))
    others = records(replace(again, units=again.units[:0:-1]))  # backwards, and without the first
    assert [each.unit for each in others] == list(found)[:0:-1]
    for each in others:
        pd.testing.assert_frame_equal(each.rows, found[each.unit].rows, check_exact=True)
        assert each.runs == found[each.unit].runs
        assert each.sample["prefill_seconds"] == 7.0  # one step of that clock
    counts = [each.rows.query("metric == 'flops' and heuristic == 'claa'")["value"].item() for each in found.values()]
    assert len(set(counts)) == 2  # the operations of a prompt are its own


def test_a_contestant_that_fails_is_recorded_and_the_others_go_on() -> None:
    runs, metrics, samples = with_failure().runs, with_failure().metrics, with_failure().samples
    lost = runs[runs["status"] == "failed"]
    assert set(lost["heuristic"]) == {"fails"}
    assert set(lost["error"]) == {"RuntimeError: it broke"}
    assert set(lost["sample"]) == {"niah_340_0_0", "niah_340_100_0"}
    assert lost[["answer", "kept", "flops", "kv_bytes", "needle_kept"]].isna().all(axis=None)
    assert list(samples["status"]) == ["ok", "ok", "failed", "failed"]
    assert set(samples["error"].dropna()) == {"fails at 20 %: RuntimeError: it broke"}
    assert samples["answer"].notna().all()  # the full prefill went well
    counted = metrics[metrics["metric"] == "accuracy"].groupby("heuristic")["sample"].nunique()
    assert counted.to_dict() == dict.fromkeys(("claa", "oracle", "oracle@claa", "random", "random@claa"), 4) | {
        "fails": 2
    }


def test_means_are_over_the_prompts_that_every_contestant_answered() -> None:
    summary, metrics = with_failure().summary, with_failure().metrics
    means = summary[summary["against"].isna() & (summary["metric"] == "kv_bytes")].set_index("heuristic")
    short = metrics[metrics["sample"].isin(["niah_300_0_0", "niah_300_100_0"]) & (metrics["metric"] == "kv_bytes")]
    assert means.loc["claa", "value"] == short.loc[short["heuristic"] == "claa", "value"].mean()
    assert set(means["prompts"]) == {2}


def test_a_contestant_that_answers_nothing_takes_nothing_from_the_others() -> None:
    found = tables(*FAILS, "heuristic=claa", "task.lengths=[340]", evaluation="accuracy")
    means = found.summary[found.summary["metric"] == "accuracy"]
    assert set(means["prompts"]) == {2}
    assert "fails" not in set(means["heuristic"])
    assert "claa" in set(means["heuristic"])


def test_without_the_full_prefill_the_prompt_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    made = plan(evaluation="accuracy")

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no prefill")

    monkeypatch.setattr("tokenrank.evaluation.shared_prompt.stored_rank", broken)
    found = collected(made.evaluation, records(made))
    assert set(found.samples["error"]) == {"RuntimeError: no prefill"}
    assert found.runs.empty
    assert found.summary.empty


def test_progress_is_told_once_a_contestant_and_keep_rate() -> None:
    made = plan("prefill.keep=[10,50]", evaluation="accuracy")
    assert made.evaluation.rounds(made) == 1 + 2 * 9


def test_longbench_is_graded_by_its_own_metrics(tmp_path: Path) -> None:
    row = '{"input": "Who?", "context": "' + "Ada wrote it. " * 20 + '", "answers": ["Ada"], "all_classes": null}\n'
    (tmp_path / "qasper.jsonl").write_text(2 * row)
    (tmp_path / "dataset2prompt.json").write_text('{"qasper": "{context} {input}"}')
    (tmp_path / "dataset2maxlen.json").write_text('{"qasper": 4}')
    given = composed(
        "evaluation=accuracy", "model=tiny", "task=longbench", f"task.path={tmp_path}", "task.subset=[qasper]",
        "prefill.keep=[20]", "heuristic=claa", "bootstrap.resamples=50",
    )  # fmt: skip
    made = make_plan(given)
    found = collected(made.evaluation, records(made))
    assert set(found.runs["task"]) == {"longbench/qasper"}
    assert found.runs["accuracy"].between(0, 1).all()
    assert len(found.runs) == 2 * 4
