"""Draws a finished run again, at another k.

python scripts/plot.py RUN_FOLDER [K]

Runs of evaluation=accuracy and evaluation=ttft are drawn at all their keep rates.
"""

import sys
from pathlib import Path

import pandas as pd
from omegaconf import OmegaConf

from tokenrank.report.between import draw_between
from tokenrank.report.engine_rows import is_of_engines, origin
from tokenrank.report.engines import accuracy_summary, ttft_summary
from tokenrank.report.grid import draw_engine_grids, draw_grid
from tokenrank.report.latency import draw_latency
from tokenrank.report.plots import draw_all
from tokenrank.report.study import draw_study
from tokenrank.report.table import summary
from tokenrank.report.tradeoff import draw_tradeoff


def main(folder: Path, k: float) -> None:
    """Adds the plots for ``k`` percent to the folder and prints the table."""
    if not (folder / "metrics.parquet").is_file():
        sys.exit(f"{folder} is no run folder: it holds no metrics.parquet")
    table = pd.read_parquet(folder / "metrics.parquet")
    samples = pd.read_parquet(folder / "samples.parquet")
    if is_of_engines(table):
        draw_engines(folder, table, samples)
        return
    known = sorted(table["k"].dropna().unique())
    if k not in known:
        sys.exit(f"k is {k:g}, this run has {', '.join(f'{each:g}' for each in known)}")
    draw_all(table, folder / "plots", k)
    draw_between(table, folder / "plots", k)
    draw_grid(samples, table, folder / "plots", k)
    if study := OmegaConf.select(OmegaConf.load(folder / "config.yaml"), "study"):
        draw_study(table, study, folder / "plots", k)
    print(summary(table, k))


def draw_engines(folder: Path, table: pd.DataFrame, samples: pd.DataFrame) -> None:
    """The pictures of a run of evaluation=accuracy or evaluation=ttft, at all its keep rates, and its table."""
    if "score" not in set(table["metric"]):
        draw_latency(table, samples, folder / "plots")
        print(ttft_summary(table, samples))
        return
    draw_tradeoff(table, folder / "plots")
    draw_engine_grids(samples, pd.read_parquet(folder / "runs.parquet"), origin(table), folder / "plots")
    print(accuracy_summary(table))


if __name__ == "__main__":
    run, percent = [*sys.argv[1:], "10"][:2] if len(sys.argv) in (2, 3) else ("", "")
    if not percent.replace(".", "", 1).isdigit():
        sys.exit(__doc__)
    main(Path(run), float(percent))
