"""One pass: all heuristics and the oracle out of one read; wrong scores are errors with a name."""

from dataclasses import dataclass, field, replace

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.capture.inspection import model_layers
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.reading import read
from tokenrank.evaluation.scoring import Known, rank
from tokenrank.heuristics.claa import CLAA
from tokenrank.heuristics.fastkv import FastKV
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.heuristics.snapkv import SnapKV
from tokenrank.models.architectures import tiny_of
from tokenrank.oracle.ablation import AblationOracle
from tokenrank.oracle.answer_attention import AttentionOracle
from tokenrank.oracle.gradient import GradientOracle
from tokenrank.oracle.oracle import Answer, AnsweredPrompt, OracleNeeds, Truth
from tokenrank.tasks.task import Prompt

PROMPT = Prompt("p", "test", tuple((7 * i * i + 3) % 256 for i in range(60)), max_new_tokens=5)
METHODS: dict[str, Heuristic] = {"claa": CLAA(), "fastkv": FastKV(), "snapkv": SnapKV()}
NAMES = ["claa", "oracle", "fastkv", "snapkv"]


def test_every_layer_gets_the_scores_that_the_heuristic_gives_it_alone(tiny_model: PreTrainedModel) -> None:
    alone: list[Tensor] = []
    read(
        tiny_model, torch.tensor(PROMPT.input_ids), lambda layer: alone.append(FastKV().score(layer)), max_new_tokens=1
    )
    ranked = rank(tiny_model, PROMPT, METHODS, {"attention": AttentionOracle()})
    assert ranked.layers == (0, 1, 2, 3)
    torch.testing.assert_close(ranked.scores["fastkv"], torch.stack(alone))
    assert not torch.equal(ranked.scores["fastkv"], ranked.scores["snapkv"])


def test_the_answer_follows_the_rules_of_the_prompt(tiny_model: PreTrainedModel) -> None:
    plain = rank(tiny_model, PROMPT, {}, {"attention": AttentionOracle()}).answer.token_ids
    end = next(token for token in plain if token != plain[0])
    ended = rank(tiny_model, replace(PROMPT, stop_ids=(end,)), {}, {"attention": AttentionOracle()}).answer.token_ids
    assert ended == plain[: plain.index(end) + 1]
    other = rank(
        tiny_model, replace(PROMPT, not_first_ids=(plain[0],)), {}, {"attention": AttentionOracle()}
    ).answer.token_ids
    assert other[0] != plain[0]


def test_what_looks_across_layers_is_combined(tiny_model: PreTrainedModel) -> None:
    across = rank(tiny_model, PROMPT, {"claa": CLAA(n=4)}, {"attention": AttentionOracle()}).scores["claa"]
    each = rank(tiny_model, PROMPT, {"claa": CLAA(n=1)}, {"attention": AttentionOracle()}).scores["claa"]
    torch.testing.assert_close(across, each.cummax(dim=0).values)
    assert not torch.equal(across, each)


def test_the_bound_is_the_truth_at_every_layer_and_stands_where_it_was_chosen(tiny_model: PreTrainedModel) -> None:
    ranked = rank(tiny_model, PROMPT, METHODS, {"attention": AttentionOracle()})
    bound = ranked.with_bound(NAMES)
    assert list(bound.scores) == NAMES
    assert ranked.truth.importance.shape == (1, 60)
    assert torch.equal(bound.scores["oracle"], ranked.truth.importance.expand(4, -1))
    assert all(torch.equal(bound.scores[name], ranked.scores[name]) for name in METHODS)
    assert list(ranked.with_bound(["claa"]).scores) == ["claa"]


def test_a_per_layer_oracle_has_a_row_a_layer(tiny_model: PreTrainedModel) -> None:
    ranked = rank(tiny_model, PROMPT, METHODS, {"attention": AttentionOracle(layers="each")}).with_bound(NAMES)
    assert ranked.truth.importance.shape == (4, 60)
    assert torch.equal(ranked.scores["oracle"], ranked.truth.importance)


