"""Names that tell apart what runs call by one name: methods with other settings, and models with other weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tokenrank.records.digests import digest
from tokenrank.records.flat_settings import flat
from tokenrank.records.schema import FULL, WHOSE_ENGINE, is_control
from tokenrank.report.rows.contestant_rows import models
from tokenrank.report.rows.loaded_run import LoadedRun
from tokenrank.report.tables.result_rows import IN_PRINT

ANY = "any"  # the line of ``prefill.engine`` of methods that have none of their own; engines of other lines are named after them
LONG = 40  # letters of a value; of a longer one names have a digest, as its first letters may be those of another
Named = tuple[str, Mapping[str, Any]]  # a name, and the settings that decide what it stands for


@dataclass(frozen=True)
class Names:
    """What a table calls the model and the methods of a run."""

    model: str
    methods: Mapping[str, str]  # name in the run -> name in the table

    def of_rows(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Rows of ``result_rows`` under these names; published rows keep theirs."""
        called = rows["method"].map(self.methods).where(rows["role"] != IN_PRINT, rows["method"])
        return rows.assign(model=self.model, method=called.fillna(rows["method"]))


def method_settings(run: LoadedRun, method: str, engine: Any) -> dict[str, Any]:
    """The settings of a method: those of its heuristic, and of the engine that it drives; by full name.

    Args:
        run: that has it.
        method: its name. Controls have the settings of their engine alone: which seed a random ranking had tells nothing apart.
        engine: as tables name it (``layerwise@claa``); missing of evaluation=ranking.
    """
    node = {} if is_control(method) else (run.config.get("heuristic") or {}).get(method) or {}
    if method == FULL or pd.isna(engine):
        return _said(node)
    engines = (run.config.get("prefill") or {}).get("engine") or {}
    return _said({**node, "engine": engines.get(str(engine).partition(WHOSE_ENGINE)[2] or ANY)})


def model_settings(run: LoadedRun) -> dict[str, Any]:
    """The facts that decide a model's weights, as environment.json has them; by full name."""
    return _said(run.environment.get("model") or {})


def _said(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by full name; one that is null is as one that an earlier version did not have."""
    return {name: value for name, value in flat(settings).items() if value is not None}


def names_of(runs: Sequence[LoadedRun], rows: Sequence[pd.DataFrame]) -> list[Names]:
    """What one table calls the models and methods of its runs.

    Args:
        runs: of the table.
        rows: of each run, those of ``result_rows`` that are shown.
    """
    own = [_methods(run, each) for run, each in zip(runs, rows, strict=True)]
    called = iter(told_apart([each for methods in own for each in methods]))
    models_called = told_apart([(models(run.tables), model_settings(run)) for run in runs])
    return [
        Names(model, {name: next(called) for name, _ in methods})
        for model, methods in zip(models_called, own, strict=True)
    ]


def _methods(run: LoadedRun, rows: pd.DataFrame) -> list[Named]:
    named = rows[rows["role"] != IN_PRINT].drop_duplicates("method")[["method", "engine"]]
    return [
        (str(method), method_settings(run, str(method), engine)) for method, engine in named.itertuples(index=False)
    ]


def told_apart(named: Sequence[Named]) -> list[str]:
    """The names, each with the settings in which others of the same name differ.

    >>> told_apart([("snapkv", {"window": 64, "kernel": 7}), ("claa", {"n": 4}), ("snapkv", {"window": 4, "kernel": 7})])
    ['snapkv (window=64)', 'claa', 'snapkv (window=4)']
    """
    found = []
    for name, own in named:
        others = [settings for other, settings in named if other == name]
        every = dict.fromkeys(setting for settings in others for setting in settings)
        differ = [each for each in every if any(settings.get(each) != own.get(each) for settings in others)]
        said = ", ".join(f"{each}={_in_name(own.get(each))}" for each in differ)
        found.append(f"{name} ({said})" if said else name)
    return found


def _in_name(value: Any) -> str:
    text = "null" if value is None else str(value)
    return text if len(text) <= LONG else digest({"": text})[:8]
