"""Tables have exactly their columns and types, whatever the rows hold."""

import pandas as pd

from tokenrank.records.schema import METRICS, SAMPLES, TEXTS, concatenated, table


def test_a_row_fills_its_columns_and_leaves_the_others_null() -> None:
    found = table([{"metric": "recall", "layer": 3, "value": 0.5}, {"metric": "recall", "value": 1}], METRICS)
    assert {name: str(dtype) for name, dtype in found.dtypes.items()} == METRICS
    assert found["layer"].isna().tolist() == [False, True]
    assert found["value"].tolist() == [0.5, 1.0]
    assert found["heuristic"].isna().all()


def test_no_rows_make_an_empty_table_of_the_same_columns() -> None:
    assert list(table([], METRICS)) == list(concatenated([], METRICS)) == list(METRICS)


def test_tables_below_each_other_keep_types_and_order() -> None:
    first, second = ({"metric": name, "layer": number, "value": 0.0} for number, name in enumerate("ab"))
    found = concatenated([table([first], METRICS), table([], METRICS), pd.DataFrame([second])], METRICS)
    assert found["metric"].tolist() == ["a", "b"]
    assert {name: str(dtype) for name, dtype in found.dtypes.items()} == METRICS


def test_the_columns_that_may_quote_a_prompt_are_columns() -> None:
    assert set(TEXTS) <= set(SAMPLES)
