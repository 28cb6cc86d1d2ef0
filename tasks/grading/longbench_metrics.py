"""Which metric each English subset of LongBench is graded by."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tokenrank.tasks.grading.answer_f1 import answer_f1
from tokenrank.tasks.grading.classification import classification
from tokenrank.tasks.grading.code_similarity import code_similarity
from tokenrank.tasks.grading.passage_count import passage_count
from tokenrank.tasks.grading.passage_retrieval import passage_retrieval
from tokenrank.tasks.grading.rouge_l import rouge_l


@dataclass(frozen=True)
class Grading:
    """How one subset's answers are graded."""

    metric: Callable[..., float]  # of the prediction and one right answer; in [0, 1]
    first_line: bool = False  # of the prediction, after the line breaks in front, only the first line counts
    classes: bool = False  # the metric also wants the names to choose from, as ``classes``


GRADING = {
    "narrativeqa": Grading(answer_f1),
    "qasper": Grading(answer_f1),
    "multifieldqa_en": Grading(answer_f1),
    "hotpotqa": Grading(answer_f1),
    "2wikimqa": Grading(answer_f1),
    "musique": Grading(answer_f1),
    "gov_report": Grading(rouge_l),
    "qmsum": Grading(rouge_l),
    "multi_news": Grading(rouge_l),
    "trec": Grading(classification, first_line=True, classes=True),
    "triviaqa": Grading(answer_f1, first_line=True),
    "samsum": Grading(rouge_l, first_line=True),
    "passage_count": Grading(passage_count),
    "passage_retrieval_en": Grading(passage_retrieval),
    "lcc": Grading(code_similarity),
    "repobench-p": Grading(code_similarity),
}


def best_grade(grading: Grading, prediction: str, answers: tuple[str, ...], classes: tuple[str, ...] = ()) -> float:
    """The subset's metric against that right answer which the prediction meets best.

    Args:
        grading: of the subset.
        prediction: what the model answered.
        answers: right ones, at least one.
        classes: names to choose from, where ``grading.classes``.

    Returns:
        In [0, 1].

    Raises:
        ValueError: as the metric does, or there is no right answer.

    Source: https://github.com/THUDM/LongBench/blob/main/LongBench/eval.py.
    """
    if not answers:
        raise ValueError("answers is empty, must hold at least one right answer")
    if grading.first_line:
        prediction = prediction.lstrip("\n").split("\n")[0]
    metric = partial(grading.metric, classes=classes) if grading.classes else grading.metric
    return max(metric(prediction, answer) for answer in answers)
