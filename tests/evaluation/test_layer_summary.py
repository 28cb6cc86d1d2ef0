"""Statistics over the layers of each prompt and means of pairs of layers, against slow loops."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tokenrank.evaluation.layer_summary import LayerSummary
from tokenrank.evaluation.summary_rows import Comparing
from tokenrank.records.record import Record, measured_table
from tokenrank.records.schema import MEASURED, METRICS, SUMMARY, frame, table

LAYERS = [1, 4, 6, 7]
STATISTICS = ("mean", "std", "worst", "worst_layer", "worst_drop", "neighbour_drop")


def summed_up(rows: pd.DataFrame, compared: Iterable[str] = ()) -> pd.DataFrame:
    """The whole summary of these rows, a record a prompt."""
    names = list(compared)
    summary = LayerSummary(Comparing(0, 200, lambda named: named["statistic"] in names, lambda named: named["k"] == 10))
    for number, (name, own) in enumerate(rows.groupby("sample", sort=False)):
        listed: Any = own.astype(object).where(own.notna(), None).to_dict("records")
        summary.add(Record(str(name), number, "", {}, {"status": "ok"}, {}, measured=measured_table(listed)))
    return frame(pa.concat_tables(summary.tables()), SUMMARY)


def over_layers(rows: pd.DataFrame) -> pd.DataFrame:
    found = summed_up(rows)
    return found[found["sample"].notna()].reset_index(drop=True)


def layer_pairs(rows: pd.DataFrame) -> pd.DataFrame:
    found = summed_up(rows)
    return found[found["other_layer"].notna()].reset_index(drop=True)


def value(sample: int, heuristic: str, k: float, layer: int) -> float:
    return float(np.random.default_rng([sample, ord(heuristic), int(k), layer]).uniform())


def measured(windowed: tuple[int, ...] = (), first: dict[str, int] | None = None) -> pd.DataFrame:
    """Two prompts, two heuristics, two k, four layers; ``first``: metric -> place of the first layer with a value."""
    rows: list[dict[str, Any]] = []
    for sample in range(2):
        whose = {"model": "m", "task": "t", "sample": f"s{sample}"}
        rows.append(whose | {"metric": "recall", "k": 5, "value": 0.05})  # chance
        rows += [
            whose | {"heuristic": h, "metric": metric, "k": k, "layer": layer, "windowed": layer in windowed, "value": value(sample, h, k, layer)}
            for h in "ab" for metric, start in (first or {"recall": 0}).items() for k in (5, 10) for layer in LAYERS[start:]
        ]  # fmt: skip
    return table(rows, METRICS)


def slow(values: list[float], layers: list[int]) -> dict[str, float]:
    """Statistics over layers, written as they are described."""
    mean = sum(values) / len(values)
    worst = min(values)
    drops = [before - after for before, after in pairwise(values)]
    return {
        "mean": mean,
        "std": (sum((each - mean) ** 2 for each in values) / len(values)) ** 0.5,
        "worst": worst,
        "worst_layer": layers[values.index(worst)],
        "worst_drop": mean - worst,
        "neighbour_drop": max([0.0, *drops]),
    }


def check_against_slow(found: pd.DataFrame, kinds: dict[bool, list[int]], metric: str = "recall") -> None:
    own = found[found["metric"] == metric]
    got = {(r.sample, r.heuristic, r.k, r.windowed, r.statistic): r.value for r in own.itertuples()}
    wanted = {
        (f"s{s}", h, k, windowed, name): each
        for s in range(2) for h in "ab" for k in (5, 10) for windowed, layers in kinds.items()
        for name, each in slow([value(s, h, k, layer) for layer in layers], layers).items()
    }  # fmt: skip
    assert got == pytest.approx(wanted)
    assert len(own) == len(wanted)


def test_statistics_over_layers_are_those_of_a_loop() -> None:
    found = over_layers(measured())
    check_against_slow(found, {False: LAYERS})
    assert dict(found.dtypes) == dict(table([], SUMMARY).dtypes)
    assert set(found["statistic"]) == set(STATISTICS)
    assert found["heuristic"].notna().all()  # nothing is said of chance
    unset = ["layer", "engine", "keep", "low", "high", "p", "against", "exploratory", "prompts"]
    assert found[unset].isna().all(axis=None)
    assert set(found["task"]) == {"t"}
    assert set(found["model"]) == {"m"}


def test_windowed_layers_are_summed_up_apart() -> None:
    check_against_slow(over_layers(measured(windowed=(4, 7))), {False: [1, 6], True: [4, 7]})


def test_a_model_of_windowed_layers_only_has_one_set() -> None:
    check_against_slow(over_layers(measured(windowed=tuple(LAYERS))), {False: LAYERS})


def test_a_metric_without_a_value_at_the_first_layer_is_over_the_others() -> None:
    found = over_layers(measured(first={"recall": 0, "jaccard": 1}))
    check_against_slow(found, {False: LAYERS})
    check_against_slow(found, {False: LAYERS[1:]}, "jaccard")


def test_no_row_gives_no_statistic() -> None:
    assert over_layers(table([], METRICS)).empty
    assert over_layers(measured().loc[lambda rows: rows["heuristic"].isna()]).empty


def test_prompts_of_a_run_may_differ_in_what_they_have() -> None:
    """The second prompt has another metric first, a heuristic that comes in no other, and lacks one."""
    rows = measured(first={"recall": 0, "jaccard": 1})
    second = rows["sample"] == "s1"
    own = rows[second & ~((rows["heuristic"] == "a") & (rows["metric"] == "recall"))][::-1]
    found = over_layers(pd.concat([rows[~second], own, own[own["heuristic"] == "b"].assign(heuristic="c")]))
    whole = over_layers(rows)
    keys = ["sample", "heuristic", "metric", "k", "statistic"]
    left = whole[~((whole["sample"] == "s1") & (whole["heuristic"] == "a") & (whole["metric"] == "recall"))]
    added = whole[(whole["sample"] == "s1") & (whole["heuristic"] == "b")].assign(heuristic="c")
    expected = pd.concat([left, added]).sort_values(keys)[[*keys, "value"]].reset_index(drop=True)
    pd.testing.assert_frame_equal(found.sort_values(keys)[[*keys, "value"]].reset_index(drop=True), expected)


def test_means_over_prompts_are_those_of_a_loop_and_of_each_task_where_there_are_several() -> None:
    rows = measured()
    found = summed_up(rows)
    means = found[found["sample"].isna()]
    each = over_layers(rows).groupby(["heuristic", "k", "statistic"])["value"].mean()
    assert means.set_index(["heuristic", "k", "statistic"])["value"].to_dict() == pytest.approx(each.to_dict())
    assert means["task"].isna().all()
    two = summed_up(rows.assign(task=rows["sample"].map({"s0": "t/a", "s1": "t/b"})))
    of_tasks = two[two["sample"].isna() & two["task"].notna()]
    assert len(of_tasks) == 2 * len(means)
    assert set(of_tasks["prompts"]) == {1}
    own = {(r.task, r.heuristic, r.k, r.statistic): r.value for r in of_tasks.itertuples()}
    wanted = {
        ({"s0": "t/a", "s1": "t/b"}[str(r.sample)], r.heuristic, r.k, r.statistic): r.value
        for r in over_layers(rows).itertuples()
    }
    assert own == pytest.approx(wanted)
    over_all = two[two["sample"].isna() & two["task"].isna()].reset_index(drop=True)
    pd.testing.assert_frame_equal(over_all, means.reset_index(drop=True))


def test_what_the_bound_has_in_every_prompt_has_no_interval() -> None:
    """Its recall is 1 by definition; that of a needle is measured, and a heuristic's 1 is a finding."""
    rows: list[dict[str, Any]] = [
        {
            "model": "m", "task": f"t{sample % 2}", "sample": f"s{sample}", "heuristic": heuristic, "metric": metric, "layer": layer,
            "windowed": False, "value": 1.0 if metric == "recall" or heuristic == "claa" else value(sample, "o", 5, layer),
        }
        for sample in range(8) for heuristic in ("oracle", "claa") for metric in ("recall", "needle_recall") for layer in LAYERS
    ]  # fmt: skip
    found = summed_up(table(rows, METRICS))
    means = found[found["sample"].isna() & found["against"].isna() & (found["statistic"] == "mean")]
    there: dict[tuple[str, str], list[bool]] = {}
    for heuristic, metric, low in means[["heuristic", "metric", "low"]].itertuples(index=False):
        there.setdefault((heuristic, metric), []).append(not pd.isna(low))
    assert there == {
        ("oracle", "recall"): [False] * 3,  # over all prompts, and over those of each task
        ("oracle", "needle_recall"): [True] * 3,
        ("claa", "recall"): [True] * 3,
        ("claa", "needle_recall"): [True] * 3,
    }
    assert (means.loc[means["metric"] == "recall", "value"] == 1).all()


