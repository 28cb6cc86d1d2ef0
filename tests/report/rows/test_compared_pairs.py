"""The difference that a family's test can find, by simulation."""

import numpy as np
import pandas as pd
import pytest

from tokenrank.metrics.comparisons import compare_means
from tokenrank.report.rows.compared_pairs import detectable


@pytest.mark.parametrize("methods", [2, 5])
def test_the_detectable_difference_is_found_in_about_four_of_five_experiments(methods: int) -> None:
    draw = np.random.default_rng(3)
    pairs = [(a, b) for a in range(methods) for b in range(a)]
    first, second = np.array(pairs).T

    def experiment(shift: float) -> tuple[float, bool]:
        values = draw.normal(size=(24, methods))
        values[:, 0] += shift
        found = compare_means(values[:, first] - values[:, second], seed=1, resamples=300)
        size = detectable(pd.DataFrame({"low": found.low, "high": found.high})).mean()
        return float(size), bool(found.p[0] <= 0.05)  # of methods 1 and 0

    typical = float(np.mean([experiment(0.0)[0] for _ in range(30)]))
    power = np.mean([experiment(typical)[1] for _ in range(200)])
    half = np.mean([experiment(typical / 2)[1] for _ in range(60)])
    assert 0.74 < power < 0.92  # two standard errors of 200 experiments are 0.06
    assert half < 0.5
