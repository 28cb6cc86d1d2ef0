"""The prompts of report.html with their tokens: the worst and the best first, as many as fit into the page."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, zip_longest
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tokenrank.records.run_folder import RunFolder
from tokenrank.records.schema import FULL, contestant_names
from tokenrank.records.tables import read_rows
from tokenrank.records.token_levels import TokenLevels
from tokenrank.report.page.levels import always_kept, packed_levels, percentiles, ranked_places, verdicts
from tokenrank.report.page.packing import embedded_json, number, packed, packed_json
from tokenrank.report.page.ranking import is_beside
from tokenrank.report.rows.loading import other_truth, without_errors

IN_VAIN = 20  # prompts one after another that do not fit, after which no more are read
AT_ONCE = 8  # prompts whose texts and runs are in memory
NAMED, LETTERS = 3, 200  # prompts that the page names because they are too large for it, and letters of their names


@dataclass(frozen=True)
class Views:
    """The prompts that the page shows, and what it has to leave out."""

    prompts: Mapping[str, Any]  # id -> what the page needs of it
    lacks: Sequence[str]  # sentences


def worst_and_best(values: Mapping[str, float]) -> list[str]:
    """Prompts in turn from both ends: the worst, the best, the second worst, ...; those without a value last.

    >>> worst_and_best({"a": 0.9, "b": float("nan"), "c": 0.1, "d": 0.5})
    ['c', 'a', 'd', 'b']
    """
    known = sorted((name for name, value in values.items() if not math.isnan(value)), key=lambda name: values[name])
    half = (len(known) + 1) // 2
    turns = chain.from_iterable(zip_longest(known[:half], reversed(known[half:])))
    return [name for name in turns if name is not None] + [name for name in values if math.isnan(values[name])]


def views(
    folder: RunFolder,
    order: Mapping[str, float],
    k: float,
    room: int,
    measured: Callable[[str], Any] | None = None,
    config: Mapping[str, Any] | None = None,
) -> Views:
    """What the page shows of single prompts; levels are read one prompt at a time.

    Args:
        folder: of the run.
        order: id of each prompt -> its tokens; the most wanted first.
        k: percent; where not all percentages fit, those far from this one are left out.
        room: characters that the prompts may take.
        measured: what was measured of the contestants on a prompt; None: there are none.
        config: content of config.yaml, for the truth that is shown, the last tokens that every contestant keeps and whether errors may
            be shown.

    Raises:
        ValueError: a file of levels cannot be read.
    """
    config = config or {}
    other = other_truth(config)
    window = int((config.get("prefill") or {}).get("window") or 0)  # engines may have longer ones of their own
    found: dict[str, Any] = {}
    dropped: set[float] = set()
    missing: list[str] = []
    left, tokens, in_vain = room, sum(order.values()), 0
    for name, sample, runs in _each(folder, list(order), config):
        kept = folder.levels(name)
        levels = None if kept is None else kept.against(other)
        values = None if measured is None else measured(name)
        view = _view(sample, runs, levels, dropped, values, window)
        if not found:
            share = order[name] / tokens
            while levels is not None and _size(sample, view) > room * share and len(set(levels.k) - dropped) > 1:
                dropped.add(max(set(levels.k) - dropped, key=lambda each: (abs(math.log(each / k)), each)))
                view = _view(sample, runs, levels, dropped, values, window)
        size = _size(sample, view)
        if size <= left:
            found[name], left, in_vain = view, left - size, 0
            missing += [name] if levels is None else []
            continue
        in_vain += 1
        if in_vain == IN_VAIN:
            break
        if not found:  # what was left out for its sake need not be
            dropped, tokens = set(), tokens - order[name]
    return Views(found, list(_lacks(list(order), dropped, missing, found, other)))


def _lacks(
    order: Sequence[str],
    dropped: Collection[float],
    missing: Collection[str],
    found: Mapping[str, Any],
    other: str | None,
) -> Iterator[str]:
    if len(found) < len(order):
        yield _left_out(order, found)
    if dropped:
        without = ", ".join(f"{each:g}" for each in sorted(dropped))
        yield f"Tokens are not shown at k = {without} %, to stay below 3 MB; the run folder has these levels."
    if missing:
        whose = "any prompt" if len(missing) >= len(found) else f"{len(missing)} prompts"
        against = f" in the truth {other}" if other else ""
        yield f"The run kept no levels of the tokens of {whose}{against}: its rankings cannot be shown on the text."
    if any(view["texts"] is False for view in found.values()):
        yield "The run kept no texts (texts=false): tokens are shown as numbered boxes, and answers are not shown."


def _left_out(order: Sequence[str], found: Mapping[str, Any]) -> str:
    """How many prompts do not fit into the page, and which of them were too large while later ones had room."""
    of = f"{len(order)} prompt{'s' * (len(order) > 1)}"
    places = [place for place, name in enumerate(order) if name in found]
    large = [name for name in order[: max(places, default=IN_VAIN)] if name not in found]
    which = f": {', '.join(large)}" if len(large) <= NAMED and sum(map(len, large)) <= LETTERS else ""
    said = f" {len(large)} {'was' if len(large) == 1 else 'were'} too large for it{which}." if large else ""
    return (
        f"This page has the tokens of {len(found)} of {of}{', the worst and the best ones,' * bool(found)} to stay below 3 MB.{said} "
        "The run folder has all of them."
    )


def _each(
    folder: RunFolder, order: Sequence[str], config: Mapping[str, Any]
) -> Iterator[tuple[str, pd.Series, pd.DataFrame]]:
    """Of each prompt its row of samples and its rows of runs."""
    for first in range(0, len(order), AT_ONCE):
        some = order[first : first + AT_ONCE]
        samples = read_rows(folder.path, "samples", partial(_among, "id", some))
        runs = without_errors(read_rows(folder.path, "runs", partial(_among, "sample", some)), config)
        for name in some:
            yield name, samples[samples["id"] == name].iloc[0], runs[runs["sample"] == name]


def _among(column: str, names: Sequence[str], rows: pa.Table) -> pa.Table:
    return rows.filter(pc.is_in(rows[column].cast(pa.string()), pa.array(names, pa.string())))


def _size(sample: pd.Series, view: Mapping[str, Any]) -> int:
    """Characters that a prompt takes on the page."""
    return len(embedded_json(view)) + 2 * len(embedded_json(sample["id"])) + 3


def _view(
    sample: pd.Series,
    runs: pd.DataFrame,
    levels: TokenLevels | None,
    dropped: Collection[float],
    measured: Any,
    window: int,
) -> dict[str, Any]:
    """One prompt: small things as they are, texts and tokens packed."""
    texts = None if levels is None or levels.texts is None else list(levels.texts)
    prompt = None if texts is not None else _text(sample["prompt"])
    answers = [_run(each) for each in runs.drop_duplicates(["engine", "heuristic", "keep"]).to_dict("records")]
    content = {
        "texts": texts, "prompt": prompt, "answer": _text(sample["answer"]), "references": _listed(sample["references"]),
        "runs": answers, "measured": measured,
    }  # fmt: skip
    shown = {"texts": texts is not None or prompt is not None, "content": packed_json(content)}
    if levels is None:
        return shown
    places = [place for place, k in enumerate(levels.k) if k not in dropped]
    percent, ranked = percentiles(levels), ranked_places(levels)
    shown |= {
        "k": [levels.k[place] for place in places],
        "layers": list(levels.layers),
        "tokens": levels.tokens,
        "ranked": [ranked.start, ranked.stop],
        "truths": len(levels.truth),
        "truth": packed_levels(levels.truth, places, len(levels.k)),
        "percentile": None if percent is None else packed(percent.tobytes()),
        "rankings": {
            name: packed_levels(levels.rankings[name], places, len(levels.k))
            for name in sorted(levels.rankings, key=is_beside)
        },
        "kept": _kept(sample, runs, levels, window),
    }
    return shown


def _kept(sample: pd.Series, runs: pd.DataFrame, levels: TokenLevels, window: int) -> dict[str, str]:
    """``claa 20`` -> packed verdicts of the tokens that this contestant kept at this keep rate."""
    found = {}
    for name, run in zip(contestant_names(runs), runs.to_dict("records"), strict=True):
        if run["engine"] != FULL and run["kept"] is not None:
            context = sample["context_start"], sample["context_tokens"]
            stay = always_kept(levels, run["protect"], window, *context, run.get("prompts"))
            found[f"{name} {run['keep']:g}"] = packed(verdicts(levels, run["kept"], stay).tobytes())
    return found


def _run(run: Mapping[Any, Any]) -> dict[str, Any]:
    name = run["engine"] if pd.isna(run["heuristic"]) else run["heuristic"]
    line = name if name == FULL else f"{name} {run['keep']:g}"
    return {
        "key": line, "name": name, "engine": _text(run["engine"]), "keep": number(run["keep"]), "answer": _text(run["answer"]),
        "kept_tokens": number(run["kept_tokens"]), "error": _text(run["error"]),
    }  # fmt: skip


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _listed(value: Any) -> list[str]:
    return [] if value is None or isinstance(value, float) else [str(each) for each in value]
