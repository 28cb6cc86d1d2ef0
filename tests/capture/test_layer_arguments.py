"""A layer's arguments without dropped tokens: which are thinned goes by name, whatever axis happens to be as long as the prompt."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.prefill.cases import PLAIN, layers_of, model_of, prompt
from tests.prefill.slow import Hidden, masked_logits
from tokenrank.capture.layer_arguments import thinned
from tokenrank.capture.pruning import Keep, PrunedRun
from tokenrank.models.architectures import ARCHITECTURES

WHOLE, PLACES = 8, [1, 4, 7]
COINCIDING = [4, 8, 12, 16, 32, 48, 64]  # heads, head_dim, 3 heads, window, hidden_size, intermediate_size, vocab_size


class Layer(nn.Module):
    """Its forward says how positional arguments are called."""

    def forward(self, hidden_states: Tensor, per_layer_input: Any = None, table: Any = None, **rest: Any) -> Tensor:
        """Not called here."""
        raise NotImplementedError


def without(*given: Any, rows: Any = PLACES, **named: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a layer that processes PLACES of a prompt of WHOLE tokens; the layer before has processed all."""
    chosen = None if rows is None else torch.tensor(rows)
    return thinned(Layer(), given, named, whole=WHOLE, places=torch.tensor(PLACES), rows=chosen)


def numbered(*shape: int, axis: int) -> Tensor:
    """Each element is its own number on the axis of the tokens."""
    size = [1] * len(shape)
    size[axis] = shape[axis]
    return torch.arange(shape[axis]).view(size).expand(shape)


STATES = numbered(1, WHOLE, 3, axis=1)
KNOWN: list[tuple[str, Tensor]] = [
    ("position_embeddings", numbered(1, WHOLE, WHOLE, axis=-2)),
    ("position_embeddings", numbered(1, 1, WHOLE, 5, axis=-2)),
    ("position_embeddings", numbered(1, WHOLE, 3, axis=-2).to(torch.complex64)),
    ("attention_scaling", numbered(1, 1, WHOLE, 1, axis=-2)),
    ("position_ids", numbered(1, WHOLE, axis=-1)),
    ("position_ids", numbered(3, 1, WHOLE, axis=-1)),
    ("position_ids", numbered(WHOLE, 1, WHOLE, axis=-1)),
    ("cache_position", numbered(WHOLE, axis=-1)),
    ("input_ids", numbered(1, WHOLE, axis=-1)),
    ("per_layer_input", numbered(1, WHOLE, WHOLE, axis=1)),
    ("original_hidden_states", numbered(1, WHOLE, 3, axis=1)),
    ("attention_mask", numbered(1, WHOLE, axis=1)),
    ("conv_mask", numbered(1, WHOLE, axis=1)),
]


@pytest.mark.parametrize(("name", "value"), KNOWN)
def test_what_holds_something_for_each_token_is_thinned_on_its_axis(name: str, value: Tensor) -> None:
    _, named = without(STATES, **{name: value})
    found = named[name]
    assert sorted(set(found.real.flatten().tolist())) == PLACES
    assert found.numel() == value.numel() * len(PLACES) // WHOLE


def test_parts_of_tuples_and_dicts_are_thinned() -> None:
    cosine, sine = numbered(1, WHOLE, 2, axis=1), numbered(1, WHOLE, 2, axis=1) + 50
    rotary = {"full_attention": (cosine, sine), "sliding_attention": [sine, None]}
    _, named = without(STATES, position_embeddings=rotary)
    found = named["position_embeddings"]
    assert [each[0, :, 0].tolist() for each in found["full_attention"]] == [PLACES, [place + 50 for place in PLACES]]
    assert found["sliding_attention"][0][0, :, 0].tolist() == [place + 50 for place in PLACES]
    assert found["sliding_attention"][1] is None


def test_hidden_states_lose_only_what_goes_at_this_layer() -> None:
    (states,), _ = without(STATES)
    assert states[0, :, 0].tolist() == PLACES
    left = numbered(1, 3, WHOLE, axis=1)  # of three tokens, as the layer before left them
    assert without(left, rows=None)[0][0] is left
    assert without(hidden_states=left, rows=[0, 2])[1]["hidden_states"][0, :, 0].tolist() == [0, 2]
    streams = numbered(1, WHOLE, WHOLE, 3, axis=1)
    assert without(streams)[0][0][0, :, 0, 0].tolist() == PLACES


