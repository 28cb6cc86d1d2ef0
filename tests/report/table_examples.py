"""Runs as tables show them, made up."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from tests.report.contestant_examples import accuracy_tables
from tests.report.ranking_examples import Row, at_layer, of_prompt, of_prompts, ranked
from tokenrank.records.run_folder import RunFolder
from tokenrank.records.tables import Tables
from tokenrank.report.rows.loaded_run import LoadedRun

MEANS = {"claa": 0.5, "gemfilter": 0.3, "tova": 0.5, "recency": 0.6, "random": 0.1, "oracle": 1.0}


def ranking_tables(p: dict[tuple[str, str], float] | None = None, prompts: int = 20) -> Tables:
    """Recall at 10 % and spearman; mean as ``MEANS``, worst 0.1 below, std 0.1 (gemfilter 0.02); declared comparisons with these p."""
    summary: list[Row] = []
    for metric, k in (("recall", 10.0), ("recall", 5.0), ("spearman", None)):
        for name, mean in MEANS.items():
            of = {"mean": mean, "worst": mean - 0.1, "std": 0.02 if name == "gemfilter" else 0.1}
            summary += [
                of_prompts(name, metric, statistic, k, value, low=value - 0.05, high=value + 0.05, prompts=prompts)
                for statistic, value in of.items()
            ]
            summary.append(of_prompt("a", name, metric, "mean", k, mean))
    for (first, second), each in (p or {}).items():
        value = MEANS[first] - MEANS[second]
        more: dict[str, Any] = {
            "against": second,
            "p": each,
            "prompts": prompts,
            "low": value - 0.1,
            "high": value + 0.1,
        }
        summary.append(of_prompts(first, "recall", "mean", 10.0, value, exploratory=False, **more))
        summary.append(of_prompts(first, "recall", "worst", 10.0, value, exploratory=True, **(more | {"p": 0.0001})))
        summary.append(of_prompts(first, "spearman", "mean", None, value, exploratory=True, **(more | {"p": 0.0001})))
    metrics = [
        at_layer("a", None, None, metric, k, 0.1)
        for metric, k in (("recall", 10.0), ("recall", 5.0), ("spearman", None))
    ]
    metrics += [at_layer("a", name, layer, "recall", 10.0, mean) for name, mean in MEANS.items() for layer in range(2)]
    samples = [{"id": str(number), "task": "niah", "status": "ok"} for number in range(prompts)]
    return ranked(metrics, summary, samples)


def without_means(tables: Tables) -> Tables:
    """Values without a statistic over prompts, as of one layer and metric=jaccard."""
    return replace(tables, summary=tables.summary.head(0))


def table_run(tables: Tables, name: str = "run", units: int = 0, **config: Any) -> LoadedRun:
    return LoadedRun(RunFolder(Path(name)), {"units": ["one"] * units}, config, tables, 10.0, name)


def with_tests(tables: Tables, metric: str = "accuracy", p: float = 0.01) -> Tables:
    """Contestants of which claa is declared to be compared with fastkv and gemfilter in a metric."""
    rows = [
        {"model": "tiny", "heuristic": "claa", "engine": "layerwise@claa", "keep": keep, "metric": metric, "statistic": "mean",
         "against": other, "exploratory": False, "value": 0.05, "low": 0.01, "high": 0.09, "p": p, "prompts": 12}
        for keep in (10.0, 20.0, 40.0) for other in ("fastkv", "gemfilter")
    ]  # fmt: skip
    summary = tables.summary[
        tables.summary["against"].isna() | tables.summary["exploratory"].fillna(value=False).astype(bool)
    ]
    added = pd.DataFrame(rows).reindex(columns=summary.columns).astype(summary.dtypes.to_dict())
    return Tables(tables.metrics, pd.concat([summary, added], ignore_index=True), tables.samples, tables.runs)


def contestant_run(name: str = "run", protect: str = "window", p: float = 0.01) -> LoadedRun:
    return table_run(with_tests(accuracy_tables(protect=protect), p=p), name, evaluation={"protect": protect})


def protocol_run(name: str, prompts: int = 20, units: int = 0, **config: Any) -> LoadedRun:
    """A ranking with the settings that decide what its numbers mean."""
    settings = {"oracle": {"attention": {"kernel": 13}}, "universe": {"window": 8}} | config
    return table_run(ranking_tables({("claa", "gemfilter"): 0.01}, prompts), name, units, **settings)
