"""Which metric each English subset of LongBench is scored by."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tokenrank.tasks.answer_f1 import answer_f1
from tokenrank.tasks.classification import classification
from tokenrank.tasks.code_similarity import code_similarity
from tokenrank.tasks.passage_count import passage_count
from tokenrank.tasks.passage_retrieval import passage_retrieval
from tokenrank.tasks.rouge_l import rouge_l


@dataclass(frozen=True)
class Scoring:
    """How one subset's answers are scored."""

    metric: Callable[..., float]  # of the prediction and one right answer; in [0, 1]
    first_line: bool = False  # of the prediction, after the line breaks in front, only the first line counts
    classes: bool = False  # the metric also wants the names to choose from, as ``classes``


SCORING = {
    "narrativeqa": Scoring(answer_f1),
    "qasper": Scoring(answer_f1),
    "multifieldqa_en": Scoring(answer_f1),
    "hotpotqa": Scoring(answer_f1),
    "2wikimqa": Scoring(answer_f1),
    "musique": Scoring(answer_f1),
    "gov_report": Scoring(rouge_l),
    "qmsum": Scoring(rouge_l),
    "multi_news": Scoring(rouge_l),
    "trec": Scoring(classification, first_line=True, classes=True),
    "triviaqa": Scoring(answer_f1, first_line=True),
    "samsum": Scoring(rouge_l, first_line=True),
    "passage_count": Scoring(passage_count),
    "passage_retrieval_en": Scoring(passage_retrieval),
    "lcc": Scoring(code_similarity),
    "repobench-p": Scoring(code_similarity),
}


def best_score(scoring: Scoring, prediction: str, answers: tuple[str, ...], classes: tuple[str, ...] = ()) -> float:
    """The subset's metric against that right answer which the prediction meets best.

    Args:
        scoring: of the subset.
        prediction: what the model answered.
        answers: right ones, at least one.
        classes: names to choose from, where ``scoring.classes``.

    Returns:
        In [0, 1].

    Raises:
        ValueError: as the metric does, or there is no right answer.

    Source: https://github.com/THUDM/LongBench/blob/main/LongBench/eval.py.
    """
    if not answers:
        raise ValueError("answers is empty, must hold at least one right answer")
    if scoring.first_line:
        prediction = prediction.lstrip("\n").split("\n")[0]
    metric = partial(scoring.metric, classes=classes) if scoring.classes else scoring.metric
    return max(metric(prediction, answer) for answer in answers)
