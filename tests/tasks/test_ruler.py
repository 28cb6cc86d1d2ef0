"""Ruler: lengths, ids, which prompts are drawn, the opening of the answer, the grade, one run, and what is refused."""

from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from transformers import PreTrainedTokenizerBase as Tokenizer

from tests.command import Command
from tests.tasks.tokenizers_of_kinds import KINDS as TOKENIZERS
from tokenrank.models.tiny import byte_tokenizer as new_byte_tokenizer
from tokenrank.tasks.chat import Chat, final_text
from tokenrank.tasks.ruler import KINDS, Ruler
from tokenrank.tasks.task import Prompt
from tokenrank.tasks.tokens import final_ids

ALL = list(KINDS)
NEW_TOKENS = {"niah": 128, "vt": 30, "cwe": 120, "fwe": 50}
READS = 16384  # tokens


def ruler(kind: list[str] = ALL, lengths: list[int] | None = None, **settings: Any) -> Ruler:
    return Ruler(kind=kind, lengths=lengths or [3000, 3500], **settings)


def text(tokenizer: Tokenizer, prompt: Prompt) -> str:
    return str(tokenizer.decode(list(prompt.input_ids)))


@pytest.mark.parametrize("chat_template", [True, False])
def test_needles_and_variables_are_exactly_as_long_as_asked_and_lists_a_few_tokens_less(
    byte_tokenizer: Tokenizer, chat_template: bool
) -> None:
    lengths = [3000, 3001, 7001, 8000]
    for prompt in ruler(lengths=lengths, chat_template=chat_template).prompts(byte_tokenizer, READS):
        kind, length = prompt.task.removeprefix("ruler/"), int(prompt.id.split("_")[-2])
        missing = length - len(prompt.input_ids)
        # one more of the other words and its numbers, one, or three from 4,096 tokens on; at most the words that one more draw adds
        slack = {"cwe": 3 * len(" 1000. tomak") if length >= 4096 else len(" 1000. tomak"), "fwe": 4 * len(" abcdef")}
        assert 0 <= missing < slack.get(kind, 1)


def test_a_token_that_opens_the_text_counts_as_well() -> None:
    from tokenizers import processors

    tokenizer = new_byte_tokenizer()
    tokenizer.add_special_tokens({"bos_token": "<|start|>"})
    start = tokenizer.convert_tokens_to_ids("<|start|>")
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<|start|> $A", special_tokens=[("<|start|>", start)]
    )
    for prompt in ruler(chat_template=False).prompts(tokenizer, READS):
        assert (prompt.input_ids[0], prompt.input_ids.count(start)) == (start, 1)
        assert len(prompt.input_ids) <= int(prompt.id.split("_")[-2])


@pytest.mark.parametrize("chat_template", [True, False])
@pytest.mark.parametrize("tokenizer_kind", TOKENIZERS)
def test_special_tokens_stand_where_the_template_or_the_tokenizer_puts_them(
    tokenizer_kind: str, chat_template: bool
) -> None:
    tokenizer = TOKENIZERS[tokenizer_kind]()
    control = set(tokenizer.added_tokens_decoder)
    final = final_text(tokenizer, "Why?", chat=Chat() if chat_template else None, opening="So")
    wanted = [token for token in final_ids(tokenizer, final) if token in control]
    for prompt in ruler(lengths=[3000], chat_template=chat_template).prompts(tokenizer, READS):
        assert [token for token in prompt.input_ids if token in control] == wanted


def test_a_tokenizer_that_puts_a_space_in_front_of_texts_doubles_none() -> None:
    tokenizer = TOKENIZERS["legacy_llama"]()
    for prompt in ruler(lengths=[3000], chat_template=False).prompts(tokenizer, READS):
        assert "  " not in str(tokenizer.decode(list(prompt.input_ids), skip_special_tokens=True))


def test_an_answers_length_can_be_set(byte_tokenizer: Tokenizer) -> None:
    assert {prompt.max_new_tokens for prompt in ruler(max_new_tokens=7).prompts(byte_tokenizer, READS)} == {7}
    with pytest.raises(ValueError, match=r"task\.max_new_tokens is 0, must be at least 1, or null"):
        ruler(max_new_tokens=0)
    with pytest.raises(ValueError, match=r"reads 3500 tokens, 600 of them kept for the answer: at most 2900"):
        ruler(lengths=[3000], max_new_tokens=600).prompts(byte_tokenizer, 3500)


def test_prompts_come_in_the_order_of_the_settings(byte_tokenizer: Tokenizer) -> None:
    prompts = ruler(["vt", "niah_single"], [2000, 1500], samples=8).prompts(byte_tokenizer, READS)
    assert [prompt.id for prompt in prompts] == [
        f"{kind}_{length}_{repeat}" for kind in ("vt", "niah_single") for length in (2000, 1500) for repeat in (0, 1)
    ]
    for kind, prompt in zip(ALL, ruler(lengths=[3000]).prompts(byte_tokenizer, READS), strict=True):
        assert (prompt.task, prompt.max_new_tokens) == (f"ruler/{kind}", NEW_TOKENS[kind.split("_")[0]])
        assert prompt.cut_tokens == 0


@pytest.mark.parametrize("samples", [3, 16, 21])
def test_samples_are_spread_evenly_over_kinds_and_lengths(byte_tokenizer: Tokenizer, samples: int) -> None:
    prompts = ruler(samples=samples).prompts(byte_tokenizer, READS)
    assert len({prompt.id for prompt in prompts}) == len({prompt.input_ids for prompt in prompts}) == samples
    counts = Counter(prompt.id.rpartition("_")[0] for prompt in prompts)
    assert len(counts) == min(samples, 2 * len(ALL))
    assert max(counts.values()) - min(counts.values()) <= 1


