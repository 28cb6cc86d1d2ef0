"""The printed tables: every number in its cell, dashes for what is missing, and lines that fit a terminal."""

import re
from dataclasses import replace

import pytest

from tests.report.contestant_examples import (
    CONTESTANTS,
    LENGTHS,
    RATES,
    SHARES,
    accuracy_tables,
    as_tables,
    ttft_cell,
    ttft_tables,
    with_copy,
    without,
)
from tokenrank.report.contestant_tables import accuracy_summary, fidelity_summary
from tokenrank.report.ttft_table import ttft_summary

WIDTH = 120


def cells(text: str, keys: int) -> dict[tuple[str, ...], list[str]]:
    """The first cells of each line below the headings -> the others; cells are two spaces apart."""
    split = [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()[2:]]
    return {tuple(each[:keys]): each[keys:] for each in split}


def test_accuracy_has_accuracy_costs_and_gap_of_every_contestant_and_keep_rate() -> None:
    found = cells(accuracy_summary(accuracy_tables()), keys=2)
    assert len(found) == 1 + 3 * (len(CONTESTANTS) - 1)
    assert found["full", "all"] == ["12", "0.490", "[0.470, 0.510]", "1.000", "1.000", "-", "-"]
    closed = (0.470 - 0.31) / (0.478 - 0.31)
    gap = [f"{closed:.2f}", f"[{closed - 0.1:.2f}, {closed + 0.1:.2f}]"]
    assert found["claa", "10"] == ["12", "0.470", "[0.450, 0.490]", "0.620", "0.199", *gap]
    assert found["gemfilter", "40"][1:5] == ["0.451", "[0.431, 0.471]", "0.700", "0.400"]


def test_full_is_first_the_oracle_second_and_random_last() -> None:
    names = [name for name, _ in cells(accuracy_summary(accuracy_tables()), keys=2)]
    assert list(dict.fromkeys(names)) == [
        "full", "oracle", "claa", "fastkv", "gemfilter", "snapkv", "speculative", "random",
    ]  # fmt: skip


def test_costs_of_accuracy_are_counted_and_said_to_be() -> None:
    heading, names, *_ = accuracy_summary(accuracy_tables()).splitlines()
    assert heading.endswith("means over prompts; FLOPs counted and KV held, over the full prefill's")
    assert re.split(r"\s{2,}", names.strip()) == [
        "contestant", "keep %", "prompts", "accuracy", "[95 %]", "FLOPs", "KV", "gap closed", "[95 %]",
    ]  # fmt: skip
    found = cells(accuracy_summary(accuracy_tables()), keys=2)
    assert [found["oracle", f"{k:g}"][3] for k in RATES] == ["0.600", "0.650", "0.750"]


def test_a_single_prompt_has_no_intervals() -> None:
    found = cells(accuracy_summary(accuracy_tables(prompts=1)), keys=2)
    assert found["claa", "20"][:4] == ["1", "0.481", "-", "0.670"]


def test_what_failed_at_a_keep_rate_is_a_line_of_dashes() -> None:
    found = cells(accuracy_summary(without(accuracy_tables(), "gemfilter", keep=[20.0])), keys=2)
    assert found["gemfilter", "20"] == ["0", *["-"] * 6]
    assert found["gemfilter", "10"][0] == "12"


def test_without_an_oracle_no_gap_is_closed() -> None:
    found = cells(accuracy_summary(accuracy_tables(("full", "claa", "random"))), keys=2)
    assert found["claa", "10"][-2:] == ["-", "-"]
    assert len(found) == 1 + 2 * 3


def test_ttft_has_every_length_contestant_and_keep_rate() -> None:
    found = cells(ttft_summary(ttft_tables()), keys=3)
    assert len(found) == len(LENGTHS) * (1 + 3 * (len(SHARES) - 1))
    for tokens in LENGTHS:
        wanted = ttft_cell("claa", tokens, 20)
        assert found[f"{tokens:,}", "claa", "20"] == [
            f"{wanted['ttft']:.3f}", f"{wanted['ttft_ratio']:.3f}",
            f"[{wanted['ttft_ratio low']:.3f}, {wanted['ttft_ratio high']:.3f}]", f"{wanted['flops_ratio']:.3f}",
            "0.200", "2.0", "30.0", "16.00",
        ]  # fmt: skip
    assert found["4,096", "full", "all"][:3] == ["0.250", "1.000", "[0.970, 1.040]"]


def test_lengths_ascend_and_within_each_full_is_first_and_random_last() -> None:
    tables = ttft_tables()
    keys = list(cells(ttft_summary(replace(tables, samples=tables.samples.iloc[::-1])), keys=3))
    assert list(dict.fromkeys(tokens for tokens, *_ in keys)) == [f"{tokens:,}" for tokens in LENGTHS]
    of_first = [name for tokens, name, _ in keys if tokens == "4,096"]
    assert (of_first[0], of_first[-1]) == ("full", "random")


def test_a_contestant_out_of_memory_is_a_line_of_dashes() -> None:
    found = cells(ttft_summary(without(ttft_tables(), "full", sample="n32768")), keys=3)
    assert found["32,768", "full", "all"] == ["-"] * 8
    assert found["16,384", "full", "all"][0] == "1.600"


def test_the_oracle_has_no_line_in_ttft() -> None:
    tables = ttft_tables()
    assert ttft_summary(with_copy(tables, "claa", "oracle")) == ttft_summary(tables)


@pytest.mark.parametrize("text", [accuracy_summary(accuracy_tables()), ttft_summary(ttft_tables(lengths=[131072]))])
def test_lines_fit_a_terminal_and_columns_are_aligned(text: str) -> None:
    heading, *lines = text.splitlines()
    assert max(len(line) for line in [heading, *lines]) <= WIDTH
    assert len({len(line) for line in lines}) == 1


def test_the_heading_names_model_tasks_and_prompts() -> None:
    assert accuracy_summary(accuracy_tables()).startswith("tiny on longbench (qasper, hotpotqa), 12 prompts")
    assert ttft_summary(ttft_tables()).startswith("tiny: time to first token")


def test_where_nothing_was_measured_it_says_so() -> None:
    assert accuracy_summary(as_tables()) == "no prompt could be answered"
    assert ttft_summary(as_tables()) == "no prompt could be timed"
