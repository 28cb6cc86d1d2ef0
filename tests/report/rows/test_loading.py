"""What reports read of large tables: the same rows as of the whole tables, and no others."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from tests.report.contestant_examples import accuracy_tables
from tests.report.run_folders import run_folder
from tests.report.test_report import a_ranking
from tests.report.ttft_examples import ttft_tables
from tokenrank.records.schema import RUNS, table
from tokenrank.records.tables import Tables
from tokenrank.report.rows.loading import load

CONFIG = {"plots": {"k": 10.0}}


def same(found: pd.DataFrame, wanted: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(found, wanted.reset_index(drop=True))


def test_of_a_ranking_the_values_at_layers_are_read_metric_by_metric(tmp_path: Path) -> None:
    whole = a_ranking()
    tables, k = load(run_folder(tmp_path, whole), CONFIG, None)
    assert k == 10
    same(tables.metrics, whole.metrics[whole.metrics["layer"].isna()])
    for metric in ("recall", "jaccard"):
        for at in (5.0, 10.0):
            rows = (whole.metrics["metric"] == metric) & (whole.metrics["k"] == at)
            same(tables.of_metric(metric, at), whole.metrics[rows])
            same(whole.of_metric(metric, at).reset_index(drop=True), whole.metrics[rows])
    assert tables.of_metric("mass", 10).empty


def test_of_single_prompts_only_what_is_shown_is_read(tmp_path: Path) -> None:
    whole = a_ranking()
    more = pd.concat([whole.summary, whole.summary.assign(statistic="std")], ignore_index=True)
    folder = run_folder(tmp_path, Tables(whole.metrics, more, whole.samples, whole.runs))
    tables, k = load(folder, CONFIG, 5.0)
    assert k == 5
    alone = more["sample"].notna()
    same(tables.summary, more[~alone | (more["statistic"].isin(["mean", "worst"]) & (more["k"] == 5))])
    assert len(tables.summary) < len(more)


@pytest.mark.parametrize("whole", [accuracy_tables(), ttft_tables()])
def test_of_contestants_all_but_kept_tokens_and_texts_is_read(tmp_path: Path, whole: Tables) -> None:
    texts = {"prompt": "a text", "answer": "an answer"}
    runs = table([{"sample": "s0", "kept": [1, 2], "answer": "another", "answer_tokens": 3}], RUNS)
    written = replace(whole, samples=whole.samples.assign(**texts), runs=runs)
    folder = run_folder(tmp_path, written)
    tables, _ = load(folder, CONFIG, None)
    with_texts, _ = load(folder, CONFIG, None, texts=True)
    same(tables.metrics, whole.metrics)
    same(tables.summary, whole.summary)
    unread = ["prompt", "references", "answer"]
    same(tables.samples.drop(columns=unread), written.samples.drop(columns=unread))
    same(with_texts.samples.drop(columns="references"), written.samples.drop(columns="references"))
    same(tables.runs.drop(columns=["kept", "answer"]), runs.drop(columns=["kept", "answer"]))
    assert tables.samples[unread].isna().all(axis=None)
    assert tables.runs[["kept", "answer"]].isna().all(axis=None)


def test_a_report_of_ones_own_gets_everything(tmp_path: Path) -> None:
    whole = a_ranking()
    folder = run_folder(tmp_path, replace(whole, samples=whole.samples.assign(prompt="a text")))
    tables, _ = load(folder, CONFIG | {"report_class": {"_target_": "mine"}}, None)
    same(tables.metrics, whole.metrics)
    same(tables.summary, whole.summary)
    assert set(tables.samples["prompt"]) == {"a text"}


@pytest.mark.parametrize("name", ["metrics", "summary", "samples", "runs"])
def test_a_flipped_bit_in_a_table_is_found(tmp_path: Path, name: str) -> None:
    folder = run_folder(tmp_path, a_ranking())
    file = tmp_path / f"{name}.parquet"
    content = bytearray(file.read_bytes())
    load(folder, CONFIG, None)
    for place in (4, len(content) // 2, len(content) - 20):
        changed = bytearray(content)
        changed[place] ^= 1
        file.write_bytes(changed)
        with pytest.raises(ValueError, match=rf"{name}\.parquet cannot be read: .*collect its records again"):
            load(folder, CONFIG, None)
