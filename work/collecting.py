"""Computes the four tables from records, read one by one. The same records give the same tables; some of them give the tables of these."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack

import pyarrow as pa

from tokenrank.evaluation.evaluation import Evaluation
from tokenrank.records.record import Record
from tokenrank.records.run_folder import RunFolder
from tokenrank.records.schema import METRICS, RUNS, SAMPLES, arrow_table, frame
from tokenrank.records.tables import SCHEMAS, Tables, table_schema, table_writer

Parts = Iterator[tuple[str, pa.Table]]  # name of a table, and some of its rows


def collect(folder: RunFolder, evaluation: Evaluation) -> list[str]:
    """Makes the four tables of a run folder from its records, a few of which are in memory at a time.

    Args:
        folder: with environment.json, which names the run's units, and records; units without a record are left out.
        evaluation: computes summary.parquet.

    Returns:
        One line for each record that was left out.
    """
    refused: list[str] = []
    with ExitStack() as files:
        add = {name: files.enter_context(table_writer(folder.path, name)) for name in SCHEMAS}
        for name, rows in parts(evaluation, folder.each_record(refused)):
            add[name](rows)
    return refused


def collected(evaluation: Evaluation, records: Iterable[Record]) -> Tables:
    """The four tables of a few records, in memory."""
    found = {name: [table_schema(name).empty_table()] for name in SCHEMAS}
    for name, rows in parts(evaluation, records):
        found[name].append(rows.cast(table_schema(name)))
    return Tables(**{name: frame(pa.concat_tables(found[name]), columns) for name, columns in SCHEMAS.items()})


def parts(evaluation: Evaluation, records: Iterable[Record]) -> Parts:
    """Rows of all tables in the order of the records; those of the summary come last."""
    summary = evaluation.summary()
    for record in records:
        summary.add(record)
        alone = record.measured["other_layer"].is_null()  # of pairs of layers the summary has the mean over prompts
        yield "metrics", record.measured.filter(alone).select(list(METRICS))
        yield "samples", arrow_table([record.sample], SAMPLES)
        if record.runs:
            yield "runs", arrow_table(record.runs, RUNS)
    for rows in summary.tables():
        yield "summary", rows
