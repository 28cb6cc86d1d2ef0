"""What the page says on top, of made-up runs with few and with enough prompts."""

from dataclasses import replace

from tests.report.contestant_examples import accuracy_tables, as_tables
from tests.report.ranking_examples import at_layer, of_prompt, of_prompts, ranked
from tests.report.sentences.test_layer_sentences import rows
from tokenrank.records.schema import SAMPLES, table
from tokenrank.records.tables import Tables
from tokenrank.report.page.intro import intro

CONFIG = {"oracle": {"attention": {"_target_": "tokenrank.oracle.answer_attention.AttentionOracle"}}}


def compared(prompts: int, *p: float) -> Tables:
    more = {"prompts": prompts, "exploratory": False, "low": 0.05, "high": 0.15}
    pairs = [
        of_prompts("claa", "recall", "mean", 10, 0.1, against=f"m{place}", p=each, **more)
        for place, each in enumerate(p)
    ]
    return ranked(rows(), [of_prompt("a", "claa", "recall", "mean", 10, 0.5), *pairs])


def test_importance_and_recall_are_defined() -> None:
    truth, measure = intro(compared(5, 0.0625), CONFIG, "ranking")
    assert "importance is the attention that it receives from the tokens of the answer." in truth
    assert "the oracle, the ground truth of this page" in truth
    assert measure.startswith("recall@10 is the share of the 10 % most important tokens")


def test_a_metric_without_values_is_not_explained() -> None:
    """Of jaccard at a single layer only the chance level is in the tables."""
    found = intro(ranked([at_layer("a", None, None, "jaccard", 10, 0.05)]), CONFIG, "ranking")
    assert len(found) == 1
    assert "importance" in found[0]


def test_a_context_that_was_ranked_alone_is_said() -> None:
    whole = compared(6, 0.01)
    alone = replace(whole, samples=table([{"id": "a", "universe": "context"}], SAMPLES))
    said = intro(alone, CONFIG, "ranking")
    assert said[2] == "With universe=context the tokens of the context alone are ranked, and k is a percentage of them."
    assert [*said[:2], *said[3:]] == intro(whole, CONFIG, "ranking")


def test_another_oracle_is_not_called_attention() -> None:
    other = {"oracle": {"mine": {"_target_": "somebody.Oracle"}}}
    assert "what the run's oracle gives it" in intro(compared(6, 0.01), other, "ranking")[0]


def test_of_several_truths_the_one_that_is_shown_is_named() -> None:
    two = {"oracle": {**CONFIG["oracle"], "ablation": {"_target_": "tokenrank.oracle.ablation.Ablation"}}}
    tables = compared(6, 0.01)
    first = intro(tables, two, "ranking")
    assert "attention that it receives" in first[0]
    assert first[1].startswith("Of the run's truths (attention, ablation) this page is against attention;")
    other = intro(tables, two | {"plots": {"truth": "ablation"}}, "ranking")
    assert "what the run's oracle gives it" in other[0]
    assert "this page is against ablation;" in other[1]


def test_engines_have_a_keep_rate_and_nothing_measured_has_no_words() -> None:
    assert "keep rate" in intro(accuracy_tables(), CONFIG, "accuracy")[1]
    assert intro(as_tables(), CONFIG, "accuracy") == []
    assert intro(accuracy_tables(), CONFIG, None) == []


def test_what_always_stayed_and_what_was_ranked_before_the_question_is_said() -> None:
    tables = accuracy_tables()
    framed = replace(tables, runs=tables.runs.assign(protect="frame", prompts="agnostic"))
    *_, said = intro(framed, CONFIG, "accuracy")
    assert said.startswith(
        "Protected, prefill.protect=frame: all tokens outside of the context always stay, and the window;"
    )
    assert "ranked before the question" in said


def test_an_evaluation_of_ones_own_has_no_words() -> None:
    assert intro(accuracy_tables(), CONFIG, None) == []
