"""evaluation=ttft: rounds, ratios within a round, counted facts, and random weights in a true shape."""

from pathlib import Path

import pandas as pd
import pytest

from tests.command import Command
from tokenrank.evaluation.ttft import TimeToFirstToken

SMALL = ("evaluation=ttft", "model=tiny", "task.lengths=[200,300]", "prefill.keep=[20,50]", "evaluation.repeats=3")
FACTS = {
    "flops", "flops_ratio", "kv_bytes", "kv_ratio", "choosing_share", "decode_tokens_per_second", "peak_bytes",
}  # fmt: skip
TIMES = {f"{name}{end}" for name in ("ttft", "ttft_ratio") for end in ("", ".low", ".high")}


def test_every_engine_is_timed_in_every_round(tokenrank: Command, tmp_path: Path) -> None:
    ended = tokenrank(*SMALL)
    assert ended.code == 0, ended.err
    runs = pd.read_parquet(tmp_path / "run" / "runs.parquet")
    assert (runs.groupby(["sample", "engine", "keep"]).size() == 3).all()
    assert len(runs) == 2 * (1 + 2 * 3) * 3
    assert (runs["prefill_seconds"] > 0).all()
    metrics = pd.read_parquet(tmp_path / "run" / "metrics.parquet")
    assert set(metrics["metric"]) == FACTS | TIMES
    assert "random_300" in set(metrics["sample"])
    assert "gemfilter" in ended.out
    plots = {file.name for file in (tmp_path / "run" / "plots").glob("*.png")}
    assert plots == {"ttft_against_length.png", "ttft_ratio_against_flops.png"}


def test_medians_and_ratios_are_those_of_the_rounds(tokenrank: Command, tmp_path: Path) -> None:
    tokenrank(*SMALL, "heuristic=claa")
    runs = pd.read_parquet(tmp_path / "run" / "runs.parquet")
    metrics = pd.read_parquet(tmp_path / "run" / "metrics.parquet").set_index(["sample", "heuristic", "k", "metric"])[
        "value"
    ]
    own = runs[(runs["sample"] == "random_200") & (runs["engine"] == "claa") & (runs["keep"] == 20)]
    full = runs[(runs["sample"] == "random_200") & (runs["engine"] == "full")]
    ratios = own.set_index("repeat")["prefill_seconds"] / full.set_index("repeat")["prefill_seconds"]
    assert metrics["random_200", "claa", 20, "ttft"] == pytest.approx(own["prefill_seconds"].median())
    assert metrics["random_200", "claa", 20, "ttft_ratio"] == pytest.approx(ratios.median())
    assert metrics["random_200", "full", 50, "ttft_ratio"] == 1
    assert metrics["random_200", "full", 50, "choosing_share"] == 0
    assert 0 < metrics["random_200", "claa", 20, "choosing_share"] < 1
    assert metrics["random_200", "claa", 20, "flops_ratio"] < metrics["random_200", "claa", 50, "flops_ratio"] < 1


def test_a_true_shape_is_timed_without_its_weights(tokenrank: Command, tmp_path: Path) -> None:
    small = [f"model.shape.{name}={size}" for name, size in (
        ("vocab_size", 300), ("hidden_size", 32), ("intermediate_size", 48), ("num_hidden_layers", 2),
        ("num_attention_heads", 4), ("num_key_value_heads", 2),
    )]  # fmt: skip
    ended = tokenrank(
        "evaluation=ttft", "model=llama3", "model.weights=random", "model.device=cpu", *small, "task.lengths=[200]",
        "prefill.keep=[20]", "heuristic=claa", "evaluation.repeats=1", "prefill.select_layer=0",
        "prefill.engine.claa.min_layer=0",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    metrics = pd.read_parquet(tmp_path / "run" / "metrics.parquet")
    assert set(metrics["model"]) == {"Llama-3.1-8B-Instruct (random weights)"}


def test_no_round_is_refused() -> None:
    with pytest.raises(ValueError, match="repeats is 0, must be at least 1"):
        TimeToFirstToken(repeats=0)
