"""What is said over prompts, against slow loops: intervals, comparisons, tasks, and what is left out."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from tokenrank.evaluation.summary_rows import Comparing, over_prompts
from tokenrank.metrics.comparisons import compare_means
from tokenrank.metrics.intervals import mean_intervals
from tokenrank.records.schema import SUMMARY, table

BY = ["metric", "k", "statistic", "windowed"]
VALUES = {"a": [0.5, 0.7, 0.6, 0.9], "b": [0.1, 0.2, 0.4, 0.2], "c": [0.5, 0.6, 0.7, 0.8]}  # of four prompts
EIGHT = {name: [*own, *(each / 2 + 0.01 * place for place, each in enumerate(own))] for name, own in VALUES.items()}


def of_prompts(prompts: int, values: dict[str, list[float]] | None = None) -> pd.DataFrame:
    rows = [
        {"model": "m", "task": "t", "sample": f"s{i}", "heuristic": name, "windowed": False, "metric": "recall", "k": 10.0,
         "statistic": statistic, "value": each}
        for name, own in (values or VALUES).items() for i, each in enumerate(own[:prompts]) for statistic in ("mean", "std")
    ]  # fmt: skip
    return table(rows, SUMMARY)


NOBODY = Comparing(3, 500, lambda _: False, lambda _: False)


def said(rows: pd.DataFrame) -> pd.DataFrame:
    is_mean = lambda named: named["statistic"] == "mean"  # noqa: E731
    found = over_prompts(rows, BY, Comparing(3, 500, is_mean, lambda named: named["k"] == 10))
    assert found[["task", "sample", "layer"]].isna().all(axis=None)
    assert dict(found.dtypes) == dict(table([], SUMMARY).dtypes)
    return found


def means(found: pd.DataFrame, statistic: str = "mean") -> dict[str, float]:
    own = found[found["against"].isna() & (found["statistic"] == statistic)]
    return dict(zip(own["heuristic"], own["value"], strict=True))


def test_means_have_their_intervals() -> None:
    found = said(of_prompts(4))
    assert means(found) == pytest.approx({name: sum(each) / 4 for name, each in VALUES.items()})
    own = found[found["against"].isna() & (found["statistic"] == "mean")]
    ends = mean_intervals(np.array(list(VALUES.values())).T)
    assert own[["low", "high"]].to_numpy(dtype=float).T.tolist() == ends.tolist()
    assert set(found["prompts"]) == {4}
    assert own["p"].isna().all()
    pd.testing.assert_frame_equal(said(of_prompts(4)), found)


def test_every_two_are_compared_once_as_one_family() -> None:
    found = said(of_prompts(8, EIGHT))
    pairs = found[found["against"].notna()]
    names = list(combinations(VALUES, 2))
    assert [(row.heuristic, row.against) for row in pairs.itertuples()] == names
    assert set(pairs["statistic"]) == {"mean"}  # compared says which
    differences = np.array([np.subtract(EIGHT[a], EIGHT[b]) for a, b in names]).T
    assert list(pairs["value"]) == pytest.approx(list(differences.mean(axis=0)))
    wanted = compare_means(differences, 3, 500)
    for column in ("low", "high", "p"):
        np.testing.assert_array_equal(pairs[column].to_numpy(dtype=float, na_value=np.nan), getattr(wanted, column))
    assert not pairs["exploratory"].any()
    others = said(of_prompts(8, EIGHT).assign(k=5.0))
    assert others.loc[others["against"].notna(), "exploratory"].all()
    assert found.loc[found["against"].isna(), "exploratory"].isna().all()


def test_each_of_several_tasks_has_its_means_beside_those_over_all() -> None:
    rows = of_prompts(4)
    one = said(rows)
    found = over_prompts(rows.assign(task=rows["sample"].map({"s0": "x", "s1": "y", "s2": "x", "s3": "y"})), BY, NOBODY)
    of_tasks = found[found["task"].notna() & (found["statistic"] == "mean")].set_index(["heuristic", "task"])
    for name, own in VALUES.items():
        for task, values in (("x", own[::2]), ("y", own[1::2])):
            assert of_tasks.loc[(name, task), "value"] == pytest.approx(sum(values) / 2)
            assert of_tasks.loc[(name, task), "prompts"] == 2
    over_all = found[found["task"].isna() & (found["statistic"] == "mean")]
    assert means(over_all) == pytest.approx(means(one))
    assert one["task"].isna().all()


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
