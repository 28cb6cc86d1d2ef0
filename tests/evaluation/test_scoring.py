"""One pass: all heuristics and the oracle out of one read; wrong scores are errors with a name."""

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.reading import read
from tokenrank.evaluation.scoring import as_tensors, rank
from tokenrank.heuristics.claa import CLAA
from tokenrank.heuristics.fastkv import FastKV
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.heuristics.snapkv import SnapKV
from tokenrank.models.architectures import tiny_of
from tokenrank.oracle.attention import AttentionOracle
from tokenrank.oracle.bound import Bound
from tokenrank.tasks.task import Prompt

PROMPT = Prompt("p", "test", tuple((7 * i * i + 3) % 256 for i in range(60)), max_new_tokens=5)
METHODS: dict[str, Heuristic | Bound] = {"claa": CLAA(), "fastkv": FastKV(), "snapkv": SnapKV(), "oracle": Bound()}


def test_every_layer_gets_the_scores_that_the_heuristic_gives_it_alone(tiny_model: PreTrainedModel) -> None:
    alone: list[Tensor] = []
    read(
        tiny_model, torch.tensor(PROMPT.input_ids), lambda layer: alone.append(FastKV().score(layer)), max_new_tokens=1
    )
    ranked = rank(tiny_model, PROMPT, METHODS, AttentionOracle())
    assert ranked.layers == [0, 1, 2, 3]
    torch.testing.assert_close(ranked.scores["fastkv"], torch.stack(alone))
    assert not torch.equal(ranked.scores["fastkv"], ranked.scores["snapkv"])


def test_what_looks_across_layers_is_combined(tiny_model: PreTrainedModel) -> None:
    across = rank(tiny_model, PROMPT, {"claa": CLAA(n=4)}, AttentionOracle()).scores["claa"]
    each = rank(tiny_model, PROMPT, {"claa": CLAA(n=1)}, AttentionOracle()).scores["claa"]
    torch.testing.assert_close(across, each.cummax(dim=0).values)
    assert not torch.equal(across, each)


def test_the_oracle_control_is_the_oracle_at_every_layer(tiny_model: PreTrainedModel) -> None:
    ranked = rank(tiny_model, PROMPT, METHODS, AttentionOracle())
    assert torch.equal(ranked.scores["oracle"], ranked.oracle.expand(4, -1))


def test_a_per_layer_oracle_has_a_row_a_layer(tiny_model: PreTrainedModel) -> None:
    ranked = rank(tiny_model, PROMPT, METHODS, AttentionOracle(layers="each"))
    assert ranked.oracle.shape == (4, 60)
    assert torch.equal(ranked.scores["oracle"], ranked.oracle)


def test_the_window_attention_is_computed_once_a_layer(
    tiny_model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []
    plain = AttentionLayer._softmax

    def counting(layer: AttentionLayer, dots: Tensor, start: int) -> Tensor:
        counted.append(layer.index)
        return plain(layer, dots, start)

    monkeypatch.setattr(AttentionLayer, "_softmax", counting)
    rank(tiny_model, replace(PROMPT, max_new_tokens=1), METHODS, AttentionOracle())
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
        rank(tiny_model, PROMPT, {"broken": Broken(value)}, AttentionOracle())


@pytest.mark.parametrize("broken", [Broken(extra=1), Broken(dtype=torch.float64)])
def test_scores_of_the_wrong_shape_or_type_are_refused(tiny_model: PreTrainedModel, broken: Broken) -> None:
    with pytest.raises(ValueError, match="heuristic broken at layer 0 gave"):
        rank(tiny_model, PROMPT, {"broken": broken}, AttentionOracle())


def test_what_is_saved_is_what_was_ranked(tiny_model: PreTrainedModel) -> None:
    ranked = rank(tiny_model, PROMPT, METHODS, AttentionOracle())
    saved = as_tensors(PROMPT, ranked)
    assert saved["input_ids"].tolist() == list(PROMPT.input_ids)
    assert torch.equal(saved["heuristic.claa"], ranked.scores["claa"])
    assert torch.equal(saved["oracle"][None], ranked.oracle)


@pytest.mark.parametrize(("architecture", "windowed"), [("llama", set()), ("gemma3", {0, 2}), ("lfm2 (hybrid)", set())])
def test_windowed_layers_are_told(architecture: str, windowed: set[int]) -> None:
    short = replace(PROMPT, input_ids=tuple(i % 64 for i in PROMPT.input_ids))
    ranked = rank(tiny_of(architecture), short, {"fastkv": FastKV()}, AttentionOracle())
    assert ranked.windowed == windowed
    assert ranked.layers == ([1] if "hybrid" in architecture else [0, 1, 2])
