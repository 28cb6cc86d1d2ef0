"""Every number of summary.parquet, tables, terminal, page and pictures of real small runs, computed again from metrics.parquet.

Each check must fail where one value of metrics.parquet is another.
"""

from collections.abc import Callable

import pytest

from tests.command import Command
from tests.numbers_by_hand import Numbers, by_hand
from tests.output_checks import (
    Done,
    check_csv,
    check_page,
    check_pictures_by_layer,
    check_summary,
    check_table,
    check_terminal,
    check_tradeoffs,
)

pytestmark = pytest.mark.usefixtures("no_pictures")
TINY = ("model=tiny", "task.lengths=[200]", "task.samples=6", "task.max_new_tokens=4")
RUNS = {
    "ranking": ("heuristic=[claa,gemfilter,random,oracle]", "metric=[recall,spearman]", "k=[5,10]"),
    "accuracy": ("evaluation=accuracy", "heuristic=[claa,gemfilter]", "prefill.keep=[10,40]"),
}


@pytest.fixture(scope="module")
def runs() -> dict[str, Done]:
    """Those that were made already."""
    return {}


@pytest.fixture
def run_of(
    runs: dict[str, Done], tokenrank: Command, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Done]:
    """Name in RUNS -> the run, which is made once."""

    def made(name: str) -> Done:
        if name not in runs:
            folder = tmp_path_factory.mktemp(name) / "run"
            ended = tokenrank(*RUNS[name], *TINY, f"hydra.run.dir={folder}")
            assert ended.code == 0, ended.err
            runs[name] = Done(folder, ended.out)
        return runs[name]

    return made


CHECKS: dict[str, Callable[[Done, Numbers], None]] = {
    "summary.parquet": check_summary, "report.csv": check_csv, "report.md": check_table("report.md", r"(?m)^## "),
    "report.tex": check_table("report.tex", r"\\begin\{table\}"), "terminal": check_terminal, "report.html": check_page,
}  # fmt: skip
OF = {"ranking": CHECKS | {"pictures": check_pictures_by_layer}, "accuracy": CHECKS | {"pictures": check_tradeoffs}}
CHANGED = {  # a value of each run that must be seen in each output
    "ranking": {"heuristic": "claa", "metric": "recall", "k": 10.0, "layer": 0},
    "accuracy": {"heuristic": "claa", "metric": "loss", "keep": 40.0},
}


@pytest.mark.parametrize(("name", "output"), [(name, output) for name, checks in OF.items() for output in checks])
def test_every_output_has_the_numbers_of_metrics_parquet(run_of: Callable[[str], Done], name: str, output: str) -> None:
    done, check = run_of(name), OF[name][output]
    check(done, by_hand(done.rows))
    one = next(row for row in done.rows if CHANGED[name].items() <= row.items())
    other = [row | {"value": row["value"] + 0.5} if row == one else row for row in map(dict, done.rows)]
    with pytest.raises(AssertionError):
        check(done, by_hand(other))