def test_the_missing_spread_of_a_ranking_that_is_the_same_at_all_layers_has_no_interval() -> None:
    rows: list[dict[str, Any]] = [
        {
            "model": "m", "task": "t", "sample": f"s{sample}", "heuristic": heuristic, "metric": "recall", "k": 10.0, "layer": layer,
            "windowed": False, "value": 0.1 * sample if heuristic == "recency" else value(sample, "o", 5, layer),
        }
        for sample in range(5) for heuristic in ("recency", "claa") for layer in LAYERS
    ]  # fmt: skip
    found = summed_up(table(rows, METRICS))
    own = found[found["sample"].isna() & found["against"].isna()]
    without = own[own["low"].isna() & own["high"].isna()]
    spreads = {"std", "worst_drop", "neighbour_drop"}
    assert set(zip(without["heuristic"], without["statistic"], strict=True)) == {("recency", each) for each in spreads}
    assert (without["value"] == 0).all()


def test_comparisons_say_which_are_exploratory() -> None:
    found = summed_up(measured(), compared=("mean", "worst"))
    pairs = found[found["against"].notna()]
    assert {(r.statistic, r.k, r.exploratory) for r in pairs.itertuples()} == {
        (name, k, k == 5) for name in ("mean", "worst") for k in (5, 10)
    }
    assert found[found["against"].isna()]["exploratory"].isna().all()
    means = found[found["sample"].isna() & found["against"].isna()].set_index(["statistic", "k", "heuristic"])["value"]
    every: Any = pairs.itertuples()
    for row in every:
        mine, other = (means[row.statistic, row.k, who] for who in (row.heuristic, row.against))
        assert row.value == pytest.approx(mine - other)


