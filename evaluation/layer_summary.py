"""Statistics over the layers of each prompt, kept as numbers alone, and their means over prompts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tokenrank.evaluation.layer_statistics import STATISTICS, statistics_over_layers
from tokenrank.evaluation.summary import Summary, coded, summary_table
from tokenrank.evaluation.summary_rows import Comparing, Group, group_rows
from tokenrank.metrics.intervals import Numbers
from tokenrank.records.measures import UNBOUNDED
from tokenrank.records.record import Record
from tokenrank.records.schema import SUMMARY, arrow_table, truth_name

Indices = NDArray[np.int64]
PROMPTS_AT_ONCE = 100  # whose rows are held at a time


class Series(NamedTuple):
    """What has a value at every layer of a prompt."""

    model: str
    heuristic: str
    metric: str
    truth: str | None  # what rankings are compared with, where it is a truth
    k: float | None


class OfPrompt(NamedTuple):
    """Statistics over layers of one prompt, over its full-attention layers or over its windowed ones."""

    series: Indices  # (series,) their numbers
    values: Numbers  # (series, statistics)


@dataclass
class LayerSummary(Summary):
    """Keeps of each prompt its statistics over layers (48 bytes a heuristic, metric and k), and sums of pairs of layers."""

    comparing: Comparing
    first: str | None = None  # the truth that comparisons are declared against; None: the first that has a value
    _series: dict[Series, int] = field(default_factory=dict)
    _prompts: list[tuple[str, str]] = field(default_factory=list)  # task and sample
    _found: dict[tuple[int, bool], OfPrompt] = field(
        default_factory=dict
    )  # by number of the prompt and whether windowed
    _pairs: dict[int, "PairSums"] = field(default_factory=dict)  # by number of the series

    def add(self, record: Record) -> None:
        """Takes the statistics over layers of a prompt, and adds its pairs of layers."""
        rows = record.measured
        ranked = rows.filter(pc.and_(rows["layer"].is_valid(), rows["heuristic"].is_valid()))
        alone = ranked["other_layer"].is_null()
        single, pairs = ranked.filter(alone), ranked.filter(pc.invert(alone))
        if single.num_rows:
            self._add_layers(single)
        if pairs.num_rows:
            self._add_pairs(pairs)

    def _add_layers(self, rows: pa.Table) -> None:
        number = len(self._prompts)
        self._prompts.append((rows["task"][0].as_py(), rows["sample"][0].as_py()))
        series, layers = self._numbers(rows), rows["layer"].to_numpy()
        values = rows["value"].to_numpy()
        windowed = rows["windowed"].fill_null(False).to_numpy().astype(bool)
        apart = windowed.any() and not windowed.all()
        for kind, own in ((False, ~windowed), (True, windowed)) if apart else ((False, slice(None)),):
            found = statistics_over_layers(series[own], layers[own], values[own])
            self._found[number, kind] = OfPrompt(*found)

    def _add_pairs(self, rows: pa.Table) -> None:
        series, values = self._numbers(rows), rows["value"].to_numpy()
        a, b = rows["layer"].to_numpy(), rows["other_layer"].to_numpy()
        order = np.argsort(series, kind="stable")
        starts = np.flatnonzero(np.diff(series[order], prepend=-1))
        for start, end in pairwise([*starts.tolist(), len(order)]):
            own = order[start:end]
            self._pairs.setdefault(int(series[own[0]]), PairSums()).add(a[own], b[own], values[own])

    def _numbers(self, rows: pa.Table) -> Indices:
        """Number of the series of each row; new ones are counted in the order of the rows."""
        whole, parts = np.zeros(rows.num_rows, dtype=np.int64), []
        for name in Series._fields:
            column = rows[name].combine_chunks()
            codes = column if pa.types.is_dictionary(column.type) else column.dictionary_encode(null_encoding="encode")
            entries = [*codes.dictionary.to_pylist(), None]  # a code may itself be null
            whole = whole * len(entries) + codes.indices.fill_null(len(entries) - 1).to_numpy()
            parts.append(entries)
        _, first, place = np.unique(whole, return_index=True, return_inverse=True)
        numbers = np.empty(len(first), dtype=np.int64)
        for each in np.argsort(first):
            left, named = int(whole[first[each]]), []
            for entries in reversed(parts):
                left, code = divmod(left, len(entries))
                named.append(entries[code])
            numbers[each] = self._series.setdefault(Series(*reversed(named)), len(self._series))
        return numbers[place]

    def tables(self) -> Iterator[pa.Table]:
        """Statistics over layers of every prompt; means over prompts and comparisons; means of pairs of layers."""
        yield from self._of_prompts()
        groups = [group for kind in (False, True) for group in self._groups(kind)]
        yield arrow_table(group_rows(groups, self.comparing), SUMMARY, coded=True)
        yield arrow_table(self._of_pairs(), SUMMARY, coded=True)

    def _of_prompts(self) -> Iterator[pa.Table]:
        found = list(self._found.items())
        tasks, samples = ([prompt[place] for prompt in self._prompts] for place in (0, 1))
        of_series = [list(each) for each in zip(*self._series, strict=True)]
        for start in range(0, len(found), PROMPTS_AT_ONCE):
            part = found[start : start + PROMPTS_AT_ONCE]
            sizes = [each.values.size for _, each in part]
            prompts = np.repeat([number for (number, _), _ in part], sizes)
            windowed = np.repeat([kind for (_, kind), _ in part], sizes)
            series = np.repeat(np.concatenate([each.series for _, each in part]), len(STATISTICS))
            model, heuristic, metric, truth = (coded(*_few(each, series)) for each in of_series[:-1])
            k = pa.array(of_series[-1], pa.float64()).take(pa.array(series))
            yield summary_table(
                sum(sizes), model=model, heuristic=heuristic, metric=metric, truth=truth, k=k,
                task=coded(*_few(tasks, prompts)), sample=coded(prompts, samples), windowed=pa.array(windowed),
                statistic=coded(np.tile(np.arange(len(STATISTICS)), len(series) // len(STATISTICS)), STATISTICS),
                value=pa.array(np.concatenate([each.values.ravel() for _, each in part])),
            )  # fmt: skip

    def _groups(self, windowed: bool) -> Iterator[Group]:
        """The heuristics' values of every metric, k and statistic."""
        whole = np.full((len(self._prompts), len(self._series), len(STATISTICS)), np.nan)
        for (number, kind), found in self._found.items():
            if kind == windowed:
                whole[number, found.series] = found.values
        tasks = np.array([task for task, _ in self._prompts], dtype=object)
        groups: dict[tuple[str, str, str | None, float | None], list[int]] = {}
        for each, number in self._series.items():
            groups.setdefault((each.model, each.metric, each.truth, each.k), []).append(number)
        named_series = list(self._series)
        first = self.first or next((each.truth for each in named_series if each.truth is not None), None)
        for (model, metric, truth, k), numbers in groups.items():
            names = [named_series[number].heuristic for number in numbers]
            own = truth if truth in names else truth_name(truth, first)  # agrees with itself by definition
            for place, statistic in enumerate(STATISTICS):
                named = {
                    "model": model,
                    "metric": metric,
                    "truth": truth,
                    "k": k,
                    "statistic": statistic,
                    "windowed": windowed,
                }
                of_whom = [{"heuristic": name} for name in names]
                values = whole[:, numbers, place]
                yield Group(named, of_whom, names, values, tasks, own, metric in UNBOUNDED, truth not in (None, first))

    def _of_pairs(self) -> Iterator[dict[str, Any]]:
        names = list(self._series)
        for number, sums in self._pairs.items():
            for row in sums.rows():
                yield names[number]._asdict() | {"statistic": "mean"} | row


