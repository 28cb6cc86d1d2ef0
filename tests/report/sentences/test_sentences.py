"""The sentences of whole runs, made up: what comes first, and that every evaluation has some."""

from typing import Any

from tests.report.contestant_examples import accuracy_tables, as_tables, fidelity_tables
from tests.report.ranking_examples import Row, of_prompt, of_prompts, ranked
from tests.report.sentences.test_layer_sentences import rows
from tests.report.ttft_examples import ttft_tables
from tokenrank.records.tables import Tables
from tokenrank.report.sentences.parts import Place
from tokenrank.report.sentences.sentences import declared_measure, parts, prompts_sentence


def ranking(**compared: object) -> Tables:
    summary = [
        of_prompt("a", "claa", "recall", "mean", 10, 0.5),
        of_prompts("claa", "recall", "mean", 10, 0.5, prompts=2),
        of_prompts("gemfilter", "recall", "mean", 10, 0.4, prompts=2),
        *([of_prompts("claa", "recall", "mean", 10, 0.1, against="gemfilter", **compared)] if compared else []),
    ]
    samples = [{"id": each, "task": "niah", "status": "ok"} for each in "ab"]
    return ranked(rows(), summary, samples)


def headings(tables: Tables, config: dict[str, Any]) -> list[str]:
    return [part.heading for part in parts(tables, config)]


def sentences(tables: Tables, config: dict[str, Any]) -> list[str]:
    return [sentence for part in parts(tables, config) for sentence in part.sentences]


DECLARED = {"exploratory": False, "p": 0.5, "prompts": 2}


def test_a_ranking_has_levels_the_declared_comparison_and_the_worst_layers() -> None:
    levels, compared, worst = parts(ranking(**DECLARED), {})
    assert (levels.heading, compared.heading, worst.heading) == ("Means of recall@10", "Differences", "Worst layers")
    assert levels.sentences[0].startswith("recall@10, mean over layers and prompts")
    assert compared.sentences[1].startswith(
        "Declared comparison, recall@10, mean over layers (1 pair, 2 prompts): no difference can be"
    )
    assert "deepest fall below its own mean in recall@10 is that of gemfilter at layer 0" in worst.sentences[0]
    assert prompts_sentence(ranking(**DECLARED)) == "Measured: tiny on niah, 2 prompts."


def test_the_deepest_fall_is_seen_on_the_prompt_where_it_is_deepest() -> None:
    levels, compared, worst = parts(ranking(**DECLARED), {})
    assert (levels.see, compared.see) == (None, None)
    assert worst.see == Place("gemfilter", 0, "a", "recall", 10)  # 0.1 there, 0.3 on b


def test_a_run_with_needles_says_their_recall_and_worst_layers_too() -> None:
    needle = [{**row, "metric": "needle_recall"} for row in rows()]
    means = [of_prompts(name, "needle_recall", "mean", 10, 0.5, prompts=2) for name in ("claa", "gemfilter")]
    more = ranking(**DECLARED)
    before: list[Row] = [{str(name): value for name, value in row.items()} for row in more.summary.to_dict("records")]
    summary = [*before, *means, of_prompt("a", "claa", "needle_recall", "mean", 10, 0.5)]
    samples = [{"id": each, "task": "niah", "status": "ok"} for each in "ab"]
    tables = ranked([*rows(), *needle], summary, samples)
    said = sentences(tables, {})
    assert headings(tables, {})[2:] == ["Worst layers", "Needles"]
    assert [part.see.metric for part in parts(tables, {}) if part.see] == ["recall", "needle_recall"]
    assert any(each.startswith("needle_recall@10, mean over layers and prompts") for each in said)
    assert any(
        each.startswith("The deepest fall below its own mean in needle_recall@10 is that of gemfilter at layer 0")
        for each in said
    )
    assert sum("chosen by their result" in each for each in said) == 2  # below the worst layers of both metrics
    assert not any("needle" in each for each in sentences(more, {}))


def test_a_run_without_a_comparison_says_so() -> None:
    assert any(each.startswith("No two methods were compared") for each in sentences(ranking(), {}))
    assert not any(each.startswith("No two methods") for each in sentences(ranking(**DECLARED), {}))


def test_the_declared_measure_is_that_of_the_comparison_else_of_the_settings() -> None:
    assert declared_measure(ranking(**DECLARED), {"evaluation": {"compare": {"metric": "mass", "k": 5}}}) == (
        "recall",
        10,
    )
    assert declared_measure(ranking(), {"evaluation": {"compare": {"metric": "mass", "k": 5}}}) == ("mass", 5)
    for ks, declared in (([5, 10, 20], 10), ([5, 20], 5), (None, 10)):  # whatever plots show, compared or not
        assert declared_measure(ranking(), {"plots": {"k": 20}, "k": ks}) == ("recall", declared)
    assert declared_measure(fidelity_tables(), {})[0] == "loss"


def test_contestants_have_gaps_bounds_and_costs() -> None:
    said = sentences(accuracy_tables(), {})
    assert headings(accuracy_tables(), {}) == ["Differences", "Results at each keep rate", "Oracles and costs"]
    assert prompts_sentence(accuracy_tables()) == "Measured: tiny on longbench (qasper, hotpotqa), 12 prompts."
    assert any(each.startswith("Gap closed: ") for each in said)
    assert any(each.startswith("accuracy at keep rate 10 %") for each in said)
    assert any(each.startswith("loss at keep rate 40 %") for each in said)
    assert said[-1].startswith("Counted costs")
    assert any(each.startswith("Declared measure: loss, loss of log-prob") for each in sentences(fidelity_tables(), {}))


def test_an_empty_run_and_one_with_a_report_of_its_own() -> None:
    assert sentences(as_tables(), {}) == ["No prompt could be measured."]
    own = accuracy_tables(("full", "claa"))
    theirs = {"report_class": "somebody.Report", "evaluation": {"k": 5, "compare": None}}
    assert headings(own, theirs) == []


def test_times_are_compared_by_no_test() -> None:
    assert "compares them by no test" in sentences(ttft_tables(), {})[-1]