def between(samples: dict[str, dict[tuple[int, int], float]]) -> pd.DataFrame:
    rows = [
        {"model": "m", "task": "t", "sample": sample, "heuristic": "a", "metric": "jaccard", "k": 10, "layer": a,
         "other_layer": b, "value": each}
        for sample, pairs in samples.items() for (a, b), each in pairs.items()
    ]  # fmt: skip
    single = {"model": "m", "task": "t", "sample": "s0", "heuristic": "a", "metric": "jaccard", "k": 10, "layer": 4}
    return table([*rows, single | {"value": 0.9}], MEASURED)


def test_layer_pairs_have_the_mean_over_prompts() -> None:
    given = {"s0": {(1, 4): 0.2, (1, 6): 0.4, (4, 6): 1.0}, "s1": {(1, 4): 0.4, (1, 6): 0.4, (4, 6): 0.0}}
    found = layer_pairs(between(given))
    assert {(row.layer, row.other_layer): row.value for row in found.itertuples()} == pytest.approx(
        {(1, 4): 0.3, (1, 6): 0.4, (4, 6): 0.5}
    )
    assert set(found["prompts"]) == {2}
    assert set(found["statistic"]) == {"mean"}
    assert found[["task", "sample"]].isna().all(axis=None)
    assert dict(found.dtypes) == dict(table([], SUMMARY).dtypes)


def test_without_pairs_there_is_no_row_of_pairs() -> None:
    assert layer_pairs(between({})).empty
    assert layer_pairs(table([], MEASURED)).empty
