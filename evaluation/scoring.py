"""Reads a prompt and its answer once, and computes the scores of every heuristic and the truth."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tokenrank.capture.decoding import Decoding
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.needs import Needs
from tokenrank.capture.reading import read
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.oracle.oracle import Answer, AnsweredPrompt, Oracle, Truth
from tokenrank.tasks.task import Prompt


@dataclass(frozen=True)
class Ranked:
    """One prompt, ranked by every heuristic and by its answer."""

    answer: Answer
    truth: Truth
    layers: tuple[int, ...]  # numbers of the attention layers, in order
    scores: Mapping[str, Tensor]  # per heuristic (layers, tokens), float32, higher = keep
    seconds: Mapping[str, float]  # of prefill (the heuristics included), decode and oracle

    def with_bound(self, names: Sequence[str]) -> "Ranked":
        """A copy in the order of ``names``; a name without scores is the bound and gets the truth."""
        truth = self.truth.importance.expand(len(self.layers), -1)
        return replace(self, scores={name: self.scores.get(name, truth) for name in names})


def rank(
    model: PreTrainedModel,
    prompt: Prompt,
    heuristics: Mapping[str, Heuristic],
    oracle: Oracle,
    answer: Answer | None = None,
) -> Ranked:
    """Reads the prompt once and answers it once; heuristics score each layer as it passes, then the oracle gives the truth.

    Args:
        model: a decoder of transformers.
        prompt: its tokens and the limit of its answer.
        heuristics: by name.
        oracle: gives the truth.
        answer: given to the model in place of a generated one.

    Raises:
        ValueError: scores of the wrong shape or that are not finite; the message names heuristic, layer and prompt.
    """
    ids, layerwise = torch.tensor(prompt.input_ids), LayerScores(heuristics)
    reading = read(
        model,
        ids,
        layerwise.visit,
        max_new_tokens=prompt.max_new_tokens,
        answer_ids=None if answer is None else answer.token_ids,
        needs=Needs.together(each.needs for each in heuristics.values()),
        decoding=Decoding.of(model, ends=prompt.stop_ids, not_first=prompt.not_first_ids),
    )
    found = answer or Answer(tuple(reading.answer_ids.tolist()), "generated")
    started = time.perf_counter()
    truth = oracle.truth(AnsweredPrompt(model, ids, found, reading.answer_layers))
    seconds = {"prefill": reading.prefill_seconds, "decode": reading.decode_seconds}
    seconds["oracle"] = time.perf_counter() - started
    layers = tuple(layer.index for layer in reading.answer_layers)
    check_finite(truth.importance, "the oracle", layers, prompt.id)
    scores = {name: layerwise.scores(name, reading.ahead_layers) for name in heuristics}
    for name, rows in scores.items():
        check_finite(rows, f"heuristic {name}", layers, prompt.id)
    return Ranked(found, truth, layers, scores, seconds)


class LayerScores:
    """Scores of several heuristics, gathered layer by layer while a prompt is read."""

    def __init__(self, heuristics: Mapping[str, Heuristic]) -> None:
        self._heuristics = heuristics
        self._rows: dict[str, list[Tensor]] = {
            name: [] for name, each in heuristics.items() if not each.needs.answer
        }  # (tokens,) each

    def visit(self, layer: AttentionLayer) -> None:
        """Lets every heuristic that ranks layer by layer score this one."""
        for name, rows in self._rows.items():
            row = self._heuristics[name].score(layer)
            rows.append(checked(row, f"heuristic {name} at layer {layer.index}", layer.tokens))

    def scores(self, name: str, ahead: Sequence[AttentionLayer]) -> Tensor:
        """(layers, tokens) float32 on the CPU, of one heuristic; ``ahead`` are the layers of the answer looked ahead to."""
        heuristic = self._heuristics[name]
        if name in self._rows:
            return heuristic.combine(torch.stack([row.cpu() for row in self._rows[name]]))
        return heuristic.from_answer(ahead).expand(len(ahead), -1)


def checked(row: Tensor, whose: str, tokens: int) -> Tensor:
    """The row, if it has one float32 for each of ``tokens`` tokens; else a ValueError that says whose it is."""
    if row.shape != (tokens,) or row.dtype != torch.float32:
        raise ValueError(
            f"{whose} gave {row.dtype} of shape {tuple(row.shape)}, must be torch.float32 of shape ({tokens},)"
        )
    return row


def check_finite(scores: Tensor, whose: str, layers: Sequence[int], sample: str) -> None:
    """Raises ValueError if a score is NaN or infinite, naming whose it is, the layer (if each has a row) and the sample."""
    bad = ~scores.isfinite().all(dim=-1)
    if bad.any():
        where = f", layer {layers[int(bad.int().argmax())]}" if len(bad) == len(layers) else ""
        raise ValueError(f"{whose}{where}, sample {sample}: a score is NaN or infinite, must be finite")
