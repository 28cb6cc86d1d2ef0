"""NeedleInAHaystack: lengths to the token, the needle's place, the grid, the grade, and what is refused."""

from collections import Counter
from typing import Any

import pytest
from tokenizers import processors
from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.models.tiny import byte_tokenizer as new_byte_tokenizer
from tokenrank.tasks.niah import NEEDLE, OWNERS, QUESTION, TASK, NeedleInAHaystack
from tokenrank.tasks.task import Prompt

LENGTHS, DEPTHS = [400, 1000, 1001], [0.0, 33.3, 50.0, 75.0, 100.0]
READS = 8192  # tokens


def grid(lengths: list[int] = LENGTHS, depths: list[float] = DEPTHS, **settings: Any) -> NeedleInAHaystack:
    return NeedleInAHaystack(lengths=lengths, depths=depths, **settings)


def of_length(prompts: list[Prompt], length: int) -> list[Prompt]:
    return [prompt for prompt in prompts if len(prompt.input_ids) == length]


def place(prompt: Prompt) -> range:
    assert prompt.needle is not None
    return prompt.needle


def text(tokenizer: Tokenizer, prompt: Prompt, part: slice = slice(None)) -> str:
    return str(tokenizer.decode(list(prompt.input_ids[part])))


def cells(prompts: list[Prompt]) -> Counter[str]:
    """How often each length and depth was drawn."""
    return Counter(prompt.id.rpartition("_")[0] for prompt in prompts)


@pytest.mark.parametrize("chat_template", [True, False])
def test_every_prompt_is_exactly_as_long_as_asked(byte_tokenizer: Tokenizer, chat_template: bool) -> None:
    prompts = grid(chat_template=chat_template).prompts(byte_tokenizer, READS)
    assert [len(prompt.input_ids) for prompt in prompts] == [length for length in LENGTHS for _ in DEPTHS]
    for prompt in prompts:
        assert text(byte_tokenizer, prompt).startswith("<user>") == chat_template
        assert text(byte_tokenizer, prompt).endswith("<assistant>") == chat_template


def test_a_token_that_opens_the_text_counts_as_well() -> None:
    tokenizer = new_byte_tokenizer()
    tokenizer.add_special_tokens({"bos_token": "<|start|>"})
    start = tokenizer.convert_tokens_to_ids("<|start|>")
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<|start|> $A", special_tokens=[("<|start|>", start)]
    )
    for prompt in grid(chat_template=False).prompts(tokenizer, READS):
        assert len(prompt.input_ids) in LENGTHS
        assert (prompt.input_ids[0], prompt.input_ids.count(start)) == (start, 1)
        assert text(tokenizer, prompt, slice(place(prompt).start, place(prompt).stop)).startswith(" The code number")


def test_the_needles_tokens_are_the_needle(byte_tokenizer: Tokenizer) -> None:
    for prompt in grid().prompts(byte_tokenizer, READS):
        needle = text(byte_tokenizer, prompt, slice(place(prompt).start, place(prompt).stop))
        (value,) = prompt.answers
        (owner,) = (owner for owner in OWNERS if owner in needle)
        assert needle == NEEDLE.format(owner=owner, value=value)
        whole = text(byte_tokenizer, prompt)
        assert whole.count(value) == 1
        assert whole.count(QUESTION.format(owner=owner)) == 1


def test_deeper_needles_come_later(byte_tokenizer: Tokenizer) -> None:
    lengths = [2000, 5000]  # of enough sentences for every depth to have its own
    prompts = grid(lengths=lengths).prompts(byte_tokenizer, READS)
    for length in lengths:
        starts = [place(prompt).start for prompt in of_length(prompts, length)]
        assert starts == sorted(starts)
        assert len(set(starts)) == len(DEPTHS)


def test_depth_0_is_before_the_haystack_and_100_after_it(byte_tokenizer: Tokenizer) -> None:
    for length in LENGTHS:
        ends = of_length(grid(depths=[0, 100]).prompts(byte_tokenizer, READS), length)
        first, last = ends
        assert text(byte_tokenizer, first, slice(place(first).start)).endswith(TASK)
        assert (
            text(byte_tokenizer, last, slice(place(last).stop, None))
            .lstrip("\n")
            .startswith(QUESTION.partition("{")[0])
        )
        (middle,) = of_length(grid(depths=[50]).prompts(byte_tokenizer, READS), length)
        assert not text(byte_tokenizer, middle, slice(place(middle).start)).endswith(TASK)


def test_one_prompt_a_cell_in_the_order_of_the_grid(byte_tokenizer: Tokenizer) -> None:
    prompts = grid(lengths=LENGTHS[::-1], depths=DEPTHS[::-1]).prompts(byte_tokenizer, READS)
    assert [prompt.id for prompt in prompts] == [f"niah_{length}_{depth:g}_0" for length in LENGTHS for depth in DEPTHS]
    assert {(prompt.task, prompt.max_new_tokens, prompt.cut_tokens) for prompt in prompts} == {("niah", 16, 0)}


