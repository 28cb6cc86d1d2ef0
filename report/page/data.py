"""All that report.html holds of a run, as a JSON value."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from tokenrank.records.tables import Tables
from tokenrank.report.page import contestants as page_contestants
from tokenrank.report.page import ranking as page_ranking
from tokenrank.report.page.intro import intro
from tokenrank.report.page.levels import evidence_of
from tokenrank.report.page.packing import embedded_json, number
from tokenrank.report.page.prompts import views, worst_and_best
from tokenrank.report.pictures.contestant_style import styles
from tokenrank.report.rows.contestant_rows import ACCURACY, FIDELITY, RANKING, TTFT, origin
from tokenrank.report.rows.loaded_run import LoadedRun
from tokenrank.report.rows.loading import truth_shown
from tokenrank.report.rows.ranking_rows import label
from tokenrank.report.sentences.found import what_was_found
from tokenrank.report.sentences.sentences import declared_measure

MANY_ROWS = 5_000_000  # of metrics.parquet: beyond, the first metrics alone are read
RESERVED = 2000  # characters for what the page says that it lacks
ENVIRONMENT = (
    "model",
    "device",
    "device_name",
    "threads",
    "seed",
    "python",
    "platform",
    "git_commit",
    "started",
    "packages",
)


def page_data(run: LoadedRun, room: int) -> dict[str, Any]:
    """What the page shows.

    Args:
        run: a finished or unfinished run.
        room: characters that the data may take; prompts are left out beyond.

    Raises:
        ValueError: a file of levels is damaged.
    """
    folder, environment, config, tables, k = run.folder, run.environment, run.config, run.tables, run.k
    said = what_was_found(tables, config, environment)
    metric = declared_measure(tables, config)[0] if len(tables.metrics) else ""
    few = pq.read_metadata(folder.path / "metrics.parquet").num_rows > MANY_ROWS
    of = run.kind
    found = {
        "title": origin(tables) if len(tables.metrics) else "no results yet",
        "kind": of,
        "k": k,
        "intro": [*intro(tables, config, of), *said.order],
        "truth": truth_shown(config),
        "declared": _declared(tables, config, of),
        "found": [asdict(part) for part in said.parts],
        "prompts": [_prompt(row) for row in tables.samples.to_dict("records")],
        "styles": {name: style.colour for name, style in styles(_names(tables)).items()},
        "facts": _facts(environment),
        "config": folder.config.read_text(encoding="utf-8"),
        **_of_kind(tables, of, k, metric, few=few),
    }
    tokens = dict(zip(tables.samples["id"], tables.samples["tokens"].fillna(1).astype(float), strict=True))
    order = {name: tokens[name] for name in worst_and_best(_values(tables, of, k, metric))}
    left = room - len(embedded_json(found)) - RESERVED
    shown = views(folder, order, k, left, _of_prompt(tables, of, metric), config)
    less = []
    if few and of == RANKING:
        first = ", ".join(page_ranking.first_metrics(tables, metric))
        less = [f"Of so many values the page shows {first} at k = {k:g} %."]
    order_shown = list(shown.prompts)  # an object of JavaScript would put ids that are numbers first
    return found | {"order": order_shown, "views": dict(shown.prompts), "lacks": [*less, *shown.lacks]}


def _of_kind(tables: Tables, of: str | None, k: float, declared: str, *, few: bool) -> dict[str, Any]:
    if of == RANKING:
        return {"ranking": page_ranking.ranking_page(tables, k, declared, few=few)}
    if tables.metrics.empty:
        return {}
    if of in (ACCURACY, FIDELITY):
        return {"contestants": page_contestants.contestants_page(tables, declared)}
    return {
        "tables": [page_contestants.ttft_table(tables) if of == TTFT else page_contestants.other_table(tables.summary)]
    }


def _values(tables: Tables, of: str | None, k: float, declared: str) -> dict[str, float]:
    """How well each prompt went, for the order in which prompts are shown."""
    if of == RANKING:
        return page_ranking.values_of_prompts(tables, k, declared)
    if of in (ACCURACY, FIDELITY) and len(tables.metrics):
        return page_contestants.values_of_prompts(tables, declared)
    return dict.fromkeys((str(name) for name in tables.samples["id"]), float("nan"))


def _of_prompt(tables: Tables, of: str | None, declared: str) -> Callable[[str], Any] | None:
    if of not in (ACCURACY, FIDELITY) or tables.metrics.empty:
        return None
    return lambda sample: page_contestants.of_prompt(tables, sample, declared)


def _declared(tables: Tables, config: Mapping[str, Any], of: str | None) -> str | None:
    """Label of the metric that the sentences on a ranking are about."""
    return label(tables.metrics, *declared_measure(tables, config)) if of == RANKING and len(tables.metrics) else None


def _prompt(row: Mapping[Any, Any]) -> dict[str, Any]:
    """One row of samples.parquet without its texts; ``context`` and ``question`` are [first token, number of tokens], ``evidence`` a list of such."""
    places: dict[str, Any] = {name: _place(row, name) for name in ("context", "question")}
    places["evidence"] = [[span.start, len(span)] for span in evidence_of(row)] or None
    found = {"id": row["id"], "task": row["task"], "tokens": number(_there(row["tokens"]))}
    more = {"depth": number(_there(row["depth"])), "accuracy": number(_there(row["accuracy"]))}
    failed = {"error": str(row["error"])} if row["status"] != "ok" and not pd.isna(row["error"]) else {}
    return found | {name: value for name, value in (more | places).items() if value is not None} | failed


def _place(row: Mapping[Any, Any], name: str) -> list[int] | None:
    start, tokens = row[f"{name}_start"], row[f"{name}_tokens"]
    return None if pd.isna(start) or pd.isna(tokens) else [int(start), int(tokens)]


def _there(value: Any) -> Any:
    return None if pd.isna(value) else value


def _names(tables: Tables) -> list[str]:
    both = pd.concat([tables.metrics[["heuristic", "engine"]], tables.summary[["heuristic", "engine"]]])
    return [str(name) for name in both["heuristic"].fillna(both["engine"]).dropna().unique()]


def _facts(environment: Mapping[str, Any]) -> list[list[str]]:
    """Name and value of what environment.json says of the run, the commands first."""
    commands = [" ".join(each.get("command") or []) for each in environment.get("commands", [])]
    facts = [["command", each] for each in dict.fromkeys(commands) if each]
    return facts + [[name, _said(environment[name])] for name in ENVIRONMENT if environment.get(name) is not None]


def _said(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)
