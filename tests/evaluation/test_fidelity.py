"""evaluation=fidelity against a slow version on tiny architectures, by hand on two layers, and where nothing is pruned."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import log
from typing import Any, cast

import pytest
import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from tests.evaluation.contests import RATES, Values, close, contestants, given, measured, plan_of, values
from tests.evaluation.slow_fidelity import fidelity, forward, logits_after
from tests.plans import tables
from tests.prefill.cases import ANSWER, HYBRID, PLAIN, layers_of, model_of, prompt
from tokenrank.capture.inspection import model_layers
from tokenrank.capture.layer import AttentionLayer
from tokenrank.evaluation.fidelity import Fidelity
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.prefill.contestant import Contestant
from tokenrank.prefill.layerwise import Layerwise
from tokenrank.records.measures import FIDELITY, OF_ANSWER

BROUGHT = [7, 3, 40, 3, 21, 60]  # an answer that no tiny model gives
NAMES = ("claa", "fastkv", "tova", "random@claa", "gemfilter", "random@gemfilter")
LAYERED = ("llama", "gemma2", "mistral (window)", "qwen3", "gpt_oss", "deepseek_v3 (yarn)")


@cache
def eager(architecture: str) -> PreTrainedModel:
    """The same weights, whose masks are four-dimensional."""
    return model_of(architecture, "eager")


def wanted(architecture: str, answer: Sequence[int], who: Contestant, kept: int, more: int = 0) -> Values:
    """What the slow version measures; with ``more`` it keeps that many tokens more."""
    model, ids = eager(architecture), prompt()
    whole = torch.cat([ids, torch.tensor(list(answer)[:-1], dtype=torch.int64)])
    full = forward(model, whole, torch.arange(len(whole)))[len(ids) - 1 :]
    return fidelity(full, logits_after(model, ids, answer, who.engine, who.ranker, kept + more), answer)


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("architecture", LAYERED)
def test_the_slow_version_masks_what_the_cache_does_not_hold(architecture: str, together: bool) -> None:
    who = contestants(layers_of(architecture), NAMES)
    made = plan_of(who, Fidelity(keep=RATES, together=together), BROUGHT)
    found = values(measured(made, model_of(architecture), given()))
    for each in who:
        for rate, kept in zip(RATES, (8, 18), strict=True):
            own = {name: found[each.name, rate][name] for name in OF_ANSWER}
            assert close(own, wanted(architecture, BROUGHT, each, kept), 1e-4), (each.name, rate)
    assert not close(own, wanted(architecture, BROUGHT, each, kept, more=1), 1e-3)  # notices one token


@pytest.mark.parametrize("architecture", HYBRID)
def test_a_hybrid_loses_what_it_loses_on_a_shorter_prompt(architecture: str) -> None:
    """Layers without attention cannot be masked, so only the engine that reads a shorter prompt."""
    (who,) = contestants(layers_of(architecture), ["gemfilter"])
    found = values(measured(plan_of([who], Fidelity(keep=RATES), BROUGHT), model_of(architecture), given()))
    for rate, kept in zip(RATES, (8, 18), strict=True):
        own = {name: found["gemfilter", rate][name] for name in OF_ANSWER}
        assert close(own, wanted(architecture, BROUGHT, who, kept), 1e-4)


@pytest.mark.parametrize("architecture", [*PLAIN, *HYBRID])
def test_with_every_token_kept_nothing_is_lost(architecture: str) -> None:
    names = ("claa", "gemfilter", "speculative", "oracle", "random@gemfilter")
    made = plan_of(contestants(layers_of(architecture), names), Fidelity(keep=[100.0]))
    found = values(measured(made, model_of(architecture), given(answers=("30+12,45",), max_new_tokens=ANSWER)))
    assert found.keys() == {(name, 100.0) for name in ("full", *names)}
    for name, each in found.items():
        for front in ("", "reference_"):
            assert abs(each[front + "loss"]) <= 1e-5, name
            assert 0 <= each[front + "kl"] <= 1e-5, name
            assert each[front + "same_token"] == 1, name
            assert each[front + "departure"] == ANSWER, name
            assert each[front + "logprob"] == pytest.approx(found["full", 100.0][front + "logprob"], abs=1e-5), name
    assert found["full", 100.0]["logprob"] != found["full", 100.0]["reference_logprob"]


def test_every_heuristic_of_the_configs_loses_nothing_of_a_whole_prompt() -> None:
    every = "asl,claa,fastkv,gemfilter,h2o,keynorm,pyramidinfer,recency,sinks,snapkv,speculative,tova,random"
    found = tables("prefill.keep=[100]", f"heuristic=[{every}]", "task.depths=[50]", evaluation="fidelity").metrics
    wide = found.pivot_table(index="heuristic", columns="metric", values="value")
    assert set(every.split(",")) < set(wide.index)
    assert set(FIDELITY) < set(wide.columns)
    assert (wide[["loss", "kl", "reference_loss", "reference_kl"]].abs() <= 1e-5).all(axis=None)
    assert (wide[["same_token", "reference_same_token", "kv_ratio"]] == 1).all(axis=None)


@dataclass(frozen=True)
class Chosen(Heuristic):
    """Ranks given places before all others."""

    places: tuple[int, ...] = ()

    def score(self, layer: AttentionLayer) -> Tensor:
        return torch.tensor([float(token in self.places) for token in range(layer.tokens)])


def counting_model() -> PreTrainedModel:
    """Two layers over the tokens A, B, C and D, whose logits are ln 16 times the share of each token among those that layer 1 sees.

    Queries are 0, so that each query attends to all keys that it sees alike. Layer 0 adds nothing. Layer 1 adds the mean of the tokens'
    unit vectors, in dimensions of its own, which the head reads. An epsilon of 1e6 makes the norms a division by 1,000.
    """
    config = LlamaConfig(
        vocab_size=4, hidden_size=8, intermediate_size=8, num_hidden_layers=2, num_attention_heads=1, head_dim=8, rms_norm_eps=1e6,
        max_position_embeddings=64, bos_token_id=None, eos_token_id=None, pad_token_id=None,
    )  # fmt: skip
    model: Any = LlamaForCausalLM(config)
    model.eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.fill_(1000.0 if "norm" in name else 0.0)
        for token in range(4):
            model.model.embed_tokens.weight[token, token] = 1
            model.model.layers[1].self_attn.v_proj.weight[token, token] = 1
            model.model.layers[1].self_attn.o_proj.weight[4 + token, token] = 1
            model.lm_head.weight[token, 4 + token] = torch.tensor(16.0).log()
    return cast(PreTrainedModel, model)


def test_two_layers_by_hand() -> None:
    """Prompt A A B B C C A A, answer A B; 4 tokens are kept, the last A among them."""
    model = counting_model()
    engine = Layerwise(window=1, select_layer=0)
    who = [
        Contestant(name, engine.resolved(ranks, model_layers(model)), ranks)
        for name, ranks in {"abbc": Chosen((2, 3, 4)), "aaab": Chosen((0, 2, 6)), "aabc": Chosen((0, 2, 4))}.items()
    ]
    asked = given([0, 0, 1, 1, 2, 2, 0, 0], max_new_tokens=2)
    found = values(measured(plan_of(who, Fidelity(keep=[50.0]), [0, 1]), model, asked))
    # First token. Full: 4 A, 2 B, 2 C of 8, weights 16^(1/2), 16^(1/4), 16^(1/4), 16^0 = 4, 2, 2, 1, so 4/9, 2/9, 2/9, 1/9.
    # abbc: weights 2, 4, 2, 1, so A has 2/9.  aaab: weights 8, 2, 1, 1, so A has 8/12.  aabc: as full.
    # Second token, after A was fed. Full: 5 A, 2 B, 2 C of 9. abbc: 2 A, 2 B, 1 C of 5. aaab: 4 A, 1 B of 5. aabc: 3 A, 1 B, 1 C.
    full = [16 ** (count / 9) for count in (5, 2, 2, 0)]
    second = {"abbc": (2, 2, 1, 0), "aaab": (4, 1, 0, 0), "aabc": (3, 1, 1, 0)}
    first_loss = {"abbc": log(2), "aaab": log(2 / 3), "aabc": 0}
    first_kl = {
        "abbc": 4 / 9 * log(2) - 2 / 9 * log(2),
        "aaab": 4 / 9 * log(2 / 3) + 2 / 9 * log(4 / 3) + 2 / 9 * log(8 / 3) + 1 / 9 * log(4 / 3),
        "aabc": 0,
    }
    for name, counts in second.items():
        own = [16 ** (count / 5) for count in counts]
        p, q = [each / sum(full) for each in full], [each / sum(own) for each in own]
        each = found[name, 50.0]
        assert each["loss"] == pytest.approx((first_loss[name] + log(p[1] / q[1])) / 2, abs=1e-5)
        assert each["loss_clipped"] == each["loss"]
        assert each["kl"] == pytest.approx(
            (first_kl[name] + sum(a * log(a / b) for a, b in zip(p, q, strict=True))) / 2, abs=1e-5
        )
    assert found["full", 100.0]["logprob"] == pytest.approx((log(4 / 9) + log(full[1] / sum(full))) / 2, abs=1e-5)
    assert found["abbc", 50.0]["departure"] == 0  # B is most likely, not A
    assert {found[name, 50.0]["departure"] for name in ("aaab", "aabc")} == {2}
    assert {found[name, 50.0]["same_token"] for name in ("aaab", "aabc")} == {1}
    assert [found[name, 50.0]["kv_ratio"] for name in second] == [0.5] * 3
