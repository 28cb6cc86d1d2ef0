"""What a run found, of made-up runs with few and with enough prompts: each sentence once."""

from tests.report.contestant_examples import accuracy_tables, as_tables
from tests.report.page.test_intro import CONFIG, compared
from tests.report.ranking_examples import of_prompt, ranked
from tests.report.sentences.test_layer_sentences import rows
from tests.report.ttft_examples import ttft_tables
from tokenrank.report.rows.comparisons import comparisons
from tokenrank.report.sentences.found import what_was_found
from tokenrank.report.sentences.notes import notes
from tokenrank.report.sentences.sentences import parts, prompts_sentence


def test_five_prompts_establish_no_order() -> None:
    assert what_was_found(compared(5, 0.0625), CONFIG, {}).order == [
        "The order of the methods is not established. With 5 prompts no difference can be significant: "
        "the smallest possible p is 0.062, 6 prompts are needed."
    ]


def test_of_enough_prompts_the_established_pairs_are_counted() -> None:
    (order,) = what_was_found(compared(6, 0.01, 0.05, 0.3), CONFIG, {}).order
    assert "is established for 2 of 3 compared pairs" in order
    alone = ranked(rows(), [of_prompt("a", "claa", "recall", "mean", 10, 0.5)])
    assert what_was_found(alone, CONFIG, {}).order[0].endswith("no two of them were compared.")


def test_where_nothing_can_be_compared_there_is_no_order() -> None:
    assert what_was_found(as_tables(), CONFIG, {}).order == []
    assert what_was_found(ttft_tables(), CONFIG, {}).order == []
    assert what_was_found(accuracy_tables(), CONFIG | {"report_class": {"_target_": "mine"}}, {}).order == []


def test_notes_leave_out_what_the_results_say() -> None:
    tables, environment = compared(6, 0.01, 0.3), {"units": ["a", "b", "c"]}
    found = what_was_found(tables, CONFIG, environment)
    *results, last = found.parts
    assert results == parts(tables, CONFIG)
    assert comparisons(tables)
    assert last.sentences == [prompts_sentence(tables), *notes(tables, environment)[len(comparisons(tables)) :]]
    assert "half a run" in last.sentences[-1]
