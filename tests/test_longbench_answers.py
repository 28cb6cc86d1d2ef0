"""samsum's answers under LongBench's protocol, against generate() with the arguments of its pred.py."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.evaluation.scoring import rank
from tokenrank.oracle.answer_attention import AttentionOracle
from tokenrank.tasks.longbench import LongBench
from tokenrank.tasks.task import Prompt

TOKENS = 12  # of an answer


@pytest.fixture
def line_breaker(tiny_model: PreTrainedModel, byte_tokenizer: Tokenizer) -> PreTrainedModel:
    """The tiny model, with a line break as the first token of these answers, and a likely one later."""
    copied = copy.deepcopy(tiny_model)
    model: Any = copied
    weight = model.lm_head.weight.data
    with torch.no_grad():
        text = torch.tensor([list(b"Read.\nAnna: 4 apples\nSo?")])
        states = model.model(text).last_hidden_state[0]
    usual = states.mean(dim=0)
    usual *= weight.norm(dim=1).mean() / usual.norm()
    weight[line_break(byte_tokenizer)] = usual + 1.5 * weight[int(model.lm_head(states[-1]).argmax())]
    return copied


def line_break(tokenizer: Tokenizer) -> int:
    return int(tokenizer("\n", add_special_tokens=False)["input_ids"][-1])


def prompts(folder: Path, tokenizer: Tokenizer, protocol: str) -> list[Prompt]:
    (folder / "dataset2prompt.json").write_text(json.dumps({"samsum": "Read.\n{context}\n{input}"}))
    (folder / "dataset2maxlen.json").write_text(json.dumps({"samsum": TOKENS}))
    rows = [{"context": f"Anna: {n * n} apples", "input": "So?", "answers": ["a"]} for n in range(12)]
    (folder / "samsum.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return LongBench(["samsum"], path=str(folder), protocol=protocol, chat_template=False).prompts(tokenizer, 1000)


def answers(model: PreTrainedModel, made: list[Prompt]) -> list[list[int]]:
    return [list(rank(model, prompt, {}, {"attention": AttentionOracle()}).answer.token_ids) for prompt in made]


def test_answers_are_those_of_generate_with_longbenchs_arguments(
    tmp_path: Path, line_breaker: PreTrainedModel, byte_tokenizer: Tokenizer
) -> None:
    made = prompts(tmp_path, byte_tokenizer, "longbench")
    found = answers(line_breaker, made)
    for prompt, answer in zip(made, found, strict=True):
        ids = torch.tensor([prompt.input_ids])
        ends = [byte_tokenizer.eos_token_id, line_break(byte_tokenizer)]
        wanted = line_breaker.generate(  # type: ignore[operator]
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=TOKENS, eos_token_id=ends,
            min_length=ids.shape[1] + 1, pad_token_id=256,
        )  # fmt: skip
        assert answer == wanted[0, ids.shape[1] :].tolist()
        assert line_break(byte_tokenizer) not in answer[:-1]
    assert sum(answer[-1] == line_break(byte_tokenizer) for answer in found) > 3


def test_without_the_protocol_answers_begin_with_line_breaks_and_go_on(
    tmp_path: Path, line_breaker: PreTrainedModel, byte_tokenizer: Tokenizer
) -> None:
    """The control: what the protocol prevents."""
    found = answers(line_breaker, prompts(tmp_path, byte_tokenizer, "paper"))
    assert sum(answer[0] == line_break(byte_tokenizer) for answer in found) > 3
    assert sum(line_break(byte_tokenizer) in answer[:-1] for answer in found) > 3
