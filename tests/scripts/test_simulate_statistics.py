"""The simulation: its tables by seed, and the former methods that it keeps, against slow versions."""

import numpy as np
import pytest
from scipy.stats import wilcoxon

from scripts.simulate_statistics import MEANS, main, percentile_intervals, wilcoxon_holm


def test_a_small_simulation_prints_four_tables_that_depend_on_the_seed_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = []
    for seed in (0, 0, 1):
        main(runs=2, samples="10", seed=seed)
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1] != shown[2]
    assert shown[0].count("|---|\n") == 4
    assert "| skewed: exponential | " in shown[0]


@pytest.mark.parametrize("name", list(MEANS))
def test_the_true_mean_of_each_distribution_is_right(name: str) -> None:
    drawn, mean = MEANS[name]
    values = drawn(np.random.default_rng(0), (200_000, 1))
    assert values.mean() == pytest.approx(mean, abs=5 * values.std() / np.sqrt(len(values)))


def test_the_former_methods_are_the_percentile_bootstrap_and_wilcoxon_with_holm() -> None:
    draw = np.random.default_rng(0)
    values = draw.normal(size=(40, 1))
    low, high = percentile_intervals(values, draw)[:, 0]
    half = 1.96 * values.std() / np.sqrt(40)
    assert [low, high] == pytest.approx([values.mean() - half, values.mean() + half], abs=0.06)
    differences = draw.normal([1, 0.5, 0.3], 1, (20, 3))
    p = [wilcoxon(differences[:, column], method="asymptotic").pvalue for column in range(3)]  # type: ignore[call-overload]
    order = np.argsort(p)
    steps = np.maximum.accumulate([p[place] * factor for place, factor in zip(order, (3, 2, 1), strict=True)])
    assert wilcoxon_holm(differences)[order] == pytest.approx(np.minimum(steps, 1))
    assert wilcoxon_holm(np.zeros((5, 2))).tolist() == [1, 1]
