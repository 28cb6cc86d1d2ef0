"""What a run found, in sentences: the one place from which report.html and summary.md take it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tokenrank.records.tables import Tables
from tokenrank.report.rows.comparisons import comparisons
from tokenrank.report.rows.contestant_rows import ACCURACY, FIDELITY, RANKING, kind
from tokenrank.report.rows.differences import order_sentence
from tokenrank.report.rows.loading import own_report
from tokenrank.report.sentences.notes import notes
from tokenrank.report.sentences.sentences import sentences


@dataclass(frozen=True)
class Found:
    """Sentences, each said once."""

    order: list[
        str
    ]  # whether the tests establish an order of the methods: one sentence, or none where nothing can be compared
    results: list[str]  # what the tests found, worst layers or gap closed; at least one
    notes: list[str]  # what means are over, what failed or is not done


def what_was_found(tables: Tables, config: Mapping[str, Any], environment: Mapping[str, Any]) -> Found:
    """All that is said of a run; the terminal's sentences on tests are left out of the notes, as the results say more.

    Args:
        tables: of the run.
        config: content of its config.yaml.
        environment: content of its environment.json.
    """
    ours = own_report(config) is None
    compared = ours and not tables.metrics.empty and kind(tables) in (RANKING, ACCURACY, FIDELITY)
    tested = set(comparisons(tables))
    return Found(
        [order_sentence(tables)] if compared else [],
        sentences(tables, config),
        [line for line in notes(tables, environment, ours=ours) if line and line not in tested],
    )
