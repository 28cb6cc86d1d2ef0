"""What the configs may say beyond their files: the word all, and short hashes."""

from tests.plans import CONFIGS, composed
from tokenrank.planning.composing import NOT_IN_ALL, short_hash


def test_all_is_every_file_of_the_folder() -> None:
    files = {file.stem for file in (CONFIGS / "heuristic").glob("*.yaml")}
    assert set(composed("heuristic=all").heuristic) == files - set(NOT_IN_ALL)
    assert set(NOT_IN_ALL) < files


def test_names_put_methods_side_by_side() -> None:
    assert list(composed("heuristic=[tova,claa]").heuristic) == ["tova", "claa"]


def test_hashes_are_short_and_differ() -> None:
    assert len(short_hash("a")) == len(short_hash("b" * 10_000)) == 8
    assert short_hash("a") != short_hash("b")
