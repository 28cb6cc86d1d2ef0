"""Columns of every table in a run folder, and names used in them (results/README.md explains each)."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
import pyarrow as pa

FULL, ORACLE, RANDOM = "full", "oracle", "random"  # the engine of full prefill; the bound; the control
WHOSE_ENGINE = "@"  # oracle@gemfilter: the bound of the engine that gemfilter ranks for
WHICH_TRUTH = ":"  # oracle:ablation: the ranking of that truth, of a run with several

Columns = dict[str, str]  # name -> pandas dtype

_WHOSE: Columns = {
    "model": "str",
    "task": "str",
    "sample": "str",
    "engine": "str",
    "heuristic": "str",
    "keep": "Float64",
}
# metrics.parquet: measured values of single prompts
METRICS: Columns = _WHOSE | {
    "layer": "Int64",
    "windowed": "boolean",
    "metric": "str",
    "truth": "str",
    "k": "Float64",
    "value": "float64",
}
# rows of a record: also values of two layers, of which summary.parquet has the mean over prompts
MEASURED: Columns = METRICS | {"other_layer": "Int64"}
# summary.parquet: statistics over the layers of a prompt, and over prompts
SUMMARY: Columns = _WHOSE | {
    "layer": "Int64", "other_layer": "Int64", "windowed": "boolean", "metric": "str", "truth": "str", "k": "Float64",
    "statistic": "str", "against": "str", "exploratory": "boolean", "value": "float64", "low": "Float64", "high": "Float64", "p": "Float64",
    "prompts": "Int64",
}  # fmt: skip
SAMPLES: Columns = {
    "id": "str", "task": "str", "tokens": "Int64", "cut_tokens": "Int64", "needle_start": "Int64", "needle_tokens": "Int64", "evidence": "object",
    "depth": "Float64", "context_start": "Int64", "context_tokens": "Int64", "question_start": "Int64", "question_tokens": "Int64",
    "universe": "str", "prompts": "str",
    "input_ids_sha256": "str", "prompt": "str", "references": "object", "answer_tokens": "Int64",
    "answer": "str", "accuracy": "Float64", "prefill_seconds": "Float64", "decode_seconds": "Float64",
    "oracle_seconds": "Float64", "context_effect": "Float64", "metrics_seconds": "Float64", "seconds": "Float64", "host": "str", "device": "str",
    "key": "str", "status": "str", "error": "str",
}  # fmt: skip
RUNS: Columns = {
    "task": "str", "sample": "str", "engine": "str", "heuristic": "str", "keep": "Float64", "repeat": "Int64",
    "protect": "str", "budget": "str", "prompts": "str", "kept_tokens": "Int64", "kept": "object", "needle_kept": "Float64", "answer_tokens": "Int64", "answer": "str", "accuracy": "Float64",
    "prefill_seconds": "Float64", "choosing_seconds": "Float64", "decode_seconds": "Float64", "flops": "Int64",
    "kv_bytes": "Int64", "peak_bytes": "Int64", "status": "str", "error": "str",
}  # fmt: skip
ADDED = (
    "truth",
    "context_effect",
    "universe",
    "budget",
    "prompts",
    "evidence",
)  # files of earlier versions lack these columns: null
USUAL = {
    "protect": "window",
    "budget": "within",
    "prompts": "aware",
}  # settings of engines -> what runs had that do not say
TEXTS = ("prompt", "references", "answer", "error")  # columns that may quote a prompt; loggers leave them out

_ARROW = {
    "str": pa.string(),
    "Int64": pa.int64(),
    "Float64": pa.float64(),
    "float64": pa.float64(),
    "boolean": pa.bool_(),
}
_LISTS = {
    "references": pa.list_(pa.string()),
    "kept": pa.list_(pa.int64()),
    "evidence": pa.list_(pa.list_(pa.int64())),
}  # the columns of type object
REPEATED = (
    "model",
    "task",
    "sample",
    "engine",
    "heuristic",
    "metric",
    "truth",
    "statistic",
    "against",
)  # few values, many rows


def table(rows: Iterable[Mapping[str, Any]], columns: Columns) -> pd.DataFrame:
    """Rows as a table of these columns and types; what a row lacks is null.

    >>> table([{"id": "a", "tokens": 7}], {"id": "str", "tokens": "Int64", "depth": "Float64"}).isna().to_dict("records")
    [{'id': False, 'tokens': False, 'depth': True}]
    """
    found = pd.DataFrame(list(rows), columns=list(columns)).astype(dict(columns))
    lists = {name: found[name].where(found[name].notna(), None) for name, kind in columns.items() if kind == "object"}
    return found.assign(**lists)  # None, as in files


def concatenated(tables: Iterable[pd.DataFrame], columns: Columns) -> pd.DataFrame:
    """Tables below each other, in these columns and types; an empty one for no tables."""
    found = [each for each in tables if len(each)]
    if not found:
        return table([], columns)
    return pd.concat(found, ignore_index=True).reindex(columns=list(columns)).astype(dict(columns))


def arrow_schema(columns: Columns, *, coded: bool = False) -> pa.Schema:
    """The columns as Arrow types.

    Args:
        columns: of a table.
        coded: whether texts that repeat are numbers of entries of a dictionary.
    """
    fields = {name: _LISTS[name] if kind == "object" else _ARROW[kind] for name, kind in columns.items()}
    codes = {name: pa.dictionary(pa.int32(), pa.string()) for name in fields if coded and name in REPEATED}
    return pa.schema(list((fields | codes).items()))


def arrow_table(rows: Iterable[Mapping[str, Any]], columns: Columns, *, coded: bool = False) -> pa.Table:
    """Rows as an Arrow table of these columns; what a row lacks is null.

    Raises:
        ValueError: a value does not fit its column.
    """
    return pa.Table.from_pylist(list(rows), arrow_schema(columns)).cast(arrow_schema(columns, coded=coded))


def completed(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows with every column of a schema, in its order and types; a column of ADDED that they lack is null.

    Raises:
        KeyError: they lack another column.
    """
    for name in ADDED:
        if name in schema.names and name not in rows.column_names:
            rows = rows.append_column(name, pa.nulls(rows.num_rows, schema.field(name).type))
    return rows.select(schema.names).replace_schema_metadata(None).cast(schema)


