"""report/rows/universe.py: the printed table and captions of a real run over the context say so; those of others do not."""

from functools import cache

import pytest

from tests.plans import tables
from tests.report.table_examples import table_run
from tokenrank.records.tables import Tables
from tokenrank.report.printed.table import summary
from tokenrank.report.rows.universe import SAID, universe
from tokenrank.report.tables.result_captions import caption


@cache
def measured(of: str) -> Tables:
    return tables("heuristic=[recency]", f"universe={of}", "task.depths=[50]")


@pytest.mark.parametrize(("of", "said"), [("context", True), ("prompt", False)])
def test_tables_and_captions_say_what_was_ranked(of: str, said: bool) -> None:
    found = measured(of)
    assert found.samples["universe"].tolist() == [of]
    assert universe(found.samples) == ([SAID] if said else [])
    printed = " ".join(summary(found, 10).split())
    assert (SAID in printed) is said
    run = table_run(found)
    assert (SAID in caption([run], [found.summary.assign(role="", method="")], "recall", 10, None)) is said


def test_engines_have_no_universe() -> None:
    found = tables("task.depths=[50]", "heuristic=claa", "prefill.keep=[20]", evaluation="fidelity")
    assert found.samples["universe"].isna().all()
    assert universe(found.samples) == []
