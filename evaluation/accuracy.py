"""Accuracy and cost of answers generated after pruned prefill, every contestant at every keep rate."""

import logging
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd
import torch
from transformers import PreTrainedModel

from tokenrank.capture.decoding import Decoding
from tokenrank.capture.inspection import model_layers
from tokenrank.capture.operations import counted
from tokenrank.evaluation.accuracy_tables import accuracy_summary, costs
from tokenrank.evaluation.evaluation import Advance, Evaluation, Measurement, Row, reason
from tokenrank.evaluation.family import Family
from tokenrank.evaluation.setting_checks import check_percentages, check_whole, refuse_rankings
from tokenrank.evaluation.stored import stored_rank
from tokenrank.metrics.metric import tokens_kept
from tokenrank.prefill.contestant import Contestant
from tokenrank.prefill.engine import Full, Job
from tokenrank.prefill.precomputed import Precomputed
from tokenrank.records.schema import ORACLE
from tokenrank.tasks.task import Prompt

if TYPE_CHECKING:
    from tokenrank.evaluation.plan import Plan, Unit

METRIC = "accuracy"  # that is compared
log = logging.getLogger("tokenrank")  # what is below INFO goes to run.log alone


@dataclass(frozen=True)
class Accuracy(Evaluation):
    """Every contestant answers every prompt at every keep rate; full prefill, the oracle and random are added.

    Costs are the operations counted in each prefill and the bytes of keys and values it holds, so that they are the same whatever
    was measured before and on however busy a machine. The seconds of samples and runs include the counting and are an indication.
    """

    keep: list[float]  # keep rates: percent of the prompt's tokens that stay
    save_rankings: bool = False  # must be false
    seed: int = 0  # of random sign flips
    resamples: int = 10000  # random sign flips
    compare: dict[str, Any] = field(default_factory=dict)  # as Family

    kind: ClassVar[str] = "accuracy"
    summary_settings: ClassVar[tuple[str, ...]] = ("seed", "resamples", "compare")
    runs_engines: ClassVar[bool] = True
    adds_controls: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_percentages("prefill.keep", self.keep)
        check_whole("seed", self.seed, 0)
        check_whole("bootstrap.resamples", self.resamples, 1)
        refuse_rankings(self.save_rankings)

    def check(self, plan: "Plan") -> None:
        """Raises ValueError for a task that grades no answers, an answer that is not generated, or keep rates that are too low."""
        if not plan.task.grades_answers:
            raise ValueError("evaluation=accuracy needs a task that grades answers, such as niah, longbench or ruler")
        if plan.answer != "generated":
            by = " (by the setting answers)" if plan.answer == "brought" else ""
            raise ValueError(f"answer is {plan.answer}{by}, must be generated: the answers are graded")
        Family(**self.compare).check([each.name for each in plan.contestants], [METRIC])
        check_kept(plan, self.keep)

    def rounds(self, plan: "Plan") -> int:
        """The full prefill, and each other contestant once a keep rate."""
        return 1 + (len(plan.contestants) - 1) * len(self.keep)

    def measure(self, plan: "Plan", model: PreTrainedModel, unit: "Unit", advance: Advance) -> Measurement:
        """Answers the prompt with every contestant; without the full prefill or the truth nothing can be compared."""
        prompt = unit.prompt
        model_layers(model)  # runs one token the first time, which must not be counted
        full, truth, oracle_seconds = self._full(plan, model, prompt)
        advance(len(prompt.input_ids))
        runs: list[Row] = [full]
        for rate in self.keep:
            for contestant in plan.contestants[1:]:
                ranked = replace(contestant, heuristic=truth) if contestant.name == ORACLE else contestant
                runs.append(self._run(plan, model, prompt, ranked, rate))
                advance(len(prompt.input_ids))
        sample = {
            each: full[each] for each in ("answer_tokens", "answer", "accuracy", "prefill_seconds", "decode_seconds")
        }
        errors = [f"{run['heuristic']} at {run['keep']:g} %: {run['error']}" for run in runs if run["status"] != "ok"]
        failed = {"error": "; ".join(errors)} if errors else {}
        rows = [row for run in runs if run["status"] == "ok" for row in costs(run, full)]
        return Measurement(sample | {"oracle_seconds": oracle_seconds} | failed, rows, runs)

    def summarize(self, measured: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:  # noqa: ARG002
        """Means over the prompts that every contestant answered, with intervals, comparisons, and the gap closed."""
        return accuracy_summary(measured, self.keep, self.seed, self.resamples, Family(**self.compare))

    def _full(
        self, plan: "Plan", model: PreTrainedModel, prompt: Prompt
    ) -> tuple[dict[str, Any], Precomputed, float | None]:
        """The run of the full prefill, the truth of its answer as a ranking, and the seconds that the oracle took, if it was asked."""
        ids, answer_tokens = torch.tensor(prompt.input_ids), prompt.max_new_tokens
        decoding = Decoding.of(model, ends=prompt.stop_ids, not_first=prompt.not_first_ids)
        job = Job(model, None, ids, len(ids), answer_tokens, decoding=decoding)
        started = time.perf_counter()
        with counted() as flops:
            done = Full().prefill(job)
        seconds = time.perf_counter() - started
        kv_bytes = done.kv_bytes()
        del done
        ranked = stored_rank(plan, model, prompt, {})
        rows = Precomputed(
            dict(zip(ranked.layers, ranked.truth.importance.expand(len(ranked.layers), -1), strict=True))
        )
        run = self._graded(plan, prompt, ranked.answer.token_ids) | {
            "engine": Full.kind, "heuristic": None, "keep": 100.0, "kept_tokens": len(ids), "prefill_seconds": seconds,
            "choosing_seconds": 0.0, "decode_seconds": ranked.seconds.get("decode"), "flops": flops.total, "kv_bytes": kv_bytes,
            "status": "ok",
        }  # fmt: skip
        return run, rows, ranked.seconds.get("oracle")

    def _run(
        self, plan: "Plan", model: PreTrainedModel, prompt: Prompt, contestant: Contestant, rate: float
    ) -> dict[str, Any]:
        """One answer by one contestant with its cost, or the error."""
        ids, kept = torch.tensor(prompt.input_ids), tokens_kept(rate, len(prompt.input_ids))
        row = {"engine": contestant.engine.kind, "heuristic": contestant.name, "keep": rate, "kept_tokens": kept}
        try:
            decoding = Decoding.of(model, ends=prompt.stop_ids, not_first=prompt.not_first_ids)
            job = Job(model, contestant.heuristic, ids, kept, prompt.max_new_tokens, decoding=decoding)
            started = time.perf_counter()
            with counted() as flops:
                done = contestant.engine.prefill(job)
            seconds = time.perf_counter() - started
            kv_bytes, kept_places = done.kv_bytes(), done.kept.tolist()
            started = time.perf_counter()
            answer = done.answer(job.answer_tokens)
            decode_seconds = time.perf_counter() - started
            graded = self._graded(plan, prompt, answer)
        except Exception as error:  # whatever it was: the other contestants are still worth their run
            log.debug("%s at %g %%, prompt %s", contestant.name, rate, prompt.id, exc_info=error)
            return row | {"status": "failed", "error": reason(error)}
        return row | graded | {
            "kept": kept_places,
            "prefill_seconds": seconds,
            "choosing_seconds": None if job.device.type == "cuda" else done.choosing_seconds,  # a GPU must be synchronised for it, as ttft does
            "decode_seconds": decode_seconds,
            "flops": flops.total,
            "kv_bytes": kv_bytes,
            "status": "ok",
        }  # fmt: skip

    def _graded(self, plan: "Plan", prompt: Prompt, answer: Any) -> dict[str, Any]:
        text = str(plan.tokenizer.decode(list(answer), skip_special_tokens=True))
        return {"answer_tokens": len(answer), "answer": text, "accuracy": plan.task.grade(prompt, text)}


def check_kept(plan: "Plan", keep: list[float]) -> None:
    """Raises ValueError if a keep rate leaves some prompt nothing but the window that is always kept."""
    rate = min(keep)
    for contestant in plan.contestants[1:]:
        for prompt in plan.prompts:
            tokens, window = len(prompt.input_ids), contestant.engine.window
            if (kept := tokens_kept(rate, tokens)) <= window:
                raise ValueError(
                    f"prefill.keep holds {rate:g} percent: of the {tokens} tokens of prompt {prompt.id} these are {kept}, "
                    f"no more than the window of {window} that {contestant.name} always keeps; keep more, or set "
                    "prefill.window lower"
                )
