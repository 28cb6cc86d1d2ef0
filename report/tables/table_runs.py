"""Runs that one table shows: read from their folders, and held against each other."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenrank.records.flat_settings import flat
from tokenrank.records.measures import RESULTS
from tokenrank.records.run_folder import RunFolder
from tokenrank.records.schema import USUAL
from tokenrank.report.rows.contestant_rows import ACCURACY, FIDELITY, RANKING
from tokenrank.report.rows.loaded_run import LoadedRun, load_run
from tokenrank.report.rows.loading import shown_truth, truths_of
from tokenrank.report.rows.ranking_rows import needs_truth

OF_RANKING = ("oracle", "universe")  # settings that decide every value of evaluation=ranking, beside the metric's own
OF_MASKS, OF_LOSS = (
    "masks",
    "loss",
)  # ``against`` of a metric's config -> it needs no truth, but masks of the context or the loss of an answer
SHOWN = 60  # letters of a value in a message


def read_run(path: Path, k: float | None = None) -> LoadedRun:
    """A run folder's tables and settings.

    Args:
        path: of a finished or unfinished run that was collected.
        k: percent, one of the run's; None: ``plots.k`` of its config.

    Raises:
        ValueError: it is no run folder of this version, lacks a table, has no such k, or holds nothing that a table shows; names the folder.
    """
    try:
        return load_run(RunFolder(path), k)
    except ValueError as error:
        raise ValueError(f"{error}" if str(path) in str(error) else f"{path}: {error}") from error


def check_kind(run: LoadedRun) -> None:
    """Raises ValueError for a run of another evaluation than ranking, accuracy and fidelity, and for one without a value over its prompts."""
    if run.kind not in (RANKING, ACCURACY, FIDELITY):
        found = (
            "no prompt that was measured" if run.tables.metrics.empty else f"evaluation={run.kind or 'one of its own'}"
        )
        raise ValueError(f"{run.name} holds {found}; tables are made of evaluation=ranking, accuracy and fidelity")
    if not metrics_of(run):
        raise ValueError(f"{run.name} holds no mean over its prompts of any metric; see its summary.md")


def metrics_of(run: LoadedRun) -> list[str]:
    """The metrics that tables can show: all of a ranking; of contestants results, and then costs."""
    rows = run.tables.summary
    own = rows[
        rows["sample"].isna() & rows["against"].isna() & rows["other_layer"].isna() & (rows["statistic"] == "mean")
    ]
    names = list(dict.fromkeys(own["metric"].astype(str)))
    return names if run.kind == RANKING else sorted(names, key=lambda name: name not in RESULTS)


def deviation(first: LoadedRun, other: LoadedRun, metrics: Sequence[str]) -> str:
    """The first setting in which two runs differ so that their values cannot stand in one table, with both values; empty: none.

    The model, the task and the number of prompts may differ.

    Args:
        first: against which the other is held.
        other: another run.
        metrics: that are shown.
    """
    one, another = settings_of(first, metrics), settings_of(other, metrics)
    for name in [*one, *another]:
        if one.get(name) != another.get(name):
            return f"{name} is {_short(one.get(name))} in {first.name} and {_short(another.get(name))} in {other.name}"
    return ""


def check_alike(runs: Sequence[LoadedRun], metrics: Sequence[str]) -> None:
    """Raises ValueError, naming both folders and both values, where two runs differ in what their values depend on."""
    for other in runs[1:]:
        found = deviation(runs[0], other, metrics)
        if found:
            raise ValueError(f"runs cannot stand in one table: {found}")


def settings_of(run: LoadedRun, metrics: Sequence[str]) -> dict[str, Any]:
    """Full name of each setting that runs in one table must agree in -> its value."""
    config = run.config
    settings: dict[str, Any] = {"answer": config.get("answer") if config.get("answers") is None else "brought"}
    if run.kind == RANKING:
        settings |= {name: config.get(name) for name in OF_RANKING} | {
            "prompts": config.get("prompts", USUAL["prompts"])
        }
        settings["first of oracle"] = next(iter(truths_of(config)), None)  # whose ranking is called oracle
        for name in metrics:
            settings |= {f"metric.{name}": (config.get("metric") or {}).get(name), **_of_metric(run, name)}
    else:
        settings |= {
            f"evaluation.{name}": (config.get("evaluation") or {}).get(name, usual) for name, usual in USUAL.items()
        }
        settings["oracle"] = config.get("oracle")  # it drives bounds, which are the upper end of the gap closed
    return {"evaluation": run.kind, **flat(settings)}


def _of_metric(run: LoadedRun, metric: str) -> dict[str, Any]:
    """The settings that the values of one metric of evaluation=ranking depend on, beside its own: its truth, or what it hides."""
    config = run.config
    if needs_truth(run.tables, metric):
        return {f"plots.truth of {metric}": shown_truth(config)}
    node = (config.get("metric") or {}).get(metric)
    kind_of = node.get("against") if isinstance(node, Mapping) else None
    if kind_of == OF_MASKS:
        masks = {name: value for name, value in (config.get("masks") or {}).items() if name != "seed"}
        return {"chunk": config.get("chunk"), "masks": masks}
    return {"loss_layers": str(config.get("loss_layers"))} if kind_of == OF_LOSS else {}


def _short(value: Any) -> str:
    """A value in a message."""
    text = "null" if value is None else str(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
