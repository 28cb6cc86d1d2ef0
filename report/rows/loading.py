"""Reads of a run folder's tables what pictures and printed tables need, since all rows of a large run do not fit into memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from omegaconf import OmegaConf
from yaml import YAMLError

from tokenrank.records.run_folder import RunFolder
from tokenrank.records.tables import SCHEMAS, Tables, check_table, declared, read_rows
from tokenrank.report.rows.chosen_prompts import chosen_by
from tokenrank.report.rows.ranking_rows import ATTENTION, ranked_metrics

STATISTICS = ("mean", "worst", "median")  # of single prompts; the others are for readers of summary.parquet
TEXTS_OF_SAMPLES = ("prompt", "references", "answer")
WITHHELD = "the error is not shown, as it may quote the prompt (texts=false); the run's tables have it"
PAIR = ("model", "heuristic", "against", "metric", "k", "statistic", "windowed")  # columns that tell a comparison
DRAWN = ("recall", "spearman")  # the metrics that are drawn unless others are asked for


@dataclass(frozen=True)
class LoadedTables(Tables):
    """Tables of a run folder: of evaluation=ranking without the values at layers, which are read for a metric at a time."""

    folder: Path
    truth: str | None  # whose values these are, of a run with several truths
    first: str | None  # of the run's truths
    family: pd.DataFrame  # as ``compared`` gives it
    chosen_by: str = ""  # as ``chosen`` gives it

    @property
    def other_truth(self) -> str | None:
        """As ``Tables.other_truth``."""
        return self.truth if self.truth != self.first else None

    @property
    def chosen(self) -> str:
        """As ``Tables.chosen``."""
        return self.chosen_by

    def compared(self) -> pd.DataFrame:
        """As ``Tables.compared``."""
        return self.family

    @property
    def first_truth(self) -> str | None:
        """As ``Tables.first_truth``, of whichever truth the values are."""
        return self.first

    def of_metric(self, metric: str, k: float) -> pd.DataFrame:
        """Rows of metrics.parquet of one metric, at ``k`` percent if it has a k; read from the file."""
        return read_rows(self.folder, "metrics", partial(_of_metric, metric, k, self.truth))

    def means_against_all(self) -> pd.DataFrame:
        """As ``Tables.means_against_all``; read from the file, as ``summary`` is against one truth."""
        whole = read_rows(self.folder, "summary", lambda rows: rows.filter(rows["sample"].is_null()))
        return Tables(self.metrics, whole, self.samples, self.runs).means_against_all()


def load(folder: RunFolder, config: Mapping[str, Any], k: float | None, *, texts: bool = False) -> tuple[Tables, float]:
    """The tables of a run and the k that is shown; kept tokens and answers of ``runs`` are not read, of a run without texts no errors.

    Args:
        folder: with the four tables.
        config: content of its config.yaml; where it names a ``report_class``, all rows are read.
        k: percent; None: ``plots.k`` of the config.
        texts: whether prompts, references and answers of ``samples`` are read.

    Raises:
        ValueError: a table is missing or is not what was written, or the run has no such k.
    """
    for name in SCHEMAS:
        check_table(folder.path, name)
    if own_report(config) is not None:
        tables = folder.tables()
        own, runs = (without_errors(each, config) for each in (tables.samples, tables.runs))
        return replace(tables, samples=own, runs=runs), _k(tables.metrics, config, k)
    truth = shown_truth(config)
    metrics = read_rows(folder.path, "metrics", partial(_without_layers, truth))
    shown = _k(metrics, config, k)
    summary = read_rows(folder.path, "summary", partial(_shown, shown, truth))
    samples = without_errors(read_rows(folder.path, "samples", without=() if texts else TEXTS_OF_SAMPLES), config)
    runs = without_errors(read_rows(folder.path, "runs", without=("kept", "answer")), config)
    first = next(iter(truths_of(config)), None)
    if truth != first:  # metrics that need no truth stand among the first truth's
        summary = _in_order(summary, list(config.get("metric") or ()))
    family, chosen = _family(folder, summary, truth, first), chosen_by(folder.environment())
    return LoadedTables(metrics, summary, samples, runs, folder.path, truth, first, family, chosen), shown


def _family(folder: RunFolder, summary: pd.DataFrame, truth: str | None, first: str | None) -> pd.DataFrame:
    """The declared comparisons among rows that are against a truth; where these were declared against another one, the same pairs in the same metric."""
    own = declared(summary)
    if truth == first or len(own):
        return own
    of_first = declared(read_rows(folder.path, "summary", partial(_declared_rows, first)))
    wanted = of_first[list(PAIR)].drop_duplicates()
    compared = summary[summary["against"].notna() & summary["task"].isna() & (summary["truth"] == truth)]
    kept = compared[list(PAIR)].merge(wanted, how="left", on=list(PAIR), indicator=True)["_merge"].eq("both")
    return compared[kept.to_numpy()]


def _in_order(rows: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """The rows metric by metric, as the run has them; else in their order."""
    places = {name: place for place, name in enumerate(metrics)}
    return rows.sort_values("metric", key=lambda names: names.map(places), kind="stable", ignore_index=True)


def _declared_rows(first: str | None, rows: pa.Table) -> pa.Table:
    return against(rows.filter(pc.fill_null(pc.equal(rows["exploratory"], False), False)), first)


def without_errors(rows: pd.DataFrame, config: Mapping[str, Any]) -> pd.DataFrame:
    """Rows of samples or runs as they may be shown: of a run with ``texts=false`` a sentence in place of each error.

    Args:
        rows: with a column ``error``.
        config: content of config.yaml.
    """
    if config.get("texts", True):
        return rows
    return rows.assign(error=rows["error"].mask(rows["error"].notna(), WITHHELD))


def run_config(folder: RunFolder) -> dict[str, Any]:
    """Content of a run's config.yaml.

    Raises:
        ValueError: the file cannot be read.
    """
    try:
        found: Any = OmegaConf.to_container(OmegaConf.load(folder.config))
    except (OSError, YAMLError) as error:
        raise ValueError(f"{folder.config} cannot be read: {' '.join(str(error).split())}") from error
    return dict(found)


def own_report(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The ``report_class`` of a config, for evaluations that are none of ours; None: the report follows from the tables."""
    found: Mapping[str, Any] | None = config.get("report_class")
    return found