def test_a_prompt_knows_the_depth_that_was_asked_for(byte_tokenizer: Tokenizer) -> None:
    prompts = grid(lengths=[400, 1000], depths=[0, 33.3, 100]).prompts(byte_tokenizer, READS)
    assert [prompt.depth for prompt in prompts] == [0.0, 33.3, 100.0] * 2
    assert {type(prompt.depth) for prompt in prompts} == {float}


def test_fewer_samples_than_cells_are_different_cells_drawn_by_the_seed(byte_tokenizer: Tokenizer) -> None:
    drawn = [cells(grid(samples=6, seed=seed).prompts(byte_tokenizer, READS)) for seed in (0, 0, 1)]
    assert all(len(each) == 6 and set(each.values()) == {1} for each in drawn)
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize("samples", [16, 30, 37])
def test_more_samples_than_cells_are_spread_evenly(byte_tokenizer: Tokenizer, samples: int) -> None:
    prompts = grid(samples=samples).prompts(byte_tokenizer, READS)
    assert len(prompts) == len({prompt.id for prompt in prompts}) == samples
    assert len({prompt.input_ids for prompt in prompts}) == samples  # a repeat has words of its own
    counts = cells(prompts)
    assert len(counts) == len(LENGTHS) * len(DEPTHS)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_the_same_seed_makes_the_same_prompts_and_another_others(byte_tokenizer: Tokenizer) -> None:
    first, again, other = (grid(seed=seed).prompts(byte_tokenizer, READS) for seed in (4, 4, 5))
    assert first == again
    assert all(one.input_ids != another.input_ids for one, another in zip(first, other, strict=True))


def test_a_cells_prompt_does_not_depend_on_the_other_cells(byte_tokenizer: Tokenizer) -> None:
    (alone,) = grid(lengths=[1000], depths=[50.0]).prompts(byte_tokenizer, READS)
    assert alone.input_ids in [prompt.input_ids for prompt in grid().prompts(byte_tokenizer, READS)]


def test_an_answer_is_right_if_it_holds_the_number(byte_tokenizer: Tokenizer) -> None:
    task = grid(lengths=[400], depths=[0])
    (prompt,) = task.prompts(byte_tokenizer, READS)
    (value,) = prompt.answers
    assert task.grade(prompt, value) == 1
    assert task.grade(prompt, f"The code number is {value}.\n") == 1
    assert task.grade(prompt, value[:-1]) == 0
    assert task.grade(prompt, "") == 0


def test_too_short_a_length_is_refused_with_what_is_needed(byte_tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match=r"task.lengths holds 100, at least [0-9]+ tokens are needed") as raised:
        grid(lengths=[100], depths=[50]).prompts(byte_tokenizer, READS)
    needed = int(str(raised.value).split("at least ")[1].split()[0])
    assert needed > 100


def test_the_shortest_lengths_are_met_exactly_or_refused(byte_tokenizer: Tokenizer) -> None:
    refused = set()
    for length in range(150, 300):
        try:
            (prompt,) = grid(lengths=[length], depths=[50]).prompts(byte_tokenizer, READS)
        except ValueError:
            refused.add(length)
        else:
            assert len(prompt.input_ids) == length
    assert 150 in refused
    assert 299 not in refused


def test_too_long_a_length_is_refused_with_what_is_possible(byte_tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match=r"holds 985, .* reads 1000 tokens, 16 of them .*: at most 984"):
        grid(lengths=[400, 985]).prompts(byte_tokenizer, 1000)
    assert len(grid(lengths=[400, 984]).prompts(byte_tokenizer, 1000)) == 2 * len(DEPTHS)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"depths": [50, 101]}, "task.depths holds 101, must be from 0 to 100"),
        ({"depths": [-1]}, "task.depths holds -1"),
        ({"depths": []}, "must each hold at least one value"),
        ({"lengths": []}, "must each hold at least one value"),
        ({"samples": 0}, "task.samples is 0, must be at least 1"),
        ({"samples": -2}, "task.samples is -2"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        grid(**settings)


def test_prompts_of_one_id_are_the_same(byte_tokenizer: Tokenizer) -> None:
    whole, decimal = (grid(lengths=[1000], depths=[depth]).prompts(byte_tokenizer, READS) for depth in (50, 50.0))
    assert [prompt.id for prompt in whole] == [prompt.id for prompt in decimal]
    assert whole == decimal


@pytest.mark.parametrize(
    "settings", [{"lengths": [400, 400]}, {"depths": [50, 50.0]}, {"depths": [33.33331, 33.33332]}]
)
def test_ids_are_unique_or_the_settings_refused(byte_tokenizer: Tokenizer, settings: dict[str, Any]) -> None:
    try:
        prompts = grid(**settings).prompts(byte_tokenizer, READS)
    except ValueError:
        return
    assert len({prompt.id for prompt in prompts}) == len(prompts)
