"""What figures and tables pick out of the tables: the order of engines, numbers in their cells, what is missing."""

import pandas as pd
import pytest

from tests.report.engine_tables import ENGINES, RATES, accuracy_table, as_table, ttft_cell, ttft_tables
from tokenrank.report.engine_rows import (
    absent,
    answered,
    engines,
    keep_rates,
    lengths,
    of_sample,
    of_samples,
    origin,
    over_all,
)


def test_full_is_first_the_oracle_second_and_random_last_the_others_as_in_the_table() -> None:
    names = ("tova", "random", "claa", "oracle", "asl", "full")
    table = as_table([("niah", "s", name, "score", 10.0, 0.5) for name in names])
    assert engines(table) == ["full", "oracle", "tova", "claa", "asl", "random"]


def test_pairs_are_no_engines() -> None:
    table = accuracy_table(("claa", "fastkv"))
    assert "claa - fastkv" in set(table["heuristic"])
    assert engines(table) == ["claa", "fastkv"]


def test_numbers_over_all_samples_stand_at_their_engine_and_keep_rate() -> None:
    wide = over_all(accuracy_table(), "score")
    assert keep_rates(accuracy_table()) == list(RATES)
    assert [float(k) for k in wide.columns] == list(RATES)
    for name, (scores, *_) in ENGINES.items():
        assert wide.T[name].tolist() == pytest.approx(scores)


def test_what_the_table_lacks_is_nan_and_not_left_out() -> None:
    table = accuracy_table(("full", "claa", "random"))
    gone = table[~((table["heuristic"] == "claa") & (table["k"] == 20))]
    assert over_all(gone, "score").isna().to_numpy().tolist() == [[False] * 3, [False, True, False], [False] * 3]
    assert over_all(gone, "no such metric").isna().to_numpy().all()
    assert over_all(gone, "no such metric").shape == (3, 3)


def test_numbers_of_one_prompt_stand_at_their_engine_and_keep_rate() -> None:
    table, samples = ttft_tables(("full", "claa"))
    assert list(lengths(samples)) == [4096, 8192, 16384, 32768]
    wide = of_samples(table, "ttft")
    for sample, tokens in lengths(samples).items():
        one = of_sample(table, "ttft", str(sample))
        for name in ("full", "claa"):
            expected = [ttft_cell(name, tokens, k)["ttft"] for k in RATES]
            assert one.T[name].tolist() == pytest.approx(expected)
            assert wide[str(sample)].unstack().T[name].tolist() == pytest.approx(expected)


def test_lengths_ascend_whatever_the_order_of_the_samples() -> None:
    samples = pd.DataFrame({"id": ["b", "c", "a"], "tokens": pd.array([200, None, 100], dtype="Int64")})
    assert lengths(samples).to_dict() == {"a": 100, "b": 200}  # the one that was never read has none


def test_prompts_without_a_score_are_not_counted_as_answered() -> None:
    table = accuracy_table(("full", "claa"), prompts=4)
    lost = (table["heuristic"] == "claa") & (table["k"] == 10) & (table["sample"] == "s1")
    counts = answered(table[~lost])
    assert counts.T["full"].tolist() == [4, 4, 4]
    assert counts.T["claa"].tolist() == [3, 4, 4]


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        (["niah"], "tiny on niah, 1 prompt"),
        (["longbench/qasper", "longbench/trec"], "tiny on longbench (qasper, trec), 2 prompts"),
        ([f"longbench/{each}" for each in "abcd"], "tiny on longbench (4 subsets), 4 prompts"),
        (["niah", "longbench/trec"], "tiny on niah, longbench (trec), 2 prompts"),
    ],
)
def test_the_title_names_model_tasks_and_number_of_prompts(tasks: list[str], said: str) -> None:
    assert origin(as_table([(task, "s", "full", "score", k, 0.5) for task in tasks for k in RATES])) == said


def test_missing_cells_are_named() -> None:
    table = accuracy_table(("full", "claa", "gemfilter"))
    wanted = {"score": ["full", "claa", "gemfilter"], "kv_ratio": ["full", "claa"]}
    assert absent(table, wanted) == ""
    of_claa = (table["heuristic"] == "claa") & (table["metric"] == "kv_ratio") & (table["k"] > 10)
    of_gemfilter = (table["heuristic"] == "gemfilter") & (table["metric"] == "kv_ratio")
    of_full = (table["heuristic"] == "full") & (table["k"] > 10)
    assert absent(table[~(of_claa | of_gemfilter | of_full)], wanted) == "claa at 20, 40 %"
    assert absent(table[table["heuristic"] != "full"], {"score": ["claa"]}) == ""
