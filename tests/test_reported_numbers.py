"""Every number of report.md, report.tex and report.csv of real small runs, computed again from metrics.parquet in plain Python."""

import csv
import io
import re
import statistics
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.command import Command
from tests.report.run_folders import write_tables
from tokenrank.records.run_folder import RunFolder

pytestmark = pytest.mark.usefixtures("no_pictures")
Numbers = dict[tuple[str, str, str, str, str], float]  # method, metric, k, keep, statistic; "" where there is none
TINY = ("model=tiny", "task.lengths=[200]", "task.samples=6", "task.max_new_tokens=4")
OVER_LAYERS: dict[str, Callable[[list[float]], float]] = {
    "mean": statistics.fmean,
    "worst": min,
    "std": statistics.pstdev,
}


def written(folder: Path) -> dict[str, str]:
    """Content of the files that the report writes."""
    names = write_tables(RunFolder(folder))
    assert names == ["report.md", "report.tex", "report.csv", "summary.md"]
    return {name: (folder / name).read_text(encoding="utf-8") for name in names}


def by_hand(folder: Path) -> Numbers:
    """Means over prompts: of evaluation=ranking of the statistics over layers, else of the values and the gap closed."""
    of_prompt: dict[tuple[str, str, str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    engine: dict[str, str] = {}
    for row in pq.read_table(folder / "metrics.parquet").to_pylist():
        if row["heuristic"] is None and row["engine"] is None:
            continue  # chance
        name = row["heuristic"] or row["engine"]
        engine[name] = row["engine"] or ""
        k, keep = (str(float(row[each])) if row[each] is not None else "" for each in ("k", "keep"))
        of_prompt[name, row["metric"], k, keep][row["sample"]].append(row["value"])
    found: Numbers = {}
    for (name, metric, k, keep), prompts in of_prompt.items():
        for statistic, over in OVER_LAYERS.items() if not engine[name] else [("mean", statistics.fmean)]:
            found[name, metric, k, keep, statistic] = statistics.fmean(over(values) for values in prompts.values())
    for name, metric, k, keep, statistic in list(found):
        ends = [f"{end}@{engine[name].partition('@')[2]}".rstrip("@") for end in ("random", "oracle")]
        if not engine[name] or name == "full":
            continue
        low, high = (found[end, metric, k, keep, statistic] for end in ends)
        if low != high:
            found[name, metric, k, keep, "gap_closed"] = (found[name, metric, k, keep, statistic] - low) / (high - low)
    return found


def check_csv(text: str, expected: Numbers, least: int) -> None:
    checked = 0
    for row in csv.DictReader(io.StringIO(text)):
        if row["role"] in ("chance", "published") or not row["value"]:
            continue
        key = (row["method"], row["metric"], row["k"], row["keep"], row["statistic"])
        assert float(row["value"]) == pytest.approx(expected[key], rel=1e-9, abs=1e-12), key
        checked += 1
    assert checked >= least


def cells(text: str, split: str, metrics: list[str]) -> dict[tuple[str, str], list[str]]:
    """Metric and method -> the cells of its row, each the number alone; a metric's table is its place among the tables."""
    found: dict[tuple[str, str], list[str]] = {}
    tables = re.split(split, text)[1:]
    assert len(tables) == len(metrics)
    for metric, table in zip(metrics, tables, strict=True):
        for line in table.splitlines():
            separator = "&" if "\\\\" in line else "|"
            parts = [part.strip() for part in line.strip("| ").removesuffix("\\\\").split(separator)]
            numbers = [re.match(r"(?:\\textbf\{|\*\*)?([-\d.]+|\$-\$[\d.]+|--?)", part) for part in parts[1:]]
            if len(parts) > 1 and all(numbers):
                found[metric, parts[0].replace("\\", "")] = [each.group(1).replace("$", "") for each in numbers if each]
    return found


def same(shown: str, value: float | None, digits: int) -> None:
    if value is None:
        assert shown in ("-", "--")
    else:
        assert float(shown) == pytest.approx(value, abs=0.5001 * 10**-digits)


@pytest.mark.parametrize(("name", "split"), [("report.md", r"(?m)^## "), ("report.tex", r"\\begin\{table\}")])
def test_tables_of_a_ranking_have_the_numbers_of_metrics_parquet(
    tokenrank: Command, tmp_path: Path, name: str, split: str
) -> None:
    ended = tokenrank("heuristic=[claa,gemfilter,random,oracle]", "metric=[recall,spearman]", "k=[5,10]", *TINY)
    assert ended.code == 0, ended.err
    files, expected = written(tmp_path / "run"), by_hand(tmp_path / "run")
    check_csv(files["report.csv"], expected, least=36)  # 4 rankings x (2 + 1) x 3
    shown = cells(files[name], split, ["recall", "spearman"])
    for metric, k in (("recall", "10.0"), ("spearman", "")):
        for method in ("claa", "gemfilter", "random", "oracle"):
            row = shown[metric, method]
            assert len(row) == 3
            for text, statistic in zip(row, OVER_LAYERS, strict=True):
                same(text, expected[method, metric, k, "", statistic], 3)


@pytest.mark.parametrize(("name", "split"), [("report.md", r"(?m)^## "), ("report.tex", r"\\begin\{table\}")])
def test_tables_of_contestants_have_the_numbers_of_metrics_parquet(
    tokenrank: Command, tmp_path: Path, name: str, split: str
) -> None:
    ended = tokenrank("evaluation=accuracy", "heuristic=[claa,gemfilter]", "prefill.keep=[10,40]", *TINY)
    assert ended.code == 0, ended.err
    files, expected = written(tmp_path / "run"), by_hand(tmp_path / "run")
    check_csv(files["report.csv"], expected, least=100)
    shown = cells(files[name], split, ["accuracy", "loss"])
    given = {
        tuple(row[each] for each in ("method", "metric", "keep"))
        for row in csv.DictReader(io.StringIO(files["report.csv"]))
        if row["statistic"] == "gap_closed" and row["value"]
    }
    for method in ("claa", "gemfilter", "random@claa", "oracle@gemfilter", "full"):
        for metric in ("accuracy", "loss"):
            row = iter(shown[metric, method])
            for keep in ("10.0", "40.0"):
                at = "100.0" if method == "full" else keep
                same(next(row), expected[method, metric, "", at, "mean"], 3)
                own = method in ("claa", "gemfilter") and (method, metric, keep) in given
                same(next(row), expected[method, metric, "", keep, "gap_closed"] if own else None, 2)
