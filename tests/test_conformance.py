"""Do our rankings agree with those of the paper's authors? The very command, on real prompts, against their outputs.

The authors' outputs are not part of the project. Their folder (prompts.jsonl, ID.npz, ID.json) is looked for beside
the checkout, in ``../shared/reference``, or where ``TOKENRANK_REFERENCE`` says; without it these tests are skipped.
Run with ``make conformance``.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

ROOT = Path(__file__).parent.parent
REFERENCE = Path(os.environ.get("TOKENRANK_REFERENCE", ROOT.parent / "shared" / "reference")).absolute()
PROMPTS = REFERENCE / "prompts.jsonl"
IDS = [json.loads(line)["id"] for line in PROMPTS.read_text().splitlines() if line] if PROMPTS.is_file() else []
FIRST_LAYER = {"fastkv": 0, "claa": 3, "gemfilter": 0}  # the authors' first rows of claa are copies of row 3
UNIVERSE = 8  # tokens at the end that are not ranked
TOLERANCE = 1e-4

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.skipif(not IDS, reason=f"the authors' outputs are not here: {PROMPTS} does not exist"),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of the ranking study on the reference prompts."""
    folder = tmp_path_factory.mktemp("conformance") / "run"
    command = [sys.executable, "run.py", "experiment=paper_rankings", "task=prompts"]
    command += ["heuristic=[fastkv,claa,gemfilter,speculative]", "heuristic.speculative.last_query=false"]
    command += [f"task.path={PROMPTS}", "save_rankings=true", f"hydra.run.dir={folder}"]
    command += ["metric=spearman", "bootstrap.resamples=1"]  # all that is read here
    subprocess.run(command, cwd=ROOT, check=True)
    return folder


@pytest.fixture(params=IDS)
def sample(request: pytest.FixtureRequest) -> str:
    """The id of one reference prompt."""
    return str(request.param)


def ours(run: Path, sample: str) -> dict[str, Any]:
    return load_file(run / "rankings" / f"{sample}.safetensors")


def theirs(sample: str) -> dict[str, Any]:
    with np.load(REFERENCE / f"{sample}.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def largest_deviation(found: Any, wanted: Any) -> float:
    """Of any element, relative to the largest element of its row."""
    return float((np.abs(found - wanted).max(axis=-1) / np.abs(wanted).max(axis=-1)).max())


def test_prompt_and_answer_are_the_same_tokens(run: Path, sample: str) -> None:
    for name in ("input_ids", "answer_ids"):
        assert ours(run, sample)[name].tolist() == theirs(sample)[name].tolist()


def test_the_oracle_agrees(run: Path, sample: str) -> None:
    (found,) = ours(run, sample)["oracle"]  # one row for all layers
    assert largest_deviation(found, theirs(sample)["oracle_fp32softmax"]) < TOLERANCE


@pytest.mark.parametrize("heuristic", FIRST_LAYER)
def test_the_rankings_agree_at_every_layer(run: Path, sample: str, heuristic: str) -> None:
    wanted = theirs(sample)[heuristic][FIRST_LAYER[heuristic] :]
    found = ours(run, sample)[f"heuristic.{heuristic}"][FIRST_LAYER[heuristic] :, : wanted.shape[1]]
    assert largest_deviation(found, wanted) < TOLERANCE
    assert largest_deviation(np.roll(found, 1, axis=0), wanted) > TOLERANCE  # the check tells layers apart


def test_speculation_with_the_model_itself_agrees(run: Path, sample: str) -> None:
    name = "speculative_fp32softmax_k8"
    if name not in theirs(sample):
        pytest.skip(f"the answer of {sample} is shorter than the 8 tokens ahead and the one after them")
    found = ours(run, sample)["heuristic.speculative"]
    assert largest_deviation(found, theirs(sample)[name]) < TOLERANCE
    assert largest_deviation(found, theirs(sample)["oracle_fp32softmax"]) > TOLERANCE  # the check tells them apart


@pytest.mark.parametrize("heuristic", ["fastkv", "claa"])  # gemfilter's is over another universe
def test_the_correlations_with_the_oracle_agree(run: Path, sample: str, heuristic: str) -> None:
    table = pd.read_parquet(run / "metrics.parquet")
    rows = table[(table["sample"] == sample) & (table["heuristic"] == heuristic) & (table["metric"] == "spearman")]
    found = rows.dropna(subset=["layer"]).sort_values("layer")["value"].to_numpy()
    published = json.loads((REFERENCE / f"{sample}.json").read_text())["spearman"]["oracle_fp32softmax"]
    wanted = np.array(published[heuristic])
    assert np.abs(found - wanted)[FIRST_LAYER[heuristic] :].max() < TOLERANCE
