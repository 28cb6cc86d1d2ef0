"""Methods with other settings and models with other weights have other names in one table, and rows of their own in a leaderboard."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tests.report.table_examples import contestant_run, protocol_run
from tokenrank.report.rows.loaded_run import LoadedRun
from tokenrank.report.tables.leaderboard import leaderboard
from tokenrank.report.tables.leaderboard_rows import best_of, entries_of, protocol_of
from tokenrank.report.tables.report_files import grid
from tokenrank.report.tables.result_rows import result_rows
from tokenrank.report.tables.telling_apart import method_settings, names_of, told_apart

SMALL, LARGE = ({"source": "tiny", "seed": seed, "layers": layers} for seed, layers in ((0, 4), (5, 6)))


def run(name: str, window: int = 64, model: Mapping[str, Any] = SMALL, prompts: int = 20) -> LoadedRun:
    """A ranking of claa with this window."""
    heuristic = {"claa": {"_target_": "CLAA", "window": window, "kernel": 7}, "random": {"seed": window}}
    made = protocol_run(name, prompts, heuristic=heuristic)
    return replace(made, environment={"model": model})


def engines(name: str, select_layer: int) -> LoadedRun:
    """Contestants of which claa has an engine of its own."""
    made = contestant_run(name)
    lines = {"any": {"select_layer": None}, "claa": {"select_layer": select_layer}}
    return replace(made, config={**made.config, "prefill": {"engine": lines}})


def board(*runs: LoadedRun) -> tuple[set[tuple[str, str, str]], list[str]]:
    """(method, model, run) of each row, and the sentences on the others."""
    protocol = protocol_of(runs[0], "recall", 10.0, None)
    chosen, said = best_of([each for one in runs for each in entries_of(one, protocol)])
    return {(each.method, each.model, each.run.name) for each in chosen if each.method.startswith("claa")}, said


def test_other_settings_of_a_heuristic_are_another_row_of_a_leaderboard() -> None:
    rows, said = board(run("a", 64, prompts=6), run("b", 4), run("c", 4))
    assert rows == {("claa (window=64)", "tiny", "a"), ("claa (window=4)", "tiny", "b")}
    assert "claa of c (20 prompts): b has it with the same settings on the same model and task with 20" in said
    assert not any("claa of a" in each for each in said)
    assert any("random of a" in each for each in said)  # whatever its seed


def test_another_model_of_the_same_name_is_another_row() -> None:
    rows, said = board(run("a"), run("b", model=LARGE))
    assert rows == {("claa", "tiny (seed=0, layers=4)", "a"), ("claa", "tiny (seed=5, layers=6)", "b")}
    assert said == []


def test_a_setting_that_an_earlier_version_lacks_is_null() -> None:
    later = run("b")
    later.config["heuristic"]["claa"]["pool"] = None
    assert board(run("a"), later)[0] == {("claa", "tiny", "a")}
    later.config["heuristic"]["claa"]["pool"] = "max"
    assert {method for method, _, _ in board(run("a"), later)[0]} == {"claa (pool=null)", "claa (pool=max)"}


def test_a_table_of_several_runs_names_what_differs() -> None:
    shown = grid([run("a"), run("b", 4, LARGE)], "recall", 10.0)
    assert [block.title for block in shown.blocks] == [
        "tiny (seed=0, layers=4) on niah, 20 prompts",
        "tiny (seed=5, layers=6) on niah, 20 prompts",
    ]
    assert [[row.name for row in block.rows if "claa" in row.name] for block in shown.blocks] == [
        ["claa (window=64)"],
        ["claa (window=4)"],
    ]
    assert "tiny (seed=0, layers=4) on niah, 20 prompts; tiny (seed=5, layers=6)" in shown.caption
    alike = grid([run("a"), run("b")], "recall", 10.0)
    assert {row.name for block in alike.blocks for row in block.rows} == {
        "claa", "gemfilter", "tova", "recency", "random", "oracle", "chance",
    }  # fmt: skip


def test_rows_of_a_csv_have_these_names_and_published_ones_their_own() -> None:
    runs = [run("a"), run("b", 4)]
    first, rows = (result_rows(each) for each in runs)
    published = rows[rows["method"] == "claa"].assign(role="published")
    names = names_of(runs, [first, rows])[1]
    assert "claa (window=4)" in set(names.of_rows(rows)["method"])
    assert set(names.of_rows(published)["method"]) == {"claa"}


def test_of_engines_the_settings_of_a_methods_own_line_count() -> None:
    one, other = engines("a", 3), engines("b", 7)
    entries = [each for run in (one, other) for each in entries_of(run, protocol_of(one, "loss", None, 20.0))]
    names = {each.method for each in best_of(entries)[0]}
    assert {"claa (engine.select_layer=3)", "claa (engine.select_layer=7)", "full"} <= names
    assert not any(name.startswith("full (") for name in names)
    assert method_settings(one, "full", "full") == {}


def test_the_page_shows_these_names() -> None:
    runs = run("a"), run("b", 4)
    protocol = protocol_of(runs[0], "recall", 10.0, None)
    page = leaderboard(protocol, [each for one in runs for each in entries_of(one, protocol)], [])
    assert page.count(">claa (window=64)<") == page.count(">claa (window=4)<") == 1


def test_values_are_compared_and_long_ones_differ_in_their_digest() -> None:
    assert told_apart([("a", {"x": 1}), ("a", {"x": 1.0})]) == ["a", "a"]
    assert told_apart([("a", {"x": [1]}), ("a", {"x": [2]})]) == ["a (x=[1])", "a (x=[2])"]
    long = told_apart([("a", {"files": [{"name": "model.safetensors" * 3, "sha256": each}]}) for each in "bc"])
    assert len(set(long)) == 2
    assert all(re.fullmatch(r"a \(files=[0-9a-f]{8}\)", each) for each in long)
