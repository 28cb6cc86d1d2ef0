"""Which metric a subset has, the best of several right answers, and the rule of the first line."""

from collections.abc import Callable

import pytest
from omegaconf import OmegaConf

from tests.command import ROOT
from tokenrank.tasks.grading.answer_f1 import answer_f1
from tokenrank.tasks.grading.classification import classification
from tokenrank.tasks.grading.code_similarity import code_similarity
from tokenrank.tasks.grading.longbench_metrics import GRADING, Grading, best_grade
from tokenrank.tasks.grading.passage_count import passage_count
from tokenrank.tasks.grading.passage_retrieval import passage_retrieval
from tokenrank.tasks.grading.rouge_l import rouge_l

F1_SUBSETS = ["narrativeqa", "qasper", "multifieldqa_en", "hotpotqa", "2wikimqa", "musique", "triviaqa"]
OTHERS = {
    rouge_l: ["gov_report", "qmsum", "multi_news", "samsum"],
    classification: ["trec"],
    passage_retrieval: ["passage_retrieval_en"],
    passage_count: ["passage_count"],
    code_similarity: ["lcc", "repobench-p"],
}


def test_each_subset_of_the_config_has_a_metric() -> None:
    config = OmegaConf.load(ROOT / "configs" / "task" / "longbench.yaml")
    assert set(config.subset) == set(GRADING)
    assert len(config.subset) == 16


@pytest.mark.parametrize(("metric", "subsets"), [(answer_f1, F1_SUBSETS), *OTHERS.items()])
def test_a_subset_has_longbenchs_metric(metric: Callable[..., float], subsets: list[str]) -> None:
    assert sorted(subset for subset in GRADING if GRADING[subset].metric is metric) == sorted(subsets)


def test_the_best_of_the_right_answers_counts() -> None:
    assert best_grade(GRADING["qasper"], "in Paris", ("London", "Paris", "Paris, France")) == pytest.approx(2 / 3)
    assert best_grade(GRADING["qasper"], "in Rome", ("London", "Paris")) == 0


@pytest.mark.parametrize("subset", GRADING)
def test_only_trec_triviaqa_and_samsum_see_the_first_line_only(subset: str) -> None:
    heard: list[str] = []

    def metric(prediction: str, _: str) -> float:
        heard.append(prediction)
        return 0.0

    best_grade(Grading(metric, first_line=GRADING[subset].first_line), "\n\n Paris\nQuestion: what?", ("x",))
    assert heard == [" Paris" if subset in ("trec", "triviaqa", "samsum") else "\n\n Paris\nQuestion: what?"]


def test_the_classes_reach_the_metric() -> None:
    assert GRADING["trec"].classes
    assert best_grade(GRADING["trec"], "\nFood or Date\nSport", ("Date",), ("Date", "Food", "Sport")) == 1 / 2
    assert not any(grading.classes for subset, grading in GRADING.items() if subset != "trec")


@pytest.mark.parametrize("subset", GRADING)
@pytest.mark.parametrize("prediction", ["", "\n\n", "?"])
def test_an_empty_prediction_has_grade_0(subset: str, prediction: str) -> None:
    assert best_grade(GRADING[subset], prediction, ("Paragraph 3",), ("Paragraph 3", "Food")) == 0


def test_without_a_right_answer_there_is_no_grade() -> None:
    with pytest.raises(ValueError, match="answers is empty"):
        best_grade(GRADING["qasper"], "Paris", ())
