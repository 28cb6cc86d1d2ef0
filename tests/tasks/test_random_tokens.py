"""RandomTokens: lengths, which tokens, the seed, one run, and what is refused."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from transformers import PreTrainedTokenizerBase as Tokenizer

from tests.command import Command
from tokenrank.models.tiny import byte_tokenizer as new_byte_tokenizer
from tokenrank.tasks.random_tokens import RandomTokens


def test_prompts_are_as_long_as_asked_in_the_order_asked(byte_tokenizer: Tokenizer) -> None:
    prompts = RandomTokens(lengths=[300, 5, 1000]).prompts(byte_tokenizer, 8192)
    assert [(prompt.id, len(prompt.input_ids)) for prompt in prompts] == [
        ("random_300", 300),
        ("random_5", 5),
        ("random_1000", 1000),
    ]
    assert {(prompt.task, prompt.answers, prompt.needle, prompt.max_new_tokens) for prompt in prompts} == {
        ("random_tokens", (), None, 16)
    }


def test_all_ordinary_tokens_come_and_no_special_one() -> None:
    tokenizer = new_byte_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|x|>"]})
    tokenizer.add_tokens(["added"])
    assert len(tokenizer) == 259
    (prompt,) = RandomTokens(lengths=[8000]).prompts(tokenizer, 8192)
    assert set(prompt.input_ids) == set(range(256))


def test_the_seed_decides_and_other_lengths_do_not(byte_tokenizer: Tokenizer) -> None:
    (alone,) = RandomTokens(lengths=[300]).prompts(byte_tokenizer, 8192)
    _, beside = RandomTokens(lengths=[200, 300]).prompts(byte_tokenizer, 8192)
    (other,) = RandomTokens(lengths=[300], seed=1).prompts(byte_tokenizer, 8192)
    assert alone == beside
    assert alone.input_ids != other.input_ids


def test_there_is_no_grade(byte_tokenizer: Tokenizer) -> None:
    task = RandomTokens(lengths=[300])
    assert task.grade(task.prompts(byte_tokenizer, 8192)[0], "x") is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lengths": []}, r"task\.lengths is empty"),
        ({"lengths": [5, 5]}, r"task\.lengths holds one value twice"),
        ({"lengths": [-5]}, r"task\.lengths holds -5"),
        ({"max_new_tokens": 0}, r"task\.max_new_tokens is 0"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RandomTokens(**({"lengths": [5]} | settings))


def test_too_long_a_length_is_refused_with_what_is_possible(byte_tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match=r"holds 985, .*: at most 984"):
        RandomTokens(lengths=[984, 985]).prompts(byte_tokenizer, 1000)


def test_a_run_ranks_them(tokenrank: Command, tmp_path: Path) -> None:
    ended = tokenrank(
        *("model=tiny", "task=random_tokens", "task.lengths=[200,300]", "task.max_new_tokens=4", "heuristic=random"),
        "metric=recall",
    )
    assert ended.code == 0, ended.err
    samples = pd.read_parquet(tmp_path / "run" / "samples.parquet")
    assert list(samples["tokens"]) == [200, 300]
    assert samples["accuracy"].isna().all()
