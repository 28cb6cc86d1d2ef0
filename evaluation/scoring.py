"""One pass over a prompt and its answer, out of which come the scores of every heuristic and of the oracle."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.needs import Needs
from tokenrank.capture.reading import read
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.oracle.answer_informed import AnswerInformedOracle
from tokenrank.tasks.task import Prompt


@dataclass(frozen=True)
class Ranked:
    """One prompt, ranked by every heuristic and by its answer."""

    answer_ids: Tensor  # (answer tokens,) int64
    layers: list[int]  # numbers of the attention layers, in order
    windowed: frozenset[int]  # numbers of those with a sliding window
    oracle: Tensor  # (tokens,) or (layers, tokens), float32
    scores: Mapping[str, Tensor]  # per heuristic (layers, tokens), float32
    seconds: Mapping[str, float]  # of prefill (the heuristics included), decode and oracle


def rank(
    model: PreTrainedModel,
    prompt: Prompt,
    heuristics: Mapping[str, Heuristic],
    oracle: AnswerInformedOracle,
    answer_ids: list[int] | None = None,
) -> Ranked:
    """Reads the prompt once and answers it once; all heuristics score each layer as it passes, then the oracle judges.

    Raises:
        ValueError: scores of the wrong shape or that are not finite; the message names heuristic, layer and prompt.
    """
    rows: dict[str, list[Tensor]] = {name: [] for name, each in heuristics.items() if not each.needs_answer}

    def visit(layer: AttentionLayer) -> None:
        for name, kept in rows.items():
            kept.append(
                checked(heuristics[name].score(layer), f"heuristic {name} at layer {layer.index}", layer.tokens)
            )

    reading = read(
        model,
        torch.tensor(prompt.input_ids),
        visit,
        max_new_tokens=prompt.max_new_tokens,
        answer_ids=answer_ids,
        needs=Needs.together(each.needs for each in heuristics.values()),
    )
    layers = [layer.index for layer in reading.answer_layers]
    started = time.perf_counter()
    importance = oracle.importance(reading.answer_layers)
    seconds = {"prefill": reading.prefill_seconds, "decode": reading.decode_seconds}
    seconds["oracle"] = time.perf_counter() - started
    scores = {}
    for name, each in heuristics.items():
        if each.needs_answer:
            scores[name] = each.from_answer(reading.ahead_layers, importance).expand(len(layers), -1)
        else:
            scores[name] = each.combine(torch.stack([row.cpu() for row in rows[name]]))
        check_finite(scores[name], f"heuristic {name}", layers, prompt.id)
    check_finite(importance, "the oracle", layers, prompt.id)
    windowed = frozenset(layer.index for layer in reading.answer_layers if layer.sliding_window is not None)
    return Ranked(reading.answer_ids, layers, windowed, importance, scores, seconds)


def checked(row: Tensor, whose: str, tokens: int) -> Tensor:
    """The row, if it has one float32 for each of ``tokens`` tokens; else a ValueError that says whose it is."""
    if row.shape != (tokens,) or row.dtype != torch.float32:
        raise ValueError(
            f"{whose} gave {row.dtype} of shape {tuple(row.shape)}, must be torch.float32 of shape ({tokens},)"
        )
    return row


def check_finite(scores: Tensor, whose: str, layers: list[int], sample: str) -> None:
    """Raises ValueError if a score is NaN or infinite, naming whose it is, the layer (if it has one) and the sample."""
    bad = ~scores.isfinite().all(dim=-1)
    if bad.any():
        where = f", layer {layers[int(bad.int().argmax())]}" if bad.dim() else ""
        raise ValueError(f"{whose}{where}, sample {sample}: a score is NaN or infinite, must be finite")


def as_tensors(prompt: Prompt, ranked: Ranked) -> dict[str, Tensor]:
    """What ``save_rankings`` saves of a prompt."""
    return {
        "input_ids": torch.tensor(prompt.input_ids),
        "answer_ids": ranked.answer_ids,
        "oracle": ranked.oracle,
    } | {f"heuristic.{name}": rows for name, rows in ranked.scores.items()}
