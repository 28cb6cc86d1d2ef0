"""What captions say of n, k, model, task, test and marks."""

import pandas as pd

from tests.report.table_examples import contestant_run, ranking_tables, table_run
from tokenrank.report.tables.report_files import grid

PROVEN = {("claa", "gemfilter"): 0.01, ("gemfilter", "tova"): 0.4}


def test_the_caption_of_a_declared_metric_states_prompts_k_model_task_and_test() -> None:
    said = grid([table_run(ranking_tables(PROVEN))], "recall", 10).caption
    assert said.startswith("recall@10 (k = 10 % of the ranked tokens), tiny on niah, 20 prompts.")
    assert "Dagger: better than every other compared method, mean over layers (sign-flip test" in said
    assert "p at most 0.05, adjusted for the 2 declared pairs)" in said
    assert "(full prefill, oracle, random, recency do not count)" in said
    assert (
        "better than gemfilter, mean over layers"
        in grid([table_run(ranking_tables(PROVEN))], "recall", 10, "gemfilter").caption
    )


def test_what_was_not_declared_has_no_dagger_and_says_why() -> None:
    run = table_run(ranking_tables(PROVEN))
    assert (
        "No dagger: the declared comparison is of recall@10, so differences here are exploratory."
        in grid([run], "spearman", 10).caption
    )
    assert "No dagger: the declared comparison is of recall@10" in grid([run], "recall", 5).caption
    assert "No dagger: no two methods were compared." in grid([table_run(ranking_tables())], "recall", 10).caption
    few = table_run(ranking_tables({("claa", "gemfilter"): 0.07}, prompts=5))
    assert (
        "No dagger: with 5 prompts no difference can be significant (sign-flip test of the mean difference over prompts)."
        in grid([few], "recall", 10).caption
    )


def test_of_several_runs_the_test_is_named_once_if_it_is_the_same() -> None:
    runs = [table_run(ranking_tables(PROVEN), "a"), table_run(ranking_tables(PROVEN), "b", units=30)]
    said = grid(runs, "recall", 10).caption
    assert said.count("sign-flip test") == 1
    assert "b: half a run: 20 of 30 units are done." in said
    apart = grid([runs[0], table_run(ranking_tables(), "c")], "recall", 10).caption
    assert "Dagger in a: better than" in apart
    assert "No dagger in c: no two methods" in apart


def test_of_contestants_protection_direction_and_published_rows_are_said() -> None:
    said = grid([contestant_run()], "loss", None).caption
    assert said.startswith("Loss (loss of log-probability, nats a token; lower is better), tiny on longbench")
    assert "Protected, prefill.protect=window: the last tokens" in said
    assert "published" not in said
    accuracy = grid([contestant_run()], "accuracy", None).caption
    assert "Rows marked published: Llama-3.1-8B-Instruct" in accuracy
    assert "at the same keep rate (sign-flip test" in accuracy
    assert "adjusted for the 2 declared pairs of that keep rate)." in accuracy


def test_the_prompts_of_a_caption_are_those_of_the_means() -> None:
    run = contestant_run()
    fewer = run.tables.summary.assign(prompts=7)
    run = table_run(type(run.tables)(run.tables.metrics, fewer, run.tables.samples, run.tables.runs), **run.config)
    assert "7 prompts. Means over prompts" in grid([run], "loss", None).caption


def test_windowed_layers_are_said_to_be_left_out() -> None:
    assert "sliding window" not in grid([table_run(ranking_tables())], "recall", 10).caption
    tables = ranking_tables()
    windowed = tables.summary.assign(windowed=True, value=0.0)
    both = type(tables)(
        tables.metrics, pd.concat([tables.summary, windowed], ignore_index=True), tables.samples, tables.runs
    )
    shown = grid([table_run(both)], "recall", 10)
    assert "Layers with a sliding window are left out." in shown.caption
    assert repr(shown.blocks) == repr(grid([table_run(tables)], "recall", 10).blocks)  # NaN equals nothing
