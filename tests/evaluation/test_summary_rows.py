"""What is said over layers and over prompts, against slow loops: statistics, intervals, comparisons, and what is left out."""

from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import wilcoxon

from tokenrank.evaluation.summary_rows import layer_pairs, over_layers_of_prompts, over_prompts
from tokenrank.metrics.intervals import bootstrap_means, holm
from tokenrank.records.schema import MEASURED, METRICS, SUMMARY, table

LAYERS = [1, 4, 6, 7]
BY = ["metric", "k", "statistic", "windowed"]
VALUES = {"a": [0.5, 0.7, 0.6, 0.9], "b": [0.1, 0.2, 0.4, 0.2], "c": [0.5, 0.6, 0.7, 0.8]}
STATISTICS = ("mean", "std", "worst", "worst_layer", "worst_drop", "neighbour_drop")


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
    found = over_layers_of_prompts(measured())
    check_against_slow(found, {False: LAYERS})
    assert dict(found.dtypes) == dict(table([], SUMMARY).dtypes)
    assert set(found["statistic"]) == set(STATISTICS)
    assert found["heuristic"].notna().all()  # nothing is said of chance
    assert found[["layer", "engine", "keep", "low", "high", "p", "against", "prompts"]].isna().all(axis=None)


def test_windowed_layers_are_summed_up_apart() -> None:
    check_against_slow(over_layers_of_prompts(measured(windowed=(4, 7))), {False: [1, 6], True: [4, 7]})


def test_a_model_of_windowed_layers_only_has_one_set() -> None:
    check_against_slow(over_layers_of_prompts(measured(windowed=tuple(LAYERS))), {False: LAYERS})


def test_a_metric_without_a_value_at_the_first_layer_is_over_the_others() -> None:
    found = over_layers_of_prompts(measured(first={"recall": 0, "jaccard": 1}))
    check_against_slow(found, {False: LAYERS})
    check_against_slow(found, {False: LAYERS[1:]}, "jaccard")


def test_no_row_gives_no_statistic() -> None:
    assert over_layers_of_prompts(table([], METRICS)).empty
    assert over_layers_of_prompts(measured().loc[lambda rows: rows["heuristic"].isna()]).empty


def of_prompts(prompts: int, values: dict[str, list[float]] | None = None) -> pd.DataFrame:
    rows = [
        {"model": "m", "task": "t", "sample": f"s{i}", "heuristic": name, "windowed": False, "metric": "recall", "k": 10.0,
         "statistic": statistic, "value": each}
        for name, own in (values or VALUES).items() for i, each in enumerate(own[:prompts]) for statistic in ("mean", "std")
    ]  # fmt: skip
    return table(rows, SUMMARY)


def said(rows: pd.DataFrame) -> pd.DataFrame:
    found = over_prompts(rows, BY, seed=3, resamples=500, compared=lambda group: group["statistic"] == "mean")
    assert found[["task", "sample", "layer"]].isna().all(axis=None)
    assert dict(found.dtypes) == dict(table([], SUMMARY).dtypes)
    return found


def means(found: pd.DataFrame, statistic: str = "mean") -> dict[str, float]:
    own = found[found["against"].isna() & (found["statistic"] == statistic)]
    return dict(zip(own["heuristic"], own["value"], strict=True))


def test_means_have_the_percentiles_of_their_resamples() -> None:
    found = said(of_prompts(4))
    assert means(found) == pytest.approx({name: sum(each) / 4 for name, each in VALUES.items()})
    resampled = bootstrap_means(np.array(list(VALUES.values())).T, 500, 3)
    own = found[found["against"].isna() & (found["statistic"] == "mean")]
    for place, row in enumerate(own.itertuples()):
        ordered = np.sort(resampled[:, place])
        assert ordered[11] <= row.low <= ordered[13]  # 2.5 % of 500
        assert ordered[486] <= row.high <= ordered[488]
    assert set(found["prompts"]) == {4}
    assert own["p"].isna().all()
    pd.testing.assert_frame_equal(said(of_prompts(4)), found)


def slow_p(differences: Any) -> float:
    return float(wilcoxon(differences, method="asymptotic").pvalue)  # type: ignore[call-overload]


def test_every_two_are_compared_once_with_paired_intervals_and_holms_p() -> None:
    found = said(of_prompts(4))
    pairs = found[found["against"].notna()]
    names = list(combinations(VALUES, 2))
    assert [(row.heuristic, row.against) for row in pairs.itertuples()] == names
    assert set(pairs["statistic"]) == {"mean"}  # compared says which
    differences = [np.subtract(VALUES[a], VALUES[b]) for a, b in names]
    assert list(pairs["value"]) == pytest.approx([each.mean() for each in differences])
    p = np.array([slow_p(each) for each in differences])
    assert list(pairs["p"]) == pytest.approx(list(holm(p)))
    assert list(pairs["p"]) != pytest.approx(list(p))
    resampled = bootstrap_means(np.array(differences).T, 500, 3)
    assert list(pairs["low"]) == pytest.approx(list(np.percentile(resampled, 2.5, axis=0)))
    assert list(pairs["high"]) == pytest.approx(list(np.percentile(resampled, 97.5, axis=0)))


def test_one_prompt_has_a_mean_and_no_interval_and_no_comparison() -> None:
    found = said(of_prompts(1))
    assert means(found) == {"a": 0.5, "b": 0.1, "c": 0.5}
    assert found[["low", "high", "p", "against"]].isna().all(axis=None)


def test_one_contestant_is_compared_with_nobody() -> None:
    found = said(of_prompts(4, {"a": VALUES["a"]}))
    assert found["against"].isna().all()
    assert found["low"].notna().all()


def test_no_prompt_gives_no_row() -> None:
    assert said(of_prompts(0)).empty


def test_prompts_that_lack_a_value_of_one_count_for_none() -> None:
    whole = of_prompts(4)
    found = said(whole[~((whole["sample"] == "s3") & (whole["heuristic"] == "b"))])
    assert means(found) == pytest.approx({name: sum(each[:3]) / 3 for name, each in VALUES.items()})
    assert set(found["prompts"]) == {3}


@pytest.mark.parametrize("how", ["nan", "left out"])
def test_one_without_any_value_takes_nothing_from_the_others(how: str) -> None:
    whole = of_prompts(4)
    if how == "nan":
        whole.loc[whole["heuristic"] == "b", "value"] = np.nan
    else:
        whole = whole[whole["heuristic"] != "b"]
    found = said(whole)
    assert means(found) == pytest.approx({"a": sum(VALUES["a"]) / 4, "c": sum(VALUES["c"]) / 4})
    assert "b" not in set(found["against"].dropna())


def test_groups_are_told_apart_and_a_k_of_none_is_a_group() -> None:
    rows = of_prompts(4)
    found = said(pd.concat([rows, rows.assign(k=pd.array([pd.NA] * len(rows), "Float64"), value=0.0)]))
    assert [value for _, value in found.groupby(found["k"].isna())["value"].mean().items()][1] == 0
    assert found.groupby("k", dropna=False).ngroups == 2


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
