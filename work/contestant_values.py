"""The measured values of a record by contestant, and their names."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tokenrank.records.schema import MEASURED, arrow_schema

Who = tuple[str, float]  # contestant, keep rate (0 where it has none)
CHANCE = "chance"
WHOSE = ["engine", "heuristic", "keep"]
TIMES = (
    "prefill_seconds",
    "prefill_ratio",
    "choosing_share",
    "decode_tokens_per_second",
    "peak_bytes",
)  # metrics that differ whenever they are measured; fmt: skip


def groups(measured: pa.Table) -> dict[Who, pa.Table]:
    """The values of each contestant, in their order."""
    named = measured.select(WHOSE).to_pandas().astype({"engine": "object", "heuristic": "object", "keep": "float64"})
    numbers = named.groupby(WHOSE, sort=False, dropna=False).ngroup().to_numpy()
    found = {}
    for number in dict.fromkeys(numbers.tolist()):
        places = np.flatnonzero(numbers == number)
        found[who_of(named.iloc[places[0]])] = measured.take(places)
    return found


def who_of(row: Mapping[Any, Any]) -> Who:
    """A row's contestant and keep rate; rows of neither heuristic nor engine are chance levels."""
    named = [row.get("heuristic"), row.get("engine")]
    name = next((str(each) for each in named if not pd.isna(each)), CHANCE)
    keep = row.get("keep")
    return name, 0.0 if pd.isna(keep) else float(keep)


def untimed(measured: pa.Table) -> pa.Table:
    """The rows without those that are measured times or memory, with plain texts."""
    metrics = measured["metric"].cast(pa.string())
    rows = measured.set_column(measured.schema.get_field_index("metric"), "metric", metrics)
    return rows.select(["layer", "other_layer", "metric", "k", "value"]).filter(
        pc.invert(pc.is_in(metrics, pa.array(TIMES)))
    )


def same_rows(one: pa.Table, other: pa.Table) -> bool:
    """Whether two tables have the same rows; NaN is equal to itself."""
    values = [each["value"].to_numpy() for each in (one, other)]
    equal = one.num_rows == other.num_rows and np.array_equal(values[0], values[1], equal_nan=True)
    return bool(equal and one.drop_columns(["value"]).equals(other.drop_columns(["value"])))


def mapped(measured: pa.Table, column: str, name: Callable[[str], str]) -> pa.Table:
    """The table with other names in a column of texts."""
    place, kind = measured.schema.get_field_index(column), measured.schema.field(column)
    chunks = [
        pa.DictionaryArray.from_arrays(chunk.indices, pa.array(map(name, chunk.dictionary.to_pylist()), pa.string()))
        for chunk in measured.column(place).chunks
    ]
    return coded(measured.set_column(place, kind, pa.chunked_array(chunks, kind.type)))


def coded(measured: pa.Table) -> pa.Table:
    """The table with its texts coded in the order in which they first appear."""
    return measured.cast(arrow_schema(MEASURED)).cast(arrow_schema(MEASURED, coded=True))
