"""What evaluation=accuracy and evaluation=fidelity share: one prompt, all contestants, every keep rate."""

import logging
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd
from transformers import PreTrainedModel

from tokenrank.capture.inspection import model_layers
from tokenrank.evaluation.accuracy_tables import accuracy_summary, costs
from tokenrank.evaluation.agnostic_checks import ranked_parts
from tokenrank.evaluation.contest import CACHES, Contest, Entry, full_answers
from tokenrank.evaluation.evaluation import Advance, Evaluation, Measurement, Row
from tokenrank.evaluation.family import Family
from tokenrank.evaluation.kept_checks import check_kept
from tokenrank.evaluation.levels import levels_of
from tokenrank.evaluation.plan import reference_answer
from tokenrank.evaluation.setting_checks import check_percentages, check_whole, refuse_rankings
from tokenrank.evaluation.shared_prompt import SharedPrompt
from tokenrank.metrics.answer_loss import FullAnswer
from tokenrank.prefill.engine import Full
from tokenrank.prefill.protection import WINDOW, WITHIN, check_budget, check_protect
from tokenrank.records.measures import ACCURACY, REFERENCE
from tokenrank.records.schema import RUNS
from tokenrank.tasks.before_question import AWARE, check_prompts, ranked_part
from tokenrank.tasks.task import Prompt

if TYPE_CHECKING:
    from tokenrank.evaluation.plan import Plan, Unit

log = logging.getLogger("tokenrank")