def frame(rows: pa.Table, columns: Columns) -> pd.DataFrame:
    """An Arrow table as a table of these columns and types.

    >>> frame(arrow_table([{"id": "a"}], {"id": "str", "tokens": "Int64"}), {"id": "str", "tokens": "Int64"}).dtypes.to_list()
    [<StringDtype(na_value=nan)>, Int64Dtype()]
    """
    plain = rows.select(list(columns)).cast(arrow_schema(columns)).replace_schema_metadata(pandas_metadata(columns))
    found: pd.DataFrame = plain.to_pandas().astype(dict(columns))
    return found


def pandas_metadata(columns: Columns) -> dict[bytes, bytes]:
    """What pandas needs to read a parquet file of these columns in these types."""
    return dict(pa.Schema.from_pandas(table([], columns), preserve_index=False).metadata)


def contestant_names(rows: pd.DataFrame) -> "pd.Series[str]":
    """The contestant of each row: its heuristic, or its engine where nobody ranks."""
    return rows["heuristic"].fillna(rows["engine"])


def truth_name(truth: str | None, first: str | None) -> str:
    """What a truth is called where it stands among rankings: ``oracle``, or ``oracle:NAME`` where it is not the first of its run.

    >>> truth_name("attention", "attention"), truth_name("ablation", "attention")
    ('oracle', 'oracle:ablation')
    """
    return ORACLE if truth in (None, first) else f"{ORACLE}{WHICH_TRUTH}{truth}"


def is_bound(name: str) -> bool:
    """Whether it is a truth's own ranking, alone or as the bound of an engine.

    >>> is_bound("oracle"), is_bound("oracle@gemfilter"), is_bound("oracle:ablation"), is_bound("claa")
    (True, True, True, False)
    """
    return name.split(WHOSE_ENGINE)[0].split(WHICH_TRUTH)[0] == ORACLE


def is_control(name: str) -> bool:
    """Whether a contestant is the control of an engine: random scores drive it."""
    return name.split(WHOSE_ENGINE)[0] == RANDOM
