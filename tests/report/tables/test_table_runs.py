"""Which runs may stand in one table."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.report.run_folders import run_folder
from tests.report.table_examples import contestant_run, ranking_tables, table_run, without_means
from tests.report.ttft_examples import ttft_tables
from tokenrank.report.rows.loaded_run import LoadedRun
from tokenrank.report.tables.table_runs import check_alike, check_kind, read_run

RANKED = {
    "oracle": {"attention": {"kernel": 13}}, "universe": {"window": 8}, "answer": "generated",
    "metric": {"recall": {"at_k": True}, "rbo": {"p": 0.99}}, "model": {"name": "tiny"}, "seed": 0,
}  # fmt: skip


def of(name: str, **changed: object) -> LoadedRun:
    settings: dict[str, Any] = RANKED | changed
    return table_run(ranking_tables(), name, **settings)


def test_another_model_task_or_seed_may_stand_beside() -> None:
    check_alike([of("a"), of("b", model={"name": "llama3"}, task={"samples": 3}, seed=7)], ["recall"])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"oracle": {"attention": {"kernel": 1}}}, "oracle.attention.kernel is 13 in a and 1 in b"),
        ({"universe": {"window": 0}}, "universe.window is 8 in a and 0 in b"),
        ({"answer": "reference"}, "answer is generated in a and reference in b"),
        ({"answers": "mine.jsonl"}, "answer is generated in a and brought in b"),
        ({"metric": {"recall": {"at_k": False}}}, "metric.recall.at_k is True in a and False in b"),
    ],
)
def test_what_decides_the_values_must_agree(changed: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=f"^runs cannot stand in one table: {said}$"):
        check_alike([of("a"), of("b", **changed)], ["recall"])


def test_a_metric_that_is_not_shown_may_differ() -> None:
    changed = {"recall": {"at_k": True}, "rbo": {"p": 0.5}}
    check_alike([of("a"), of("b", metric=changed)], ["recall"])
    with pytest.raises(ValueError, match=r"metric\.rbo\.p is 0\.99 in a and 0\.5 in b"):
        check_alike([of("a"), of("b", metric=changed)], ["rbo"])


TWO: dict[str, Any] = {"oracle": {"attention": {}, "ablation": {}}}
HIDING = {"recall": {}, "lds": {"against": "masks"}, "drop": {"against": "loss"}}
MASKS = {"count": 64, "keep": 50, "seed": 0}


def against_truth(name: str, **changed: object) -> LoadedRun:
    """A run with two truths, which recall is against."""
    settings: dict[str, Any] = (
        RANKED | TWO | {"metric": HIDING, "chunk": 64, "masks": MASKS, "loss_layers": None} | changed
    )
    whole = ranking_tables()
    truth = whole.summary["metric"].map({"recall": "attention"}).astype("str")
    return table_run(replace(whole, summary=whole.summary.assign(truth=truth)), name, **settings)


@pytest.mark.parametrize(
    ("metrics", "changed", "said"),
    [
        (("recall",), {"plots": {"truth": "ablation"}}, "plots.truth of recall is attention in a and ablation in b"),
        (("lds",), {"chunk": 32}, "chunk is 64 in a and 32 in b"),
        (("lds",), {"masks": MASKS | {"count": 8}}, "masks.count is 64 in a and 8 in b"),
        (("drop",), {"loss_layers": [3]}, r"loss_layers is None in a and \[3\] in b"),
        (
            ("lds",),
            {"oracle": {"ablation": {}, "attention": {}}},
            "first of oracle is attention in a and ablation in b",
        ),
    ],
)
def test_what_a_metric_depends_on_must_agree_where_it_is_shown(
    metrics: tuple[str, ...], changed: dict[str, object], said: str
) -> None:
    with pytest.raises(ValueError, match=f"^runs cannot stand in one table: {said}$"):
        check_alike([against_truth("a"), against_truth("b", **changed)], metrics)


def test_what_the_shown_metric_does_not_depend_on_may_differ() -> None:
    one = against_truth("a")
    for metric, changed in (
        ("lds", {"plots": {"truth": "ablation"}, "loss_layers": [3], "masks": MASKS | {"seed": 1}}),
        ("drop", {"plots": {"truth": "ablation"}, "chunk": 32, "masks": MASKS | {"count": 8}}),
        ("recall", {"chunk": 32, "masks": MASKS | {"count": 8}, "loss_layers": [3], "plots": {"truth": "attention"}}),
    ):
        check_alike([one, against_truth("b", **changed)], [metric])


def test_the_oracle_of_engines_must_agree_as_gaps_are_closed_to_it() -> None:
    first, other = (contestant_run(name) for name in "ab")
    first, other = (
        replace(run, config={**run.config, "oracle": {each: {}}})
        for run, each in ((first, "attention"), (other, "gradient"))
    )
    with pytest.raises(ValueError, match=r"oracle\.attention is \{\} in a and null in b"):
        check_alike([first, other], ["accuracy"])


def test_evaluations_and_protection_must_agree() -> None:
    with pytest.raises(ValueError, match="evaluation is ranking in a and accuracy in b"):
        check_alike([of("a"), contestant_run("b")], ["recall"])
    check_alike([contestant_run("a"), contestant_run("b")], ["accuracy"])
    with pytest.raises(ValueError, match=r"evaluation\.protect is window in a and frame in b"):
        check_alike([contestant_run("a"), contestant_run("b", protect="frame")], ["accuracy"])
    beside = contestant_run("b")
    beside = replace(beside, config={**beside.config, "evaluation": {"protect": "window", "budget": "beside"}})
    with pytest.raises(ValueError, match=r"evaluation\.budget is within in a and beside in b"):
        check_alike([contestant_run("a"), beside], ["accuracy"])


def test_times_and_empty_runs_have_no_such_table() -> None:
    check_kind(of("a"))
    with pytest.raises(
        ValueError, match="a holds evaluation=ttft; tables are made of evaluation=ranking, accuracy and fidelity"
    ):
        check_kind(table_run(ttft_tables(), "a"))
    empty = ranking_tables()
    with pytest.raises(ValueError, match="holds no prompt that was measured"):
        check_kind(table_run(type(empty)(empty.metrics.head(0), empty.summary.head(0), empty.samples, empty.runs), "a"))
    with pytest.raises(ValueError, match=r"^a holds no mean over its prompts of any metric; see its summary\.md$"):
        check_kind(table_run(without_means(ranking_tables()), "a"))
    with pytest.raises(ValueError, match="one of its own"):
        check_kind(of("a", report_class={"_target_": "somebody.Report"}))


def test_a_half_finished_run_is_read_and_says_so(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, ranking_tables(prompts=2), environment={"units": ["a", "b", "c"]})
    assert read_run(folder.path).unfinished == "half a run: 2 of 3 units are done"
    assert of("a").unfinished == ""


def test_what_is_no_run_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is no run folder: it has no environment\.json"):
        read_run(tmp_path)
    folder = run_folder(tmp_path, ranking_tables())
    with pytest.raises(ValueError, match=r"^.*: k is 7, must be one of this run's: 5, 10$"):
        read_run(folder.path, 7)
    (tmp_path / "summary.parquet").unlink()
    with pytest.raises(ValueError, match=r"has no summary\.parquet: collect its records first"):
        read_run(folder.path)
    (tmp_path / "environment.json").write_text('{"format": "tokenrank run folder 2"}')
    with pytest.raises(ValueError, match="was not written by this version"):
        read_run(folder.path)
