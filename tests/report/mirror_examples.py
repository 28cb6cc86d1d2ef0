"""A run folder for copies, with texts in every place that a run has for them, and a search for them in what was written."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from matplotlib.figure import Figure

from tests.report.ranking_examples import at_layer, of_pair, of_prompt, of_prompts, ranked
from tests.report.run_folders import run_folder
from tokenrank.records.run_folder import RunFolder
from tokenrank.records.run_names import Names
from tokenrank.records.schema import RUNS, table
from tokenrank.records.token_levels import TokenLevels
from tokenrank.report.pictures.drawing import write_picture

NAMES = Names(group="a_sweep", job_type="ranking", name="claa-tiny-niah", id="0badcafe")
OURS = "an answer that is nobody's business"
VALUES = {("a", 0): 0.2, ("a", 3): 0.4, ("b", 0): 0.6, ("b", 3): 0.5}  # sample and layer -> recall


def made_up(folder: Path) -> RunFolder:
    """A run folder made by hand, with one picture."""
    metrics, summary = [], []
    for k in (5.0, 10.0):
        for (sample, layer), value in VALUES.items():
            metrics.append(at_layer(sample, "claa", layer, "recall", k, value * k / 10))
        for sample in ("a", "b"):
            both = [value * k / 10 for (each, _), value in VALUES.items() if each == sample]
            metrics.append(at_layer(sample, None, None, "recall", k, k / 100))
            summary.append(of_prompt(sample, "claa", "recall", "mean", k, sum(both) / 2))
            summary.append(of_prompt(sample, "claa", "recall", "worst", k, min(both)))
        summary.append(of_prompts("claa", "recall", "mean", k, 0.425 * k / 10, prompts=2))
        summary.append(of_prompts("claa", "recall", "worst", k, 0.35 * k / 10, prompts=2))
    summary.append(of_pair("claa", 0, 3, "recall", 10.0, 7.0))
    metrics.append(at_layer("a", "claa", 3, "spearman", None, -0.5))
    for statistic in ("mean", "worst"):
        summary.append(of_prompt("a", "claa", "spearman", statistic, None, -0.5))
        summary.append(of_prompts("claa", "spearman", statistic, None, -0.5, prompts=1))
    samples = [
        {"id": "a", "tokens": 300, "prompt": OURS, "references": [OURS], "answer": OURS},
        {"id": "b", "tokens": 301, "error": f"OSError: {OURS}"},
    ]
    runs = [{"task": "niah", "sample": "a", "engine": "full", "answer": OURS, "status": "ok"}]
    tables = replace(ranked(metrics, summary, samples), runs=table(runs, RUNS))
    made = run_folder(folder, tables)
    flat = np.zeros((1, 2))
    made.write_levels("a", TokenLevels((10.0,), (0,), flat.astype(np.float32), flat.astype(np.uint8), {}, (OURS, "b")))
    (folder / "report.html").write_text(f"<p>{OURS}</p>")
    made.log.write_text(f"OSError: {OURS}")
    write_picture(made.plots / "recall_at_10_layers", Figure)
    return made


def holds(folder: Path, text: str) -> bool:
    """Whether a file below the folder holds the text: in its bytes, or in a table of a parquet or SQLite file."""
    return any(text in content(file) for file in folder.rglob("*") if file.is_file())


def content(file: Path) -> str:
    """All bytes of a file, and what is compressed in them, as text."""
    found = file.read_bytes()
    if found.startswith(b"PAR1"):  # its pages are compressed
        return str(pq.read_table(file).to_pylist()) + found.decode("utf-8", "replace")
    if found.startswith(b"SQLite format 3"):  # a long value lies on several pages
        with sqlite3.connect(file) as database:
            return "\n".join(database.iterdump()).replace("''", "'") + found.decode("utf-8", "replace")
    return found.decode("utf-8", "replace")
