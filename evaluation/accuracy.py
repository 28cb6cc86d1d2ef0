"""Accuracy and cost of answers generated after pruned prefill, every contestant at every keep rate, and what the full answer loses."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tokenrank.evaluation.pruned_answers import PrunedAnswers
from tokenrank.records.measures import ACCURACY, RESULTS

if TYPE_CHECKING:
    from tokenrank.evaluation.plan import Plan


@dataclass(frozen=True)
class Accuracy(PrunedAnswers):
    """Every contestant answers every prompt itself, beside all that evaluation=fidelity measures."""

    kind: ClassVar[str] = "accuracy"
    main: ClassVar[str] = ACCURACY
    measures: ClassVar[tuple[str, ...]] = RESULTS
    decodes: ClassVar[bool] = True

    def check(self, plan: "Plan") -> None:
        """Raises ValueError also for a task that grades no answers, or an answer that is not generated."""
        if not plan.task.grades_answers:
            raise ValueError(
                "evaluation=accuracy needs a task that grades answers, such as niah, longbench, ruler or prompts with "
                "task.score=contains; evaluation=fidelity needs none"
            )
        if plan.answer != "generated":
            by = " (by the setting answers)" if plan.answer == "brought" else ""
            raise ValueError(f"answer is {plan.answer}{by}, must be generated: the answers are graded")
        super().check(plan)
