"""The sentences on declared comparisons, and which p is the smallest."""

from typing import Any

import numpy as np
import pytest

from tests.report.ranking_examples import ranked
from tokenrank.metrics.comparisons import compare_means
from tokenrank.report.rows.comparisons import comparisons, least_p

Row = dict[str, Any]


def pair(heuristic: str, against: str, value: float, p: float, **more: Any) -> Row:
    row = {"metric": "recall", "k": 10.0, "statistic": "mean", "exploratory": False, "prompts": 24}
    return row | {"heuristic": heuristic, "against": against, "value": value, "p": p} | more


def said(*rows: Row) -> list[str]:
    return comparisons(ranked(summary=rows))


def test_the_better_one_is_named_first_and_exploratory_rows_are_left_out() -> None:
    assert said(
        pair("claa", "tova", -0.0514, 0.012),
        pair("claa", "snapkv", 0.02, 0.3),
        pair("claa", "tova", 0.5, 0.001, statistic="worst", exploratory=True),
    ) == [
        "recall@10, mean over layers: tova better than claa by 0.051 (p 0.012) (2 comparisons, 24 prompts, adjusted p)"
    ]


def test_more_than_three_are_counted_and_none_is_said() -> None:
    many = [pair(f"h{n}", "tova", 0.1 * n, 0.001 * n) for n in range(1, 6)]
    assert said(*many)[0].startswith("recall@10, mean over layers: h1 better than tova by 0.100 (p 0.001), h2 better")
    assert ", 2 more in summary.parquet (5 comparisons" in said(*many)[0]
    assert said(pair("claa", "tova", 0.1, 0.0501)) == [
        "recall@10, mean over layers: no difference is significant (1 comparison, 24 prompts, adjusted p)"
    ]


def test_of_equal_p_the_largest_difference_comes_first() -> None:
    [line] = said(
        pair("claa", "tova", 0.1, 0.01), pair("claa", "snapkv", -0.4, 0.01), pair("tova", "snapkv", 0.2, 0.002)
    )
    order = ["tova better than snapkv", "snapkv better than claa", "claa better than tova"]
    places = [line.index(each) for each in order]
    assert places == sorted(places)


def test_each_keep_rate_has_its_sentence() -> None:
    rows = [
        pair("claa", "tova", 0.1, p, metric="accuracy", k=None, engine="layerwise", keep=keep)
        for keep, p in ((10.0, 0.01), (20.0, 0.2))
    ]
    assert said(*rows) == [
        "accuracy at 10 %: claa better than tova by 0.100 (p 0.01) (1 comparison, 24 prompts, adjusted p)",
        "accuracy at 20 %: no difference is significant (1 comparison, 24 prompts, adjusted p)",
    ]


@pytest.mark.parametrize(
    ("metric", "value", "first"),
    [
        ("accuracy", 0.1, "claa"), ("accuracy", -0.1, "fastkv"), ("loss", 0.1, "fastkv"), ("loss", -0.1, "claa"),
        ("reference_kl", 0.1, "fastkv"), ("departure", 0.1, "claa"),
    ],
)  # fmt: skip
def test_who_loses_less_is_the_better_one(metric: str, value: float, first: str) -> None:
    row = pair("claa", "fastkv", value, 0.01, metric=metric, k=None, engine="layerwise@claa", keep=20.0)
    second = {"claa": "fastkv", "fastkv": "claa"}[first]
    assert said(row)[0].startswith(f"{metric} at 20 %: {first} better than {second} by 0.100 (p 0.01)")


def test_too_few_prompts_are_said_once_and_nothing_is_said_where_nothing_was_compared() -> None:
    rows = [pair("claa", "tova", 0.1, 0.0625, prompts=5, keep=keep) for keep in (10.0, 20.0)]
    assert said(*rows) == [
        "5 prompts are too few for any difference to be significant: p is at least 0.062; 6 are needed"
    ]
    assert said(*[row | {"prompts": 6} for row in rows])[0].startswith("recall@10, mean over layers at 10 %")
    assert said() == said(pair("claa", "tova", 0.1, 0.01, exploratory=None)) == []


@pytest.mark.parametrize("prompts", [1, 2, 5, 6, 9])
def test_the_smallest_p_is_that_of_the_test(prompts: int) -> None:
    assert least_p(prompts) == compare_means(np.arange(1.0, prompts + 1)[:, None], 0, 1).p[0]
