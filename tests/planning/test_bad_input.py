"""Errors in one sentence, with the nearest names for a word that is not known."""

from hydra.errors import MissingConfigException

from tokenrank.planning.bad_input import one_sentence


def test_several_lines_become_one() -> None:
    assert one_sentence(ValueError("a is 1,\n   must be 2")) == "a is 1, must be 2"


def test_an_error_without_words_is_named() -> None:
    assert one_sentence(KeyError()) == "KeyError"


def test_the_nearest_names_are_offered() -> None:
    error = MissingConfigException("no", "heuristic/snapkw", ["claa", "snapkv", "tova"])
    assert one_sentence(error) == "heuristic=snapkw is not known; did you mean snapkv? There are: claa, snapkv, tova"


def test_nothing_is_offered_where_nothing_is_near() -> None:
    error = MissingConfigException("no", "task/zzz", ["niah", "prompts"])
    assert one_sentence(error) == "task=zzz is not known. There are: niah, prompts"