def truths_of(config: Mapping[str, Any]) -> list[str]:
    """Names of a run's truths, in order."""
    return [str(name) for name in config.get("oracle") or ()]


def shown_truth(config: Mapping[str, Any]) -> str | None:
    """The truth that tables and pictures are against: ``plots.truth``, or the run's first; None for a run that names none."""
    names = truths_of(config)
    wanted = (config.get("plots") or {}).get("truth")
    return wanted if wanted in names else next(iter(names), None)


def other_truth(config: Mapping[str, Any]) -> str | None:
    """The truth that tables and pictures are against, where it is not the run's first; else None."""
    shown = shown_truth(config)
    return None if shown == next(iter(truths_of(config)), None) else shown


def truth_shown(config: Mapping[str, Any]) -> str | None:
    """The name of the truth that tokens are held against, where it must be said: the run has several, or one that is not attention; else None."""
    return None if truths_of(config) in ([], [ATTENTION]) else shown_truth(config)


def drawn_metrics(tables: Tables, config: Mapping[str, Any], asked: Sequence[str] | str | None) -> list[str]:
    """The metrics whose values at layers are drawn.

    Args:
        tables: of a run of evaluation=ranking.
        config: content of its config.yaml.
        asked: names, ``all``, or None: ``plots.metrics`` of the config; where that is null too, recall and spearman, or else the
            run's first.

    Raises:
        ValueError: the run has no metric of a name that was asked for here, or none to choose from: its evaluation is not ranking.
    """
    names = ranked_metrics(tables)
    wanted = config["plots"].get("metrics") if asked is None else asked
    if wanted is None:
        return [name for name in names if name in DRAWN] or names[:1]
    listed = [wanted] if isinstance(wanted, str) else list(wanted)
    if listed == ["all"]:
        return names
    strange = [name for name in listed if name not in names]
    if asked is not None and not names:
        raise ValueError(
            f"metrics are {', '.join(listed)}, must not be given for this run: only those of evaluation=ranking are chosen"
        )
    if strange and asked is not None:
        raise ValueError(f"metric {strange[0]!r} was not measured, must be all or of this run's: {', '.join(names)}")
    return [name for name in names if name in listed]


def _k(metrics: pd.DataFrame, config: Mapping[str, Any], asked: float | None) -> float:
    k = float(config["plots"]["k"] if asked is None else asked)
    known = sorted(float(each) for each in metrics["k"].dropna().unique())
    if known and k not in known:
        raise ValueError(f"k is {k:g}, must be one of this run's: {', '.join(f'{each:g}' for each in known)}")
    return k


def _without_layers(truth: str | None, rows: pa.Table) -> pa.Table:
    return against(rows.filter(rows["layer"].is_null()), truth)


def _of_metric(metric: str, k: float, truth: str | None, rows: pa.Table) -> pa.Table:
    return against(rows.filter(pc.and_(pc.equal(rows["metric"].cast(pa.string()), metric), _at(rows, k))), truth)


def _shown(k: float, truth: str | None, rows: pa.Table) -> pa.Table:
    """All rows over prompts; of single prompts only what is shown at ``k``."""
    statistic = pc.is_in(rows["statistic"].cast(pa.string()), pa.array(STATISTICS))
    return against(rows.filter(pc.or_(rows["sample"].is_null(), pc.and_(statistic, _at(rows, k)))), truth)


def against(rows: pa.Table, truth: str | None) -> pa.Table:
    """Rows of one truth, and those that belong to none."""
    if truth is None or rows["truth"].null_count == rows.num_rows:
        return rows
    return rows.filter(pc.fill_null(pc.equal(rows["truth"].cast(pa.string()), truth), True))


def _at(rows: pa.Table, k: float) -> pa.ChunkedArray:
    return pc.fill_null(pc.equal(rows["k"], k), True)
