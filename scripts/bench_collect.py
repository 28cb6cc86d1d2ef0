"""Seconds and memory of making the tables of a large run, and of printing and drawing them.

    python scripts/bench_collect.py [prompts=3750] [layers=32] [heuristics=14]

The records are synthetic: all metrics of configs/metric/all.yaml at four k, with pairs of layers, and prompts of 32,000 letters
from 16 tasks. Writing them is not counted. Each stage is a process of its own with two threads; its peak is of resident memory.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from omegaconf import OmegaConf
from tqdm import trange

from tokenrank.evaluation.ranking import RankingAgreement
from tokenrank.records.record import Record, measured_table
from tokenrank.records.run_folder import RunFolder
from tokenrank.records.schema import MEASURED, arrow_schema
from tokenrank.records.tables import SCHEMAS

PERCENTS = [5.0, 10.0, 20.0, 40.0]
TOKENS, LETTERS, TASKS = 8000, 32_000, 16
AT_K = ("recall", "mass", "ndcg", "average_precision", "needle_recall", "evidence_recall", "jaccard")
ALL = (
    "recall",
    "spearman",
    "kendall",
    "mass",
    "ndcg",
    "average_precision",
    "rbo",
    "needle_recall",
    "evidence_recall",
    "jaccard",
)
COUNTED = ("recall", "needle_recall", "evidence_recall", "jaccard")  # shares of few values
STAGES = ("collect", "print", "draw")


def rows_of_a_prompt(layers: int, heuristics: int) -> list[dict[str, Any]]:
    """Rows of one record without their values, as evaluation=ranking measures them."""
    asked = [{"metric": name, "k": k} for name in ALL for k in (PERCENTS if name in AT_K else [None])]
    rows: list[dict[str, Any]] = [{"model": "llama3", "task": "", "sample": "", "value": 0.0} | each for each in asked]
    for heuristic in range(heuristics):
        for each in asked:
            whose = rows[0] | each | {"heuristic": f"heuristic_{heuristic}"}
            first = int(each["metric"] == "jaccard")
            rows += [whose | {"layer": layer, "windowed": False} for layer in range(first, layers)]
            if first:
                pairs = combinations(range(layers), 2)
                rows += [whose | {"layer": a, "other_layer": b, "windowed": False} for a, b in pairs]
    return rows


def write_records(folder: RunFolder, prompts: int, layers: int, heuristics: int) -> int:
    """Writes a run folder with the records of many prompts; returns the number of rows."""
    rows, draw = measured_table(rows_of_a_prompt(layers, heuristics)), np.random.default_rng(0)
    own = {name: rows[name].combine_chunks() for name in rows.column_names}
    counted = np.array([name in COUNTED for name in rows["metric"].to_pylist()])
    better = np.unique(own["heuristic"].indices.fill_null(0).to_numpy(), return_inverse=True)[1] / heuristics / 4
    folder.begin({}, {f"prompt_{number}": "key" for number in range(prompts)}, config_text())
    for number in trange(prompts, desc="writing records"):
        name, task = f"prompt_{number}", f"longbench/subset_{number * TASKS // prompts}"
        scores = np.clip(draw.normal(0.3 + better + draw.normal(0, 0.1), 0.1), 0, 1)
        values = np.where(counted, np.round(scores * TOKENS / 10) / TOKENS * 10, scores).astype(np.float32)
        same = {
            each: pa.array([text] * len(rows)).dictionary_encode() for each, text in (("task", task), ("sample", name))
        }
        columns = own | same | {"value": pa.array(values.astype(np.float64))}
        measured = pa.table([columns[each] for each in MEASURED], schema=arrow_schema(MEASURED, coded=True))
        sample = {
            "id": name, "task": task, "tokens": TOKENS, "prompt": "tokens " * (LETTERS // 7), "accuracy": float(draw.uniform()),
            "host": "host", "device": "device", "status": "ok",
        }  # fmt: skip
        folder.write_record(Record(name, number, "key", {}, sample, {"of": layers}, measured=measured))
    return len(rows) * prompts


def config_text() -> str:
    """What reports read of config.yaml."""
    return OmegaConf.to_yaml({"k": PERCENTS, "plots": {"k": 10.0, "metrics": None}})


def stage(name: str, folder: RunFolder) -> None:
    """One stage, in a process of its own."""
    if name == "collect":
        from tokenrank.work.collecting import collect

        refused = collect(folder, RankingAgreement(k=PERCENTS))
    else:
        from tokenrank.report.report import draw, printed
        from tokenrank.report.rows.loaded_run import load_run

        run = load_run(folder)
        refused = draw(run) if name == "draw" else print(printed(run), file=sys.stderr) or []
    if refused:
        raise SystemExit("\n".join(refused))
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def measure(name: str, folder: RunFolder) -> tuple[float, float, float]:
    """Seconds by the clock, processor seconds, and peak MiB of a stage."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, __file__, name, str(folder.path)], check=True, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "2"},
    )  # fmt: skip
    seconds = time.perf_counter() - started
    processor, peak = map(float, done.stdout.split()[-2:])
    return seconds, processor, peak


def main(prompts: int, layers: int, heuristics: int) -> None:
    """Prints a line a stage."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = RunFolder(Path(temporary) / "run")
        rows = write_records(folder, prompts, layers, heuristics)
        size = sum(file.stat().st_size for file in folder.record_files())
        print(
            f"{prompts:,} prompts, {layers} layers, {heuristics} heuristics: {rows:,} rows, records {size / 2**20:,.0f} MiB"
        )
        for name in STAGES:
            seconds, processor, peak = measure(name, folder)
            print(f"{name:8} {seconds:6.1f} s, processors {processor:6.1f} s, peak {peak:6,.0f} MiB")
        for name in SCHEMAS:
            print(f"{name}.parquet {(folder.path / f'{name}.parquet').stat().st_size / 2**20:,.1f} MiB")


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1] in STAGES:
        stage(sys.argv[1], RunFolder(Path(sys.argv[2])))
    else:
        given = {"prompts": 3750, "layers": 32, "heuristics": 14}
        given |= {name: int(value) for name, value in (each.split("=") for each in sys.argv[1:])}
        main(**given)
