"""What figures and tables select from the tables: the order of contestants, numbers in their cells, what is missing."""

from dataclasses import replace

import pandas as pd
import pytest

from tests.report.contestant_examples import (
    CONTESTANTS,
    ORDER,
    RATES,
    accuracy_tables,
    as_tables,
    fidelity_tables,
    value_row,
    whose,
    without,
)
from tests.report.ttft_examples import ttft_cell, ttft_tables
from tokenrank.records.schema import SAMPLES, SUMMARY, contestant_names, table
from tokenrank.report.rows.contestant_rows import (
    absent,
    answered,
    contestants,
    engines_of,
    keep_rates,
    kind,
    lengths,
    of_sample,
    of_samples,
    origin,
    over_all,
)


def test_a_contestant_is_named_after_its_heuristic_or_else_its_engine() -> None:
    rows = as_tables([value_row("niah", "s", name, "accuracy", 10.0, 0.5) for name in ("claa", "full")]).metrics
    assert rows["engine"].tolist() == ["layerwise@claa", "full"]
    assert contestant_names(rows).tolist() == ["claa", "full"]


def test_full_is_first_the_oracle_second_and_random_last_the_others_as_in_the_table() -> None:
    found = ("tova", "random", "fastkv", "oracle", "asl", "full")
    tables = as_tables([value_row("niah", "s", name, "accuracy", 10.0, 0.5) for name in found])
    assert contestants(tables) == ["full", "oracle", "tova", "fastkv", "asl", "random"]


def test_each_contestant_stands_between_the_bound_and_the_control_of_its_own_engine() -> None:
    assert contestants(accuracy_tables()) == list(ORDER)
    found = ("random@claa", "tova", "random", "oracle@claa", "claa", "oracle", "gemfilter", "full")
    tables = as_tables([value_row("niah", "s", name, "accuracy", 10.0, 0.5) for name in found])
    assert contestants(tables) == [
        "full", "oracle@claa", "claa", "random@claa", "oracle", "tova", "random", "gemfilter",
    ]  # fmt: skip
    assert engines_of(tables)["oracle@claa"] == engines_of(tables)["claa"] == "layerwise@claa"


def test_the_full_prefill_closes_no_gap_as_each_engine_has_its_own() -> None:
    tables = accuracy_tables()
    gap = {"metric": "accuracy", "statistic": "gap_closed", "value": 1.1, "engine": "full"}
    older = table([gap | {"keep": keep} for keep in RATES], SUMMARY)  # as runs of earlier versions have it
    found = over_all(replace(tables, summary=pd.concat([tables.summary, older])), "accuracy", statistic="gap_closed")
    assert found.T["full"].isna().all()
    assert found.T["claa"].tolist() == pytest.approx([(0.470 - 0.33) / 0.152, (0.481 - 0.36) / 0.128, 0.067 / 0.069])


def test_numbers_over_all_prompts_stand_at_their_contestant_and_keep_rate() -> None:
    tables = accuracy_tables()
    assert keep_rates(tables) == list(RATES)
    wide, low = over_all(tables, "accuracy"), over_all(tables, "accuracy", "low")
    assert [float(keep) for keep in wide.columns] == list(RATES)
    for name, (accuracies, *_) in CONTESTANTS.items():
        assert wide.T[name].tolist() == pytest.approx(accuracies)  # neither the comparisons nor the gaps
        assert low.T[name].tolist() == pytest.approx([each - 0.02 for each in accuracies])


def test_the_full_prefills_one_row_stands_at_every_keep_rate() -> None:
    tables = accuracy_tables()
    assert tables.metrics.loc[tables.metrics["engine"] == "full", "keep"].unique().tolist() == [100]
    assert over_all(tables, "accuracy").T["full"].tolist() == [0.49] * 3
    assert of_sample(tables, "kv_ratio", "s0").T["full"].tolist() == [1.0] * 3
    assert answered(tables).T["full"].tolist() == [12] * 3


def test_where_only_the_full_prefill_was_measured_its_own_keep_rate_remains() -> None:
    tables = accuracy_tables(("full",))
    assert keep_rates(tables) == [100.0]
    assert over_all(tables, "accuracy").to_numpy().tolist() == [[0.49]]


def test_what_the_tables_lack_is_nan_and_not_left_out() -> None:
    tables = accuracy_tables(("full", "claa", "random"))
    gone = without(tables, "claa", keep=[20.0])
    assert over_all(gone, "accuracy").isna().to_numpy().tolist() == [[False] * 3, [False, True, False], [False] * 3]
    assert over_all(gone, "no such metric").isna().to_numpy().all()
    assert over_all(gone, "no such metric").shape == (3, 3)