@dataclass(frozen=True)
class PrunedAnswers(Evaluation):
    """Every contestant at every keep rate on every prompt; full prefill, and a bound and a control of each engine are added.

    A prompt is read once. What its first layers leave serves every contestant that reads them whole, and each runs its own later
    layers only. Costs are the operations that each engine takes alone, counted as they run, and the bytes of keys and values it holds,
    so that they are the same whatever was measured before and on however busy a machine; time is that of evaluation=ttft.
    """

    keep: list[float]  # keep rates: percent of the prompt's tokens that stay, or of those that are ranked
    protect: str = WINDOW  # what always stays: window, or frame
    budget: str = WITHIN  # whether that counts within the keep rate, or stays beside it
    prompts: str = (
        AWARE  # aware: whole prompts are pruned; agnostic: up to the end of the context, before the question is read
    )
    together: bool = True  # decode the contestants' answers together
    save_rankings: bool = False  # must be false
    save_levels: bool = True  # write the levels of the tokens in the truth
    seed: int = 0  # of random sign flips
    resamples: int = 10000  # random sign flips
    compare: dict[str, Any] = field(default_factory=dict)  # as Family

    main: ClassVar[str]  # the measure that is declared where ``compare`` names none
    measures: ClassVar[tuple[str, ...]]  # that can be declared
    decodes: ClassVar[bool]  # whether each contestant answers itself
    summary_settings: ClassVar[tuple[str, ...]] = ("seed", "resamples", "compare")
    runs_engines: ClassVar[bool] = True
    adds_controls: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_percentages("prefill.keep", self.keep)
        check_protect(self.protect)
        check_budget(self.budget)
        check_prompts(self.prompts)
        check_whole("seed", self.seed, 0)
        check_whole("bootstrap.resamples", self.resamples, 1)
        refuse_rankings(self.save_rankings)

    def idle_settings(self, against: Collection[str]) -> Collection[str]:  # noqa: ARG002
        """``prompts`` where it says what is so without it."""
        return ["prompts"] if self.prompts == AWARE else []

    def check(self, plan: "Plan") -> None:
        """Raises ValueError for a comparison of what the run does not have, or keep rates that are too low."""
        Family(**self.compare).check([each.name for each in plan.contestants], self.measures)
        parts = ranked_parts(plan, self.prompts)
        try:
            check_kept(plan, self.keep, self.protect, self.budget, parts)
        except ValueError as error:
            if self.prompts == AWARE:
                raise
            raise ValueError(f"prompts={self.prompts} prunes what is before the question: {error}") from error

    def rounds(self, plan: "Plan") -> int:
        """The full prefill, and each other contestant once a keep rate."""
        return 1 + (len(plan.contestants) - 1) * len(self.keep)

    def measure(self, plan: "Plan", model: PreTrainedModel, unit: "Unit", advance: Advance) -> Measurement:
        """Runs the prompt with every contestant; without the full prefill or the truth nothing can be compared."""
        prompt = unit.prompt
        model_layers(model)  # runs one token the first time, which must not be counted
        fed = self._answers_fed(plan, prompt)
        shared = SharedPrompt(plan, model, prompt, self.protect, prompt.max_new_tokens, self.budget, self.prompts)
        ranked_tokens = range(len(ranked_part(prompt, self.prompts).input_ids))
        full = shared.full()
        ranked = shared.ranked
        answers: dict[str, FullAnswer] = {}
        own: Row = {}
        for prefix, answer, logits in full_answers(full, {"": ranked.answer.token_ids} | fed):
            answers[prefix] = answer
            own |= {prefix + name: value for name, value in answer.loss_of(logits).items()}
        kv_bytes = full.kv_bytes()
        full_row = self._graded(plan, prompt, ranked.answer.token_ids) | own | {
            "engine": Full.kind, "heuristic": None, "keep": 100.0, "kept_tokens": len(prompt.input_ids), "flops": full.operations,
            "kv_bytes": kv_bytes, "needle_kept": needle_kept(prompt, range(len(prompt.input_ids))), "status": "ok",
        }  # fmt: skip
        del full, logits
        shared.shared.forget_later_layers()
        advance(len(prompt.input_ids))
        weights = sum(each.nbytes for each in model.parameters())
        contest = Contest(
            shared,
            answers,
            prompt.max_new_tokens if self.decodes else None,
            CACHES * (weights + kv_bytes),
            together=self.together,
        )
        entries = contest.run(plan.contestants[1:], self.keep, lambda: advance(len(prompt.input_ids)))
        rows = [full_row, *(self._row(plan, prompt, each) for each in entries)]
        levels = levels_of(plan, prompt, ranked, {}, self.keep, ranked_tokens) if self.save_levels else None
        return replace(self._measurement(full_row, rows, ranked.seconds), levels=levels)

    def summarize(self, measured: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:  # noqa: ARG002
        """Means over the prompts that every contestant finished, with intervals, comparisons, and the gap closed."""
        return accuracy_summary(measured, self.keep, self.seed, self.resamples, Family(**self.compare), main=self.main)

    def _answers_fed(self, plan: "Plan", prompt: Prompt) -> dict[str, tuple[int, ...]]:
        """The prompt's first reference answer, where there is one beside the full prefill's answer."""
        if not prompt.answers or plan.answer == "reference":
            return {}
        ids = reference_answer(plan.tokenizer, prompt).token_ids
        if not ids:
            log.warning("the first reference answer of prompt %s has no tokens: nothing is measured of it", prompt.id)
        return {REFERENCE: ids} if ids else {}

    def _graded(self, plan: "Plan", prompt: Prompt, answer: Any) -> dict[str, Any]:
        text = str(plan.tokenizer.decode(list(answer), skip_special_tokens=True))
        graded = plan.task.grade(prompt, text) if plan.answer == "generated" else None
        return {"answer_tokens": len(answer), "answer": text, "accuracy": graded}

    def _row(self, plan: "Plan", prompt: Prompt, entry: Entry) -> dict[str, Any]:
        kept = entry.found.get("kept")
        row = {
            "engine": entry.contestant.engine_name, "heuristic": entry.contestant.name, "keep": entry.rate, "protect": self.protect,
            "budget": self.budget, "prompts": self.prompts,
            "kept_tokens": None if kept is None else len(kept), "kept": kept,
        }  # fmt: skip
        if entry.error is not None:
            return row | {"status": "failed", "error": entry.error}
        answer = entry.found.get("answer_ids")
        graded = {} if answer is None else self._graded(plan, prompt, answer)
        return row | entry.found | graded | {"needle_kept": needle_kept(prompt, kept or ()), "status": "ok"}

    def _measurement(self, full: Row, rows: list[Row], seconds: Any) -> Measurement:
        sample = {name: full[name] for name in ("answer_tokens", "answer", "accuracy")}
        sample |= {f"{part}_seconds": seconds.get(part) for part in ("prefill", "decode", "oracle")}
        errors = [f"{row['heuristic']} at {row['keep']:g} %: {row['error']}" for row in rows if row["status"] != "ok"]
        failed = {"error": "; ".join(errors)} if errors else {}
        measured = [
            each
            for row in rows
            if row["status"] == "ok"
            for each in costs(row, full)
            if self.decodes or each["metric"] != ACCURACY  # that of the full prefill alone; samples.parquet has it
        ]
        runs = [{name: value for name, value in row.items() if name in RUNS} for row in rows]
        return Measurement(sample | failed, measured, runs)


def needle_kept(prompt: Prompt, kept: Any) -> float | None:
    """The share of the evidence's tokens, such as the needle's, among those that are kept; None for a prompt without evidence."""
    places = {place for span in prompt.evidence for place in span}
    return len(places & set(kept)) / len(places) if places else None
