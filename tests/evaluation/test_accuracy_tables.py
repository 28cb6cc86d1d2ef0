"""Tables of evaluation=accuracy: ratios to the full prefill, the same prompts for all means, comparisons, the gap closed."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tokenrank.evaluation.accuracy_tables import (
    accuracy_summary,
    answered_by_all,
    at_each_rate,
    costs,
    measured_by_all,
)
from tokenrank.evaluation.family import Family
from tokenrank.metrics.intervals import Flags, Numbers, mean_intervals
from tokenrank.records.schema import METRICS, SUMMARY, table

KEEP = [10.0, 20.0]
FULL_RUN = {
    "engine": "full", "heuristic": None, "keep": 100.0, "accuracy": 1.0, "flops": 200, "kv_bytes": 40, "prefill_seconds": 2.0,
}  # fmt: skip
ACCURACY: dict[tuple[str, float], list[float]] = {
    ("full", 100): [1, 1, 1, 0],
    ("claa", 10): [1, 0, 1, 0], ("oracle", 10): [1, 1, 1, 0], ("random", 10): [0, 0, 1, 0],
    ("claa", 20): [1, 1, 1, 0], ("oracle", 20): [1, 1, 1, 1], ("random", 20): [1, 0, 1, 0],
}  # fmt: skip


def measured(
    without: set[tuple[str, float, int]] | None = None,
    names: set[str] | None = None,
    ungraded: set[int] | None = None,
) -> pd.DataFrame:
    """Accuracy and operations; ``without``: (contestant, keep, prompt) that was not answered; ``ungraded``: prompts."""
    rows: list[dict[str, Any]] = []
    for (name, keep), values in ACCURACY.items():
        if names is not None and name not in names:
            continue
        for sample, each in enumerate(values):
            if (name, keep, sample) in (without or set()):
                continue
            whose = {
                "model": "m", "task": "niah", "sample": f"s{sample}", "engine": "full" if name == "full" else "layerwise",
                "heuristic": None if name == "full" else name, "keep": keep,
            }  # fmt: skip
            graded = [] if sample in (ungraded or set()) else [whose | {"metric": "accuracy", "value": each}]
            rows += [*graded, whose | {"metric": "flops", "value": keep + sample}]
    return table(rows, METRICS)


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    found = accuracy_summary(rows, KEEP, seed=0, resamples=300, family=Family())
    assert dict(found.dtypes) == dict(table([], SUMMARY).dtypes)
    return found


def values(found: pd.DataFrame, metric: str = "accuracy", statistic: str = "mean") -> dict[tuple[Any, float], float]:
    own = found[found["against"].isna() & (found["metric"] == metric) & (found["statistic"] == statistic)]
    named = own["heuristic"].fillna(own["engine"])
    assert not pd.DataFrame({"name": named, "keep": own["keep"]}).duplicated().any()
    return {(name, keep): value for name, keep, value in zip(named, own["keep"], own["value"], strict=True)}


def test_costs_are_ratios_to_the_full_prefill() -> None:
    run = FULL_RUN | {
        "engine": "layerwise",
        "heuristic": "claa",
        "keep": 10.0,
        "flops": 50,
        "kv_bytes": 10,
        "prefill_seconds": 0.5,
    }
    found = {row["metric"]: row["value"] for row in costs(run, FULL_RUN)}
    assert found == {"accuracy": 1, "flops": 50, "flops_ratio": 0.25, "kv_bytes": 10, "kv_ratio": 0.25}
    assert {(row["engine"], row["heuristic"], row["keep"]) for row in costs(run, FULL_RUN)} == {
        ("layerwise", "claa", 10)
    }
    assert [row["value"] for row in costs(FULL_RUN, FULL_RUN) if row["metric"].endswith("ratio")] == [1, 1]


def test_a_missing_grade_is_no_row() -> None:
    ungraded = {row["metric"] for row in costs(FULL_RUN | {"accuracy": None}, FULL_RUN)}
    assert ungraded == {"flops", "flops_ratio", "kv_bytes", "kv_ratio"}


def test_means_are_over_the_prompts_at_each_keep_rate_and_of_the_full_prefill_once() -> None:
    found = values(summary(measured()))
    assert found == pytest.approx({key: sum(each) / 4 for key, each in ACCURACY.items()})
    assert values(summary(measured()), "flops")["claa", 10] == pytest.approx(11.5)


def test_the_full_prefill_has_one_row_where_its_intervals_differ_by_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A matrix product may round a column by its place, and the full prefill has one at each keep rate."""

    def rounded(values: Numbers, unbounded: Flags) -> Numbers:
        return mean_intervals(values, unbounded) * (1 + 1e-15 * np.arange(values.shape[1]))

    monkeypatch.setattr("tokenrank.evaluation.summary_rows.mean_intervals", rounded)
    found = summary(measured())
    assert (
        found[found["against"].isna() & (found["engine"] == "full")].groupby(["metric", "statistic", "keep"]).size()
        == 1
    ).all()


def test_only_prompts_that_all_answered_at_every_keep_rate_count() -> None:
    found = summary(measured(without={("claa", 20, 1)}))
    assert set(found["prompts"]) == {3}
    assert values(found) == pytest.approx({key: (sum(each) - each[1]) / 3 for key, each in ACCURACY.items()})
    assert values(found, "flops")["random", 10] == pytest.approx(10 + (0 + 2 + 3) / 3)


def test_a_contestant_that_answered_nothing_at_a_keep_rate_does_not_count_there() -> None:
    found = summary(measured(without={("claa", 20, sample) for sample in range(4)}))
    assert set(found["prompts"]) == {4}
    assert values(found) == pytest.approx({key: sum(each) / 4 for key, each in ACCURACY.items() if key != ("claa", 20)})


