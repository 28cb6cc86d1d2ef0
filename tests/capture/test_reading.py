"""``read``: the answer is generate()'s own, a reference answer gives the same layers, one prefill, no queries kept, values."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef  # lives as long as nobody holds the numbers
from transformers import AutoConfig, AutoModelForCausalLM, DynamicCache, PreTrainedModel

from tokenrank.capture.feeding import last_logits
from tokenrank.capture.inspection import model_layers
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.needs import Needs
from tokenrank.capture.reading import read
from tokenrank.models.architectures import ARCHITECTURES, tiny_of

TOKENS, ANSWER = 30, 8


@pytest.fixture
def model(tiny_model: PreTrainedModel) -> PreTrainedModel:
    """A copy whose answers never end by themselves."""
    model = copy.deepcopy(tiny_model).cpu()
    model.generation_config.eos_token_id = None
    return model


def prompt(seed: int = 0, tokens: int = TOKENS) -> Tensor:
    return torch.randint(0, 256, (tokens,), generator=torch.Generator().manual_seed(seed))


def ignore(layer: AttentionLayer) -> None:
    pass


def generated(model: PreTrainedModel, ids: Tensor) -> list[int]:
    """The answer as transformers has it, from a model that nobody watched."""
    generate: Any = copy.deepcopy(model).generate
    mask = torch.ones_like(ids)[None]
    return list(
        generate(ids[None], attention_mask=mask, do_sample=False, max_new_tokens=ANSWER)[0, len(ids) :].tolist()
    )


@pytest.mark.parametrize("seed", range(4))
def test_the_answer_is_what_generate_gives(model: PreTrainedModel, seed: int) -> None:
    reading = read(model, prompt(seed), ignore, max_new_tokens=ANSWER)
    assert reading.answer_ids.tolist() == generated(model, prompt(seed))
    assert len(reading.answer_ids) == ANSWER
    assert reading.answer_ids.dtype == torch.int64


def test_other_prompts_have_other_answers(model: PreTrainedModel) -> None:
    assert len({tuple(generated(model, prompt(seed))) for seed in range(4)}) > 1


@pytest.mark.parametrize("ends", [lambda token: token, lambda token: [token], lambda token: [256, token, 255]])
@pytest.mark.parametrize("seed", range(4))
def test_an_end_token_ends_the_answer_and_is_part_of_it(
    model: PreTrainedModel, seed: int, ends: Callable[[int], int | list[int]]
) -> None:
    endless = generated(model, prompt(seed))
    end = endless[ANSWER // 2]
    model.generation_config.eos_token_id = ends(end)
    answer = generated(model, prompt(seed))
    assert answer == endless[: endless.index(end) + 1]
    reading = read(model, prompt(seed), ignore, max_new_tokens=ANSWER)
    assert reading.answer_ids.tolist() == answer
    assert all(layer.queries.shape[1] == len(answer) for layer in reading.answer_layers)


@pytest.mark.parametrize("length", [1, 3])
def test_no_more_than_max_new_tokens_are_answered(model: PreTrainedModel, length: int) -> None:
    reading = read(model, prompt(), ignore, max_new_tokens=length)
    assert reading.answer_ids.tolist() == generated(model, prompt())[:length]


def test_a_model_without_generation_config_ends_as_its_config_says(model: PreTrainedModel) -> None:
    answer = generated(model, prompt())
    model.generation_config = None  # type: ignore[assignment]
    model.config.eos_token_id = answer[0]
    assert read(model, prompt(), ignore, max_new_tokens=ANSWER).answer_ids.tolist() == answer[:1]


def difference(one: list[AttentionLayer], other: list[AttentionLayer]) -> float:
    """Largest difference between the attention of two answers' layers."""
    assert [layer.index for layer in one] == [layer.index for layer in other]
    assert [layer.queries.shape for layer in one] == [layer.queries.shape for layer in other]
    assert all(torch.equal(a.keys, b.keys) for a, b in zip(one, other, strict=True))
    rows = one[0].queries.shape[1]
    with torch.inference_mode():
        return max(float((a.attention(rows) - b.attention(rows)).abs().max()) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("length", [1, 2, ANSWER])
def test_a_reference_answer_gives_the_layers_of_the_same_answer_generated(model: PreTrainedModel, length: int) -> None:
    own = read(model, prompt(), ignore, max_new_tokens=length)
    fed = read(model, prompt(), ignore, max_new_tokens=999, answer_ids=own.answer_ids.tolist())
    assert torch.equal(fed.answer_ids, own.answer_ids)
    assert difference(own.answer_layers, fed.answer_layers) < 1e-5


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_numbers_do_not_depend_on_where_the_answer_came_from(name: str) -> None:
    model, ids = tiny_of(name), torch.randint(1, 60, (TOKENS,), generator=torch.Generator().manual_seed(1))
    own = read(model, ids, ignore, max_new_tokens=5, needs=Needs(look_ahead=8))
    given = read(model, ids, ignore, max_new_tokens=5, answer_ids=own.ahead_ids.tolist())
    without_look_ahead = read(model, ids, ignore, max_new_tokens=5)
    assert own.ahead_ids[:5].tolist() == own.answer_ids.tolist() == without_look_ahead.answer_ids.tolist()
    assert len(own.ahead_ids) == 9
    for other in (given.answer_layers, without_look_ahead.answer_layers):
        for one, same in zip(own.answer_layers, other, strict=True):
            assert torch.equal(one.queries, same.queries)
    for one, same in zip(own.ahead_layers, given.ahead_layers, strict=True):
        assert one.queries.shape[1] == 9
        assert torch.equal(one.queries, same.queries)


@torch.inference_mode()
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_answers_queries_are_those_of_feeding_it_token_by_token(name: str) -> None:
    model, ids = tiny_of(name), torch.randint(1, 60, (TOKENS,), generator=torch.Generator().manual_seed(1))
    reading = read(model, ids, ignore, max_new_tokens=5)
    queries: dict[int, list[Tensor]] = {layer.index: [] for layer in reading.answer_layers}

    def note(module: Any, query: Tensor, *_: Any) -> None:
        queries[module.layer_idx].append(query[0, :, -1:])

    cache = DynamicCache(config=model.config)
    fed = [ids, *reading.answer_ids[:-1, None]]
    for part, start in zip(fed, [0, *range(TOKENS, TOKENS + 4)], strict=True):
        last_logits(model, part, torch.arange(start, start + len(part)), cache, on_attention=note)
    for layer in reading.answer_layers:
        assert (torch.cat(queries[layer.index], dim=1) - layer.queries).abs().max() < 1e-5 * layer.queries.abs().max()


def test_queries_taken_while_decoding_cost_no_pass_and_differ_by_rounding(model: PreTrainedModel) -> None:
    lengths: list[int] = []
    own = read(model, prompt(), ignore, max_new_tokens=4)
    model.register_forward_pre_hook(
        lambda _, args, given: lengths.append(given["input_ids"].shape[1]), with_kwargs=True
    )
    saved = read(model, prompt(), ignore, max_new_tokens=4, while_decoding=True)
    assert lengths == [TOKENS, 1, 1, 1]
    assert torch.equal(own.answer_ids, saved.answer_ids)
    assert difference(own.answer_layers, saved.answer_layers) < 1e-5


def test_another_reference_answer_gives_other_layers(model: PreTrainedModel) -> None:
    own = read(model, prompt(), ignore, max_new_tokens=ANSWER)
    fed = read(model, prompt(), ignore, max_new_tokens=ANSWER, answer_ids=list(range(ANSWER)))
    assert fed.answer_ids.tolist() == list(range(ANSWER))
    assert difference(own.answer_layers, fed.answer_layers) > 1e-3


def test_the_last_reference_token_is_not_fed(model: PreTrainedModel) -> None:
    one, other = (read(model, prompt(), ignore, max_new_tokens=1, answer_ids=[1, 2, last]) for last in (3, 4))
    assert difference(one.answer_layers, other.answer_layers) == 0


def test_each_layer_is_visited_once_in_order_with_the_whole_prompt(model: PreTrainedModel) -> None:
    seen: list[AttentionLayer] = []
    read(model, prompt(), seen.append, max_new_tokens=3)
    assert [layer.index for layer in seen] == [0, 1, 2, 3]
    for layer in seen:
        assert layer.queries.shape == (4, TOKENS, 16)
        assert layer.keys.shape == (2, TOKENS, 16)
        assert layer.first_position == 0
        assert torch.equal(layer.input_ids, prompt())


def test_the_answers_first_query_is_the_prompts_last(model: PreTrainedModel) -> None:
    seen: list[AttentionLayer] = []
    reading = read(model, prompt(), seen.append, max_new_tokens=3)
    for of_prompt, of_answer in zip(seen, reading.answer_layers, strict=True):
        assert torch.equal(of_answer.queries[:, 0], of_prompt.queries[:, -1])
        assert torch.equal(of_answer.keys, of_prompt.keys)
        assert of_answer.queries.shape == (4, 3, 16)
        assert of_answer.first_position == TOKENS - 1


@pytest.mark.parametrize(
    ("given", "lengths"),
    [
        ({"max_new_tokens": 1}, [TOKENS]),
        (
            {"max_new_tokens": 4},
            [TOKENS, 1, 1, 1, 3],
        ),  # decoded, then read in one pass; the last answer token is never fed
        ({"max_new_tokens": 4, "answer_ids": [7]}, [TOKENS]),
        ({"max_new_tokens": 9, "answer_ids": [7, 8, 9, 10, 11]}, [TOKENS, 4]),
        ({"max_new_tokens": 4, "answer_ids": [7, 8, 9, 10, 11]}, [TOKENS, 3, 1]),  # the answer, then what follows it
    ],
)
def test_the_prompt_is_read_once(model: PreTrainedModel, given: dict[str, Any], lengths: list[int]) -> None:
    seen: list[int] = []
    model_layers(model)  # inspects it, with a token of its own
    model.register_forward_pre_hook(lambda _, args, kwargs: seen.append(kwargs["input_ids"].shape[1]), with_kwargs=True)
    read(model, prompt(), ignore, **given)
    assert seen == lengths


@pytest.mark.parametrize("keep", [False, True])
def test_the_prompts_queries_die_with_their_layer(model: PreTrainedModel, keep: bool) -> None:
    queries: list[Any] = []
    alive: list[int] = []  # of the earlier layers, as each layer passes
    kept: list[AttentionLayer] = []

    def visit(layer: AttentionLayer) -> None:
        alive.append(sum(not each.expired() for each in queries))
        queries.append(StorageWeakRef(layer.queries.untyped_storage()))  # type: ignore[no-untyped-call]
        if keep:
            kept.append(layer)

    reading = read(model, prompt(), visit, max_new_tokens=2)
    assert alive == ([0, 1, 2, 3] if keep else [0, 0, 0, 0])
    assert all(each.expired() for each in queries) is not keep
    assert len(reading.answer_layers) == 4


@pytest.mark.parametrize(("tokens", "rows"), [(TOKENS, 8), (5, 5)])
def test_shared_rows_are_no_more_than_the_prompt_has(model: PreTrainedModel, tokens: int, rows: int) -> None:
    shared: list[int] = []
    reading = read(
        model,
        prompt(tokens=tokens),
        lambda layer: shared.append(layer.shared_rows if layer.attention(rows).any() else -1),
        max_new_tokens=2,
        needs=Needs(window=8),
    )
    assert shared == [rows] * 4
    assert {layer.shared_rows for layer in reading.answer_layers} == {0}


def test_a_prompt_of_one_token_is_read(model: PreTrainedModel) -> None:
    reading = read(model, prompt(tokens=1), ignore, max_new_tokens=3)
    assert reading.answer_ids.tolist() == generated(model, prompt(tokens=1))[:3]
    assert all((layer.attention(3) == 1).all() for layer in reading.answer_layers)


def test_prefill_and_decode_take_time(model: PreTrainedModel) -> None:
    reading = read(model, prompt(), ignore, max_new_tokens=3)
    assert reading.prefill_seconds > 0
    assert reading.decode_seconds is not None
    assert reading.decode_seconds > 0
    assert reading.answer_seconds > 0


def test_a_given_answer_is_not_decoded(model: PreTrainedModel) -> None:
    assert read(model, prompt(), ignore, max_new_tokens=3, answer_ids=[1, 2, 3]).decode_seconds is None


def test_an_empty_prompt_is_an_error(model: PreTrainedModel) -> None:
    with pytest.raises(ValueError, match="the prompt is empty"):
        read(model, prompt(tokens=0), ignore, max_new_tokens=3)


def test_layers_that_were_taken_out_after_the_inspection_are_missed() -> None:
    model = tiny_of("llama")
    model_layers(model)
    del model.model.layers[0]
    with pytest.raises(
        ValueError, match=r"called attention in the layers \[1, 2\], and when it was inspected in 0 to 2: its"
    ):
        read(model, torch.arange(9), ignore, max_new_tokens=1)


@pytest.mark.parametrize("given", [{"max_new_tokens": 0}, {"max_new_tokens": 5, "answer_ids": []}])
def test_an_empty_answer_is_an_error(model: PreTrainedModel, given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="the answer's length is 0 tokens"):
        read(model, prompt(), ignore, **given)


def test_a_model_that_shows_no_layer_is_an_error(model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "tokenrank.capture.attention.ROUTES", {"sdpa": "sdpa"}
    )  # the ordinary attention: nobody is told
    model.set_attn_implementation("sdpa")
    with pytest.raises(ValueError, match="no attention layer of LlamaForCausalLM was captured"):
        read(model, prompt(), ignore, max_new_tokens=3)


@pytest.mark.parametrize("look_ahead", [0, 3, 9])
def test_looking_ahead_feeds_more_and_changes_nothing_else(tiny_model: PreTrainedModel, look_ahead: int) -> None:
    ids = torch.tensor([(3 * i * i + 1) % 256 for i in range(30)])  # its answer does not end early
    plain = read(tiny_model, ids, lambda _: None, max_new_tokens=4)
    found = read(tiny_model, ids, lambda _: None, max_new_tokens=4, needs=Needs(look_ahead=look_ahead))
    longer = read(tiny_model, ids, lambda _: None, max_new_tokens=max(4, look_ahead + 1))
    assert found.answer_ids.tolist() == plain.answer_ids.tolist()
    for wanted, layer, ahead, far in zip(
        plain.answer_layers, found.answer_layers, found.ahead_layers, longer.answer_layers, strict=True
    ):
        assert torch.equal(layer.queries, wanted.queries)
        assert (ahead.queries - far.queries).abs().max() < 1e-5  # of one pass, and of two
        assert ahead.queries.shape[1] == max(4, look_ahead + 1)


def test_the_calls_of_the_modules_come_along_only_if_asked_for(tiny_model: PreTrainedModel) -> None:
    ids = torch.arange(20)
    seen: list[AttentionLayer] = []
    read(tiny_model, ids, seen.append, max_new_tokens=1)
    assert all(layer.call is None for layer in seen)
    seen.clear()
    found = read(tiny_model, ids, seen.append, max_new_tokens=2, needs=Needs(call=True))
    attention = [module for module in tiny_model.modules() if hasattr(module, "q_proj")]
    assert [layer.call.module for layer in seen if layer.call] == attention
    for layer in seen:
        assert layer.call is not None
        with torch.inference_mode():
            values = layer.call.module.v_proj(layer.call.hidden_states)  # type: ignore[operator]
        assert torch.allclose(layer.call.values.transpose(1, 2).flatten(2), values, atol=1e-6)
        assert "position_embeddings" in layer.call.arguments
    assert all(layer.call is None for layer in found.answer_layers)
    assert not any(module._forward_pre_hooks for module in tiny_model.modules())


def deepseek() -> PreTrainedModel:
    """Values of 12 numbers a head, keys of 8 + 4."""
    shape: dict[str, Any] = {
        "hidden_size": 32,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "num_hidden_layers": 2,
    }
    latent = {"q_lora_rank": None, "kv_lora_rank": 16, "qk_nope_head_dim": 4, "qk_rope_head_dim": 4, "v_head_dim": 12}
    dense = {"intermediate_size": 48, "first_k_dense_replace": 2, "vocab_size": 256, "initializer_range": 0.3}
    config = AutoConfig.for_model("deepseek_v3", **shape, **latent, **dense, bos_token_id=None, eos_token_id=None)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    model.train(False)
    return model


@pytest.mark.parametrize(("build", "shape"), [(tiny_of, (2, TOKENS, 8)), (deepseek, (4, TOKENS, 12))])
def test_values_are_the_models_own_and_end_with_their_layer(
    build: Callable[..., PreTrainedModel], shape: tuple[int, int, int]
) -> None:
    """With its own eager attention and these values each layer gives what the model's output projection is given."""
    model = build("llama") if build is tiny_of else build()
    ids, seen, projected = prompt() % 64, [], []
    model_layers(model)  # inspects it, with a token of its own

    def visit(layer: AttentionLayer) -> None:
        assert layer.values is not None
        assert layer.values.shape == shape
        values = layer.values.repeat_interleave(4 // layer.kv_heads, dim=0)
        seen.append((layer.attention(TOKENS) @ values).transpose(0, 1).flatten(1))

    for module in model.modules():
        if hasattr(module, "o_proj"):
            module.o_proj.register_forward_pre_hook(lambda _, args: projected.append(args[0][0]))  # type: ignore[union-attr]
    reading = read(model, ids, visit, max_new_tokens=1, needs=Needs(values=True))
    assert len(seen) == len(projected) > 1
    assert all(torch.allclose(one, other, atol=1e-5) for one, other in zip(seen, projected, strict=True))
    assert not torch.allclose(seen[0], projected[1], atol=1e-2)
    assert all(layer.values is None for layer in [*reading.answer_layers, *reading.ahead_layers])


def test_values_are_there_only_if_asked_for(model: PreTrainedModel) -> None:
    seen: list[AttentionLayer] = []
    read(model, prompt(), seen.append, max_new_tokens=1)
    assert [layer.values for layer in seen] == [None] * 4


def test_after_the_reading_the_keys_are_left_and_the_values_are_gone(model: PreTrainedModel) -> None:
    keys: list[Any] = []
    values: list[Any] = []

    def visit(layer: AttentionLayer) -> None:
        assert layer.values is not None
        keys.append(StorageWeakRef(layer.keys.untyped_storage()))  # type: ignore[no-untyped-call]
        values.append(StorageWeakRef(layer.values.untyped_storage()))  # type: ignore[no-untyped-call]

    reading = read(model, prompt(), visit, max_new_tokens=3, needs=Needs(values=True))
    assert len(reading.answer_layers) == len(keys) == 4
    assert not any(each.expired() for each in keys)
    assert all(each.expired() for each in values)
