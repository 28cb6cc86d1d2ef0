"""Rotary factors that depend on the length, against generate() of a fresh model: the state between prompts, and answers that cross a length."""

from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from tests.capture.odd_models import odd_model
from tests.prefill.cases import ENGINES, prompt
from tests.prefill.slow import Hidden, masked_logits
from tokenrank.capture.feeding import last_logits
from tokenrank.capture.inspection import model_layers
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.partial import read_up_to
from tokenrank.capture.pruning import Keep, PrunedRun
from tokenrank.capture.reading import read
from tokenrank.capture.rope_lengths import in_passes, may_restart, restarts_after
from tokenrank.models.architectures import EVERY_OTHER
from tokenrank.prefill.engine import Job, Prefilled

SHORT, ANSWER = 40, 8  # tokens up to which factors are short; of an answer
LONGROPE = {
    "rope_type": "longrope", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": SHORT,
    "short_factor": [1.0, 1.1, 1.2, 1.3], "long_factor": [4.0, 5.0, 6.0, 7.0],
}  # fmt: skip
DYNAMIC = {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 4.0}
DEFAULT = {"rope_type": "default", "rope_theta": 1000.0}
EXPERTS = {"num_local_experts": 4, "num_experts_per_tok": 2}
PHI: dict[str, Any] = {"sliding_window": None, "original_max_position_embeddings": SHORT}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "phi3 (longrope)": ("phi3", {**PHI, "rope_parameters": LONGROPE}),
    "phimoe (longrope)": (
        "phimoe",
        {**PHI, **EXPERTS, "rope_parameters": {**LONGROPE, "short_mscale": 1.1, "long_mscale": 1.4}},
    ),
    "llama (longrope)": ("llama", {"rope_parameters": LONGROPE}),
    "llama (dynamic)": ("llama", {"rope_parameters": DYNAMIC, "max_position_embeddings": SHORT}),
    "gemma3 (dynamic)": (
        "gemma3_text",
        {
            "rope_parameters": {"full_attention": DYNAMIC, "sliding_attention": DEFAULT},
            "max_position_embeddings": SHORT,
            "sliding_window": 16,
            "query_pre_attn_scalar": 4,
            "layer_types": EVERY_OTHER,
        },
    ),
    "phi3 (plain)": ("phi3", {**PHI, "rope_parameters": DEFAULT}),
}
RESTARTING = ["phi3 (longrope)", "phimoe (longrope)"]
FOLLOWED = [name for name in MODELS if name not in RESTARTING]


def fresh(name: str) -> Any:
    """A model that has read nothing; the same weights each time."""
    kind, settings = MODELS[name]
    return odd_model(kind, **settings)


def used(name: str) -> Any:
    """One that has read a prompt beyond every length."""
    model = fresh(name)
    read(model, prompt(90), lambda _: None, max_new_tokens=2)
    return model


def generated(name: str, ids: Tensor, tokens: int = ANSWER) -> tuple[list[int], Tensor]:
    """generate() of a fresh model: the answer, and (answer tokens, vocabulary) logits."""
    asked = {"attention_mask": torch.ones(1, len(ids)), "max_new_tokens": tokens, "do_sample": False}
    out = fresh(name).generate(ids[None], output_logits=True, return_dict_in_generate=True, **asked)
    return out.sequences[0, len(ids) :].tolist(), torch.cat(out.logits)


def decoded(run: Any, first: Tensor, start: int, tokens: int = ANSWER) -> tuple[list[int], Tensor]:
    """The greedy answer of a run, and its logits."""
    answer, logits = [int(first.argmax())], [first]
    while len(answer) < tokens:
        logits.append(run.decode(answer[-1], start + len(answer) - 1))
        answer.append(int(logits[-1].argmax()))
    return answer, torch.stack(logits)


def layers_read(model: PreTrainedModel, ids: Tensor, **options: Any) -> list[AttentionLayer]:
    return read(model, ids, lambda _: None, max_new_tokens=ANSWER, **options).answer_layers


