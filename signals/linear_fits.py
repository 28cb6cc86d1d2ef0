"""Linear regression with a penalty on the weights of standardised features, as scikit-learn's Ridge and Lasso after a StandardScaler."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]
SWEEPS, SMALL = 10_000, 1e-9  # of coordinate descent; it ends when no weight changes by more than SMALL of the largest


def ridge(features: Array, outcomes: Array, strength: float) -> Array:
    """Weights w that minimise mean((y - b - x.w)^2) / 2 + strength * sum((w * s)^2) / 2; s is each feature's standard deviation.

    Args:
        features: (samples, features). A feature that never changes has the weight 0.
        outcomes: (samples,).
        strength: above 0.

    Returns:
        (features,), per unit of the features as given.

    >>> ridge(np.array([[0.0], [2.0]]), np.array([1.0, 7.0]), strength=0.5)
    array([2.])
    """
    scaled, centred, deviations = _standardised(features, outcomes)
    gram = scaled.T @ scaled / len(scaled) + strength * np.eye(scaled.shape[1])
    weights: Array = np.linalg.solve(gram, scaled.T @ centred / len(scaled)) / deviations
    return weights


def lasso(features: Array, outcomes: Array, strength: float) -> Array:
    """As ``ridge``, with the penalty strength * sum(|w * s|); by cyclic coordinate descent.

    >>> lasso(np.array([[0.0], [2.0]]), np.array([1.0, 7.0]), strength=0.5)
    array([2.5])
    """
    scaled, residual, deviations = _standardised(features, outcomes)
    weights = np.zeros(scaled.shape[1])
    moving = [place for place in range(len(weights)) if scaled[:, place].any()]  # each has variance 1
    for _ in range(SWEEPS):
        furthest = 0.0
        for place in moving:
            column, before = scaled[:, place], weights[place]
            wanted = before + column @ residual / len(residual)
            weights[place] = np.sign(wanted) * max(abs(wanted) - strength, 0.0)
            residual = residual + column * (before - weights[place])
            furthest = max(furthest, abs(weights[place] - before))
        if furthest <= SMALL * np.abs(weights).max(initial=0.0):
            break
    found: Array = weights / deviations
    return found


def _standardised(features: Array, outcomes: Array) -> tuple[Array, Array, Array]:
    """Features with mean 0 and variance 1 (all 0 where they never change), outcomes with mean 0, and the features' deviations."""
    deviations = features.std(axis=0)
    deviations[deviations == 0] = 1.0
    return (features - features.mean(axis=0)) / deviations, outcomes - outcomes.mean(), deviations
