"""Computes the four tables from records. The same records give the same tables; some of them give the tables of these."""

from collections.abc import Sequence

from tokenrank.evaluation.evaluation import Evaluation
from tokenrank.records.record import Record
from tokenrank.records.run_folder import RunFolder
from tokenrank.records.schema import MEASURED, METRICS, RUNS, SAMPLES, concatenated, table
from tokenrank.records.tables import Tables


def collect(folder: RunFolder, evaluation: Evaluation) -> list[str]:
    """Makes the four tables of a run folder from its records; returns one line for each file that is left out."""
    records, refused = folder.records()
    folder.write_tables(collected(evaluation, records))
    return refused


def collected(evaluation: Evaluation, records: Sequence[Record]) -> Tables:
    """The four tables of a run folder.

    Args:
        evaluation: computes summary.parquet.
        records: in the order of the plan; units without a record are left out.
    """
    measured = concatenated((record.rows for record in records), MEASURED)
    runs = table((run for record in records for run in record.runs), RUNS)
    single = measured[measured["other_layer"].isna()]
    return Tables(
        metrics=single[list(METRICS)].reset_index(drop=True),
        summary=evaluation.summarize(measured, runs),
        samples=table((record.sample for record in records), SAMPLES),
        runs=runs,
    )
