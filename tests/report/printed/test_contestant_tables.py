"""The printed tables: every number in its cell, dashes for what is missing, and lines that fit a terminal."""

import re
from dataclasses import replace

from tests.report.contestant_examples import (
    CONTESTANTS,
    ORDER,
    RATES,
    accuracy_tables,
    as_tables,
    fidelity_tables,
    whose,
    with_copy,
    without,
)
from tests.report.ttft_examples import ttft_tables
from tokenrank.records.schema import SUMMARY, concatenated, table
from tokenrank.records.tables import Tables
from tokenrank.report.printed.contestant_tables import accuracy_summary, fidelity_summary
from tokenrank.report.printed.ttft_table import ttft_summary
from tokenrank.report.rows.aligned import WIDTH
from tokenrank.report.rows.protection import protected

ACCURACY, FIDELITY = accuracy_summary(accuracy_tables()), fidelity_summary(fidelity_tables())


def tables_of(text: str) -> list[str]:
    """Both tables, each with its heading."""
    first, name, second = re.split(r"\n\n(what the answer|other measures)", text)
    return [first, name + second]


def cells(text: str, keys: int) -> dict[tuple[str, ...], list[str]]:
    """The first cells of each line below the headings -> the others; cells are two spaces apart."""
    split = [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()]
    first = next(place for place, line in enumerate(split) if "keep" in line)
    return {tuple(each[:keys]): each[keys:] for each in split[first + 1 :] if len(each) > keys}


def headings(text: str) -> list[str]:
    split = (re.split(r"\s{2,}", line.strip()) for line in text.splitlines())
    (line,) = (each for each in split if "keep" in each)
    return line


def test_accuracy_has_accuracy_costs_and_gap_of_every_contestant_and_keep_rate() -> None:
    found = cells(tables_of(ACCURACY)[0], keys=2)
    assert len(found) == 1 + 3 * (len(CONTESTANTS) - 1)
    assert found["full", "all"] == ["0.490", "[0.470, 0.510]", "-", "1.000", "1.000"]
    closed = (0.470 - 0.33) / (0.482 - 0.33)  # between the ends of its own engine
    assert found["claa", "10"] == ["0.470", "[0.450, 0.490]", f"{closed:.2f}", "0.620", "0.199"]
    assert found["gemfilter", "40"][:2] == ["0.451", "[0.431, 0.471]"]
    assert found["gemfilter", "40"][3:] == ["0.700", "0.400"]
    assert found["speculative", "40"][2] == "-"  # its engine has no ends here


def test_short_names_leave_room_for_the_interval_of_the_gap() -> None:
    tables = accuracy_tables(("full", "oracle", "fastkv", "random"))
    text = tables_of(accuracy_summary(tables))[0]
    assert headings(text) == ["contestant", "keep", "accuracy", "[95 %]", "gap", "[95 %]", "FLOPs", "KV"]
    closed = (0.467 - 0.31) / (0.478 - 0.31)
    assert cells(text, keys=2)["fastkv", "10"][2:4] == [f"{closed:.2f}", f"[{closed - 0.1:.2f}, {closed + 0.1:.2f}]"]


def test_what_the_answer_loses_stands_below_accuracy() -> None:
    found = cells(tables_of(ACCURACY)[1], keys=2)
    assert headings(tables_of(ACCURACY)[1])[2:] == [
        "loss", "[95 %]", "gap", "clipped", "KL", "same token",
    ]  # fmt: skip
    closed = (2.30 - 0.85) / (2.30 - 0.60)
    assert found["gemfilter", "20"] == ["0.850", "[0.830, 0.870]", f"{closed:.2f}", "0.765", "0.680", "0.787"]
    assert len(found) == 1 + 3 * (len(CONTESTANTS) - 1)


