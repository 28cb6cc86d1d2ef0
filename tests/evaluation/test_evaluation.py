"""What every evaluation shares: it reads a prompt once unless it says otherwise, and a reason names the error."""

import pandas as pd
from transformers import PreTrainedModel

from tests.plans import plan
from tokenrank.evaluation.evaluation import Advance, Evaluation, Measurement
from tokenrank.evaluation.failures import reason
from tokenrank.evaluation.plan import Plan, Unit
from tokenrank.records.schema import SUMMARY, table


class Nothing(Evaluation):
    """Measures nothing."""

    kind = "nothing"

    def measure(self, plan: Plan, model: PreTrainedModel, unit: Unit, advance: Advance) -> Measurement:
        return Measurement({}, [])

    def summarize(self, measured: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
        return table([], SUMMARY)


def test_an_evaluation_need_say_no_more_than_how_one_unit_is_measured() -> None:
    made, nothing = plan(), Nothing()
    nothing.check(made)
    assert nothing.rounds(made) == 1
    assert (nothing.summary_settings, nothing.runs_engines, nothing.adds_controls) == ((), False, False)


def test_a_measurement_has_no_runs_and_no_rankings_unless_it_says_so() -> None:
    empty = Measurement({}, [])
    assert (empty.runs, empty.rankings) == ([], None)


def test_the_reason_names_the_error() -> None:
    assert reason(KeyError("k")) == "KeyError: 'k'"
    assert reason(RuntimeError()) == "RuntimeError: "