class PairSums:
    """Sums over prompts of the values of each two layers."""

    def __init__(self) -> None:
        """Nothing was added yet."""
        self._sums = self._counts = np.zeros((0, 0))

    def add(self, a: Indices, b: Indices, values: Numbers) -> None:
        """Adds one prompt's value of each pair of layers, at most one a pair."""
        layers = max(int(b.max()), int(a.max())) + 1
        if (more := layers - len(self._sums)) > 0:
            self._sums, self._counts = (np.pad(each, ((0, more), (0, more))) for each in (self._sums, self._counts))
        there = ~np.isnan(values)
        self._sums[a[there], b[there]] += values[there]
        self._counts[a[there], b[there]] += 1

    def rows(self) -> Iterator[dict[str, Any]]:
        """The mean of each pair that has a value, by layer and other layer."""
        for a, b in np.argwhere(self._counts):
            count = self._counts[a, b]
            yield {"layer": int(a), "other_layer": int(b), "value": self._sums[a, b] / count, "prompts": int(count)}


def _few(names: Sequence[str | None], places: Indices) -> tuple[Indices, list[str | None]]:
    """Codes and entries of the names at these places."""
    entries = list(dict.fromkeys(names))
    numbers = {name: number for number, name in enumerate(entries)}
    return np.array([numbers[name] for name in names])[places], entries
