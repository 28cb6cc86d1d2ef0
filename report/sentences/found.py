"""What a run found, in sentences: the one place from which report.html and summary.md take it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tokenrank.records.tables import Tables
from tokenrank.report.rows.comparisons import comparisons
from tokenrank.report.rows.contestant_rows import ACCURACY, FIDELITY, RANKING, kind
from tokenrank.report.rows.loading import own_report
from tokenrank.report.sentences.differences import order_sentence
from tokenrank.report.sentences.notes import notes
from tokenrank.report.sentences.parts import Part
from tokenrank.report.sentences.sentences import parts, prompts_sentence


@dataclass(frozen=True)
class Found:
    """Sentences, each said once."""

    order: list[str]  # whether the tests establish an order of the methods; none where nothing can be compared
    parts: list[
        Part
    ]  # what the tests found, worst layers or gap closed; last what means are over, what failed or is not done


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
    of_prompts = [line for line in notes(tables, environment, ours=ours) if line and line not in tested]
    measured = [] if tables.metrics.empty else [prompts_sentence(tables)]
    order = [order_sentence(tables)] if compared else []
    return Found(order, [*parts(tables, config), Part("Prompts", [*measured, *of_prompts])])
