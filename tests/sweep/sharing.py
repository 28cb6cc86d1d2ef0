"""What engines give after one shared prefill, fed in one pass, and decoded together, against what each gave alone."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from unittest.mock import patch

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tests.sweep.alone import KEPT, Alone, Outcome, outcome, resolved
from tests.sweep.readings import ANSWER
from tests.sweep.verdicts import EXACT, ONE_BY_ONE, REFUSED, WRONG, Verdict, judge
from tokenrank.capture.reading import read
from tokenrank.capture.rows import Rows
from tokenrank.capture.shared_prefill import SharedPrefill
from tokenrank.capture.together import can_run_together, decode_together
from tokenrank.evaluation.contest import logits_of
from tokenrank.metrics.answer_loss import FullAnswer
from tokenrank.prefill.engine import Full, Job, Prefilled

SHARED, ONE_PASS, WHOLE, TOGETHER = "shared prefill", "one pass", "keep 100 %", "together"
FULL = "full"  # the engine of that name
DECODED = 3  # tokens after a shared prefill; the others are fed in one pass
NEAR = (
    1e-4  # of the largest logit, or of 1 if that is more: logits that are computed in another order differ by rounding
)
LOSS = 1e-5  # nats a token, of an answer at a keep rate of 100 %


@dataclass
class Shared:
    """Engines after one prefill of a prompt, by name: at KEPT tokens, and at all."""

    pruned: dict[str, Prefilled] = field(default_factory=dict)
    whole: dict[str, Prefilled] = field(default_factory=dict)


def sharing_verdicts(
    model: PreTrainedModel, ids: Tensor, alone: Mapping[str, Alone], refused: Mapping[str, str]
) -> dict[str, Verdict]:
    """SHARED, ONE_PASS, WHOLE and TOGETHER -> verdict; SHARED alone where it is not exact, nothing where full prefill is refused.

    Args:
        model: watched.
        ids: (tokens,) the prompt.
        alone: name of an engine -> what it gave by itself.
        refused: name of an engine that refused the prompt -> its sentence.
    """
    if FULL not in alone:
        return {}
    done = Shared()
    verdicts = {SHARED: _allowed(judge(lambda: _shared_fault(model, ids, alone, refused, done)))}
    if verdicts[SHARED].word == EXACT:
        verdicts[ONE_PASS] = _allowed(judge(lambda: _one_pass_fault(alone, done)))
        verdicts[WHOLE] = _allowed(judge(lambda: _whole_fault(alone[FULL].outcome, done)))
        verdicts[TOGETHER] = _together(model, alone, done)
    return verdicts


def _allowed(verdict: Verdict) -> Verdict:
    """A refusal is wrong: by itself the engine gave an answer."""
    return Verdict(WRONG, verdict.reason) if verdict.word == REFUSED else verdict


def _shared_fault(
    model: PreTrainedModel, ids: Tensor, alone: Mapping[str, Alone], refused: Mapping[str, str], done: Shared
) -> str:
    """What is wrong with engines after a shared prefill; nothing if they are bit for bit what they are alone. Fills ``done``."""
    engines = {name: (each.engine, each.heuristic) for name, each in alone.items()}
    for name in refused:
        with suppress(ValueError):  # refused before any prompt
            engines[name] = resolved(name, model)
    pruned = {name: pair for name, pair in engines.items() if name != FULL}
    readers = {name: engine.reader(heuristic, ids.device) for name, (engine, heuristic) in pruned.items()}
    after = [engine.select_at for engine, _ in pruned.values() if engine.select_at is not None]
    shared = SharedPrefill(model, list(readers.values()), after)
    read(model, ids, lambda _layer: None, max_new_tokens=ANSWER, shared=shared)

    def prefilled(name: str, kept: int) -> Prefilled:
        engine, heuristic = engines[name]
        job = Job(model, heuristic, ids, kept, answer_tokens=ANSWER)
        return (
            engine.after(job, shared) if isinstance(engine, Full) else engine.prefill_after(job, shared, readers[name])
        )

    def tried(name: str) -> str:
        return f"its kept tokens are {prefilled(name, KEPT).kept.tolist()}"

    for name in pruned.keys() & refused:
        verdict = judge(partial(tried, name))
        if verdict != Verdict(REFUSED, refused[name]):
            return f"{name} must be refused after a shared prefill ({refused[name]}), but {verdict.reason}"
    done.pruned.update({name: prefilled(name, KEPT) for name in alone})
    done.whole.update({name: prefilled(name, len(ids)) for name in alone})
    shared.forget_halves()
    for name, found in done.pruned.items():
        fault = _other(outcome(found, DECODED), alone[name].outcome)
        found.run.back()
        if not fault and found.operations != alone[name].operations:
            fault = f"operations are {found.operations}, alone {alone[name].operations}"
        if fault:
            return f"{name} after a shared prefill: {fault}"
    return ""


def _other(found: Outcome, wanted: Outcome) -> str:
    """How an outcome differs from the start of another; nothing if it is the same bit for bit."""
    tokens = len(found.answer)
    if found.kept != wanted.kept:
        return f"kept are {found.kept}, alone {wanted.kept}"
    if found.kv_bytes != wanted.kv_bytes:
        return f"the cache has {found.kv_bytes} bytes, alone {wanted.kv_bytes}"
    if not torch.equal(found.logits, wanted.logits[:tokens]):
        return f"logits differ by {_far(found.logits, wanted.logits[:tokens]):.1e} from those alone"
    return "" if found.answer == wanted.answer[:tokens] else f"the answer is {found.answer}, alone {wanted.answer}"


def _one_pass_fault(alone: Mapping[str, Alone], done: Shared) -> str:
    """What is wrong with an answer that is fed in one pass; nothing if its logits are those of token by token."""
    for name, found in done.pruned.items():
        wanted = alone[name].outcome
        far = _far(logits_of(found, torch.tensor(wanted.answer)), wanted.logits)
        if not far < _near(wanted.logits):
            return f"{name}: logits of an answer that is fed in one pass differ by {far:.1e} from those of decoding"
    return ""


def _whole_fault(full: Outcome, done: Shared) -> str:
    """What is wrong at a keep rate of 100 %; nothing if the answer of the full prefill loses nothing."""
    ids = torch.tensor(full.answer)
    answer = FullAnswer.of(logits_of(done.whole[FULL], ids), ids)
    for name, found in done.whole.items():
        lost = answer.loss_of(logits_of(found, ids))
        if not max(abs(lost["loss"]), lost["kl"]) <= LOSS:
            return f"{name}: at a keep rate of 100 % the loss is {lost['loss']:.1e} and the divergence {lost['kl']:.1e} nats a token"
    return ""


def _together(model: PreTrainedModel, alone: Mapping[str, Alone], done: Shared) -> Verdict:
    """Whether answers together are those of one by one; ONE_BY_ONE, with the reason, for a model that is decoded so."""
    with patch("tokenrank.capture.together.log") as log:
        if not can_run_together(model):
            return Verdict(ONE_BY_ONE, str(log.info.call_args.args[-1]))
    return _allowed(judge(lambda: _together_fault(alone, done)))


class _NotedRows(Rows):
    """Rows that note the logits of all that they are fed."""

    def feed(self, ids: Tensor) -> Tensor:
        logits = super().feed(ids)
        self.noted = [*getattr(self, "noted", []), logits]
        return logits


def _together_fault(alone: Mapping[str, Alone], done: Shared) -> str:
    """What is wrong with answers that are decoded together, and fed together in one pass."""
    found = {**done.pruned, **{f"{name} at 100 %": each for name, each in done.whole.items()}}
    wanted = [alone[name if name in alone else FULL].outcome for name in found]
    runs = list(found.values())
    rows = _NotedRows([each.run for each in runs], [each.next_position for each in runs])
    begun = [each.job.rules.begin(each.job.model, each.job.input_ids, ANSWER) for each in runs]
    answers = decode_together(rows, [each.logits for each in runs], begun, ANSWER)
    for name, answer, one in zip(found, answers, wanted, strict=True):
        if answer != one.answer:
            return f"{name}: the answer together is {answer}, one by one {one.answer}"
    steps = torch.cat(rows.noted, dim=1)
    rows.back()
    whole = rows.feed(torch.tensor([one.answer[:-1] for one in wanted]))
    for name, *pair, one in zip(found, steps, whole, wanted, strict=True):
        far = max(_far(logits, one.logits[1:]) for logits in pair)
        if not far < _near(one.logits):
            return f"{name}: logits together differ by {far:.1e} from those of one by one"
    return ""


def _near(logits: Tensor) -> float:
    return NEAR * max(1.0, float(logits.abs().max()))


def _far(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max())
