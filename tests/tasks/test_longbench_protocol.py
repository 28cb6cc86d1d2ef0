"""LongBench's three protocols: where too long a text is cut, how long answers are, how samsum's begin and end.

The reference for the cut is worked out here with the tokenizer alone, step by step as pred.py describes it.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase as Tokenizer

from tests.tasks.tokenizers_of_kinds import KINDS, adds_eos, legacy_llama, llama3, smollm2
from tokenrank.tasks.longbench import LongBench
from tokenrank.tasks.task import Prompt

READS = 8192  # tokens
LENGTHS = {"qasper": 128, "trec": 64, "samsum": 100}
WORDS = dict.fromkeys(LENGTHS, "Read.\n{context}\nAsked: {input}\nSaid:")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "dataset2prompt.json").write_text(json.dumps(WORDS))
    (tmp_path / "dataset2maxlen.json").write_text(json.dumps(LENGTHS))
    for subset in LENGTHS:
        row = {"context": " ".join(f"the box of {subset}, {n}." for n in range(40)), "input": "Why?", "answers": ["a"]}
        (tmp_path / f"{subset}.jsonl").write_text(json.dumps(row | {"all_classes": ["a", "b"]}))
    return tmp_path


def prompts(folder: Path, tokenizer: Tokenizer, reads: int = READS, **settings: Any) -> dict[str, Prompt]:
    settings = {"without_chat_template": ["trec", "samsum"]} | settings
    made = LongBench(list(LENGTHS), path=str(folder), **settings).prompts(tokenizer, reads)
    return {prompt.task.removeprefix("longbench/"): prompt for prompt in made}


def worded(folder: Path, subset: str) -> str:
    row = json.loads((folder / f"{subset}.jsonl").read_text())
    return WORDS[subset].format(context=row["context"], input=row["input"])


def by_hand(tokenizer: Tokenizer, text: str, limit: int, *, special: bool, chat: bool) -> list[int]:
    """The tokens of a prompt whose text was cut before the chat template was put around it."""
    tokens = tokenizer(text, add_special_tokens=special)["input_ids"]
    if len(tokens) > limit:
        half = int(limit / 2)
        ends = (tokens[:half], tokens[-half:])
        text = "".join(str(tokenizer.decode(end, skip_special_tokens=True)) for end in ends)
    if not chat:
        return list(tokenizer(text)["input_ids"])
    turns = [{"role": "user", "content": text}]
    return list(tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False))


@pytest.mark.parametrize("limit", [100, 101, 700, 5000])
@pytest.mark.parametrize("protocol", ["longbench", "paper"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_text_is_cut_before_the_chat_template(folder: Path, kind: str, protocol: str, limit: int) -> None:
    tokenizer = KINDS[kind]()
    for subset, prompt in prompts(folder, tokenizer, max_tokens=limit, protocol=protocol).items():
        special = protocol == "longbench"
        text, chat = worded(folder, subset), subset == "qasper"
        assert list(prompt.input_ids) == by_hand(tokenizer, text, limit, special=special, chat=chat)
        tokens = len(tokenizer(text, add_special_tokens=special)["input_ids"])
        assert prompt.cut_tokens == (tokens - limit // 2 * 2 if tokens > limit else 0)


def test_the_protocols_differ_where_a_prompt_is_cut_and_nowhere_else(folder: Path) -> None:
    tokenizer = llama3()
    cut = [
        prompts(folder, tokenizer, max_tokens=100, protocol=name)["qasper"]
        for name in ("tokenrank", "longbench", "paper")
    ]
    assert len(cut[0].input_ids) == 100  # of the whole prompt
    assert len({prompt.input_ids for prompt in cut}) == 3
    whole = [prompts(folder, tokenizer, protocol=name)["qasper"] for name in ("tokenrank", "longbench", "paper")]
    assert len({prompt.input_ids for prompt in whole}) == 1


@pytest.mark.parametrize("protocol", ["longbench", "paper"])
def test_the_chat_template_fits_into_what_the_model_reads(folder: Path, protocol: str) -> None:
    tokenizer = smollm2()
    for reads in (300, 301, 310, 500):
        found = prompts(folder, tokenizer, reads, protocol=protocol, max_new_tokens=50)
        for prompt in found.values():
            assert reads - 52 <= len(prompt.input_ids) <= reads - 50
        assert str(tokenizer.decode(list(found["qasper"].input_ids))).endswith("<|im_start|>assistant\n")
    with pytest.raises(ValueError, match=r"the text of a prompt may have -?\d+ tokens beside the chat template"):
        prompts(folder, tokenizer, 60, protocol=protocol, max_new_tokens=50)


def test_answers_are_as_long_as_the_protocol_says(folder: Path) -> None:
    tokenizer = smollm2()
    for protocol, trec in (("tokenrank", 64), ("longbench", 64), ("paper", 4)):
        found = prompts(folder, tokenizer, protocol=protocol)
        assert {name: prompt.max_new_tokens for name, prompt in found.items()} == LENGTHS | {"trec": trec}
        assert {
            each.max_new_tokens for each in prompts(folder, tokenizer, protocol=protocol, max_new_tokens=9).values()
        } == {9}


@pytest.mark.parametrize("make", [smollm2, llama3, adds_eos, legacy_llama])
def test_samsum_may_not_begin_with_a_line_break_or_an_end_and_ends_at_a_line_break(folder: Path, make: Any) -> None:
    tokenizer = make()
    line_break = tokenizer("\n", add_special_tokens=False)["input_ids"][-1]
    found = prompts(folder, tokenizer, protocol="longbench")
    assert (found["samsum"].stop_ids, set(found["samsum"].not_first_ids)) == (
        (line_break,), {line_break, tokenizer.eos_token_id},
    )  # fmt: skip
    free = [found["qasper"], found["trec"], *prompts(folder, tokenizer).values()]
    free += prompts(folder, tokenizer, protocol="paper").values()
    assert {(prompt.stop_ids, prompt.not_first_ids) for prompt in free} == {((), ())}


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(ValueError, match=r"task\.protocol is 'mine', must be one of tokenrank, longbench, paper"):
        LongBench(["qasper"], protocol="mine")
