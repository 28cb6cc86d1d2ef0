"""The printed tables of evaluation=accuracy and evaluation=fidelity: results and costs of every contestant."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tokenrank.records.measures import ACCURACY, LOSS, NEEDLE_KEPT
from tokenrank.records.tables import Tables
from tokenrank.report.printed.contestant_lines import Line, at, lines_of, named
from tokenrank.report.printed.fitting import Block, fitting
from tokenrank.report.rows.aligned import Column, aligned, interval, number, wrapped
from tokenrank.report.rows.bounds import MARK, beaten, beaten_sentences, marked
from tokenrank.report.rows.contestant_rows import GAP_CLOSED, answered, engines_of, origin, over_all
from tokenrank.report.rows.protection import protected

NOTHING = "no prompt could be answered"
COUNTED = "keep in percent; FLOPs counted and KV held, over the full prefill's (evaluation=ttft measures time)"
GAP = "gap: the share closed of the gap from the random control (0) to the oracle (1) of the same engine"
LOST = (
    "what the answer loses when it is fed through the pruned cache instead of the full one; loss and KL in nats a token"
)


@dataclass(frozen=True)
class Shown:
    """A measure in a printed table: the column of its mean, and one of its 95 % interval."""

    heading: str
    metric: str
    rank: int  # the smaller ones are shown if not all fit a line
    digits: int = 3
    statistic: str = "mean"
    ends: int | None = None  # rank of its interval, the same: only together; None: without one
    optional: bool = False  # without a column where no contestant has it

    def blocks(self, tables: Tables, lines: Sequence[Line]) -> list[Block]:
        """None, one or two."""
        value, low, high = (over_all(tables, self.metric, each, self.statistic) for each in ("value", "low", "high"))
        if self.optional and value.isna().all(axis=None):
            return []
        mean = Column(self.heading, [number(at(value, line), self.digits) for line in lines])
        if self.ends is None:
            return [Block([mean], self.rank)]
        ends = Column("[95 %]", [interval(at(low, line), at(high, line), self.digits) for line in lines])
        if self.ends == self.rank:
            return [Block([mean, ends], self.rank)]
        return [Block([mean], self.rank), Block([ends], self.ends)]


def _result(metric: str) -> tuple[Shown, Shown]:
    return Shown(metric, metric, 1, ends=1), Shown("gap", metric, 2, 2, GAP_CLOSED, ends=5)


COSTS = (
    Shown("FLOPs", "flops_ratio", 3), Shown("KV", "kv_ratio", 3), Shown("needle kept", NEEDLE_KEPT, 4, 2, optional=True),
)  # fmt: skip
CLIPPED, KL = Shown("clipped", "loss_clipped", 4), Shown("KL", "kl", 3)
SAME, DEPARTURE = Shown("same token", "same_token", 3), Shown("departure", "departure", 6, 1)
BESIDE_ACCURACY = (*_result(LOSS), CLIPPED, KL, SAME, DEPARTURE)
BESIDE_LOSS = (replace(KL, rank=1, ends=1), replace(SAME, rank=2, ends=2), CLIPPED, DEPARTURE)


def accuracy_summary(tables: Tables) -> str:
    """Accuracy and costs, and what the full prefill's answer loses under pruning: in each a line a contestant and keep rate.

    Full is first, then engine by engine: the oracle first, random last. A dash is a number that the tables do not have.
    """
    heading = [f"{origin(tables)}; means over prompts", COUNTED, *protected(tables.runs), GAP]
    shown = _table(tables, heading, (*_result(ACCURACY), *COSTS), counts=True)
    if not _has(tables, LOSS):
        return shown
    return f"{shown}\n\n{_table(tables, [LOST], BESIDE_ACCURACY)}"


def fidelity_summary(tables: Tables) -> str:
    """What the answer loses under pruning, and costs; then other measures of the loss: lines as of ``accuracy_summary``."""
    heading = [f"{origin(tables)}; means over prompts", LOST, COUNTED, *protected(tables.runs), GAP]
    shown = _table(tables, heading, (*_result(LOSS), *COSTS), counts=True)
    if shown == NOTHING:
        return shown
    more = "other measures of it; clipped: each token's loss is limited to 5 nats; departure: tokens before the first other one"
    return f"{shown}\n\n{_table(tables, [more], BESIDE_LOSS)}"


def _table(tables: Tables, heading: Sequence[str], shown: Sequence[Shown], *, counts: bool = False) -> str:
    """Heading, lines grouped by engine, and below them which oracles were beaten in the measures that are shown."""
    if tables.metrics.empty or not (prompts := answered(tables)).to_numpy().any():
        return NOTHING
    lines, engines = lines_of(tables), engines_of(tables)
    found = beaten(tables, list(dict.fromkeys(each.metric for each in shown)))
    blocks = [Block(named(lines, marked(found), MARK), 1)]
    counted = [f"{at(prompts, line):g}" for line in lines]
    if counts and len(set(counted)) > 1:  # else the heading says it
        blocks.append(Block([Column("prompts", counted)], 2))
    for each in shown:
        blocks += each.blocks(tables, lines)
    body = aligned(fitting(blocks), [engines[name] for name, _ in lines])
    return "\n".join(filter(None, [*map(wrapped, heading), body, beaten_sentences(found)]))


def _has(tables: Tables, metric: str) -> bool:
    return metric in set(tables.metrics["metric"])