def test_the_same_seed_makes_the_same_prompts_and_another_others(byte_tokenizer: Tokenizer) -> None:
    first, again, other = (ruler(seed=seed).prompts(byte_tokenizer, READS) for seed in (4, 4, 5))
    assert first == again
    assert all(
        one.input_ids != another.input_ids and one.answers != another.answers
        for one, another in zip(first, other, strict=True)
    )


def test_a_prompt_does_not_depend_on_the_others_and_asks_the_same_at_every_length(byte_tokenizer: Tokenizer) -> None:
    every = {prompt.id: prompt for prompt in ruler(lengths=[3000, 7000], samples=32).prompts(byte_tokenizer, READS)}
    for kind in ALL:
        (alone,) = ruler([kind], [7000]).prompts(byte_tokenizer, READS)
        assert alone == every[alone.id]
        assert alone.answers == every[f"{kind}_3000_0"].answers != every[f"{kind}_3000_1"].answers


def test_the_prompt_ends_with_the_opening_of_the_answer(byte_tokenizer: Tokenizer) -> None:
    as_chat, bare = (ruler(chat_template=chat).prompts(byte_tokenizer, READS) for chat in (True, False))
    for one, other in zip(as_chat, bare, strict=True):
        before, opening = text(byte_tokenizer, one).split("</user><assistant>")
        assert before.startswith("<user>")
        assert text(byte_tokenizer, other).endswith(f"?\n{opening}") or one.task == "ruler/fwe"
        assert 20 < len(opening) < 100
        assert opening == opening.strip()
        assert not any(answer in opening for answer in one.answers)


def test_the_grade_is_the_share_of_the_references_that_stand_in_the_answer(byte_tokenizer: Tokenizer) -> None:
    task = ruler(["vt"], [2000])
    (prompt,) = task.prompts(byte_tokenizer, READS)
    names = prompt.answers
    assert len(names) == 5
    assert task.grade(prompt, " ".join(reversed(names))) == 1
    assert task.grade(prompt, f"they are {names[0].lower()},{names[3]}") == 0.4
    assert task.grade(prompt, f"{names[0]} {names[0]}") == 0.2
    assert task.grade(prompt, names[0][:-1]) == task.grade(prompt, "") == 0


@pytest.mark.parametrize("kind", ALL)
def test_too_short_a_length_is_refused_with_what_is_needed(byte_tokenizer: Tokenizer, kind: str) -> None:
    with pytest.raises(ValueError, match=rf"task.lengths holds 200, and {kind} needs at least \d+ tokens") as raised:
        ruler([kind], [200]).prompts(byte_tokenizer, READS)
    needed = int(str(raised.value).split("at least ")[1].split()[0])
    (prompt,) = ruler([kind], [needed]).prompts(byte_tokenizer, READS)
    assert len(prompt.input_ids) == needed
    with pytest.raises(ValueError, match=f"holds {needed - 1}, .* at least {needed} tokens"):
        ruler([kind], [needed - 1]).prompts(byte_tokenizer, READS)


def test_too_long_a_length_is_refused_with_what_is_possible(byte_tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match=r"holds 3001, .* reads 3030 tokens, 30 of them .*: at most 3000"):
        ruler(["vt"], [2000, 3001]).prompts(byte_tokenizer, 3030)
    assert len(ruler(["vt"], [2000, 3000]).prompts(byte_tokenizer, 3030)) == 2
    with pytest.raises(ValueError, match="120 of them"):
        ruler(["vt", "cwe"], [3000]).prompts(byte_tokenizer, 3030)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": ["vt", "niah"]}, "task.kind holds 'niah', must name at least one of niah_single, .*, fwe"),
        ({"kind": []}, "task.kind is empty, must name at least one of niah_single"),
        ({"kind": ["vt", "vt"]}, "task.kind holds one kind twice"),
        ({"lengths": [300, 300]}, "task.lengths holds one value twice"),
        ({"lengths": [300, 0]}, "task.lengths holds 0, must be at least 1"),
        ({"samples": 0}, "task.samples is 0, must be at least 1"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ruler(**settings)


def test_no_length_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match=r"task\.lengths is empty"):
        Ruler(kind=ALL, lengths=[])


def test_a_run_ranks_every_kind(tokenrank: Command, tmp_path: Path) -> None:
    ended = tokenrank("model=tiny", "task=ruler", "task.lengths=[2500]", "heuristic=[claa,random]", "metric=recall")
    assert ended.code == 0, ended.err
    samples = pd.read_parquet(tmp_path / "run" / "samples.parquet").set_index("id")
    kinds = [kind for kind in ALL if kind != "niah_multikey_2"]
    assert list(samples.index) == [f"{kind}_2500_0" for kind in kinds]
    assert (samples["status"] == "ok").all()
    assert samples["accuracy"].between(0, 1).all()
    assert samples["needle_tokens"].notna().tolist() == [kind in ("niah_single", "niah_multikey") for kind in kinds]


def test_a_run_with_an_unknown_kind_ends_with_one_sentence(tokenrank: Command, tmp_path: Path) -> None:
    ended = tokenrank("model=tiny", "task=ruler", "task.kind=[qa]")
    assert ended.code == 2
    assert "task.kind holds 'qa'" in ended.err
    assert not (tmp_path / "run").exists()
