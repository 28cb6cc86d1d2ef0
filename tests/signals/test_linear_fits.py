"""Ridge and lasso: by hand, against a general minimiser, planted weights, and features that never change."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from tokenrank.signals.linear_fits import Array, lasso, ridge

FITS: list[Callable[[Array, Array, float], Array]] = [ridge, lasso]


def masks(samples: int, features: int, seed: int = 0) -> Array:
    return (np.random.default_rng(seed).random((samples, features)) < 0.4).astype(float)


def objective(fit: Any, features: Array, outcomes: Array, strength: float) -> Callable[[Array], float]:
    """Of (bias, weights), as the docstrings have it."""

    def value(unknown: Array) -> float:
        error = float(((outcomes - unknown[0] - features @ unknown[1:]) ** 2).mean() / 2)
        scaled = unknown[1:] * features.std(axis=0)
        return error + strength * float((scaled**2).sum() / 2 if fit is ridge else np.abs(scaled).sum())

    return value


@pytest.mark.parametrize("strength", [0.01, 0.3])
@pytest.mark.parametrize("fit", FITS)
def test_no_other_weights_have_a_smaller_objective(fit: Any, strength: float) -> None:
    features = masks(30, 5)
    outcomes = features @ np.array([3.0, -1.0, 0.0, 0.5, 0.0]) + np.random.default_rng(1).normal(size=30) - 4
    found = fit(features, outcomes, strength)
    value = objective(fit, features, outcomes, strength)
    bias = float((outcomes - features @ found).mean())
    best = minimize(value, np.zeros(6), method="Powell", options={"xtol": 1e-10, "ftol": 1e-14, "maxiter": 100000})
    assert value(np.array([bias, *found])) <= best.fun + 1e-9
    assert np.allclose(found, best.x[1:], atol=1e-2)  # Powell is less exact


@pytest.mark.parametrize("fit", FITS)
def test_with_almost_no_penalty_both_are_least_squares(fit: Any) -> None:
    features = masks(40, 6)
    outcomes = np.random.default_rng(2).normal(size=40)
    plain = np.linalg.lstsq(np.column_stack([np.ones(40), features]), outcomes, rcond=None)[0][1:]
    assert np.allclose(fit(features, outcomes, 1e-9), plain, atol=1e-6)


def test_lasso_finds_planted_weights_among_more_features_than_samples() -> None:
    features, planted = masks(48, 100), np.zeros(100)
    planted[[3, 50, 77]] = 4.0, -2.0, 1.5
    found = lasso(features, features @ planted + 7, 0.01)
    assert np.allclose(found, planted, atol=0.1)
    assert (np.abs(found) > 1e-12).sum() < 20
    assert np.abs(ridge(features, features @ planted + 7, 0.01)).argmax() == 3


def test_a_strong_penalty_leaves_no_weight() -> None:
    features = masks(20, 4)
    outcomes = features[:, 0] * 2
    assert np.array_equal(lasso(features, outcomes, 10.0), np.zeros(4))
    assert 0 < np.abs(ridge(features, outcomes, 10.0)).max() < 0.2


@pytest.mark.parametrize("fit", FITS)
def test_a_feature_that_never_changes_has_no_weight(fit: Any) -> None:
    features = np.column_stack([masks(20, 3), np.ones(20), np.zeros(20)])
    found = fit(features, features[:, 0] * 3 + 1, 0.001)
    assert found[3:].tolist() == [0, 0]
    assert np.allclose(found[:3], [3, 0, 0], atol=0.05)


@pytest.mark.parametrize("fit", FITS)
def test_outcomes_that_never_change_have_no_weights(fit: Any) -> None:
    assert np.allclose(fit(masks(20, 3), np.full(20, -3.7), 0.01), 0, atol=1e-12)