def test_fidelity_has_loss_with_costs_and_then_the_other_measures_with_their_intervals() -> None:
    lost, more = tables_of(FIDELITY)
    assert headings(lost)[2:] == ["loss", "[95 %]", "gap", "[95 %]", "FLOPs", "KV"]
    assert headings(more)[2:] == ["KL", "[95 %]", "same token", "[95 %]"]
    closed = (1.62 - 0.59) / (1.62 - 0.36)
    gap = [f"{closed:.2f}", f"[{closed - 0.1:.2f}, {closed + 0.1:.2f}]"]
    assert cells(lost, keys=2)["fastkv", "20"] == ["0.590", "[0.570, 0.610]", *gap, "0.660", "0.200"]
    assert cells(more, keys=2)["fastkv", "20"][:2] == ["0.472", "[0.452, 0.492]"]
    assert "accuracy" not in FIDELITY


def test_each_contestant_stands_with_the_bound_and_control_of_its_engine_and_engines_are_apart() -> None:
    for text in (*tables_of(ACCURACY), *tables_of(FIDELITY)):
        names = [name.rstrip("*") for name, _ in cells(text, keys=2)]
        assert list(dict.fromkeys(names)) == list(ORDER)
    groups = [re.findall(r"^\S+", part, re.MULTILINE) for part in ACCURACY.split("\n\n")[1:5]]
    assert [list(dict.fromkeys(each)) for each in groups] == [
        ["oracle", "fastkv", "snapkv", "random"],
        ["oracle@claa", "claa", "random@claa"],
        ["oracle@gemfilter", "gemfilter", "random@gemfilter"],
        ["speculative"],
    ]


def test_an_oracle_that_is_beaten_is_marked_where_it_is_and_the_sentence_is_below() -> None:
    accuracies, losses = tables_of(ACCURACY)
    assert "*" not in accuracies
    stars = [each for each in cells(losses, keys=2) if each[0].endswith("*")]
    assert stars == [("oracle@claa*", "10")]
    said = " ".join(losses[losses.index("* beaten") :].split())
    assert (
        "oracle@claa by claa at 10 % in loss, clipped loss, KL divergence, tokens before the departure. The oracle"
        in said
    )
    assert "*" not in accuracy_summary(accuracy_tables(("full", "oracle", "fastkv", "random")))


def test_costs_of_accuracy_are_counted_and_said_to_be() -> None:
    heading = " ".join(ACCURACY.partition("contestant  ")[0].split())
    assert heading == (
        "tiny on longbench (qasper, hotpotqa), 12 prompts; means over prompts keep in percent; FLOPs counted and KV held, over the full "
        "prefill's (evaluation=ttft measures time) prefill.protect=window: the last tokens, the window, always stay gap: the share closed "
        "of the gap from the random control (0) to the oracle (1) of the same engine"
    )
    assert headings(tables_of(ACCURACY)[0]) == ["contestant", "keep", "accuracy", "[95 %]", "gap", "FLOPs", "KV"]
    found = cells(tables_of(ACCURACY)[0], keys=2)
    assert [found["oracle", f"{k:g}"][-2] for k in RATES] == ["0.600", "0.650", "0.750"]


def test_the_heading_says_what_was_protected() -> None:
    frame = accuracy_tables(("full", "claa"), protect="frame")
    said = "prefill.protect=frame: all tokens outside of the context always stay, and the window"
    assert said in " ".join(accuracy_summary(frame).split())
    runs = frame.runs
    beside = replace(frame, runs=runs.assign(budget="beside"))
    assert "beside the keep rate, which is a percentage of the other tokens" in " ".join(
        accuracy_summary(beside).split()
    )
    mixed = runs.assign(protect=runs["protect"].where(runs["keep"] != 20, "window"))
    assert protected(mixed) == [
        f"{said} (claa)",
        "prefill.protect=window: the last tokens, the window, always stay (claa)",
    ]
    assert protected(runs.assign(protect=None)) == protected(runs.head(0)) == []
    assert "protect" not in accuracy_summary(replace(frame, runs=runs.head(0)))


