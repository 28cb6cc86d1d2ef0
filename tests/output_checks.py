"""Checks of each output of a run against numbers that were computed from metrics.parquet (``tests.numbers_by_hand``)."""

import csv
import io
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.numbers_by_hand import Numbers, Rows, layers_of
from tests.report.drawn_pictures import course, named, panels
from tests.report.page.test_page import data_of, unpacked
from tests.report.run_folders import write_tables
from tokenrank.records.run_folder import RunFolder
from tokenrank.report.page.page import write_page
from tokenrank.report.pictures.plots import layer_pictures
from tokenrank.report.pictures.tradeoff import tradeoff
from tokenrank.report.rows.loaded_run import LoadedRun, load_run

RANKED, KEEPS, ENGINES = (
    ("claa", "gemfilter", "random", "oracle"), ("10.0", "40.0"),
    ("claa", "gemfilter", "random@claa", "random@gemfilter", "oracle@claa", "oracle@gemfilter", "full"),
)  # fmt: skip
METRICS = {"recall": "10.0", "spearman": ""}  # metric -> k


@dataclass(frozen=True)
class Done:
    """A run that ended."""

    folder: Path
    out: str  # of the terminal

    @property
    def loaded(self) -> LoadedRun:
        return load_run(RunFolder(self.folder))

    @property
    def rows(self) -> Rows:
        found: Rows = pq.read_table(self.folder / "metrics.parquet").to_pylist()
        return found


def close(shown: Iterable[float], expected: Iterable[float]) -> None:
    assert list(shown) == pytest.approx(list(expected), rel=1e-8, abs=1e-9)


def rounded(shown: str, value: float, digits: int = 3) -> None:
    assert float(shown) == pytest.approx(value, abs=0.5001 * 10**-digits)


def check_summary(done: Done, expected: Numbers) -> None:
    """Rows over all prompts of summary.parquet, comparisons apart."""
    checked = 0
    for row in pq.read_table(done.folder / "summary.parquet").to_pylist():
        if row["sample"] is None and row["against"] is None and row["value"] is not None:
            k, keep = (str(float(row[each])) if row[each] is not None else "" for each in ("k", "keep"))
            key = (row["heuristic"] or row["engine"], row["metric"], k, keep, row["statistic"])
            assert row["value"] == pytest.approx(expected[key], rel=1e-9, abs=1e-12), key
            checked += 1
    assert checked >= 72  # 4 rankings x 3 metrics x 6 statistics


def written(done: Done, name: str) -> str:
    """Content of a table that the report writes."""
    assert name in write_tables(RunFolder(done.folder))
    return (done.folder / name).read_text(encoding="utf-8")


def check_csv(done: Done, expected: Numbers) -> None:
    checked = 0
    for row in csv.DictReader(io.StringIO(written(done, "report.csv"))):
        if row["role"] in ("chance", "published") or not row["value"]:
            continue
        key = (row["method"], row["metric"], row["k"], row["keep"], row["statistic"])
        assert float(row["value"]) == pytest.approx(expected[key], rel=1e-9, abs=1e-12), key
        checked += 1
    assert checked >= 36  # 4 rankings x 3 metrics x 3 statistics


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


def check_table(name: str, split: str) -> Callable[[Done, Numbers], None]:
    def check(done: Done, expected: Numbers) -> None:
        ranking = not any(keep for *_, keep, _ in expected)
        measures, methods = (list(METRICS), RANKED) if ranking else (["accuracy", "loss"], ENGINES)
        shown = cells(written(done, name), split, measures)
        for (metric, method), row in shown.items():
            if ranking and method in RANKED:
                for text, statistic in zip(row, ("mean", "worst", "std"), strict=True):
                    rounded(text, expected[method, metric, METRICS[metric], "", statistic])
            if not ranking and method in ENGINES:
                for keep, mean, gap in zip(KEEPS, row[::2], row[1::2], strict=True):
                    rounded(mean, expected[method, metric, "", "100.0" if method == "full" else keep, "mean"])
                    if gap not in ("-", "--"):
                        rounded(gap, expected[method, metric, "", keep, "gap_closed"], 2)
        assert set(shown) >= {(metric, method) for metric in measures for method in methods}

    return check


def printed(out: str, first: str) -> list[list[dict[str, str]]]:
    """Rows of each printed table whose first heading is ``first``; a column that is named as an earlier one is left out."""
    tables: list[list[dict[str, str]]] = []
    for part in out.split(f"\n{first}  ")[1:]:
        heading, *lines = f"{first}  {part}".splitlines()
        names = re.split(r"\s{2,}", heading)
        split = [re.split(r"\s{2,}", line) for line in lines]
        tables.append(
            [dict(zip(reversed(names), reversed(row), strict=True)) for row in split if len(row) == len(names)]
        )
    return tables


