"""evaluation=ranking: one pass a prompt gives every value, its summary, its facts, and the scores themselves if asked for."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from tests.plans import plan, records, tables
from tokenrank.evaluation.ranking import RankingAgreement
from tokenrank.evaluation.stored import stored_rank
from tokenrank.metrics import kendall
from tokenrank.metrics.ranked_tokens import Ranking
from tokenrank.models.tiny import Tiny
from tokenrank.records.schema import METRICS, SUMMARY, table
from tokenrank.records.tables import Tables
from tokenrank.report.sentences.notes import notes
from tokenrank.work.collecting import collected

MODEL = Tiny(name="tiny").model()


@cache
def measured() -> Tables:
    return tables("heuristic=[claa,oracle,recency]", "metric=[recall,jaccard]", "compare.controls=true")


def test_every_metric_of_every_ranking_at_every_layer_is_there() -> None:
    metrics = measured().metrics
    recall = metrics[(metrics["metric"] == "recall") & metrics["layer"].notna()]
    assert len(recall) == 2 * 3 * 4 * 2  # prompts, heuristics, layers, k
    assert (recall.loc[recall["heuristic"] == "oracle", "value"] == 1).all()
    assert recall["value"].between(0, 1).all()
    assert (recall["windowed"] == False).all()  # noqa: E712
    chance = metrics[metrics["heuristic"].isna() & (metrics["metric"] == "recall")]
    assert set(chance["k"]) == {5, 10}
    assert chance["layer"].isna().all()
    assert chance.loc[chance["k"] == 10, "value"].tolist() == pytest.approx([29 / 292] * 2)
    assert list(metrics) == list(METRICS)
    assert measured().runs.empty


def test_the_summary_is_of_prompts_over_prompts_and_between_layers() -> None:
    summary = measured().summary
    assert dict(summary.dtypes) == dict(table([], SUMMARY).dtypes)
    recall = summary[summary["metric"] == "recall"]
    assert len(recall[recall["sample"].notna()]) == 2 * 3 * 2 * 6  # prompts, heuristics, k, statistics
    over_all = recall[recall["sample"].isna()]
    assert len(over_all[over_all["against"].isna()]) == 3 * 2 * 6
    pairs = over_all[over_all["against"].notna()]
    assert set(pairs["statistic"]) == {"mean", "worst", "std"}
    assert len(pairs) == 3 * 2 * 3  # pairs, k, statistics
    between = summary[summary["other_layer"].notna()]
    assert set(between["metric"]) == {"jaccard"}
    assert len(between) == 3 * 2 * 6  # heuristics, k, pairs of 4 layers
    assert measured().metrics.columns.isin(["other_layer"]).sum() == 0


def test_the_mean_of_a_prompt_is_that_of_its_layers() -> None:
    metrics, summary = measured().metrics, measured().summary
    own = metrics[(metrics["metric"] == "recall") & (metrics["heuristic"] == "claa") & (metrics["k"] == 10)]
    said = summary[
        (summary["metric"] == "recall") & (summary["heuristic"] == "claa") & (summary["k"] == 10)
        & (summary["statistic"] == "mean") & summary["against"].isna()
    ]  # fmt: skip
    by_prompt = said.dropna(subset=["sample"]).set_index("sample")["value"]
    assert by_prompt.to_dict() == pytest.approx(own.groupby("sample")["value"].mean().to_dict())
    assert said.loc[said["sample"].isna(), "value"].tolist() == pytest.approx([by_prompt.mean()])


def test_facts_of_a_generated_answer_are_recorded() -> None:
    for sample in measured().samples.to_dict("records"):
        assert sample["answer_tokens"] <= 4
        assert sample["accuracy"] in (0, 1)
        assert all(sample[f"{part}_seconds"] > 0 for part in ("prefill", "decode", "oracle", "metrics"))


def test_a_reference_answer_is_not_graded() -> None:
    samples = tables("answer=reference").samples
    assert samples["accuracy"].isna().all()
    assert [
        answer in references[0] for answer, references in zip(samples["answer"], samples["references"], strict=True)
    ] == [True, True]


def brought(folder: Path, answers: Mapping[str, object]) -> str:
    """The setting that brings these answers: texts, or token ids."""
    lines = [{"id": name, "answer" if isinstance(each, str) else "token_ids": each} for name, each in answers.items()]
    (folder / "answers.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return f"answers={folder / 'answers.jsonl'}"


def test_a_brought_answer_is_the_one_that_is_explained_and_graded(tmp_path: Path) -> None:
    right, wrong = (prompt.id for prompt in plan().prompts)
    references = plan().prompts[0].answers[0]
    assert len(references) > 4
    found = tables(brought(tmp_path, {right: references, wrong: "no idea at all"}), "task.max_new_tokens=9")
    samples = found.samples.set_index("id")
    facts = samples[["answer", "answer_tokens", "accuracy"]].to_dict("index")
    assert facts == {
        right: {"answer": references, "answer_tokens": len(references), "accuracy": 1},
        wrong: {"answer": "no idea a", "answer_tokens": 9, "accuracy": 0},
    }
    assert samples["decode_seconds"].isna().all()
    reference = tables("answer=reference", "task.max_new_tokens=9")
    first, second = (
        each.metrics[each.metrics["sample"] == right].reset_index(drop=True) for each in (found, reference)
    )
    pd.testing.assert_frame_equal(first, second)  # the same tokens, whatever their origin
    of_wrong = [each.metrics.loc[each.metrics["sample"] == wrong, "value"].tolist() for each in (found, reference)]
    assert of_wrong[0] != of_wrong[1]


def test_the_models_own_answer_brought_back_gives_the_same_numbers(tmp_path: Path) -> None:
    made = plan()
    own = {unit.name: stored_rank(made, MODEL, unit.prompt, {}).answer.token_ids for unit in made.units}
    found = tables(brought(tmp_path, own), "heuristic=[claa,oracle,recency]", "metric=[recall,jaccard]")
    pd.testing.assert_frame_equal(found.metrics, measured().metrics)
    columns = ["id", "answer", "answer_tokens", "accuracy"]
    pd.testing.assert_frame_equal(found.samples[columns], measured().samples[columns])
    other = {name: [5, *ids[1:]] for name, ids in own.items()}
    chosen = ("heuristic=[claa,oracle,recency]", "metric=[recall,jaccard]")
    assert not tables(brought(tmp_path, other), *chosen).metrics.equals(measured().metrics)


def test_the_seed_moves_only_tests_of_differences() -> None:
    many = (
        "task.lengths=[200,210]",
        "task.depths=[0,20,40,50,60,80,100]",
        "task.seed=0",
        "heuristic=[claa,tova,recency]",
    )
    one, two = (tables(*many, "metric=recall", f"seed={seed}", "bootstrap.resamples=20") for seed in (0, 1))
    pd.testing.assert_frame_equal(one.metrics, two.metrics)
    tested = ["low", "high", "p"]
    pd.testing.assert_frame_equal(one.summary.drop(columns=tested), two.summary.drop(columns=tested))
    pairs = one.summary["against"].notna()
    assert set(one.summary.loc[pairs, "statistic"]) == {"mean", "worst", "std"}
    assert set(one.summary.loc[pairs, "heuristic"]) == {"claa"}
    pd.testing.assert_frame_equal(one.summary.loc[~pairs, tested], two.summary.loc[~pairs, tested])
    assert not one.summary.loc[pairs, tested].equals(two.summary.loc[pairs, tested])
    declared = one.summary[pairs & ~one.summary["exploratory"].fillna(True)]
    assert declared[["statistic", "k"]].to_numpy().tolist() == [["mean", 10.0]]


def test_what_is_saved_is_what_was_ranked() -> None:
    made = plan("save_rankings=true", "heuristic=[claa,oracle]", "task.depths=[0]")
    unit = made.units[0]
    saved = made.evaluation.measure(made, MODEL, unit, lambda _: None).rankings
    assert saved is not None
    assert set(saved) == {"input_ids", "answer_ids", "oracle", "heuristic.claa", "heuristic.oracle"}
    assert saved["input_ids"].tolist() == list(unit.prompt.input_ids)
    assert saved["oracle"].shape == (1, 300)
    assert saved["heuristic.claa"].shape == (4, 300)
    assert torch.equal(saved["heuristic.oracle"], saved["oracle"].expand(4, -1))
    assert saved["answer_ids"].dtype == torch.int64


def test_a_metric_that_fails_does_not_take_the_prompt_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """On one of two prompts: its record says which metric failed and why, and so do the notes; all else is measured."""
    chosen = ("heuristic=[claa,recency]", "metric=[recall,kendall]", "task.lengths=[300,340]", "task.depths=[0]")
    whole = tables(*chosen)

    def fails(ranking: Ranking, truth: Ranking) -> Any:
        if ranking.tokens > 300:
            raise ZeroDivisionError("float division by zero")
        return kendall.kendall(ranking, truth)

    made = plan(*chosen)
    broken = replace(made.metrics["kendall"], measure=fails)
    found = collected(made.evaluation, records(replace(made, metrics={**made.metrics, "kendall": broken})))
    assert found.samples["status"].tolist() == ["ok", "failed"]
    sentence = "metric kendall of claa, recency: ZeroDivisionError: float division by zero"
    assert found.samples["error"][1] == sentence
    lacking = (whole.metrics["metric"] == "kendall") & (whole.metrics["sample"] == "niah_340_0_0")
    values = whole.metrics[~(lacking & whole.metrics["heuristic"].notna())].reset_index(drop=True)
    pd.testing.assert_frame_equal(found.metrics, values)
    assert notes(found, {}) == [
        f"1 prompt without some values, see samples.parquet: {sentence}", "2 prompts ranked, 0 failed"
    ]  # fmt: skip
    assert notes(whole, {}) == ["2 prompts ranked, 0 failed"]


def test_rankings_are_kept_only_if_asked_for() -> None:
    made = plan("heuristic=[claa]", "task.depths=[0]")
    assert made.evaluation.measure(made, MODEL, made.units[0], lambda _: None).rankings is None


def test_the_prompt_is_read_once() -> None:
    made, read = plan("task.depths=[0]"), list[int]()
    made.evaluation.measure(made, MODEL, made.units[0], read.append)
    assert read == [300]
    assert made.evaluation.rounds(made) == 1


def test_no_record_gives_an_empty_summary() -> None:
    assert [part.num_rows for part in RankingAgreement(k=[10]).summary().tables()] == [0, 0]


def test_measuring_again_gives_the_same_values() -> None:
    made = plan("heuristic=[claa,random]", "task.depths=[0]")
    pd.testing.assert_frame_equal(records(made)[0].rows, records(made)[0].rows)
