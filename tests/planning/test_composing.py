"""What the configs may say beyond their files: the word all, and short hashes."""

from omegaconf import OmegaConf

from tests.plans import CONFIGS, composed
from tokenrank.planning.composing import NOT_IN_ALL, register, run_id, short_hash


def test_all_is_every_file_of_the_folder() -> None:
    files = {file.stem for file in (CONFIGS / "heuristic").glob("*.yaml")}
    assert set(composed("heuristic=all").heuristic) == files - set(NOT_IN_ALL)
    assert set(NOT_IN_ALL) < files


def test_names_put_methods_side_by_side() -> None:
    assert list(composed("heuristic=[tova,claa]").heuristic) == ["tova", "claa"]


def test_hashes_are_short_and_differ() -> None:
    assert len(short_hash("a")) == len(short_hash("b" * 10_000)) == 8
    assert short_hash("a") != short_hash("b")


def test_two_runs_of_one_moment_have_two_ids_and_one_run_keeps_its_own() -> None:
    assert run_id() != run_id()
    register(CONFIGS)
    given = OmegaConf.create({"a": "${run_id:}", "b": "${run_id:}"})
    assert given.a == given.b == given.a


def test_registering_again_changes_nothing() -> None:
    register(CONFIGS)
    register(CONFIGS)
    assert OmegaConf.create({"hash": "${short_hash:abc}"}).hash == short_hash("abc")
