"""Tries every decoder class that the installed transformers has: exact, refused with a sentence, or wrong.

python scripts/sweep_architectures.py                         # all classes, a row each; about 5 minutes on 2 cores
python scripts/sweep_architectures.py llama qwen3_moe         # these model types only
python scripts/sweep_architectures.py --table FILE            # writes the page docs/decoder_classes.md

Each class of AutoModelForCausalLM is made tiny from its config, with windows, top-k and original lengths below the prompt, in float32 on
the CPU. Reading and answer are held against untouched copies (attention of eager, ``generate(do_sample=False)``), the engines at 12 of 40
tokens against slow versions, and against themselves after a shared prefill, fed in one pass, at all 40 tokens, and decoded together. The exit status is 1 if a class is wrong or ends in an error that is no refusal.
"""

import argparse
import sys
import warnings
from functools import partial
from pathlib import Path

import torch
import transformers
from transformers.utils import logging

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for tests.sweep

from tests.sweep.building import MODEL_TYPES
from tests.sweep.pool import in_processes
from tests.sweep.rows import rows_of
from tests.sweep.table import page
from tests.sweep.verdicts import TRACEBACK, Row, Verdict

SECONDS, GIGABYTES = 120, 16  # of a class, at most


def main() -> int:
    """Prints a row for each class and variant as it is done; returns the exit status."""
    arguments = _arguments()
    warnings.simplefilter("ignore")
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    torch.set_num_threads(1)
    found: dict[str, list[Row]] = {}
    chosen = arguments.model_types or list(MODEL_TYPES)
    limits = {"workers": arguments.workers, "seconds": SECONDS, "gigabytes": GIGABYTES}
    for model_type, rows in in_processes(partial(rows_of, plain=arguments.plain), chosen, **limits):
        if isinstance(rows, str):
            rows = [Row(model_type, "", MODEL_TYPES[model_type], Verdict(TRACEBACK, rows))]
        found[model_type] = rows
        for row in rows:
            print(_printed(row), flush=True)
    rows = [row for model_type in chosen for row in found[model_type]]
    bad = [row for row in rows if row.bad]
    print(
        f"{len(chosen)} classes, {len(rows)} rows, {len(bad)} of them wrong or with an error (transformers {transformers.__version__})"
    )
    if arguments.table:
        Path(arguments.table).write_text(page(rows) + "\n", encoding="utf-8")
    return int(bool(bad))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model_types", nargs="*", metavar="MODEL_TYPE", choices=[[], *MODEL_TYPES], help="default: all")
    parser.add_argument("--plain", action="store_true", help="without the variants of a class")
    parser.add_argument("--workers", type=int, default=2, help="processes at a time")
    parser.add_argument("--table", metavar="FILE", help="where the page goes")
    return parser.parse_args()


def _printed(row: Row) -> str:
    name = f"{row.model_type} ({row.class_name})" + (f" {row.variant}" if row.variant else "")
    parts = [f"{row.reading.word}: {row.reading.reason}" if row.reading.reason else row.reading.word]
    parts += [
        f"{engine} {each.word}: {each.reason}" for engine, each in (row.engines | row.sharing).items() if each.reason
    ]
    parts += [f"{setting} has no effect" for setting, acts in row.acting.items() if not acts]
    return f"{name} - " + "; ".join(parts)


if __name__ == "__main__":
    sys.exit(main())