def test_a_given_answer_is_fed_in_place_of_a_generated_one(tiny_model: PreTrainedModel) -> None:
    generated = rank(tiny_model, PROMPT, METHODS, {"attention": AttentionOracle()})
    assert (generated.answer.origin, len(generated.answer.token_ids)) == ("generated", 5)
    again = rank(
        tiny_model, PROMPT, METHODS, {"attention": AttentionOracle()}, Answer(generated.answer.token_ids, "reference")
    )
    assert again.answer.origin == "reference"
    torch.testing.assert_close(again.truth.importance, generated.truth.importance)
    other = rank(tiny_model, PROMPT, METHODS, {"attention": AttentionOracle()}, Answer((1, 2, 3), "reference"))
    assert not torch.allclose(other.truth.importance, generated.truth.importance)


def test_every_part_of_the_pass_is_timed(tiny_model: PreTrainedModel) -> None:
    seconds = rank(tiny_model, PROMPT, METHODS, {"attention": AttentionOracle()}).seconds
    assert set(seconds) == {"prefill", "decode", "oracle"}
    assert all(each > 0 for each in seconds.values())


def test_the_window_attention_is_computed_once_a_layer(
    tiny_model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []
    plain = AttentionLayer._softmax

    def counting(layer: AttentionLayer, dots: Tensor, start: int) -> Tensor:
        counted.append(layer.index)
        return plain(layer, dots, start)

    monkeypatch.setattr(AttentionLayer, "_softmax", counting)
    rank(tiny_model, replace(PROMPT, max_new_tokens=1), METHODS, {"attention": AttentionOracle()})
    assert sorted(counted) == [0, 0, 1, 1, 2, 2, 3, 3]  # once for all windows, once for the oracle


@dataclass(frozen=True)
class Broken(Heuristic):
    """Gives what it is told to give."""

    value: float = 0.0
    extra: int = 0
    dtype: torch.dtype = torch.float32

    def score(self, layer: AttentionLayer) -> Tensor:
        scores = torch.zeros(layer.tokens + self.extra, dtype=self.dtype)
        scores[3] = self.value if layer.index == 2 else 0
        return scores


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_scores_that_are_not_finite_name_heuristic_layer_and_sample(tiny_model: PreTrainedModel, value: float) -> None:
    with pytest.raises(ValueError, match="heuristic broken, layer 2, sample p"):
        rank(tiny_model, PROMPT, {"broken": Broken(value)}, {"attention": AttentionOracle()})


@pytest.mark.parametrize("broken", [Broken(extra=1), Broken(dtype=torch.float64)])
def test_scores_of_the_wrong_shape_or_type_are_refused(tiny_model: PreTrainedModel, broken: Broken) -> None:
    with pytest.raises(ValueError, match="heuristic broken at layer 0 gave"):
        rank(tiny_model, PROMPT, {"broken": broken}, {"attention": AttentionOracle()})


class Blind(AttentionOracle):
    """Gives a truth that cannot be ordered."""

    def truth(self, answered: AnsweredPrompt) -> Truth:
        return Truth(super().truth(answered).importance * float("nan"))


def test_every_oracle_gives_its_truth_and_its_ranking_stands_in_place_of_the_bound(tiny_model: PreTrainedModel) -> None:
    both = {"highest": AttentionOracle(), "average": AttentionOracle(heads="mean")}
    found = rank(tiny_model, PROMPT, METHODS, both)
    alone = {name: rank(tiny_model, PROMPT, {}, {name: each}).truth.importance for name, each in both.items()}
    assert {name: torch.equal(each.importance, alone[name]) for name, each in found.truths.items()} == {
        "highest": True,
        "average": True,
    }
    assert not torch.equal(alone["highest"], alone["average"])
    with_truths = found.with_bound(["oracle", "claa"])
    assert list(with_truths.scores) == ["oracle", "oracle:average", "claa"]
    assert torch.equal(with_truths.scores["oracle:average"], alone["average"].expand(4, -1))
    known = Known(found.ahead_ids, {"average": found.truths["average"]})
    again = rank(tiny_model, PROMPT, {}, both, None, known)
    assert list(again.truths) == ["highest", "average"]  # the order of the oracles, whichever is known
    assert again.truths["average"] is found.truths["average"]


@dataclass(frozen=True)
class Asking(AttentionOracle):
    """Notes what it was given; its truth is that of attention where it has layers."""

    asks: OracleNeeds = field(default_factory=OracleNeeds)
    given: list[AnsweredPrompt] = field(default_factory=list)

    @property
    def needs(self) -> OracleNeeds:
        return self.asks

    def truth(self, answered: AnsweredPrompt) -> Truth:
        self.given.append(answered)
        return Truth(torch.arange(60.0)[None]) if not answered.layers else super().truth(answered)


@pytest.mark.parametrize("given", [None, Answer((5, 6, 7, 8), "brought")])
def test_oracles_are_handed_what_they_need_and_no_more(
    tiny_model: PreTrainedModel, byte_tokenizer: Tokenizer, given: Answer | None
) -> None:
    prompt = replace(PROMPT, context=range(3, 20))
    for asks in (OracleNeeds(), OracleNeeds(False, True), OracleNeeds(False, False, True), OracleNeeds(False)):
        oracle = Asking(asks=asks)
        found = rank(tiny_model, prompt, {}, {"asking": oracle}, given, tokenizer=byte_tokenizer)
        got = oracle.given[0]
        assert (bool(got.layers), got.passes is not None, got.texts is not None) == (
            asks.layers,
            asks.passes,
            asks.texts,
        )
        assert got.context == range(3, 20)
        assert got.answer_ids.tolist() == list(found.answer.token_ids)
        if got.passes is not None:
            assert got.passes.rows == len(found.answer.token_ids)
        if got.texts is not None:
            assert len(got.texts) == len(prompt.input_ids)
    with pytest.raises(ValueError, match="reads the texts of tokens, for which the model's tokenizer is needed"):
        rank(tiny_model, prompt, {}, {"asking": Asking(asks=OracleNeeds(texts=True))}, given)


def test_truths_of_a_given_answer_are_those_of_the_generated_one(tiny_model: PreTrainedModel) -> None:
    """Where the answer is given and no layers are needed, only the prompt is read."""
    oracles = {"ablation": AblationOracle(chunk=7), "gradient": GradientOracle()}
    generated = rank(tiny_model, PROMPT, {}, oracles)
    brought = rank(tiny_model, PROMPT, {}, oracles, Answer(generated.answer.token_ids, "brought"))
    for name in oracles:
        assert torch.allclose(generated.truths[name].importance, brought.truths[name].importance, atol=1e-5)


def test_a_truth_that_is_not_finite_is_refused(tiny_model: PreTrainedModel) -> None:
    with pytest.raises(ValueError, match=r"^oracle blind, sample p: a score is NaN or infinite, must be finite$"):
        rank(tiny_model, PROMPT, METHODS, {"blind": Blind()})


@pytest.mark.parametrize("architecture", ["llama", "gemma3", "lfm2 (hybrid)"])
def test_the_layers_are_those_with_attention(architecture: str) -> None:
    model, short = tiny_of(architecture), replace(PROMPT, input_ids=tuple(i % 64 for i in PROMPT.input_ids))
    ranked = rank(model, short, {"fastkv": FastKV()}, {"attention": AttentionOracle()})
    assert ranked.layers == model_layers(model).attention == ((1,) if "hybrid" in architecture else (0, 1, 2))
    assert ranked.scores["fastkv"].shape == (len(ranked.layers), 60)
