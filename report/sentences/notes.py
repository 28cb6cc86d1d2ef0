"""Sentences below a printed table: significant differences, which prompts its means are over, and what failed or is not done yet."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from tokenrank.records.schema import contestant_names
from tokenrank.records.tables import Tables
from tokenrank.report.rows.chosen_prompts import chosen_sentence
from tokenrank.report.rows.comparisons import comparisons
from tokenrank.report.rows.contestant_rows import ACCURACY, FIDELITY, RANKING, TTFT, kind
from tokenrank.report.rows.few_prompts import rough_intervals
from tokenrank.report.rows.phrases import count

WHY = {  # a measure lacks prompts
    "accuracy": "the others have no reference answer, or no metric for their task",
    "loss": "of the others it was not measured",
}
LACKING = {ACCURACY: ("accuracy", "loss"), FIDELITY: ("loss",)}  # measures that are said to be over fewer prompts


def whose_answer(config: Mapping[str, Any]) -> list[str]:
    """One sentence where the answer is not the model's own: whose was fed to it; else none.

    Args:
        config: content of config.yaml.
    """
    if config.get("answers") is not None:
        return [f"answers=FILE: the answers of {config['answers']} are fed, in place of the model's own"]
    if config.get("answer") == "reference":
        return ["answer=reference: the task's reference answers are fed, in place of the model's own"]
    return []


def notes(tables: Tables, environment: Mapping[str, Any], *, ours: bool = True) -> list[str]:
    """One sentence a line.

    Args:
        tables: of the run.
        environment: content of environment.json.
        ours: the evaluation is ranking, accuracy, fidelity or ttft, of which more can be said.
    """
    of = kind(tables) if ours else None
    of_means = _means_over(tables, of) if of in LACKING else []
    failed = [
        *_failed_everywhere(tables),
        *(_failed_metrics(tables) if of == RANKING else []),
        _failed_prompts(tables, of),
    ]
    machines = _machines(tables) if of == TTFT else []
    return [
        *chosen_sentence(environment),
        *machines,
        *comparisons(tables),
        *filter(None, [rough_intervals(tables)]),
        *of_means,
        *failed,
        *_half_a_run(tables, environment),
    ]


def _means_over(tables: Tables, of: str) -> list[str]:
    """How many prompts the means over prompts are over, if not all; those of accuracy and loss, if fewer."""
    total, rows = len(tables.samples), tables.summary
    own = rows["task"].isna() & rows["sample"].isna() & rows["against"].isna()
    means = rows[own & (rows["statistic"] == "mean")]
    counted = _most(means["prompts"])
    silent = _silent(tables)
    said: list[str] = []
    if tables.metrics.empty:
        return said
    if counted != total or silent:
        every = "every other contestant" if silent else "every contestant"
        that = f"that {every} answered" if of == ACCURACY else f"that were measured with {every}"
        without = f"; {silent} has none and is left out" if silent else ""
        said = [f"means are over the {counted} of {total} prompts {that} at every keep rate{without}"]
    measured = set(tables.metrics["metric"]) | {ACCURACY}
    for metric in (each for each in LACKING[of] if each in measured):
        some = _most(means.loc[means["metric"] == metric, "prompts"])
        if some != counted:
            said.append(f"{metric} is over {some} of these {counted} prompts: {WHY[metric]}")
    return said


def _machines(tables: Tables) -> list[str]:
    """Where times were measured; a folder may hold prompts that were timed on different machines."""
    named = tables.samples[["host", "device"]].dropna().drop_duplicates()
    where = [f"{host} ({device})" for host, device in named.itertuples(index=False)]
    return [f"timed on {', '.join(where)}"] if where else []


def _most(numbers: "pd.Series[int]") -> int:
    return int(numbers.max()) if numbers.notna().any() else 0


def _runs(tables: Tables) -> pd.DataFrame:
    """The runs with columns ``contestant``, ``ok``, and ``silent``: no run of the contestant at the keep rate is ok, and it does not count for the means there."""
    runs = tables.runs.assign(contestant=contestant_names(tables.runs), ok=tables.runs["status"] == "ok")
    return runs.assign(silent=~runs.groupby(["contestant", "keep"])["ok"].transform("any").astype(bool))


def _silent(tables: Tables) -> str:
    """``tova at 10, 20 %``: contestants whose every run failed at a keep rate."""
    runs = _runs(tables)
    found = runs.loc[runs["silent"], ["contestant", "keep"]].drop_duplicates().sort_values(["contestant", "keep"])
    rates: dict[str, list[str]] = {}
    for name, keep in found.itertuples(index=False):
        rates.setdefault(str(name), []).append(f"{keep:g}")
    return ", ".join(f"{name} at {', '.join(each)} %" for name, each in rates.items())


def _failed_everywhere(tables: Tables) -> list[str]:
    """Contestants without any result."""
    runs = tables.runs.assign(contestant=contestant_names(tables.runs))
    silent = sorted(set(runs["contestant"]) - set(runs.loc[runs["status"] == "ok", "contestant"]))
    return [f"every run failed, see runs.parquet: {', '.join(silent)}"] if silent else []


def _failed_metrics(tables: Tables) -> list[str]:
    """Which metrics failed on prompts that were ranked, and why; the first of the sentences where prompts differ."""
    lost = tables.samples[_ranked_in_part(tables)]
    if lost.empty:
        return []
    return [f"{count(len(lost), 'prompt')} without some values, see samples.parquet: {lost['error'].iloc[0]}"]


def _ranked_in_part(tables: Tables) -> pd.Series:
    """Whether some metrics of a prompt failed and others did not, for each row of the samples."""
    return (tables.samples["status"] != "ok") & tables.samples["id"].isin(set(tables.metrics["sample"]))


def _failed_prompts(tables: Tables, of: str | None) -> str:
    """How many prompts are complete, and how many are not."""
    samples, runs = tables.samples, _runs(tables)
    left_out = runs["silent"] & (not tables.metrics.empty)
    every = "every other contestant" if left_out.any() else "every contestant"
    lost = set(samples.loc[samples["status"] != "ok", "id"]) | set(runs.loc[~(runs["ok"] | left_out), "sample"])
    if of == RANKING:
        lost -= set(samples.loc[_ranked_in_part(tables), "id"])
    failed, whole = len(lost), count(len(samples) - len(lost), "prompt")
    nothing = f"{count(failed, 'prompt')} failed, see samples.parquet"
    return {
        RANKING: f"{whole} ranked, {failed} failed",
        ACCURACY: f"{whole} answered by {every}, {failed} not",
        FIDELITY: f"{whole} measured with {every}, {failed} not",
        TTFT: f"{whole} timed with {every}, {failed} not",
    }.get(of or "", nothing if tables.metrics.empty else f"{whole} measured, {failed} failed")


def _half_a_run(tables: Tables, environment: Mapping[str, Any]) -> list[str]:
    """How many units are done, if not all. A unit is one prompt with all its contestants."""
    units, done = len(environment.get("units", [])), len(tables.samples)
    return [f"half a run: {done} of {units} units are done"] if done < units else []
