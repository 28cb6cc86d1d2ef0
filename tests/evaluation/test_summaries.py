"""What is said over samples: means, intervals, differences, and what is left out."""

import numpy as np
import pandas as pd
import pytest

from tokenrank.evaluation.folder import METRIC_COLUMNS
from tokenrank.evaluation.statistics import over_samples

VALUES = {"a": [0.5, 0.7, 0.6, 0.9], "b": [0.1, 0.2, 0.4, 0.2]}


def table(samples: int) -> pd.DataFrame:
    rows = [("m", "t", f"s{i}", None, None, "recall", 10.0, 0.1, None, None) for i in range(samples)]
    for name, values in VALUES.items():
        for i, value in enumerate(values[:samples]):
            rows += [("m", "t", f"s{i}", name, 0, "recall", 10.0, value, False, None)]  # type: ignore[list-item]
            rows += [("m", "t", f"s{i}", name, None, "recall.mean", 10.0, value, None, None)]  # type: ignore[list-item]
        if samples:  # of no sample, but of layers: not to be summed up again
            rows.append(("m", None, None, name, 0, "recall.between", 10.0, 0.3, False, 1))  # type: ignore[arg-type]
    return pd.DataFrame(rows, columns=list(METRIC_COLUMNS)).astype(METRIC_COLUMNS)


def said(samples: int) -> dict[tuple[str, str], float]:
    found = over_samples(table(samples), 0, 2000)
    assert found["sample"].isna().all()
    assert found["layer"].isna().all()
    assert dict(found.dtypes) == dict(table(samples).dtypes)
    return {(row.heuristic, row.metric): row.value for row in found.itertuples()}  # type: ignore[misc]


def test_means_intervals_and_differences_are_there() -> None:
    found = said(4)
    assert found["a", "recall.mean"] == pytest.approx(np.mean(VALUES["a"]))
    assert (
        min(VALUES["a"]) <= found["a", "recall.mean.low"] < found["a", "recall.mean"] < found["a", "recall.mean.high"]
    )
    assert found["a - b", "recall.mean.difference"] == pytest.approx(np.mean(VALUES["a"]) - np.mean(VALUES["b"]))
    assert found["a - b", "recall.mean.difference.low"] > 0
    assert 0 < found["a - b", "recall.mean.difference.p"] < 0.2
    assert said(4) == found


def test_single_layers_and_chance_are_not_summed_up() -> None:
    assert {metric for _, metric in said(4)} == {
        f"recall.mean{end}"
        for end in ("", ".low", ".high", ".difference", ".difference.low", ".difference.high", ".difference.p")
    }


def test_one_sample_has_a_mean_and_no_interval() -> None:
    assert said(1) == {("a", "recall.mean"): 0.5, ("b", "recall.mean"): 0.1}


def test_no_sample_gives_no_row() -> None:
    assert len(over_samples(table(0), 0, 100)) == 0


def test_samples_that_lack_a_value_of_one_count_for_none() -> None:
    whole = table(4)
    lacking = whole[~((whole["sample"] == "s3") & (whole["heuristic"] == "b"))]
    found = {(row.heuristic, row.metric): row.value for row in over_samples(lacking, 0, 100).itertuples()}
    assert found["a", "recall.mean"] == pytest.approx(np.mean(VALUES["a"][:3]))
    assert found["b", "recall.mean"] == pytest.approx(np.mean(VALUES["b"][:3]))


def test_one_without_any_value_takes_nothing_from_the_others() -> None:
    whole = table(4)
    whole.loc[whole["heuristic"] == "b", "value"] = np.nan
    found = {(row.heuristic, row.metric): row.value for row in over_samples(whole, 0, 100).itertuples()}
    assert found["a", "recall.mean"] == pytest.approx(np.mean(VALUES["a"]))
    assert "b" not in {name for name, _ in found}
