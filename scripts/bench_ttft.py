"""Time to first token of Llama-3.1-8B's shape with random weights, and its table for docs/benchmarks.md.

    python scripts/bench_ttft.py FOLDER [OVERRIDES of run.py]

One large GPU, under 10 minutes: prompts of 8k to 128k random tokens, the full prefill and claa, fastkv and gemfilter at keep rates of 10, 20 and 40 %,
bfloat16. FOLDER becomes an ordinary run folder and gets ttft.md. On a machine without a GPU give a smaller model and lengths:

    python scripts/bench_ttft.py results/ttft model=smollm2 'task.lengths=[4096]' model.dtype=float32
"""

import os
import shlex
import subprocess
import sys
from pathlib import Path

from tokenrank.records.run_folder import RunFolder
from tokenrank.records.schema import contestant_names
from tokenrank.records.writing import write_text
from tokenrank.report.printed.ttft_table import ttft_summary

ROOT = Path(__file__).resolve().parent.parent
WHOLE = (
    "evaluation=ttft",
    "model=llama3",
    "model.weights=random",
    "model.dtype=bfloat16",
    "heuristic=[claa,fastkv,gemfilter]",
    "prefill.keep=[10,20,40]",
    "task.lengths=[8192,32768,65536,131056]",  # 16 tokens of the last 131,072 are for decoding
    "evaluation.repeats=2",
)

WIDE = 200  # letters of a line in ttft.md: room for all columns


def main(folder: Path, overrides: list[str]) -> int:
    """Runs it and writes the table; returns run.py's exit code."""
    fixed = not_given(overrides)
    command = [sys.executable, str(ROOT / "run.py"), *fixed, *overrides, f"hydra.run.dir={folder}"]
    code = subprocess.run(command, env=os.environ).returncode
    if (folder / "metrics.parquet").is_file():
        write_text(folder / "ttft.md", document(RunFolder(folder), fixed + overrides))
        print(f"the table is in {folder / 'ttft.md'}")
    return code


def not_given(overrides: list[str]) -> list[str]:
    """The settings of WHOLE that the overrides do not set; random weights only where the model is still llama3, which has a shape."""
    given = {each.split("=", 1)[0] for each in overrides}
    if "model" in given and "model=llama3" not in overrides:
        given.add("model.weights")
    return [each for each in WHOLE if each.split("=", 1)[0] not in given]


def document(folder: RunFolder, overrides: list[str]) -> str:
    """The run's table as Markdown, with the hardware, the versions and the command."""
    found, tables = folder.environment(), folder.tables()
    packages, commit = found["packages"], found["git_commit"]
    lost = tables.runs[tables.runs["status"] == "failed"]
    lost = lost.assign(contestant=contestant_names(lost))
    failures = "".join(
        f"\n- {row.sample}, {row.contestant} at {row.keep:g} %: {row.error}" for row in lost.itertuples()
    )
    return (
        f"# Time to first token: {found['device_name']}\n\n"
        f"`python run.py {shlex.join(overrides)}`\n\n"
        f"{found['device_name']}, {found['threads']} CPU threads, torch {packages['torch']}, transformers "
        f"{packages['transformers']}, commit {commit}, {found['started'][:10]}.\n\n"
        f"```\n{ttft_summary(tables, WIDE)}\n```\n{failures}"
    )


if __name__ == "__main__":
    if len(sys.argv) < 2 or "=" in sys.argv[1]:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
