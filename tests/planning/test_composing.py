"""What the configs may say beyond their files: the word all, and short hashes."""

from pathlib import Path

from hydra import compose, initialize_config_dir
from tokenrank.evaluation.composing import register, short_hash

CONFIGS = Path(__file__).parent.parent.parent / "configs"


def composed(*overrides: str) -> dict[str, object]:
    register(CONFIGS)
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return dict(compose("run", list(overrides)).heuristic)


def test_all_is_every_file_of_the_folder() -> None:
    assert set(composed("heuristic=all")) == {file.stem for file in (CONFIGS / "heuristic").glob("*.yaml")} - {
        "kvpress"
    }


def test_names_put_methods_side_by_side() -> None:
    assert list(composed("heuristic=[tova,claa]")) == ["tova", "claa"]


def test_hashes_are_short_and_differ() -> None:
    assert len(short_hash("a")) == len(short_hash("b" * 10_000)) == 8
    assert short_hash("a") != short_hash("b")
