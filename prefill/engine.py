"""The contract of an engine: it reads a prompt, and returns the first answer token and a run that can be decoded from."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, Self, TypeVar

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tokenrank.capture.decoding import Decoding, greedy
from tokenrank.capture.feeding import input_device
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.model_layers import ModelLayers
from tokenrank.capture.needs import NOTHING
from tokenrank.capture.operations import END, counted, counted_once
from tokenrank.capture.pruning import PrunedRun
from tokenrank.capture.second_half import whole_run
from tokenrank.capture.shared_prefill import LayerReader, SharedPrefill
from tokenrank.heuristics.heuristic import Heuristic

ReaderT = TypeVar("ReaderT", bound=LayerReader)


@dataclass(frozen=True)
class Job:
    """A prompt to be read, and how."""

    model: PreTrainedModel
    heuristic: Heuristic | None  # ranks the tokens; None: only for full prefill
    input_ids: Tensor  # (tokens,) int64
    kept: int  # tokens that are kept, more than always stay and at most all; with all the answer is plain generation's
    answer_tokens: int  # at most so many answer tokens can be fed afterwards
    clock: bool = False  # make ``choosing_seconds`` exact on a GPU, which then waits at each ranked layer
    decoding: Decoding | None = None  # rules of the answer; None: the model's own
    protected: Tensor | None = None  # (protected,) int64 places that always stay beside the engine's window; None: none

    @property
    def device(self) -> torch.device:
        """Device of the model's input embeddings."""
        return input_device(self.model)

    @property
    def ranker(self) -> Heuristic:
        """The heuristic that ranks; raises ValueError if there is none."""
        if self.heuristic is None:
            raise ValueError("the engine needs a heuristic to rank the tokens, got None")
        return self.heuristic

    @property
    def rules(self) -> Decoding:
        """How the answer is decoded."""
        return self.decoding or Decoding.of(self.model)


@dataclass(frozen=True)
class Prefilled:
    """A prompt that was read; its answer can be decoded, once."""

    job: Job
    run: PrunedRun
    logits: Tensor  # (vocabulary,) of the first answer token
    first_token: int  # of the answer
    kept: Tensor  # (kept,) int64 places in the prompt of the tokens that every layer has processed, ascending
    next_position: int  # of the first answer token
    choosing_seconds: float  # spent on scores, on ordering them and on dropping what is not kept
    operations: int | None = None  # floating-point operations that the engine takes alone; None: not counted

    def then(self, ids: Tensor, decoding: Decoding) -> "Prefilled":
        """The prompt with further tokens, which were not ranked: every layer reads and keeps all of them, through what was kept before.

        Args:
            ids: (tokens,) int64, at least one; they take room of the job's ``answer_tokens``.
            decoding: rules of the answer.

        Returns:
            With the logits of the answer's first token, of which the rules see the whole prompt, and operations that hold those of the
            further tokens. The cache is shared with this one, which must not be used again.

        Raises:
            ValueError: as ``PrunedRun.feed`` and ``finished``.
        """
        job, before, new = self.job, len(self.job.input_ids), len(ids)
        held = [
            0 if (keys := getattr(each, "keys", None)) is None else keys.shape[-2]
            for each in self.run.kept.cache.layers
        ]
        with counted_once(job.model, ("then", new, *held)) as marks:
            logits = self.run.read_on(ids.cpu(), self.next_position)
        whole = torch.cat([job.input_ids, ids.to(job.input_ids.device)])
        asked = replace(job, input_ids=whole, answer_tokens=job.answer_tokens - new, decoding=decoding)
        kept = torch.cat([self.kept, torch.arange(before, before + new, device=self.kept.device)])
        done = finished(asked, self.run, logits, kept, self.next_position + new, self.choosing_seconds)
        operations = None if self.operations is None else self.operations + marks[END]
        return replace(done, operations=operations)

    def kv_bytes(self) -> int:
        """Bytes of keys and values held now; of a windowed layer only those that the next token can still see."""
        return self.run.kv_bytes()

    def decode(self, token: int, step: int) -> Tensor:
        """Feeds answer token number ``step`` (0 is the first); returns the (vocabulary,) logits of the next.

        Raises:
            ValueError: it is more than the ``answer_tokens`` of the job.
        """
        return self.run.decode(token, self.next_position + step)

    def answer(self, max_new_tokens: int) -> list[int]:
        """The greedy answer, the end-of-sequence token included where it was generated.

        Args:
            max_new_tokens: at least 1, and at most one more than the ``answer_tokens`` of the job.

        Raises:
            ValueError: logits of a step are not finite, or the rules of decoding leave no token.
        """

        def feed(ids: Tensor, position: int) -> Tensor:
            return self.run.decode(int(ids[0]), position)

        begun = self.job.rules.begin(self.job.model, self.job.input_ids, max_new_tokens)
        return greedy(feed, begun, self.logits, self.next_position, max_new_tokens)


