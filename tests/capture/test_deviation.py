"""Deviation: the prompt's part of attention worked by hand, the largest difference, and what eager attention gives."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.slow import attention, random_layer
from tokenrank.capture.deviation import answer_truth, furthest, over_prompt, own_attention, with_sinks
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


def test_the_share_of_a_sink_that_eager_weights_leave_out_is_taken_out() -> None:
    """granite_swa scales a layer's output by sigmoid(log-sum-exp of the logits - sink) and shows weights that sum to 1."""
    model, ids = tiny_of("granite_swa (window)", "eager"), torch.arange(20)
    for layer in model.model.layers:
        layer.self_attn.sinks.data.fill_(1.0)
    with torch.no_grad():
        shown = [rows[0] for rows in model(input_ids=ids[None], output_attentions=True).attentions]
    assert all(torch.allclose(rows.sum(-1), torch.ones(4, 20), atol=1e-5) for rows in shown)
    whole, alone = own_attention(model, ids), with_sinks(model, ids, shown, one_by_one=5)
    first = model.model.layers[0]
    seen: list[Tensor] = []
    handle = first.self_attn.register_forward_pre_hook(
        lambda _, __, named: seen.append(named["hidden_states"]), with_kwargs=True
    )
    with torch.no_grad():
        model(input_ids=ids[None])
        handle.remove()
        query, key = (
            getattr(first.self_attn, name)(seen[0])[0, 0] for name in ("q_proj", "k_proj")
        )  # of token 0, not turned
        logits = (query.view(4, 8) * key.view(2, 8).repeat_interleave(2, dim=0)).sum(-1) * first.self_attn.scaling
    assert torch.allclose(whole[0][:, 0, 0], torch.sigmoid(logits - 1.0), atol=1e-5)
    for one, other in zip(whole, alone, strict=True):
        assert torch.allclose(one, other, atol=1e-5)
        assert (one.sum(-1) < 1).all()
    plain = tiny_of("llama", "eager")
    assert all(rows.sum(-1).min() > 0.999 for rows in own_attention(plain, ids))
