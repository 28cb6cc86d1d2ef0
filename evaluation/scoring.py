"""Reads a prompt and its answer once, and computes the scores of every heuristic and the truth."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.capture.answer_passes import AnswerPasses
from tokenrank.capture.decoding import Decoding
from tokenrank.capture.inspection import model_layers
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.needs import Needs
from tokenrank.capture.reading import Reading, read
from tokenrank.capture.shared_prefill import SharedPrefill
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.oracle.oracle import Answer, AnsweredPrompt, Oracle, OracleNeeds, Truth
from tokenrank.records.schema import truth_name
from tokenrank.tasks.task import Prompt
from tokenrank.tasks.token_texts import token_texts


@dataclass(frozen=True)
class Ranked:
    """One prompt, ranked by every heuristic and by its answer."""

    answer: Answer
    ahead_ids: tuple[int, ...]  # the answer, and what follows it as far as a heuristic looked ahead
    truths: Mapping[str, Truth]  # by name of the oracle, in order; one at least
    layers: tuple[int, ...]  # numbers of the attention layers, in order
    scores: Mapping[str, Tensor]  # per heuristic (layers, tokens), float32, higher = keep
    seconds: Mapping[str, float]  # of prefill (the heuristics included), decode and oracle; of those that were done
    passes: AnswerPasses | None = None  # over the answer on the prompt's cache, where these were asked for

    @property
    def truth(self) -> Truth:
        """The first: rankings are compared by it, and it drives bounds."""
        return next(iter(self.truths.values()))

    def with_bound(self, names: Sequence[str]) -> "Ranked":
        """A copy in the order of ``names``; in place of a name without scores, that of the bound, stand the rankings of all truths."""
        first = next(iter(self.truths))
        own = {
            truth_name(each, first): truth.importance.expand(len(self.layers), -1)
            for each, truth in self.truths.items()
        }
        scores: dict[str, Tensor] = {}
        for name in names:
            scores |= {name: self.scores[name]} if name in self.scores else own
        return replace(self, scores=scores)


@dataclass(frozen=True)
class Known:
    """Parts of a prompt that were computed before; ``rank`` computes the others."""

    ahead_ids: tuple[int, ...] | None = None  # of a generated answer
    truths: Mapping[str, Truth] = field(default_factory=dict)  # by name of the oracle
    scores: Mapping[str, Tensor] = field(default_factory=dict)  # per heuristic (layers, tokens)


def rank(
    model: PreTrainedModel,
    prompt: Prompt,
    heuristics: Mapping[str, Heuristic],
    oracles: Mapping[str, Oracle],
    answer: Answer | None = None,
    known: Known | None = None,
    shared: SharedPrefill | None = None,
    tokenizer: Tokenizer | None = None,
    *,
    passes: bool = False,
) -> Ranked:
    """Reads the prompt once and answers it once; heuristics score each layer as it passes, then every oracle gives its truth.

    Nothing is read if all is known, and no answer if what is missing does not need one.

    Args:
        model: a decoder of transformers.
        prompt: its tokens and the limit of its answer.
        heuristics: by name.
        oracles: by name; one at least.
        answer: given to the model in place of a generated one.
        known: what need not be computed. It must be of the same prompt, answer, heuristics and oracles.
        shared: takes what the prefill of the prompt leaves for others; the prompt is then read whatever is known.
        tokenizer: of the model, for an oracle that reads the tokens' texts.
        passes: keep what further passes over the answer need; the prompt is then read whatever is known.

    Raises:
        ValueError: scores of the wrong shape or that are not finite; the message names heuristic, layer and prompt.
    """
    known = known or Known()
    missing = {name: each for name, each in heuristics.items() if name not in known.scores}
    given, layers = known.ahead_ids if answer is None else answer.token_ids, model_layers(model).attention
    unknown = {name: each for name, each in oracles.items() if name not in known.truths}
    if given is not None and not unknown and not missing and shared is None and not passes:
        return Ranked(_answer(prompt, answer, given), given, known.truths, layers, known.scores, {})
    layerwise = LayerScores(missing)
    needs = Needs.together(each.needs for each in missing.values())
    wanted = OracleNeeds.together(
        [each.needs for each in unknown.values()] + [OracleNeeds(layers=False, passes=passes)]
    )
    reading = _read(model, prompt, layerwise, needs, answer, given, shared, wanted)
    ahead_ids = given or tuple(reading.ahead_ids.tolist())
    found = _answer(prompt, answer, ahead_ids)
    started = time.perf_counter()
    answered = _answered(model, prompt, found, reading, wanted, tokenizer)
    truths = {name: known.truths.get(name) or each.truth(answered) for name, each in oracles.items()}
    for name in unknown:
        check_finite(truths[name].importance, f"oracle {name}", layers, prompt.id)
    seconds = {"prefill": reading.prefill_seconds, "oracle": reading.answer_seconds + time.perf_counter() - started}
    if reading.decode_seconds is not None:
        seconds["decode"] = reading.decode_seconds
    scores = {name: layerwise.scores(name, reading.ahead_layers) for name in missing}
    for name, rows in scores.items():
        check_finite(rows, f"heuristic {name}", layers, prompt.id)
    scores = {**known.scores, **scores}
    return Ranked(found, ahead_ids, truths, layers, scores, seconds, answered.passes if passes else None)


def _answer(prompt: Prompt, answer: Answer | None, ahead_ids: tuple[int, ...]) -> Answer:
    return answer or Answer(ahead_ids[: prompt.max_new_tokens], "generated")


def _read(
    model: PreTrainedModel,
    prompt: Prompt,
    layerwise: "LayerScores",
    needs: Needs,
    answer: Answer | None,
    given: tuple[int, ...] | None,
    shared: SharedPrefill | None,
    wanted: OracleNeeds,
) -> Reading:
    """The reading; a given answer is not fed, unless the oracle or a heuristic reads its layers."""
    limit = prompt.max_new_tokens if answer is None else len(answer.token_ids)
    if not wanted.layers and given is not None and not needs.answer:
        given, limit = given[:1], 1  # predicted by the prompt, and not fed
    return read(
        model,
        torch.tensor(prompt.input_ids),
        layerwise.visit,
        max_new_tokens=limit,
        answer_ids=given,
        needs=needs,
        decoding=Decoding.of(model, ends=prompt.stop_ids, not_first=prompt.not_first_ids),
        shared=shared,
        keep_cache=wanted.passes,
    )


def _answered(
    model: PreTrainedModel,
    prompt: Prompt,
    answer: Answer,
    reading: Reading,
    wanted: OracleNeeds,
    tokenizer: Tokenizer | None,
) -> AnsweredPrompt:
    """What the oracle asked for; raises ValueError if it reads texts and there is no tokenizer."""
    ids, passes, texts = torch.tensor(prompt.input_ids), None, None
    if wanted.passes and reading.cache is not None:
        passes = AnswerPasses(model, ids, torch.tensor(answer.token_ids), reading.cache)
    if wanted.texts:
        if tokenizer is None:
            raise ValueError("the oracle reads the texts of tokens, for which the model's tokenizer is needed")
        texts = tuple(token_texts(tokenizer, prompt.input_ids))
    layers = reading.answer_layers if wanted.layers else []
    return AnsweredPrompt(model, ids, answer, layers, passes, texts, prompt.context)


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
