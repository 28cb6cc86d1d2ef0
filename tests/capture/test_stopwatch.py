"""The stopwatch adds up the seconds of its blocks, failed ones too, and nothing in between."""

import time

import pytest
import torch

from tokenrank.capture.stopwatch import Stopwatch


def test_seconds_of_all_blocks_are_added_and_nothing_else() -> None:
    watch = Stopwatch(torch.device("cpu"), exact=True)
    for _ in range(2):
        with watch:
            time.sleep(0.02)
        time.sleep(0.05)
    assert 0.04 <= watch.seconds < 0.09


def test_a_block_that_fails_is_counted() -> None:
    watch = Stopwatch(torch.device("cpu"), exact=False)
    with pytest.raises(ValueError, match="it broke"), watch:
        raise ValueError("it broke")
    assert watch.seconds > 0