def test_accuracy_is_compared_at_each_keep_rate_and_costs_are_not() -> None:
    found = accuracy_summary(measured(), KEEP, seed=0, resamples=300, family=Family(controls=True))
    pairs = found[found["against"].notna()]
    assert set(pairs["metric"]) == {"accuracy"}
    names = ["full", "claa", "oracle", "random"]
    for keep in KEEP:
        own = pairs[pairs["keep"] == keep]
        got = list(zip(own["heuristic"].fillna(own["engine"]), own["against"], strict=True))
        assert got == [(a, b) for place, a in enumerate(names) for b in names[place + 1 :]]
    with_full = pairs[pairs["heuristic"].isna() & (pairs["against"] == "claa")].set_index("keep")["value"]
    assert with_full.to_dict() == pytest.approx({10: 0.25, 20: 0.0})
    assert pairs["p"].notna().all()


def test_the_gap_between_random_and_oracle_is_closed_by_a_share() -> None:
    rows = measured()
    thrice = pd.concat([rows.assign(sample=rows["sample"] + f"_{copy}") for copy in range(3)], ignore_index=True)
    found = values(summary(thrice), statistic="gap_closed")
    assert found["claa", 10] == pytest.approx(0.5)  # random 1, claa 2, oracle 3 of 4
    assert found["claa", 20] == pytest.approx(0.5)  # random 2, claa 3, oracle 4 of 4
    assert (
        pd.Series(values(summary(rows), statistic="gap_closed")).isna().all()
    )  # 4 prompts do not show that the oracle is better
    assert {found[name, keep] for name, keep in found if name == "random"} == {0}
    assert {found[name, keep] for name, keep in found if name == "oracle"} == {1}
    assert "full" not in {name for name, _ in found}  # it has no engine whose gap it could close


@pytest.mark.parametrize("missing", ["oracle", "random"])
def test_without_bound_or_control_there_is_no_gap(missing: str) -> None:
    found = summary(measured(names={"full", "claa", "oracle", "random"} - {missing}))
    assert "gap_closed" not in set(found["statistic"])
    assert ("claa", 10) in values(found)


def test_the_gap_is_null_where_the_oracle_is_no_better_than_random() -> None:
    rows = measured()
    rows.loc[(rows["heuristic"] == "oracle") & (rows["metric"] == "accuracy"), "value"] = 0.0
    found = summary(rows)
    gaps = found[found["statistic"] == "gap_closed"]
    assert len(gaps) == 6
    assert gaps[["value", "low", "high"]].isna().all(axis=None)


def test_no_measured_value_gives_an_empty_summary() -> None:
    assert summary(table([], METRICS)).empty


def test_the_full_prefill_stands_at_each_keep_rate() -> None:
    rows = at_each_rate(measured(), KEEP)
    full = rows[rows["engine"] == "full"]
    assert full.groupby("keep").size().to_dict() == {10: 8, 20: 8}
    assert len(rows) == len(measured()) + 8


def test_rows_of_all_metrics_follow_the_prompts_that_all_answered() -> None:
    rows = answered_by_all(measured(without={("random", 10, 0)}))
    assert set(rows["sample"]) == {"s1", "s2", "s3"}
    assert set(rows["metric"]) == {"accuracy", "flops"}


def test_a_prompt_without_a_grade_counts_for_costs_and_not_for_accuracy() -> None:
    found = summary(measured(without={("claa", 20, 1)}, ungraded={3}))  # s1 failed, s3 has no reference answer
    counts = found[found["against"].isna()].groupby(["metric", "statistic"])["prompts"].agg(set).to_dict()
    assert counts == {("accuracy", "mean"): {2}, ("accuracy", "gap_closed"): {2}, ("flops", "mean"): {3}}
    assert values(found) == pytest.approx({key: (each[0] + each[2]) / 2 for key, each in ACCURACY.items()})
    assert values(found, "flops")["claa", 20] == pytest.approx(20 + (0 + 2 + 3) / 3)
    assert values(found, "flops")["full", 100] == pytest.approx(100 + (0 + 2 + 3) / 3)


def test_where_nothing_was_graded_costs_are_still_there() -> None:
    found = summary(measured(ungraded={0, 1, 2, 3}))
    assert set(found["metric"]) == {"flops"}
    assert values(found, "flops")["claa", 10] == pytest.approx(11.5)


def test_a_prompt_that_is_graded_for_some_contestants_only_does_not_count_for_accuracy() -> None:
    rows = measured()
    lost = (rows["metric"] == "accuracy") & (rows["heuristic"] == "claa") & (rows["sample"] == "s0")
    found = measured_by_all(rows[~lost])
    assert set(found.loc[found["metric"] == "accuracy", "sample"]) == {"s1", "s2", "s3"}
    assert set(found.loc[found["metric"] == "flops", "sample"]) == {"s0", "s1", "s2", "s3"}


def test_a_prompt_that_is_graded_at_one_keep_rate_only_does_not_count_at_the_other() -> None:
    rows = measured()
    lost = (
        (rows["metric"] == "accuracy") & (rows["heuristic"] == "claa") & (rows["sample"] == "s0") & (rows["keep"] == 20)
    )
    found = summary(rows[~lost])
    assert found[found["metric"] == "accuracy"].groupby("keep")["prompts"].agg(set).to_dict() == {
        10: {3},
        20: {3},
        100: {3},
    }
    assert set(found.loc[found["metric"] == "flops", "prompts"]) == {4}
