"""Which layers are ranked: recorded in every run, said of hybrids, and a model that shows none is refused."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from tokenrank.evaluation.layers import layer_note, layer_record
from transformers import AutoConfig, AutoModelForCausalLM

from tests.command import Command
from tokenrank.capture.model_layers import ModelLayers
from tokenrank.models.architectures import ARCHITECTURES, SHAPE
from tokenrank.models.tiny import byte_tokenizer

SMALL = ("task.lengths=[300]", "task.depths=[0,50]", "task.max_new_tokens=4", "heuristic=[claa,random]")


def saved(architecture: str, folder: Path) -> str:
    """A tiny model that reads bytes, as a folder of its own; the argument that chooses it."""
    kind, settings = ARCHITECTURES[architecture]
    reads: dict[str, Any] = {"vocab_size": 257, "max_position_embeddings": 512}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = AutoConfig.for_model(kind, **(SHAPE | settings | reads))
        AutoModelForCausalLM.from_config(config).save_pretrained(folder)  # type: ignore[no-untyped-call]
    byte_tokenizer().save_pretrained(folder)
    return f"model.path={folder}"


def recorded(run: Path) -> Any:
    return json.loads((run / "environment.json").read_text())["layers"]


def test_the_record_names_captured_and_windowed_layers() -> None:
    layers = ModelLayers(3, (0, 1, 2), {0: 16, 2: 16})
    assert layer_record(layers) == {"captured": [0, 1, 2], "windowed": [0, 2], "of": 3}


@pytest.mark.parametrize(
    ("captured", "note"),
    [
        ([0, 1, 2], None),
        ([1], "note: 1 of 3 layers has attention and is ranked: 1"),
        ([0, 2], "note: 2 of 3 layers have attention and are ranked: 0, 2"),
    ],
)
def test_the_note_is_for_models_with_layers_that_are_not_ranked(captured: list[int], note: str | None) -> None:
    assert layer_note(ModelLayers(3, tuple(captured))) == note


def test_a_run_on_a_hybrid_says_which_layer_it_ranks(tokenrank: Command, tmp_path: Path) -> None:
    chosen = saved("lfm2 (hybrid)", tmp_path / "hybrid")
    ended = tokenrank("model=smollm2", chosen, *SMALL, "heuristic.claa.n=1")
    assert ended.code == 0, ended.err
    assert ended.err.count("note: 1 of 3 layers has attention and is ranked: 1\n") == 1
    assert recorded(tmp_path / "run") == {"captured": [1], "windowed": [], "of": 3}
    table = pd.read_parquet(tmp_path / "run" / "metrics.parquet")
    assert set(table["layer"].dropna()) == {1}
    assert not table["metric"].str.startswith("jaccard.").any()  # one layer has no neighbour
    plots = [file.name for file in (tmp_path / "run" / "plots").iterdir()]
    assert "recall_at_10_layers.png" in plots
    assert not any("jaccard" in name for name in plots)
    assert "jaccard" not in ended.out


def test_a_run_on_a_model_that_ranks_all_its_layers_says_nothing(tokenrank: Command, tmp_path: Path) -> None:
    ended = tokenrank("model=tiny", *SMALL, "metric=recall")
    assert ended.code == 0, ended.err
    assert "note" not in ended.err
    assert recorded(tmp_path / "run") == {"captured": [0, 1, 2, 3], "windowed": [], "of": 4}


def test_a_model_that_shows_no_layer_is_refused_before_anything_is_written(
    tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tokenrank.capture.attention.ROUTES", {"sdpa": "sdpa"}
    )  # the ordinary attention: nobody is told
    ended = tokenrank("model=tiny", *SMALL)
    assert ended.code == 2
    assert ended.err == "error: no attention layer of LlamaForCausalLM was captured\n"
    assert not (tmp_path / "run").exists()