def test_numbers_of_one_prompt_stand_at_their_contestant_and_keep_rate() -> None:
    tables = ttft_tables(("full", "claa"))
    assert list(lengths(tables.samples)) == [4096, 8192, 16384, 32768]
    for metric, column in (("ttft", "value"), ("ttft", "high"), ("flops", "value")):
        wide = of_samples(tables, metric, column)
        for sample, tokens in lengths(tables.samples).items():
            one = of_sample(tables, metric, str(sample), column)
            for name in ("full", "claa"):
                key = metric if column == "value" else f"{metric} {column}"
                expected = [ttft_cell(name, tokens, keep)[key] for keep in RATES]
                assert one.T[name].tolist() == pytest.approx(expected)
                assert wide[str(sample)].unstack().T[name].tolist() == pytest.approx(expected)


def test_lengths_ascend_whatever_the_order_of_the_samples() -> None:
    samples = table([{"id": "b", "tokens": 200}, {"id": "c"}, {"id": "a", "tokens": 100}], SAMPLES)
    assert lengths(samples).to_dict() == {"a": 100, "b": 200}  # the one that was never read has none


def test_prompts_without_any_value_are_not_counted_as_answered_and_those_without_a_grade_are() -> None:
    tables = accuracy_tables(("full", "claa"), prompts=4)
    counts = answered(without(tables, "claa", keep=[10.0], sample="s1"))
    assert counts.T["full"].tolist() == [4, 4, 4]
    assert counts.T["claa"].tolist() == [3, 4, 4]
    assert answered(without(tables, "claa", keep=[10.0], metric="accuracy", sample="s1")).T["claa"].tolist() == [
        4,
        4,
        4,
    ]


def test_a_run_of_accuracy_is_known_without_a_single_grade() -> None:
    tables = accuracy_tables(("full", "claa"), prompts=4)
    ungraded = replace(tables, metrics=tables.metrics[tables.metrics["metric"] != "accuracy"])
    assert (kind(tables), kind(ungraded), kind(ttft_tables())) == ("accuracy", "accuracy", "ttft")
    assert not ungraded.metrics.empty
    fed = fidelity_tables(("full", "claa"), prompts=4)  # only the full prefill gave an answer
    assert kind(fed) == "fidelity"
    assert kind(replace(fed, runs=fed.runs.head(0))) == "fidelity"
    older = replace(fed, metrics=fed.metrics[fed.metrics["metric"].isin(["flops", "kv_ratio"])])
    assert kind(older) == "accuracy"  # of a version that measured no loss, with nothing graded


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        (["niah"], "tiny on niah, 1 prompt"),
        (["longbench/qasper", "longbench/trec"], "tiny on longbench (qasper, trec), 2 prompts"),
        ([f"longbench/{each}" for each in "abcd"], "tiny on longbench (4 subsets), 4 prompts"),
        (["niah", "longbench/trec"], "tiny on niah, longbench (trec), 2 prompts"),
    ],
)
def test_the_title_names_model_tasks_and_number_of_prompts(tasks: list[str], said: str) -> None:
    rows = [value_row(task, "s", "claa", "accuracy", keep, 0.5) for task in tasks for keep in RATES]
    assert origin(as_tables(rows)) == said


def test_missing_cells_are_named() -> None:
    tables = accuracy_tables(("full", "claa", "gemfilter"))
    wanted = {"accuracy": ["full", "claa", "gemfilter"], "kv_ratio": ["full", "claa"]}
    assert absent(tables, wanted) == ""
    lost = without(without(tables, "claa", [20.0, 40.0], "kv_ratio"), "gemfilter", metric="kv_ratio")
    assert absent(lost, wanted) == "claa at 20, 40 %"
    assert absent(without(tables, "full", metric="kv_ratio"), wanted) == "full"
    assert absent(without(tables, "full"), {"accuracy": ["claa"]}) == ""


def test_the_evaluation_is_known_from_what_the_tables_hold() -> None:
    ranked = {"model": "tiny", "sample": "s", "heuristic": "claa", "layer": 0, "metric": "recall", "value": 0.5}
    run = whose("claa", 10.0) | {"sample": "s", "status": "failed"}
    assert kind(as_tables([ranked])) == "ranking"
    assert kind(accuracy_tables()) == kind(as_tables(runs=[run])) == "accuracy"
    assert kind(ttft_tables()) == kind(as_tables(runs=[run | {"repeat": 0}])) == "ttft"
    assert kind(as_tables()) is None