def test_needles_have_a_column_where_prompts_have_them() -> None:
    tables = accuracy_tables(("full", "claa"))
    rows = [whose("claa", keep) | {"metric": "needle_kept", "statistic": "mean", "value": 0.5} for keep in RATES]
    needles = replace(tables, summary=concatenated([tables.summary, table(rows, SUMMARY)], SUMMARY))
    text = accuracy_summary(needles).split("\n\nwhat")[0]
    assert headings(text)[-1] == "needle kept"
    assert [line[-1] for line in cells(text, keys=2).values()] == ["-", "0.50", "0.50", "0.50"]
    assert "needle" not in ACCURACY


def test_of_a_run_that_measured_no_loss_only_accuracy_is_shown() -> None:
    tables = accuracy_tables(("full", "claa"))
    measures = {"accuracy", "flops", "flops_ratio", "kv_bytes", "kv_ratio"}
    older = replace(tables, metrics=tables.metrics[tables.metrics["metric"].isin(measures)])
    assert "loss" not in accuracy_summary(older)


def test_a_single_prompt_has_no_intervals() -> None:
    first, second = tables_of(accuracy_summary(accuracy_tables(prompts=1)))
    assert cells(first, keys=2)["claa", "20"][:2] == ["0.481", "-"]
    assert cells(first, keys=2)["claa", "20"][-2:] == ["0.670", "0.288"]
    assert cells(second, keys=2)["claa", "20"][:2] == ["0.400", "-"]


def test_what_failed_at_a_keep_rate_is_a_line_of_dashes() -> None:
    first, second = tables_of(accuracy_summary(without(accuracy_tables(), "gemfilter", keep=[20.0])))
    assert cells(first, keys=2)["gemfilter", "20"] == ["0", *["-"] * (len(headings(first)) - 3)]
    assert headings(first)[2] == "prompts"
    assert cells(first, keys=2)["gemfilter", "10"][0] == "12"
    assert cells(second, keys=2)["gemfilter", "20"] == ["-"] * 6


def test_without_an_oracle_no_gap_is_closed() -> None:
    found = cells(tables_of(accuracy_summary(accuracy_tables(("full", "claa", "random@claa"))))[0], keys=2)
    assert found["claa", "10"][2] == "-"
    assert len(found) == 1 + 2 * 3


def test_lines_fit_a_terminal_and_columns_are_aligned() -> None:
    for text in (*tables_of(ACCURACY), *tables_of(FIDELITY)):
        lines = text.splitlines()
        assert max(map(len, lines)) <= WIDTH
        begins = next(place for place, line in enumerate(lines) if line.startswith("contestant  "))
        ends = next((place for place, line in enumerate(lines) if line.startswith("*")), None)
        assert len({len(line) for line in lines[begins:ends] if line}) == 1


def test_many_contestants_with_long_names_fit_and_stay_apart() -> None:
    tables = accuracy_tables()
    names = [f"a_heuristic_with_a_long_name_window{number}_kernel7" for number in range(14)]
    for name in names:
        tables = with_copy(tables, "fastkv", name)
    for text in (accuracy_summary(tables), fidelity_summary(tables), ttft_summary(tables_with(names))):
        assert max(map(len, text.splitlines())) <= WIDTH
        shown = re.findall(r"(?m)(?:^|\s)(a_h\S+)", text)
        assert len(set(shown)) == len(names)
        assert all(len(name) <= 20 for name in shown)
        assert "[0." in text


def tables_with(names: list[str]) -> Tables:
    tables = ttft_tables()
    for name in names:
        tables = with_copy(tables, "fastkv", name)
    return tables


def test_the_heading_names_model_tasks_and_prompts() -> None:
    assert accuracy_summary(accuracy_tables()).startswith("tiny on longbench (qasper, hotpotqa), 12 prompts")


def test_where_nothing_was_measured_it_says_so() -> None:
    assert accuracy_summary(as_tables()) == fidelity_summary(as_tables()) == "no prompt could be answered"
