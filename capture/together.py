"""Whether a model's answers can be decoded together, and greedy decoding of several rows."""

import logging
from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tokenrank.capture.cache import can_go_back
from tokenrank.capture.decoding import AnswerSoFar
from tokenrank.capture.feeding import input_device
from tokenrank.capture.inspection import model_layers
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.pruning import Keep, PrunedRun
from tokenrank.capture.rope_lengths import DYNAMIC, LONG, rope_parameters
from tokenrank.capture.rows import Rows

log = logging.getLogger("tokenrank")
CHECKED = "tokenrank_together"  # attribute of a model that was checked: its settings then, and what was found
SHORT, LONGER, FED = 13, 20, 3  # tokens of the two prompts and of the answer in the check
TOLERANCE = {torch.float16: 1e-2, torch.bfloat16: 5e-2}  # of the logits' standard deviation; others: 1e-4


def can_run_together(model: PreTrainedModel) -> bool:
    """Whether ``Rows`` gives a model's logits as ``PrunedRun`` does; a reason against it is logged once.

    The first time two short random prompts are read, of which one loses tokens, and fed an answer together and one by one.

    Args:
        model: a decoder of transformers.

    Raises:
        ValueError: it cannot be captured (see ``model_layers``).
    """
    model_layers(model)
    settings = (str(model.dtype), model.config._attn_implementation, repr(model.config.to_dict()))
    known: tuple[tuple[str, str | None, str], bool] | None = getattr(model, CHECKED, None)
    if known is None or known[0] != settings:
        reason = _reason_against(model)
        if reason is not None:
            log.info("answers of %s are decoded one by one: %s", type(model).__name__, reason)
        known = settings, reason is None
        setattr(model, CHECKED, known)
    return known[1]


def _reason_against(model: PreTrainedModel) -> str | None:
    """Why a model's answers cannot be decoded together; None: they can."""
    if any(each.get("rope_type") in (DYNAMIC, LONG) for _, each in rope_parameters(model.config)):
        return "its rotary frequencies depend on the largest position of a forward pass"
    try:
        runs = [_read(model, tokens) for tokens in (SHORT, LONGER)]
        if not all(can_go_back(run.kept.cache) for run in runs):
            return "it has layers with a state of all tokens together"
        return _difference(model, runs)
    except Exception as error:  # models differ in what they cannot do
        return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _difference(model: PreTrainedModel, runs: Sequence[PrunedRun]) -> str | None:
    """What is wrong with logits together; None: they are those of one by one."""
    ids = torch.stack([_tokens(model, FED, seed) for seed in (1, 2)])
    starts = (SHORT, LONGER)
    alone = torch.stack([run.feed(each, start) for run, each, start in zip(runs, ids, starts, strict=True)]).float()
    for run in runs:
        run.back()
    rows = Rows(runs, starts)
    together = torch.cat([rows.feed(ids[:, :1]), rows.feed(ids[:, 1:])], dim=1).float()
    error = float(((together - alone).square().mean() / alone.var()).sqrt())
    allowed = TOLERANCE.get(model.dtype, 1e-4)
    if error <= allowed:
        return None
    return f"on random tokens its logits are off by {error:.2g} of their standard deviation, allowed is {allowed:.2g}"


def _tokens(model: PreTrainedModel, count: int, seed: int) -> Tensor:
    """(count,) random tokens."""
    vocabulary: int = model.config.get_text_config(decoder=True).vocab_size
    return torch.randint(vocabulary, (count,), generator=torch.Generator().manual_seed(seed))


def _read(model: PreTrainedModel, tokens: int) -> PrunedRun:
    """A prompt of random tokens that was read; of a long one each head of the first layers keeps other tokens, later layers fewer."""
    run = PrunedRun(model, _tokens(model, tokens, seed=0).to(input_device(model)), answer_tokens=FED)

    def visit(layer: AttentionLayer) -> Keep:
        heads = run.cached_heads(layer.index)
        cached = torch.stack([torch.arange(head % 2, tokens - 1 + head % 2, 2)[:8] for head in range(heads)])
        return Keep(cached, torch.tensor([*range(0, tokens - 1, 3), tokens - 1]), last=True)

    run.prefill(visit if tokens == LONGER else None)
    return run


def decode_together(
    rows: Rows, first: Sequence[Tensor], answers: Sequence[AnswerSoFar], limit: int
) -> list[list[int] | Exception]:
    """Greedy answers of all active rows, one token of each a step. A row that has ended is fed no more.

    Args:
        rows: those that are active are decoded, and none is afterwards (``Rows.back`` makes them active).
        first: (vocabulary,) logits of the first token of each active row.
        answers: of each active row; an answer may have tokens already, of which the row was fed all but the last (see ``follow``):
            the row joins when the others have as many. What it was fed after them must not have replaced them.
        limit: tokens of an answer at most, at least 1.

    Returns:
        For each of these rows the answer's tokens, the one that ended it included, as ``greedy`` gives them; or the error with which
        its next token could not be chosen (its logits are not finite, or the rules leave no token). The other rows go on.

    Raises:
        ValueError: a row was not fed the tokens that its answer has (see ``Rows.resume``), or there is no room for the answer.
    """
    of_row = dict(zip(rows.active, answers, strict=True))
    errors: dict[int, Exception] = {}
    logits = {row: each for row, each in zip(of_row, first, strict=True) if not of_row[row].tokens}
    while True:
        for row, each in logits.items():
            try:
                of_row[row].add(each)
            except Exception as error:  # processors are transformers' own
                errors[row] = error
        left = {row: each.tokens for row, each in of_row.items() if row not in errors and not _is_complete(each, limit)}
        fewest = min(map(len, left.values()), default=0)
        rows.resume({row: tokens[:-1] for row, tokens in left.items() if len(tokens) == fewest})
        if not left:
            return [errors.get(row, each.tokens) for row, each in of_row.items()]
        fed = torch.tensor([of_row[row].tokens[-1:] for row in rows.active])
        logits = dict(zip(rows.active, rows.feed(fed)[:, -1], strict=True))


def follow(answer: AnswerSoFar, first: Tensor, given: Sequence[int], logits: Tensor, limit: int) -> None:
    """Takes the tokens of a greedy answer from logits after a given one, as far as both are the same, and the one that departs.

    What was fed to compare two answers need not be fed again to decode: ``decode_together`` goes on where this ends. If a token cannot
    be chosen, this ends before it, and ``decode_together`` meets the error.

    Args:
        answer: without tokens yet.
        first: (vocabulary,) logits of the first token.
        given: tokens that were fed; none where the given answer has one token only.
        logits: (tokens, vocabulary) of the token after each, as ``Rows.logits_of`` yields them.
        limit: tokens of the answer at most, at least 1.
    """
    try:
        answer.add(first)
        for token, each in zip(given, logits, strict=True):
            if answer.tokens[-1] != token or _is_complete(answer, limit):
                return
            answer.add(each)
    except Exception as error:  # processors are transformers' own
        log.debug("an answer was followed for %d tokens: %s", len(answer.tokens), error)


def _is_complete(answer: AnswerSoFar, limit: int) -> bool:
    return len(answer.tokens) >= limit or answer.ended