@pytest.mark.parametrize("tokens", [20, 36, 39, 40, 41, 60])  # 40 is the length, 36 passes it with its answer
@pytest.mark.parametrize("name", FOLLOWED)
def test_the_answer_is_that_of_a_fresh_model_whatever_was_read_before(name: str, tokens: int) -> None:
    answer, logits = generated(name, prompt(tokens))
    for model in (fresh(name), used(name)):
        assert read(model, prompt(tokens), lambda _: None, max_new_tokens=ANSWER).answer_ids.tolist() == answer
        run = PrunedRun(model, prompt(tokens), answer_tokens=ANSWER)
        found = decoded(run, run.prefill(), tokens)
        assert found[0] == answer
        assert torch.allclose(found[1], logits, atol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("name", ["llama (dynamic)", "gemma3 (dynamic)"])
def test_without_being_put_back_a_model_remembers_the_longest_prompt(name: str) -> None:
    """The control: transformers' own forward, after a long prompt and in a fresh model."""
    ids = prompt(60)[None]
    first, second = fresh(name), fresh(name)
    second(input_ids=prompt(90)[None])
    assert not torch.allclose(first(input_ids=ids).logits, second(input_ids=ids).logits, atol=1e-3)
    first, second = fresh(name), used(name)
    positions = torch.arange(60)
    found = [last_logits(model, ids[0], positions, None) for model in (first, second)]
    assert torch.equal(*found)


@pytest.mark.parametrize("name", FOLLOWED)
def test_runs_that_take_turns_do_not_disturb_each_other(name: str) -> None:
    model, alone = fresh(name), {tokens: generated(name, prompt(tokens)) for tokens in (38, 70)}
    runs = {tokens: PrunedRun(model, prompt(tokens), answer_tokens=ANSWER) for tokens in alone}
    first = {tokens: run.prefill() for tokens, run in runs.items()}
    read_up_to(model, prompt(90), 1, lambda _: None)
    for tokens, run in reversed(runs.items()):
        assert torch.allclose(decoded(run, first[tokens], tokens)[1], alone[tokens][1], atol=1e-4)


@pytest.mark.parametrize("tokens", [36, 39, 40, 60])
@pytest.mark.parametrize("name", FOLLOWED)
def test_a_given_answer_is_read_as_if_it_were_generated(name: str, tokens: int) -> None:
    model = fresh(name)
    answer = read(model, prompt(tokens), lambda _: None, max_new_tokens=ANSWER).answer_ids.tolist()
    wanted, given = (layers_read(model, prompt(tokens), **how) for how in ({}, {"answer_ids": answer}))
    for one, other in zip(wanted, given, strict=True):
        assert torch.allclose(one.queries, other.queries, atol=1e-4)
        assert torch.allclose(one.keys, other.keys)


def test_parts_of_a_given_answer() -> None:
    def parts(name: str, start: int, tokens: int = 6) -> list[tuple[int, int]]:
        return [(first, len(ids)) for ids, first in in_passes(fresh(name), torch.arange(tokens), start)]

    assert parts("llama (dynamic)", 37) == [(37, 3), (40, 1), (41, 1), (42, 1)]
    assert parts("llama (longrope)", 37) == [(37, 3), (40, 3)]
    assert parts("llama (longrope)", 30) == parts("llama (dynamic)", 30) == [(30, 6)]
    assert parts("llama (longrope)", 50) == [(50, 6)]
    assert parts("gemma3 (dynamic)", 50, 2) == [(50, 1), (51, 1)]
    assert parts("phi3 (plain)", 37) == [(37, 6)]
    assert parts("phi3 (plain)", 37, 0) == parts("llama (dynamic)", 37, 0) == []


@pytest.mark.parametrize("name", RESTARTING)
def test_an_answer_that_makes_generate_start_anew_is_refused(name: str) -> None:
    model, ids = used(name), prompt(36)
    reason = (
        r"the answer to a prompt of 36 tokens goes on to token 41, and \w+ reads up to 40 tokens "
        r"\(original_max_position_embeddings\) .* at most 5 tokens, or take a prompt of more than 40"
    )
    with pytest.raises(ValueError, match=reason):
        read(model, ids, lambda _: None, max_new_tokens=6)
    with pytest.raises(ValueError, match=reason):
        read(model, ids, lambda _: None, max_new_tokens=6, answer_ids=[1, 2, 3, 4, 5, 6])
    run = PrunedRun(model, ids, answer_tokens=ANSWER)
    with pytest.raises(ValueError, match=reason):
        decoded(run, run.prefill(), 36)
    run.back()
    assert run.feed(torch.arange(4), 36).shape == (4, 64)
    run.back()
    with pytest.raises(ValueError, match=reason):
        run.feed(torch.arange(5), 36)


@pytest.mark.parametrize(("tokens", "answer"), [(20, 8), (36, 5), (40, 1), (41, 8), (60, 8)])
@pytest.mark.parametrize("name", RESTARTING)
def test_one_that_ends_before_and_one_after_a_longer_prompt_are_generates(name: str, tokens: int, answer: int) -> None:
    wanted, logits = generated(name, prompt(tokens), answer)
    model = used(name)
    assert read(model, prompt(tokens), lambda _: None, max_new_tokens=answer).answer_ids.tolist() == wanted
    run = PrunedRun(model, prompt(tokens), answer_tokens=answer)
    assert torch.allclose(decoded(run, run.prefill(), tokens, answer)[1], logits, atol=1e-4)


def test_going_on_with_short_keys_would_be_another_answer() -> None:
    """What the refusal saves: the logits behind the length, with keys of the short factors and as generate() has them."""
    model, ids = fresh("phi3 (longrope)"), prompt(40)
    answer, logits = generated("phi3 (longrope)", ids)
    del model.config.original_max_position_embeddings  # nothing is refused any more
    run = PrunedRun(model, ids, answer_tokens=ANSWER)
    found = [run.prefill(), run.decode(answer[0], 40)]
    assert torch.allclose(found[0], logits[0], atol=1e-4)
    assert not torch.allclose(found[1], logits[1], atol=1e-2)


@pytest.mark.parametrize("name", MODELS)
def test_lengths_at_which_an_answer_may_be_refused_are_known_before(name: str) -> None:
    model = fresh(name)
    assert restarts_after(model) == (SHORT if name in RESTARTING else None)
    cases = [(36, 5), (36, 6), (40, 1), (40, 2), (41, 8)]
    assert [may_restart(model, *case) for case in cases] == [
        name in RESTARTING and case in cases[1:4:2] for case in cases
    ]


def engine_run(model: PreTrainedModel, engine: str, tokens: int, kept: int) -> Prefilled:
    own, heuristic = ENGINES[engine]
    job = Job(model, heuristic, prompt(tokens), kept, answer_tokens=ANSWER)
    return own.resolved(heuristic, model_layers(model)).prefill(job)


@pytest.mark.parametrize("kept", [12, 36, 50])
@pytest.mark.parametrize("name", FOLLOWED)
def test_the_restart_engine_reads_its_tokens_as_a_prompt_of_their_own(name: str, kept: int) -> None:
    done = engine_run(used(name), "restart", 60, kept)
    answer, logits = generated(name, prompt(60)[done.kept])
    found = decoded(done.run, done.logits, kept)
    assert found[0] == answer
    assert torch.allclose(found[1], logits, atol=1e-4)


@pytest.mark.parametrize("name", RESTARTING)
def test_the_restart_engine_refuses_only_answers_that_cross_from_the_kept_tokens(name: str) -> None:
    _, logits = generated(name, prompt(60)[engine_run(used(name), "restart", 60, 12).kept])
    done = engine_run(used(name), "restart", 60, 12)
    assert torch.allclose(decoded(done.run, done.logits, 12)[1], logits, atol=1e-4)
    done = engine_run(used(name), "restart", 60, 36)
    with pytest.raises(ValueError, match="a prompt of 36 tokens goes on to token 41"):
        decoded(done.run, done.logits, 36)


@pytest.mark.parametrize("engine", ["full", "layerwise", "draft"])
@pytest.mark.parametrize("name", RESTARTING)
def test_other_engines_keep_the_prompts_positions(name: str, engine: str) -> None:
    """60 tokens are long whatever is kept of them, and 36 short: the last token, which is always kept, decides."""
    done = engine_run(used(name), engine, 60, 12)
    assert len(decoded(done.run, done.logits, 60)[0]) == ANSWER
    done = engine_run(used(name), engine, 36, 12)
    with pytest.raises(ValueError, match="a prompt of 36 tokens goes on to token 41"):
        decoded(done.run, done.logits, 36)


@pytest.mark.parametrize("tokens", [30, 60])
@pytest.mark.parametrize("name", MODELS)
def test_the_largest_position_decides_with_gaps_too(name: str, tokens: int) -> None:
    """Dropped in a layer, and missing from the start: both as if the others were masked."""
    model, kept = used(name), [*range(0, tokens - 1, 3), tokens - 1]
    run = PrunedRun(model, prompt(tokens), answer_tokens=1)
    found = run.prefill(lambda layer: Keep(onward=torch.tensor(kept) if layer.index == 0 else None))
    model = used(name)
    assert torch.allclose(
        found, masked_logits(fresh(name), prompt(tokens), [0], Hidden(tokens, {0: kept}, {})), atol=1e-4
    )
    places = torch.tensor(kept)
    found = PrunedRun(model, prompt(tokens)[places], answer_tokens=1, positions=places).prefill()
    assert torch.allclose(
        found, masked_logits(fresh(name), prompt(tokens), [0], Hidden(tokens, {-1: kept}, {})), atol=1e-4
    )
