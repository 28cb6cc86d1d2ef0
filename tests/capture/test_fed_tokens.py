"""FedTokens: which rows a chain of layers is given, after no, one and several drops; places, rows and positions by hand."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tokenrank.capture.fed_tokens import FedTokens

TOKENS = 8


class Layer(nn.Module):
    """Adds one to its states and remembers what it was given; may drop tokens while it runs."""

    def __init__(self, fed: FedTokens, places: list[int] | None) -> None:
        super().__init__()
        self.fed, self.places = fed, places
        self.seen: dict[str, Any] = {}

    def forward(
        self, hidden_states: Tensor, position_embeddings: tuple[Tensor, Tensor], attention_mask: Tensor, flag: bool
    ) -> Tensor:
        """One more."""
        self.seen = {
            "states": hidden_states,
            "rotary": position_embeddings,
            "mask": attention_mask,
            "ids": self.fed.ids,
        }
        self.seen |= {"positions": self.fed.positions, "flag": flag}
        if self.places is not None:
            self.fed.drop_all_but(torch.tensor(self.places))
        return hidden_states + 1


def run(
    drops: list[list[int] | None], *, positions: Tensor | None = None, by_name: bool = False
) -> tuple[list[Layer], list[int], Tensor]:
    """The layers after a pass, the numbers of dropped tokens that were told, and the output."""
    fed = FedTokens(torch.arange(TOKENS) + 50, positions)
    layers = nn.ModuleList([Layer(fed, places) for places in drops])
    told: list[int] = []
    states = torch.arange(TOKENS, dtype=torch.float32)[None, :, None].expand(1, TOKENS, 3)
    rotary = (torch.arange(TOKENS)[None, :, None], torch.arange(TOKENS)[None, :, None] + 30)
    mask = torch.zeros(1, 1, TOKENS, TOKENS)
    with fed.fed_to(layers, told.append):
        for layer in layers:
            given: dict[str, Any] = {"position_embeddings": rotary, "attention_mask": mask, "flag": True}
            states = layer(hidden_states=states, **given) if by_name else layer(states, **given)
    assert not any(layer._forward_pre_hooks or layer._forward_hooks for layer in layers)
    return [layer for layer in layers if isinstance(layer, Layer)], told, states


@pytest.mark.parametrize("by_name", [False, True])
def test_each_layer_is_given_what_the_drops_before_it_left(by_name: bool) -> None:
    layers, told, _ = run([None, [1, 3, 4, 6, 7], None, [3, 7], None], by_name=by_name)
    everything = list(range(TOKENS))
    left = [everything, everything, [1, 3, 4, 6, 7], [1, 3, 4, 6, 7], [3, 7]]
    for number, (layer, places) in enumerate(zip(layers, left, strict=True)):
        assert layer.seen["states"][0, :, 0].tolist() == [place + number for place in places]
        assert layer.seen["rotary"][0][0, :, 0].tolist() == places
        assert layer.seen["rotary"][1][0, :, 0].tolist() == [place + 30 for place in places]
        assert layer.seen["ids"].tolist() == [place + 50 for place in places]
        assert layer.seen["positions"].tolist() == places
        assert layer.seen["mask"].shape == (1, 1, TOKENS, TOKENS)  # replaced elsewhere
        assert layer.seen["flag"] is True
    assert told == [3, 3]


def test_the_output_has_the_prompts_length_and_ends_with_what_is_left() -> None:
    _, _, output = run([[2, 5, 7], None])
    assert output.shape == (1, TOKENS, 3)
    assert output[0, :, 0].tolist() == [0, 0, 0, 0, 0, 2 + 2, 5 + 2, 7 + 2]


def test_without_a_drop_nothing_is_touched() -> None:
    layers, told, output = run([None, None])
    assert layers[1].seen["mask"] is layers[0].seen["mask"]
    assert told == []
    assert output[0, :, 0].tolist() == [place + 2 for place in range(TOKENS)]


def test_positions_follow_their_tokens() -> None:
    positions = torch.tensor([0, 2, 3, 9, 10, 11, 20, 21])
    layers, _, _ = run([[1, 3, 7], None], positions=positions)
    assert layers[1].seen["positions"].tolist() == [2, 9, 21]


@pytest.mark.parametrize(("positions", "gaps"), [(None, False), (list(range(8)), False), (list(range(1, 9)), True)])
def test_positions_other_than_the_ordinary_ones_are_gaps(positions: list[int] | None, gaps: bool) -> None:
    given = None if positions is None else torch.tensor(positions)
    assert FedTokens(torch.arange(TOKENS), given).gaps is gaps


def test_a_drop_makes_gaps_from_the_next_layer_on() -> None:
    fed = FedTokens(torch.arange(TOKENS), None)
    noted: list[bool] = []
    layers = nn.ModuleList([Layer(fed, [1, 7]), Layer(fed, None)])
    for layer in layers:
        layer.register_forward_hook(lambda *_: noted.append(fed.gaps))
    states, rotary = torch.zeros(1, TOKENS, 3), (torch.zeros(1, TOKENS, 1), torch.zeros(1, TOKENS, 1))
    with fed.fed_to(layers, lambda _: None):
        for layer in layers:
            states = layer(states, position_embeddings=rotary, attention_mask=torch.zeros(1, 1, 1, 1), flag=False)
    assert noted == [False, True]


def test_rows_are_numbers_among_the_tokens_that_are_left() -> None:
    layers, _, _ = run([[1, 3, 4, 7], None])
    fed = layers[0].fed
    assert fed.rows(torch.tensor([[1, 7], [3, 4]])).tolist() == [[0, 3], [1, 2]]
    assert FedTokens(torch.arange(TOKENS), None).rows(torch.tensor([2, 5])).tolist() == [2, 5]


@pytest.mark.parametrize("places", [[2, 7], [0], [7, 8]])
def test_a_token_that_was_dropped_cannot_be_kept_later(places: list[int]) -> None:
    with pytest.raises(ValueError, match="a token that it dropped at an earlier layer"):
        run([[1, 3, 7], places, None])


@pytest.mark.parametrize("drops", list(pairwise([[0, 1, 2, 3, 4, 5, 6, 7], [1, 2, 7], [2, 7], [7]])))
def test_dropping_in_two_steps_is_dropping_in_one(drops: tuple[list[int], list[int]]) -> None:
    twice, once = (run(list(each))[0][2] for each in ([*drops, None], [None, drops[1], None]))
    assert torch.equal(twice.seen["states"], once.seen["states"])
    assert torch.equal(twice.seen["rotary"][0], once.seen["rotary"][0])


def test_states_of_several_streams_are_left_alone_where_nothing_is_dropped() -> None:
    fed = FedTokens(torch.arange(TOKENS), None)
    layers = nn.ModuleList([nn.Identity()])
    with fed.fed_to(layers, lambda _: None):
        assert layers[0](torch.zeros(4, 1, TOKENS, 3)).shape == (4, 1, TOKENS, 3)


def test_an_empty_prompt_is_refused() -> None:
    with pytest.raises(ValueError, match="the prompt is empty"):
        FedTokens(torch.arange(0), None)
