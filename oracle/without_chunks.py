"""Log-probabilities of an answer after the prompt was read without each of its chunks: from some layer on, or altogether."""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tokenrank.capture.answer_passes import chosen_logprobs
from tokenrank.capture.feeding import input_device
from tokenrank.capture.inspection import model_layers
from tokenrank.capture.pruning import PrunedRun
from tokenrank.capture.reading import read
from tokenrank.capture.second_half import second_half, whole_run
from tokenrank.capture.select_layer import resolve_select_layer
from tokenrank.capture.shared_prefill import SharedPrefill


def logprobs_after_pruning(
    model: PreTrainedModel, input_ids: Tensor, answer_ids: Tensor, chunks: Sequence[range], select_layer: int | None
) -> Tensor:
    """Log-probabilities where the layers after ``select_layer`` process and cache the prompt without a chunk, as in pruned prefill.

    The layers up to it are read once for all chunks, and their caches stay whole.

    Args:
        model: a decoder of transformers.
        input_ids: (tokens,) int64, the prompt. Its last token stays.
        answer_ids: (T,) int64.
        chunks: of the prompt.
        select_layer: an attention layer; None: half the layers, less one.

    Returns:
        (1 + chunks, T) float32 on the CPU: with all tokens, then without each chunk.

    Raises:
        ValueError: there is no such attention layer, or the model cannot be run so (see ``PrunedRun``).
    """
    last = resolve_select_layer(model_layers(model), select_layer)
    shared = SharedPrefill(model, [], after=[last])
    first = answer_ids[:1].tolist()
    read(model, input_ids, lambda _: None, max_new_tokens=1, answer_ids=first, shared=shared)

    def logprobs(chunk: range | None) -> Tensor:
        run = PrunedRun(model, input_ids, answer_tokens=len(answer_ids))
        if chunk is None:
            return _logprobs(run, whole_run(run, shared), answer_ids, len(input_ids))
        kept = _without(chunk, len(input_ids)).to(input_device(model))
        logits, _ = second_half(run, shared, last, kept, cached={})
        shared.forget_halves()
        return _logprobs(run, logits, answer_ids, len(input_ids))

    return torch.stack([logprobs(chunk) for chunk in (None, *chunks)])


def logprobs_after_removal(
    model: PreTrainedModel, input_ids: Tensor, answer_ids: Tensor, chunks: Sequence[range]
) -> Tensor:
    """Log-probabilities where the prompt is read without a chunk, all other tokens at their positions; arguments and result as above."""

    def logprobs(chunk: range) -> Tensor:
        kept = _without(chunk, len(input_ids))
        run = PrunedRun(model, input_ids[kept], answer_tokens=len(answer_ids), positions=kept)
        return _logprobs(run, run.prefill(), answer_ids, len(input_ids))

    return torch.stack([logprobs(chunk) for chunk in (range(0), *chunks)])


def _without(chunk: range, tokens: int) -> Tensor:
    """(kept,) int64 places of the other tokens, and of the last."""
    return torch.tensor([place for place in range(tokens) if place not in chunk or place == tokens - 1])


def _logprobs(run: PrunedRun, first: Tensor, answer_ids: Tensor, tokens: int) -> Tensor:
    """(T,) of the answer after a prompt of so many tokens; ``first`` are the logits of its first token."""
    logits = first[None]
    if len(answer_ids) > 1:
        logits = torch.cat([logits, run.feed(answer_ids[:-1], tokens)])
    return chosen_logprobs(logits, answer_ids).cpu()
