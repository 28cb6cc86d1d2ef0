"""Time to first token. Contestants take turns, round after round, so that slow drift of the machine affects all alike."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
from transformers import PreTrainedModel

from tokenrank.evaluation.evaluation import Advance, Evaluation, Measurement
from tokenrank.evaluation.kept_checks import check_kept
from tokenrank.evaluation.setting_checks import check_percentages, check_whole, refuse_rankings
from tokenrank.evaluation.summary_rows import known, rows_of
from tokenrank.evaluation.timing import Timed, count, guarded, look_at_memory, time_once, timed_contestants
from tokenrank.prefill.protection import WINDOW, WITHIN, check_budget, check_protect
from tokenrank.records.schema import FULL, SUMMARY, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tokenrank.evaluation.evaluation import Row
    from tokenrank.evaluation.plan import Plan, Unit

UNTIMED = {-2: count, -1: look_at_memory}  # rounds before the timed ones, which also warm every contestant up


@dataclass(frozen=True)
class TimeToFirstToken(Evaluation):
    """Seconds from the prompt's tokens to the first answer token on the host, choosing and any draft model included.

    Loading and tokenising are not. Each round runs every contestant once, in an order that is rotated by one each round; ratios are
    taken within a round.
    """

    keep: list[float]  # keep rates: percent of the prompt's tokens that stay
    repeats: int = 5  # timed rounds
    save_rankings: bool = False  # must be false
    protect: str = WINDOW  # what always stays: window or frame
    budget: str = WITHIN  # whether that counts within the keep rate, or stays beside it

    kind: ClassVar[str] = "ttft"
    runs_engines: ClassVar[bool] = True
    timed: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_percentages("prefill.keep", self.keep)
        check_whole("evaluation.repeats", self.repeats, 1)
        refuse_rankings(self.save_rankings)
        check_protect(self.protect)
        check_budget(self.budget)

    def check(self, plan: "Plan") -> None:
        """Raises ValueError for keep rates that leave nothing of a prompt but what always stays, and for an answer that is given."""
        if plan.answer != "generated":
            by = " (by the setting answers)" if plan.answer == "brought" else ""
            raise ValueError(f"answer is {plan.answer}{by}, must be generated: evaluation=ttft feeds no answer")
        check_kept(plan, self.keep, self.protect, self.budget)

    def rounds(self, plan: "Plan") -> int:
        """Every contestant at every keep rate, untimed and timed."""
        return (len(UNTIMED) + self.repeats) * (1 + (len(plan.contestants) - 1) * len(self.keep))

    def measure(self, plan: "Plan", model: PreTrainedModel, unit: "Unit", advance: Advance) -> Measurement:
        """All rounds of one prompt; a contestant that fails (out of memory, for example) is recorded and left out of later rounds."""
        timed = timed_contestants(plan.contestants, model, unit.prompt, self.keep, self.protect, self.budget)
        for number in range(-len(UNTIMED), self.repeats):
            turn = number % len(timed)
            for each in [*timed[turn:], *timed[:turn]]:
                if each.error is None:
                    guarded(each, UNTIMED.get(number, time_once), unit.prompt)
                advance(len(unit.prompt.input_ids))
        full = timed[0]
        errors = [f"{each.label} at {each.keep:g} %: {each.error}" for each in timed if each.error is not None]
        sample = {"prefill_seconds": float(np.median(full.seconds)) if full.seconds else None}
        return Measurement(
            sample | ({"error": "; ".join(errors)} if errors else {}),
            [row for each in timed if each.error is None for row in _measured(each, full)],
            [row for each in timed for row in each.runs()],
        )

    def summarize(self, measured: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
        """Median and quartiles of the timed rounds, in seconds and as ratio to the full prefill's of the same round."""
        models = measured.drop_duplicates(["task", "sample"]).set_index(["task", "sample"])["model"]
        rows: list[Row] = []
        whose = ["task", "sample", "engine", "heuristic", "keep"]
        for _, prompt in runs[runs["status"] == "ok"].groupby(["task", "sample"], sort=False):
            full = prompt.loc[prompt["engine"] == FULL, "prefill_seconds"].to_numpy(dtype=float)
            for _, group in prompt.groupby(whose, sort=False, dropna=False):
                own = group["prefill_seconds"].to_numpy(dtype=float)
                named = known(rows_of(group[whose].head(1))[0])
                named |= {"model": models[named["task"], named["sample"]], "statistic": "median"}
                rows.append(named | {"metric": "ttft"} | quartiles(own))
                if len(full):
                    rows.append(named | {"metric": "ttft_ratio"} | quartiles(own / full))
        return table(rows, SUMMARY)


def _measured(each: Timed, full: Timed) -> "Iterator[Row]":
    """Numbers of one contestant that need no repeats."""
    whose = {"engine": each.contestant.engine_name, "heuristic": each.heuristic, "keep": each.keep}
    numbers = dict(each.facts)
    if full.error is None:
        numbers["flops_ratio"] = each.facts["flops"] / full.facts["flops"]
        numbers["kv_ratio"] = each.facts["kv_bytes"] / full.facts["kv_bytes"]
    for metric, value in numbers.items():
        yield whose | {"metric": metric, "value": float(value)}


def quartiles(values: "np.typing.NDArray[np.float64]") -> dict[str, float]:
    """``value``: the median; ``low`` and ``high``: the quartiles."""
    low, middle, high = np.percentile(values, [25, 50, 75])
    return {"value": float(middle), "low": float(low), "high": float(high)}
