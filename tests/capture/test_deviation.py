"""Deviation: the prompt's part of attention worked by hand, the largest difference, and what eager attention gives."""

from dataclasses import replace

import pytest
import torch

from tests.slow import attention, random_layer
from tokenrank.capture.deviation import answer_truth, furthest, over_prompt, own_attention
from tokenrank.capture.reading import read
from tokenrank.models.architectures import tiny_of


def test_the_answers_part_is_taken_out_and_the_rest_sums_to_one() -> None:
    rows = torch.tensor([[[0.2, 0.3, 0.4, 0.1]]])  # two tokens of the prompt, two of the answer
    assert torch.allclose(over_prompt(rows, 2, has_sink=False), torch.tensor([[[0.4, 0.6]]]))


def test_a_sink_keeps_its_share() -> None:
    rows = torch.tensor([[[0.1, 0.3, 0.5]]])  # 0.1 goes to the sink
    assert torch.allclose(over_prompt(rows, 2, has_sink=True), torch.tensor([[[0.2, 0.6]]]))
    assert torch.allclose(over_prompt(rows, 2, has_sink=False), torch.tensor([[[0.25, 0.75]]]))


def test_a_query_that_sees_nothing_of_the_prompt_attends_to_nothing() -> None:
    rows = torch.tensor([[[0.0, 0.0, 1.0]]])
    assert over_prompt(rows, 2, has_sink=False).tolist() == [[[0.0, 0.0]]]


def test_the_largest_difference_is_found_wherever_it_is() -> None:
    layer = random_layer(tokens=12)
    truth = torch.from_numpy(attention(layer)).float()
    assert furthest(layer, truth) < 1e-6
    truth[2, 7, 3] += 0.25
    assert furthest(layer, truth) == pytest.approx(0.25, abs=1e-5)


def test_eager_attention_comes_layer_by_layer_and_only_where_there_is_attention() -> None:
    ids = torch.arange(9)
    rows = own_attention(tiny_of("llama", "eager"), ids)
    assert [each.shape for each in rows] == [(4, 9, 9)] * 3
    assert all(torch.allclose(each.sum(-1), torch.ones(4, 9), atol=1e-5) for each in rows)
    assert len(own_attention(tiny_of("jamba (hybrid)", "eager"), ids)) == 1


def test_the_truth_of_an_answer_is_one_row_for_each_of_its_tokens() -> None:
    ids, model = torch.arange(20), tiny_of("llama", "eager")
    reading = read(model, ids, lambda _: None, max_new_tokens=4)
    truth = answer_truth(model, ids, reading.answer_ids, reading.answer_layers)
    assert [each.shape for each in truth] == [(4, 4, 20)] * 3
    assert max(map(furthest, reading.answer_layers, truth)) < 1e-5
    wrong = replace(reading.answer_layers[0], scale=2 * reading.answer_layers[0].scale)
    assert furthest(wrong, truth[0]) > 1e-3