def test_positional_arguments_go_by_the_name_in_forward() -> None:
    states, per_layer = without(STATES, numbered(1, WHOLE, 2, axis=1))[0]
    assert states.shape[1] == per_layer.shape[1] == len(PLACES)
    with pytest.raises(ValueError, match=r"Layer is given table, a tensor of shape \(1, 8\)"):
        without(STATES, None, torch.zeros(1, WHOLE))


def test_all_else_is_passed_on_untouched() -> None:
    mask, flag, scalar, cache = torch.zeros(1, 1, WHOLE, WHOLE), True, torch.tensor([3]), object()
    _, named = without(STATES, attention_mask=mask, use_cache=flag, layer_number=scalar, past_key_values=cache)
    assert named == {"attention_mask": mask, "use_cache": flag, "layer_number": scalar, "past_key_values": cache}


@pytest.mark.parametrize("shape", [(1, WHOLE), (1, WHOLE, 5), (WHOLE, 5), (5, 1, WHOLE), (1, 7), (4, 5, 6)])
@pytest.mark.parametrize("nested", [False, True])
def test_a_tensor_of_an_unknown_name_is_refused_whatever_its_length(shape: tuple[int, ...], nested: bool) -> None:
    value = torch.zeros(shape)
    with pytest.raises(ValueError, match=r"Layer is given router_states, a tensor of shape .* cannot be run on some"):
        without(STATES, router_states=({"first": value},) if nested else value)


@pytest.mark.parametrize(
    ("name", "shape", "reason"),
    [
        ("position_embeddings", (1, 7, WHOLE), r"must have the prompt's 8 tokens on axis -2"),
        ("position_embeddings", (WHOLE,), r"must have the prompt's 8 tokens on axis -2"),
        ("position_ids", (WHOLE, 1), r"must have the prompt's 8 tokens on axis -1"),
        ("per_layer_input", (WHOLE, 1, 3), r"must have the prompt's 8 tokens on axis 1"),
        ("attention_mask", (1, WHOLE, WHOLE), r"must have 2 or 4 axes"),
        ("attention_mask", (WHOLE, 1), r"must have the prompt's 8 tokens on axis 1"),
    ],
)
def test_a_known_argument_of_another_shape_is_refused(name: str, shape: tuple[int, ...], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        without(STATES, **{name: torch.zeros(shape)})


@pytest.mark.parametrize("tokens", COINCIDING)
@pytest.mark.parametrize("architecture", PLAIN)
def test_prompts_as_long_as_a_size_of_the_model_lose_the_same_tokens(architecture: str, tokens: int) -> None:
    model, answer = model_of(architecture), [3, 9, 27]
    ids, onward = prompt(tokens), [*range(0, tokens - 1, 2), tokens - 1]
    run = PrunedRun(model, ids, answer_tokens=len(answer))
    logits = [run.prefill(lambda layer: Keep(onward=torch.tensor(onward) if layer.index == 0 else None))]
    logits += [run.decode(token, tokens + place) for place, token in enumerate(answer[:-1])]
    wanted = masked_logits(model, ids, answer, Hidden(tokens, {0: onward}, {}))
    assert torch.allclose(torch.stack(logits), wanted, atol=1e-4)


@pytest.mark.parametrize("tokens", COINCIDING)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_such_a_prompt_is_read_as_in_one_pass_with_its_answer(architecture: str, tokens: int) -> None:
    """Hybrids cannot be masked: the same tokens read in one go, three tokens longer, are the truth."""
    model, answer = model_of(architecture), [3, 9, 27]
    onward, select = torch.tensor([*range(0, tokens - 1, 2), tokens - 1]), layers_of(architecture).attention[0]

    def read(ids: Tensor, places: Tensor) -> tuple[PrunedRun, Tensor]:
        run = PrunedRun(model, ids, answer_tokens=len(answer))
        return run, run.prefill(lambda layer: Keep(onward=places if layer.index == select else None))

    run, found = read(prompt(tokens), onward)
    for place, token in enumerate(answer):
        found = run.decode(token, tokens + place)
    whole = torch.cat([prompt(tokens), torch.tensor(answer)])
    _, wanted = read(whole, torch.cat([onward, torch.arange(tokens, len(whole))]))
    assert torch.allclose(found, wanted, atol=1e-4)


def test_streams_before_the_prompt_are_refused() -> None:
    """gemma3n: (streams, 1, tokens, hidden); streams after the tokens are taken along."""
    with pytest.raises(ValueError, match=r"hidden states of shape \(4, 1, 8, 3\), must start with 1 prompt"):
        without(torch.zeros(4, 1, WHOLE, 3))
    (states,), _ = without(numbered(1, WHOLE, 4, 3, axis=1))
    assert states[0, :, 0, 0].tolist() == PLACES
