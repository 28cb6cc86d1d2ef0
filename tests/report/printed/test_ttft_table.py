"""The printed table of times: every number in its cell, dashes for what is missing, the oracles left out."""

from dataclasses import replace

from tests.report.contestant_examples import as_tables, with_copy, without
from tests.report.printed.test_contestant_tables import cells
from tests.report.ttft_examples import LENGTHS, SHARES, ttft_cell, ttft_tables
from tokenrank.report.printed.ttft_table import ttft_summary
from tokenrank.report.rows.aligned import WIDTH


def test_ttft_has_every_length_contestant_and_keep_rate() -> None:
    found = cells(ttft_summary(ttft_tables()), keys=3)
    assert len(found) == len(LENGTHS) * (1 + 3 * (len(SHARES) - 1))
    for tokens in LENGTHS:
        wanted = ttft_cell("claa", tokens, 20)
        assert found[f"{tokens:,}", "claa", "20"] == [
            f"{wanted['ttft']:.3f}", f"{wanted['ttft_ratio']:.3f}",
            f"[{wanted['ttft_ratio low']:.3f}, {wanted['ttft_ratio high']:.3f}]", f"{wanted['flops_ratio']:.3f}",
            "0.200", "16.00",
        ]  # fmt: skip
    assert found["4,096", "full", "all"][:3] == ["0.250", "1.000", "[0.970, 1.040]"]


def test_lengths_ascend_and_within_each_full_is_first_and_engines_stand_together() -> None:
    tables = ttft_tables()
    keys = list(cells(ttft_summary(replace(tables, samples=tables.samples.iloc[::-1])), keys=3))
    assert list(dict.fromkeys(tokens for tokens, *_ in keys)) == [f"{tokens:,}" for tokens in LENGTHS]
    of_first = [name for tokens, name, _ in keys if tokens == "4,096"]
    assert list(dict.fromkeys(of_first)) == ["full", "claa", "fastkv", "snapkv", "random", "gemfilter", "speculative"]


def test_a_contestant_out_of_memory_is_a_line_of_dashes() -> None:
    found = cells(ttft_summary(without(ttft_tables(), "full", sample="n32768")), keys=3)
    assert found["32,768", "full", "all"] == ["-"] * 6
    assert found["16,384", "full", "all"][0] == "1.600"


def test_the_oracle_has_no_line_in_ttft() -> None:
    tables = ttft_tables()
    for name in ("oracle", "oracle@claa"):
        assert ttft_summary(with_copy(tables, "claa", name)) == ttft_summary(tables)
    assert ttft_summary(with_copy(tables, "claa", "tova")) != ttft_summary(tables)


def test_lines_fit_a_terminal_and_columns_are_aligned() -> None:
    lines = ttft_summary(ttft_tables(lengths=[131072])).splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert len({len(line) for line in lines[2:]}) == 1


def test_with_few_letters_in_names_more_columns_fit() -> None:
    first = ttft_summary(ttft_tables(("full", "claa"), lengths=[4096])).splitlines()[2]
    assert first.split("  ")[-1].strip() == "peak GiB"
    assert "choosing" not in first  # there is no room for all
    wide = ttft_summary(ttft_tables(), 200).splitlines()[2]
    assert wide.split("  ")[-3:] == ["choosing %", "decode tok/s", "peak GiB"]


def test_the_heading_names_the_model_and_where_nothing_was_timed_it_says_so() -> None:
    assert ttft_summary(ttft_tables()).startswith("tiny: time to first token")
    assert ttft_summary(as_tables()) == "no prompt could be timed"
