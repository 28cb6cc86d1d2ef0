"""Draws a finished run again, at another k.

python scripts/plot.py RUN_FOLDER [K]
"""

import sys
from pathlib import Path

import pandas as pd
from omegaconf import OmegaConf

from report.between import draw_between
from report.grid import draw_grid
from report.plots import draw_all
from report.study import draw_study
from report.table import summary


def main(folder: Path, k: float) -> None:
    """Adds the plots for ``k`` percent to the folder and prints the table."""
    if not (folder / "metrics.parquet").is_file():
        sys.exit(f"{folder} is no run folder: it holds no metrics.parquet")
    table = pd.read_parquet(folder / "metrics.parquet")
    known = sorted(table["k"].dropna().unique())
    if k not in known:
        sys.exit(f"k is {k:g}, this run has {', '.join(f'{each:g}' for each in known)}")
    draw_all(table, folder / "plots", k)
    draw_between(table, folder / "plots", k)
    draw_grid(pd.read_parquet(folder / "samples.parquet"), table, folder / "plots", k)
    if study := OmegaConf.select(OmegaConf.load(folder / "config.yaml"), "study"):
        draw_study(table, study, folder / "plots", k)
    print(summary(table, k))


if __name__ == "__main__":
    run, percent = [*sys.argv[1:], "10"][:2] if len(sys.argv) in (2, 3) else ("", "")
    if not percent.replace(".", "", 1).isdigit():
        sys.exit(__doc__)
    main(Path(run), float(percent))
