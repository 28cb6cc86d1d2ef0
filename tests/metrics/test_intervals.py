"""Bootstrap, Wilcoxon and Holm against loops, hand-worked cases and coverage."""

import numpy as np
import pytest
from scipy.stats import bootstrap

from tokenrank.metrics.intervals import bootstrap_means, holm, wilcoxon_p

DRAW = np.random.default_rng(0)


def test_resampled_means_are_those_of_an_independent_library() -> None:
    values = DRAW.exponential(size=(25, 2))
    low, high = np.percentile(bootstrap_means(values, 20_000, seed=1), [2.5, 97.5], axis=0)
    for column in range(2):
        wanted = bootstrap((values[:, column],), np.mean, n_resamples=20_000, method="percentile", rng=2)
        assert low[column] == pytest.approx(wanted.confidence_interval.low, abs=0.02)
        assert high[column] == pytest.approx(wanted.confidence_interval.high, abs=0.02)


def test_the_same_seed_gives_the_same_draws_and_columns_stay_paired() -> None:
    values = DRAW.normal(size=(12, 1))
    twice = bootstrap_means(np.hstack([values, values + 3]), 1200, seed=5)
    assert np.allclose(twice[:, 1] - twice[:, 0], 3)
    assert np.allclose(twice[:, :1], bootstrap_means(values, 1200, seed=5))
    assert not np.allclose(twice[:, :1], bootstrap_means(values, 1200, seed=6))


def test_too_few_samples_are_an_error() -> None:
    with pytest.raises(ValueError, match="1 samples, 10 resamples"):
        bootstrap_means(np.ones((1, 2)), 10, seed=0)


def test_what_never_differs_has_p_one_and_what_always_does_a_small_one() -> None:
    always = np.arange(1.0, 21.0)
    p = wilcoxon_p(np.stack([np.zeros(20), always, np.where(np.arange(20) % 2, always, -always)], axis=1))
    assert p[0] == 1
    assert p[1] < 0.001
    assert p[2] > 0.3


def slow_holm(p: list[float]) -> list[float]:
    ranked = sorted(range(len(p)), key=lambda i: p[i])
    out, highest = [0.0] * len(p), 0.0
    for place, i in enumerate(ranked):
        highest = max(highest, (len(p) - place) * p[i])
        out[i] = min(1.0, highest)
    return out


def test_holm_is_the_step_down_procedure() -> None:
    p = DRAW.uniform(0, 0.2, size=15)
    assert holm(p).tolist() == pytest.approx(slow_holm(p.tolist()))
