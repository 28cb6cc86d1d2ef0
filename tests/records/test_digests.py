"""Digests: the same content has the same one, and nothing else has."""

import pytest

from tokenrank.records.digests import digest, ids_digest


def test_the_order_of_fields_does_not_matter_and_their_values_do() -> None:
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
    assert digest({"a": 1}) != digest({"a": "1"})


def test_numbers_that_json_does_not_know_are_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        digest({"a": float("nan")})


def test_ids_are_told_apart_by_value_and_order() -> None:
    assert len({ids_digest(ids) for ids in ((1, 23), (12, 3), (23, 1), (1, 2, 3), ())}) == 5
