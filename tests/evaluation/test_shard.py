"""Shards share the units of a plan out: every unit belongs to exactly one of them."""

from itertools import chain

import pytest

from tokenrank.evaluation.shard import Shard


@pytest.mark.parametrize("of", [1, 2, 3, 8, 50])
def test_every_unit_belongs_to_exactly_one_shard_and_shards_differ_by_one_at_most(of: int) -> None:
    shards = [Shard.of_text(f"{number}/{of}") for number in range(1, of + 1)]
    held = [[unit for unit in range(40) if shard.holds(unit)] for shard in shards]
    assert sorted(chain.from_iterable(held)) == list(range(40))
    assert max(map(len, held)) - min(map(len, held)) <= 1


def test_without_a_shard_all_units_are_held() -> None:
    assert all(Shard.of_text(None).holds(unit) for unit in range(10))


@pytest.mark.parametrize("text", ["0/8", "9/8", "3", "3/", "/8", "-1/8", "1.5/8", "a/b", "0/0", "1/8/2"])
def test_anything_else_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match=r"shard is .*, must be I/N with 1 <= I <= N, as shard=3/8"):
        Shard.of_text(text)
