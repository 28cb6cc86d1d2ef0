"""records/token_levels.py: what is written is read again, and a damaged file is named."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tokenrank.records.token_levels import (
    OUTSIDE,
    TokenLevels,
    TruthLevels,
    joined_levels,
    read_token_levels,
    write_token_levels,
)


def levels(texts: tuple[str, ...] | None = ("<s>", "", "é", "\ud800")) -> TokenLevels:
    importance = np.array([[0.5, -0.25, 0.0, 1e-8]], np.float32)
    truth = np.array([[2, 0, 1, OUTSIDE]], np.uint8)
    claa = np.array([[0, 1, 2, OUTSIDE], [2, 1, 0, OUTSIDE]], np.uint8)
    return TokenLevels((25.0, 50.0), (0, 3), importance, truth, {"claa": claa, "tova": claa[::-1].copy()}, texts)


@pytest.mark.parametrize("texts", [("<s>", "", "é", "\ud800"), None])
def test_what_is_written_is_read_again(tmp_path: Path, texts: tuple[str, ...] | None) -> None:
    write_token_levels(tmp_path / "a.parquet", levels(texts))
    found = read_token_levels(tmp_path / "a.parquet")
    assert (found.k, found.layers, found.texts, found.tokens) == ((25.0, 50.0), (0, 3), texts, 4)
    np.testing.assert_array_equal(found.importance, levels().importance)
    np.testing.assert_array_equal(found.truth, levels().truth)
    assert list(found.rankings) == ["claa", "tova"]
    for name, rows in levels().rankings.items():
        np.testing.assert_array_equal(found.rankings[name], rows)


def test_only_the_truth_is_enough(tmp_path: Path) -> None:
    alone = levels()
    write_token_levels(tmp_path / "a.parquet", TokenLevels(alone.k, (), alone.importance, alone.truth))
    assert dict(read_token_levels(tmp_path / "a.parquet").rankings) == {}


def test_the_same_levels_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_token_levels(tmp_path / f"{name}.parquet", levels())
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_a_flipped_bit_is_found_and_no_file_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_token_levels(path, levels())
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.parquet holds no levels that can be read"):
        read_token_levels(path)
    with pytest.raises(FileNotFoundError):
        read_token_levels(tmp_path / "b.parquet")


def test_levels_of_several_runs_are_joined() -> None:
    first, second = levels(), levels()
    second = TokenLevels(
        second.k,
        second.layers,
        second.importance,
        second.truth,
        {"tova": second.rankings["claa"], "h2o": second.rankings["claa"]},
    )
    other = TokenLevels((10.0,), first.layers, first.importance, first.truth, {"lava": first.rankings["claa"]})
    found = joined_levels([first, second, other], ["h2o", "tova", "claa", "lava"])
    assert found is not None
    assert list(found.rankings) == ["h2o", "tova", "claa"]
    np.testing.assert_array_equal(found.rankings["tova"], first.rankings["tova"])
    assert joined_levels([], ["claa"]) is None


ABLATION = TruthLevels(np.array([[-2.0, 3.0, 0.5, 0.0]], np.float32), np.array([[0, 2, 1, OUTSIDE]], np.uint8))


def test_every_truth_is_read_again_and_can_take_the_place_of_the_first(tmp_path: Path) -> None:
    write_token_levels(tmp_path / "a.parquet", replace(levels(), others={"ablation": ABLATION}))
    found = read_token_levels(tmp_path / "a.parquet")
    assert list(found.rankings) == ["claa", "tova"]  # a truth is no ranking
    assert found.truth.tolist() == levels().truth.tolist()
    assert found.against(None) is found
    other = found.against("ablation")
    assert other is not None
    assert other.importance.tolist() == ABLATION.importance.tolist()
    assert other.truth.tolist() == ABLATION.levels.tolist()
    assert other.rankings["claa"].tolist() == levels().rankings["claa"].tolist()


def test_a_file_of_the_first_truth_alone_has_no_other(tmp_path: Path) -> None:
    write_token_levels(tmp_path / "a.parquet", levels())
    found = read_token_levels(tmp_path / "a.parquet")
    assert found.against("ablation") is None
    assert found.against(None) is not None


def test_joined_levels_have_all_truths() -> None:
    found = joined_levels([levels(), replace(levels(), rankings={}, others={"ablation": ABLATION})], ["claa"])
    assert found is not None
    assert list(found.rankings) == ["claa"]
    assert found.others["ablation"].levels.tolist() == ABLATION.levels.tolist()
