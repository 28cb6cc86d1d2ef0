"""``smooth``: average and maximum against a slow version, at both ends too; bad kernels. ``chunk_means`` by hand."""

import numpy as np
import pytest
import torch

from tests import slow
from tokenrank.signals.smoothing import chunk_means, smooth

SLOW = {"average": slow.average, "max": slow.maximum}


def scores(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("pool", SLOW)
@pytest.mark.parametrize("kernel", [1, 3, 7, 13])
@pytest.mark.parametrize("tokens", [1, 2, 12, 40])  # fewer than the kernel, too
def test_smoothing_is_that_of_the_slow_version(tokens: int, kernel: int, pool: str) -> None:
    rows = scores(3, tokens)
    before = rows.clone()
    smoothed = smooth(rows, kernel, pool)
    assert smoothed.shape == (3, tokens)
    for row, seen in zip(rows, smoothed, strict=True):
        assert np.allclose(seen.numpy(), SLOW[pool](row.double().numpy(), kernel), rtol=1e-5, atol=1e-6)
        assert torch.equal(smooth(row, kernel, pool), seen)  # a row does not know of the others
    assert torch.equal(rows, before)


@pytest.mark.parametrize("pool", SLOW)
def test_another_kernel_would_be_noticed(pool: str) -> None:
    row = scores(40)
    assert np.abs(smooth(row, 7, pool).numpy() - SLOW[pool](row.double().numpy(), 5)).max() > 1e-3


@pytest.mark.parametrize("pool", SLOW)
def test_a_kernel_of_one_changes_nothing(pool: str) -> None:
    assert torch.equal(smooth(scores(9), 1, pool), scores(9))


def test_beyond_the_ends_the_average_counts_zeros_and_the_maximum_nothing() -> None:
    row = torch.full((5,), -3.0)
    assert smooth(row, 3).tolist() == [-2, -3, -3, -3, -2]
    assert smooth(row, 3, "max").tolist() == [-3] * 5


@pytest.mark.parametrize("kernel", [0, -1, -3, 2, 8])
def test_a_kernel_without_a_middle_is_an_error(kernel: int) -> None:
    with pytest.raises(ValueError, match=f"kernel is {kernel}, must be odd and at least 1 token"):
        smooth(scores(9), kernel)


def test_an_unknown_pool_is_an_error() -> None:
    with pytest.raises(ValueError, match="pool is 'median', must be one of average, max"):
        smooth(scores(9), 3, "median")


@pytest.mark.parametrize(
    ("chunk", "wanted"), [(1, [1, 3, 0, 4, 7]), (2, [2, 2, 2, 2, 7]), (3, [4 / 3] * 3 + [5.5] * 2), (9, [3] * 5)]
)
def test_the_tokens_of_a_chunk_share_their_mean(chunk: int, wanted: list[float]) -> None:
    given = torch.tensor([1.0, 3.0, 0.0, 4.0, 7.0])
    assert chunk_means(given, chunk).tolist() == pytest.approx(wanted)


def test_a_chunk_below_one_token_is_an_error() -> None:
    with pytest.raises(ValueError, match="chunk is 0, must be at least 1 token"):
        chunk_means(torch.zeros(3), 0)