HEADINGS = {
    "accuracy": "accuracy", "FLOPs": "flops_ratio", "KV": "kv_ratio", "needle kept": "needle_kept", "loss": "loss",
    "clipped": "loss_clipped", "KL": "kl", "same token": "same_token",
}  # fmt: skip


def check_terminal(done: Done, expected: Numbers) -> None:
    for row in (row for table in printed(done.out, "heuristic") for row in table if row["heuristic"] in RANKED):
        rounded(row["recall@10"], expected[row["heuristic"], "recall", "10.0", "", "mean"])
        rounded(row["(worst)"].strip("()"), expected[row["heuristic"], "recall", "10.0", "", "worst"])
        rounded(row["spearman"], expected[row["heuristic"], "spearman", "", "", "mean"])
    for table in printed(done.out, "contestant"):
        measure = next(name for name in table[0] if name in ("accuracy", "loss"))
        for row in table:
            name, keep = row["contestant"].rstrip("*"), "100.0" if row["keep"] == "all" else f"{row['keep']}.0"
            for heading in set(HEADINGS) & set(row):
                digits = len(row[heading].partition(".")[2])
                rounded(row[heading], expected[name, HEADINGS[heading], "", keep, "mean"], digits)
            if row["gap"] != "-":
                rounded(row["gap"], expected[name, measure, "", keep, "gap_closed"], 2)
    ranked, contestants = (printed(done.out, first) for first in ("heuristic", "contestant"))
    ranking = not any(keep for *_, keep, _ in expected)
    assert [len(table) for table in (*ranked, *contestants)] == ([4] if ranking else [13, 13])


def check_page(done: Done, expected: Numbers) -> None:
    data = data_of(write_page(done.loaded))
    if "ranking" in data:
        check_page_of_ranking(data["ranking"]["metrics"], expected)
        return
    assert len(data["contestants"]["lines"]) == 13
    for line in data["contestants"]["lines"]:
        keep = "100.0" if line["keep"] is None else f"{float(line['keep'])}"
        for part, statistic in (("values", "mean"), ("closed", "gap_closed")):
            for metric, (value, _, _) in line[part].items():
                if value is not None:
                    close([value], [expected[line["name"], metric, "", keep, statistic]])


def check_page_of_ranking(metrics: Any, expected: Numbers) -> None:
    known = {(each["metric"], "" if each["k"] is None else f"{float(each['k'])}"): each for each in metrics.values()}
    assert set(known) == {("recall", "5.0"), ("recall", "10.0"), ("spearman", "")}
    for (metric, k), each in known.items():
        shown = unpacked(each["packed"])["heuristics"]
        assert set(shown) == set(RANKED)
        for name, own in shown.items():
            means = layers_of(expected, name, metric, k)
            close(own["mean"], means)
            assert own["flat"] or own["worst_layer"] == means.index(min(means))
            for statistic in ("mean", "worst", "std"):
                close(own["over"][statistic][:1], [expected[name, metric, k, "", statistic]])


def check_pictures_by_layer(done: Done, expected: Numbers) -> None:
    for metric, k in METRICS.items():
        drawn = {
            name.rpartition("_")[2]: make() for name, make in layer_pictures(done.loaded.tables, metric, 10).items()
        }
        (left, rows), (curves, beside) = drawn["variance"].axes, drawn["layers"].axes
        heat: Any = drawn["heatmap"].axes[0]
        names = [text.get_text() for text in heat.get_yticklabels()]
        worst = [
            each for each in rows.get_lines() if each.get_marker() == "v" and each.get_markerfacecolor() == "white"
        ]
        assert set(names) == set(RANKED)
        for place, name in enumerate(names):
            means = layers_of(expected, name, metric, k)
            over = {each: [expected[name, metric, k, "", each]] for each in ("mean", "worst")}
            close(np.asarray(heat.images[0].get_array(), float)[place], means)
            for line in (
                named(left, name),
                named(curves, name),
                named(panels(drawn["prompts"])[name], "mean over prompts"),
            ):
                close(course(line)[1], means)
            close(course(named(rows, name))[0], over["mean"])
            close(course(named(beside, name))[1], over["mean"])
            close(course(worst[::-1][place])[0], over["worst"])


def check_tradeoffs(done: Done, expected: Numbers) -> None:
    for cost in ("flops_ratio", "kv_ratio"):
        for measure in ("accuracy", "loss"):
            (axes,) = tradeoff(done.loaded.tables, cost, measure).axes
            for name in ENGINES:
                keeps = ("100.0",) if name == "full" else KEEPS
                for shown, metric in zip(course(named(axes, name)), (cost, measure), strict=True):
                    close(shown, [expected[name, metric, "", keep, "mean"] for keep in keeps])