@dataclass(frozen=True)
class Engine(ABC):
    """A way to run a prompt on some of its tokens. Its fields are its config; a heuristic ranks the tokens."""

    kind: ClassVar[str]  # the engine's name in tables
    least_window: ClassVar[int] = 1  # the answer is read from the prompt's last token, so it is kept

    window: int = 8  # tokens at the end of the prompt that are always kept

    def __post_init__(self) -> None:
        if self.window < self.least_window:
            least = "1 token: the answer is read from the last one" if self.least_window else "0"
            raise ValueError(f"window is {self.window}, must be at least {least}")

    def resolved(self, heuristic: Heuristic, layers: ModelLayers) -> Self:  # noqa: ARG002
        """The same engine with every null setting filled in, for this heuristic and a model with these layers.

        Raises:
            ValueError: the heuristic cannot rank for this engine, or the model lacks a layer that was asked for.
        """
        return self

    def protected(self, job: Job) -> Tensor:
        """(protected,) int64 places of the job's prompt that always stay, ascending, on the model's device: its window, and the job's own."""
        tokens = len(job.input_ids)
        last = range(max(tokens - self.window, 0), tokens)
        own = [] if job.protected is None else job.protected.tolist()
        places = torch.tensor(sorted({*own, *last}), dtype=torch.int64)
        return places.to(job.device)

    @property
    def select_at(self) -> int | None:
        """The layer behind which a shared prefill must keep hidden states for this engine; None: it needs none."""
        return None

    def reader(self, heuristic: Heuristic, device: torch.device) -> LayerReader:  # noqa: ARG002
        """What this engine reads of a shared prefill for a heuristic, by default nothing; made once a prompt, whatever the keep rates.

        Raises:
            ValueError: the engine is not ``resolved``.
        """
        return NothingRead()

    def prefill_after(self, job: Job, shared: SharedPrefill, reader: LayerReader) -> Prefilled:  # noqa: ARG002
        """As ``prefill``, bit for bit; by default nothing is taken from another prefill of the same prompt.

        Args:
            job: of the same prompt.
            shared: after it has read the prompt; ``select_at`` is in its ``after``.
            reader: as ``reader`` gave it for the job's heuristic; it has read the layers of ``shared``.

        Returns:
            With ``operations`` that the engine takes alone.
        """
        with counted() as spent:
            done = self.prefill(job)
        return replace(done, operations=spent.total)

    @abstractmethod
    def prefill(self, job: Job) -> Prefilled:
        """Reads a prompt; when it returns, the first answer token is known on the host.

        Raises:
            ValueError: the engine is not ``resolved``, the job has no heuristic that it needs, or the scores cannot be ordered.
        """


class NothingRead(LayerReader):
    """Reads no layer."""

    needs = NOTHING

    def visit(self, layer: AttentionLayer) -> None:
        """Reads nothing."""


def finished(
    job: Job, run: PrunedRun, logits: Tensor, kept: Tensor, next_position: int, choosing_seconds: float
) -> Prefilled:
    """The result of a prefill, once its first token has reached the host; the rules of decoding see the whole prompt.

    Raises:
        ValueError: the logits are not finite, or the rules of decoding leave no token.
    """
    first_token = job.rules.begin(job.model, job.input_ids, job.answer_tokens).add(logits)
    return Prefilled(job, run, logits, first_token, kept, next_position, choosing_seconds)


def as_read(reader: LayerReader, kind: type[ReaderT]) -> ReaderT:
    """A reader of an engine's own kind.

    Raises:
        ValueError: it is of another kind.
        Exception: what ended its reading.
    """
    if not isinstance(reader, kind):
        raise ValueError(
            f"the engine needs {kind.__name__}, got {type(reader).__name__}: make it with the engine's reader()"
        )
    if reader.error is not None:
        raise reader.error
    return reader


def resolved_layer(select_layer: int | None) -> int:
    """The layer of an engine that was resolved; raises ValueError if it was not."""
    if select_layer is None:
        raise ValueError("select_layer is null: call resolved() with the model's layers first")
    return select_layer


@dataclass(frozen=True)
class Full(Engine):
    """Every layer processes every token: the baseline. No heuristic is asked."""

    kind: ClassVar[str] = "full"

    def prefill(self, job: Job) -> Prefilled:
        """All tokens, whatever ``kept`` says."""
        run, tokens = PrunedRun(job.model, job.input_ids, answer_tokens=job.answer_tokens), len(job.input_ids)
        return finished(job, run, run.prefill(), torch.arange(tokens), tokens, 0.0)

    def after(self, job: Job, shared: SharedPrefill) -> Prefilled:
        """As ``prefill``, bit for bit: all that the shared prefill held."""
        run, tokens = PrunedRun(job.model, job.input_ids, answer_tokens=job.answer_tokens), len(job.input_ids)
        logits = whole_run(run, shared)
        return replace(finished(job, run, logits, torch.arange(tokens), tokens, 0.0), operations=shared.operations)
