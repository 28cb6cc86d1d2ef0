"""evaluation=accuracy: the same prompts for every engine, full, oracle and random always there, ratios, failures, refusals."""

from pathlib import Path
from typing import ClassVar

import pandas as pd
import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from tests.command import Command
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.model_layers import ModelLayers
from tokenrank.evaluation.accuracy import FlopCounts
from tokenrank.heuristics.claa import CLAA
from tokenrank.prefill.engine import Job
from tokenrank.prefill.layerwise import Layerwise

SMALL = (
    "evaluation=accuracy",
    "model=tiny",
    "task.lengths=[300,340]",
    "task.depths=[0,100]",
    "task.max_new_tokens=4",
    "bootstrap.resamples=200",
)
KEY_BYTES = 4 * 2 * 2 * 16 * 4  # a token: layers, keys and values, key heads, dim, bytes


def tables(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    runs, metrics, samples = (
        pd.read_parquet(folder / "run" / f"{name}.parquet") for name in ("runs", "metrics", "samples")
    )
    return runs, metrics, samples


def test_every_engine_answers_every_prompt_at_every_keep_rate(tokenrank: Command, tmp_path: Path) -> None:
    ended = tokenrank(*SMALL, "prefill.keep=[10,50]")
    assert ended.code == 0, ended.err
    runs, metrics, samples = tables(tmp_path)
    assert len(samples) == 4
    assert len(runs) == 4 * (1 + 2 * 5)
    assert set(runs["engine"]) == {"full", "oracle", "random", "claa", "fastkv", "gemfilter"}
    assert (runs.groupby("engine")["sample"].nunique() == 4).all()
    assert (runs["status"] == "ok").all()
    kept = runs[(runs["sample"] == "niah_300_0_0") & (runs["keep"] == 10)]
    assert (kept["kept_tokens"] == 30).all()
    own = metrics[metrics["sample"].notna() & metrics["metric"].isin(["prefill_ratio", "flops_ratio", "kv_ratio"])]
    assert (own.loc[own["heuristic"] == "full", "value"] == 1).all()
    assert (own.loc[(own["heuristic"] != "full") & (own["metric"] == "flops_ratio"), "value"] < 1).all()
    assert "prefill_ratio" not in set(own.loc[own["heuristic"] == "oracle", "metric"])  # its time is not a speed
    counted = metrics[(metrics["metric"] == "kv_bytes") & (metrics["sample"] == "niah_300_0_0")].set_index(
        ["heuristic", "k"]
    )["value"]
    assert counted["full", 10] == counted["full", 50] == 300 * KEY_BYTES
    assert counted["fastkv", 10] == 30 * KEY_BYTES
    assert counted["claa", 10] == (2 * 300 + 2 * 30) * KEY_BYTES / 4  # its min_layer of 4 leaves layers 0 and 1 whole
    assert "claa" in ended.out
    plots = {file.name for file in (tmp_path / "run" / "plots").glob("*.png")}
    assert plots == {
        "accuracy_against_time.png",
        "accuracy_against_kv.png",
        "grid_score_at_10.png",
        "grid_score_at_50.png",
    }


def test_with_every_token_kept_all_answer_alike(tokenrank: Command, tmp_path: Path) -> None:
    tokenrank(*SMALL, "prefill.keep=[100]", "heuristic=[claa,gemfilter,speculative,tova]")
    runs, metrics, _ = tables(tmp_path)
    assert all(len(set(answers)) == 1 for _, answers in runs.groupby("sample")["answer"])
    ratios = metrics[(metrics["metric"] == "kv_ratio") & metrics["sample"].notna()]
    assert (ratios["value"] == 1).all()
    assert len(set(runs["answer"])) > 1  # of different prompts


def test_the_numbers_over_all_prompts_have_intervals_and_comparisons(tokenrank: Command, tmp_path: Path) -> None:
    tokenrank(*SMALL, "prefill.keep=[20]", "heuristic=claa")
    over_all = tables(tmp_path)[1].loc[lambda table: table["sample"].isna()]
    found = {(row.heuristic, row.metric) for row in over_all.itertuples()}
    for name in ("score", "score.low", "score.high", "prefill_ratio", "kv_ratio", "score.gap_closed"):
        assert ("claa", name) in found
    assert ("claa - random", "score.difference.p") in found
    assert ("claa - random", "flops.difference") not in found


def test_the_same_config_and_seed_give_the_same_answers(tokenrank: Command, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        tokenrank(*SMALL, "prefill.keep=[20]", f"hydra.run.dir={tmp_path / folder}")
    first, second = (
        pd.read_parquet(tmp_path / folder / "runs.parquet")[["engine", "answer", "flops", "kv_bytes"]]
        for folder in "ab"
    )
    pd.testing.assert_frame_equal(first, second)


class Noting(CLAA):
    """Notes what it is asked for."""

    seen: ClassVar[list[int]] = []

    def score(self, layer: AttentionLayer) -> Tensor:
        self.seen.append(layer.tokens)
        return super().score(layer)


def test_operations_are_counted_once_for_as_many_tokens(tiny_model: PreTrainedModel) -> None:
    heuristic = Noting(window=4, n=1)
    engine = Layerwise(window=4).resolved(heuristic, ModelLayers(4, tuple(range(4))))
    counts = FlopCounts()
    jobs = [Job(tiny_model, heuristic, torch.arange(tokens), 20, answer_tokens=1) for tokens in (60, 60, 61)]
    first, again, longer = (counts.of("claa", engine, job) for job in jobs)
    assert first == again < longer
    assert Noting.seen == [60, 61]


OUTSIDE = '''
from dataclasses import dataclass
import torch
from tokenrank.heuristics.heuristic import Heuristic

@dataclass(frozen=True)
class Fails(Heuristic):
    """Breaks on prompts of so many tokens."""
    tokens: int = 0
    memory: bool = False

    def score(self, layer):
        if layer.tokens == self.tokens:
            raise MemoryError("no room") if self.memory else RuntimeError("it broke")
        return torch.arange(layer.tokens, dtype=torch.float32)
'''


@pytest.fixture
def failing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder with a heuristic that fails on prompts of 340 tokens."""
    folder = tmp_path / "theirs"
    (folder / "heuristic").mkdir(parents=True)
    (folder / "failing_heuristic.py").write_text(OUTSIDE)
    (folder / "heuristic" / "fails.yaml").write_text(
        "fails:\n  _target_: failing_heuristic.Fails\n  tokens: 340\n  memory: false\n"
    )
    monkeypatch.syspath_prepend(str(folder))
    return str(folder)


def test_an_engine_that_fails_is_recorded_and_the_others_go_on(
    tokenrank: Command, tmp_path: Path, failing: str
) -> None:
    ended = tokenrank("--config-dir", failing, *SMALL, "prefill.keep=[20]", "heuristic=[claa,fails]")
    assert ended.code == 1
    assert "2 of 4 prompts failed" in ended.err
    runs, metrics, samples = tables(tmp_path)
    lost = runs[runs["status"] == "failed"]
    assert set(lost["engine"]) == {"fails"}
    assert set(lost["error"]) == {"RuntimeError: it broke"}
    assert set(lost["sample"]) == {"niah_340_0_0", "niah_340_100_0"}
    assert (samples["status"] == "ok").all()  # the full prefill went well
    counted = (
        metrics[metrics["sample"].notna() & (metrics["metric"] == "score")].groupby("heuristic")["sample"].nunique()
    )
    assert counted["claa"] == 4
    assert counted["fails"] == 2
    assert "means are over the 2 of 4 prompts that every engine answered" in ended.out
    short = metrics[metrics["sample"].isin(["niah_300_0_0", "niah_300_100_0"]) & (metrics["metric"] == "kv_bytes")]
    over_all = metrics[metrics["sample"].isna() & (metrics["metric"] == "kv_bytes")].set_index("heuristic")["value"]
    assert over_all["claa"] == short.loc[short["heuristic"] == "claa", "value"].mean()


def test_an_engine_that_answers_nothing_is_named(tokenrank: Command, tmp_path: Path, failing: str) -> None:
    given = ("prefill.keep=[20]", "heuristic=[claa,fails]", "task.lengths=[340]")
    ended = tokenrank("--config-dir", failing, *SMALL, *given)
    assert ended.code == 1
    assert "every run failed (runs.parquet says why): fails" in ended.out
    assert "means are over" not in ended.out


def test_time_to_first_token_goes_on_where_memory_runs_out(tokenrank: Command, tmp_path: Path, failing: str) -> None:
    ended = tokenrank(
        "--config-dir", failing, "evaluation=ttft", "model=tiny", "task.lengths=[200,340]", "prefill.keep=[20]",
        "heuristic=[claa,fails]", "heuristic.fails.memory=true", "evaluation.repeats=2",
    )  # fmt: skip
    assert ended.code == 1
    runs, metrics, samples = tables(tmp_path)
    lost = runs[runs["status"] == "failed"].iloc[0]
    assert (lost["engine"], lost["sample"]) == ("fails", "random_340")
    assert lost["error"] == "out of memory: no room"
    assert list(samples["status"]) == ["ok", "failed"]
    assert (runs[runs["status"] == "ok"].groupby(["sample", "engine"]).size() == 2).all()
    names = {(row.sample, row.heuristic) for row in metrics.itertuples()}
    assert names == {
        ("random_200", "full"),
        ("random_200", "claa"),
        ("random_200", "fails"),
        ("random_340", "full"),
        ("random_340", "claa"),
    }


def test_longbench_runs_stand_beside_the_published_scores(tokenrank: Command, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    row = '{"input": "Who?", "context": "' + "Ada wrote it. " * 20 + '", "answers": ["Ada"], "all_classes": null}\n'
    (tmp_path / "data" / "qasper.jsonl").write_text(2 * row)
    (tmp_path / "data" / "dataset2prompt.json").write_text('{"qasper": "{context} {input}"}')
    (tmp_path / "data" / "dataset2maxlen.json").write_text('{"qasper": 4}')
    ended = tokenrank(
        "evaluation=accuracy", "model=tiny", "task=longbench", f"task.path={tmp_path / 'data'}", "task.subset=[qasper]",
        "prefill.keep=[20]", "heuristic=claa",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    text = (tmp_path / "run" / "published.md").read_text()
    assert "49.32" in text
    assert "Llama-3.1-8B-Instruct" in text
    assert "tiny" in text
