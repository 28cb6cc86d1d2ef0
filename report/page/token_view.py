"""The tokens of one prompt: which of the truth's best a ranking or an engine found and missed, and which it wrongly kept."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tokenrank.records.record import Record, read_header
from tokenrank.records.run_folder import RunFolder
from tokenrank.records.schema import FULL
from tokenrank.records.token_levels import OUTSIDE, TokenLevels
from tokenrank.report.page.levels import FOUND, MISSED, NOTHING, WRONG, always_kept, evidence_of, verdicts
from tokenrank.report.rows.loading import other_truth, run_config, truth_shown

SHOWN = 12  # names in a message
Answer = tuple[str, str | None]  # whose, and its text; None: the run keeps none


@dataclass(frozen=True)
class TokenView:
    """The tokens of a prompt, held against the truth."""

    heading: str
    texts: Sequence[str]  # what each token adds to the prompt's text
    kinds: np.ndarray[Any, Any]  # (tokens,) NOTHING, FOUND, MISSED, WRONG or ALWAYS: kept in any case, not judged
    evidence: Sequence[range]  # positions of the tokens of each span; none where it is not known
    unranked: frozenset[int]  # positions of the tokens that are not ranked
    answers: Sequence[Answer]

    def count(self, kind: int) -> int:
        """Number of tokens of a kind."""
        return int((self.kinds == kind).sum())

    @property
    def recall(self) -> float:
        """Share of the truth's best tokens that were found, as metrics.parquet has it; NaN where no token is judged."""
        best = self.count(FOUND) + self.count(MISSED)
        return self.count(FOUND) / best if best else float("nan")


def view(folder: RunFolder, sample: str, name: str, number: str, k: float | None = None) -> TokenView:
    """What a ranking found at a layer, or what an engine kept at a keep rate.

    Args:
        folder: of a finished or unfinished run.
        sample: id of the prompt.
        name: of a heuristic; of evaluation=accuracy and evaluation=fidelity of a contestant.
        number: of a layer; of the contestants the keep rate in percent.
        k: percent, of a ranking: how many of the best tokens count; None: 10 where the run has it, else its first.

    Raises:
        ValueError: with one sentence that says what is allowed.
    """
    record, config = _record(folder, sample), run_config(folder)
    kept = folder.levels(sample)
    if kept is None:
        raise ValueError(
            f"{folder.path} has no levels/{sample}.parquet: save_levels=false, evaluation=ttft and runs of earlier versions keep none"
        )
    levels = kept.against(other_truth(config))
    if levels is None:
        raise ValueError(
            f"levels/{sample}.parquet of {folder.path} has the run's first truth alone, and plots.truth is {other_truth(config)}: "
            "a run of an earlier version keeps no other, measure it again or draw it with plots.truth=null"
        )
    truth = truth_shown(config)
    against = "" if truth is None else f", against {truth}"
    if levels.texts is None:
        raise ValueError(f"{folder.path} keeps no texts (texts=false), so its prompts cannot be shown")
    if levels.rankings:
        return _of_ranking(record, levels, name, number, k, against)
    if k is not None:
        raise ValueError(
            f"--k is {k:g}, must be left out: what {name} kept is held against as many of the truth's best tokens"
        )
    window = int((config.get("prefill") or {}).get("window") or 0)
    return _of_contestant(record, levels, name, number, window, against)


def _record(folder: RunFolder, sample: str) -> Record:
    """The record of a prompt, without its values."""
    units = list(folder.environment().get("units", {}))
    if sample not in units:
        raise ValueError(f"sample is {sample!r}, must be one of this run's {len(units)}: {_listed(units, sample)}")
    if not folder.record_file(sample).exists():
        done = len(folder.record_files())
        raise ValueError(f"{sample} is not measured yet: half a run, {done} of {len(units)} units are done")
    return read_header(folder.record_file(sample))


def _of_ranking(
    record: Record, levels: TokenLevels, name: str, number: str, k: float | None, against: str
) -> TokenView:
    if name not in levels.rankings:
        raise ValueError(f"heuristic is {name!r}, must be one of this run's: {_listed(levels.rankings, name)}")
    rates = [f"{each:g}" for each in levels.k]
    asked = f"{k:g}" if k is not None else "10" if "10" in rates else rates[0]
    if asked not in rates:
        raise ValueError(f"--k is {asked}, must be one of this run's: {', '.join(rates)}")
    layers = [str(layer) for layer in levels.layers]
    if number not in layers:
        raise ValueError(f"layer is {number}, must be one of this run's: {_ranges(levels.layers)}")
    row, least = layers.index(number), len(rates) - rates.index(asked)
    ranking, truth = levels.rankings[name][row], levels.truth[row if len(levels.truth) > 1 else 0]
    ranked = int((truth != OUTSIDE).sum())
    heading = f"{record.unit}: {name} at layer {number}, best {asked} % of {ranked} ranked tokens{against}"
    kept, best = _at_least(ranking, least), _at_least(truth, least)
    kinds = np.select([kept & best, ~kept & best, kept & ~best], [FOUND, MISSED, WRONG], NOTHING)
    return _view(record, levels, heading, kinds, [])


def _of_contestant(record: Record, levels: TokenLevels, name: str, number: str, window: int, against: str) -> TokenView:
    own = [each for each in record.runs if (each["heuristic"] or each["engine"]) == name]
    names = list(dict.fromkeys(each["heuristic"] or each["engine"] for each in record.runs))
    names = [each for each in names if each != FULL]
    if not own or name == FULL:
        raise ValueError(f"contestant is {name!r}, must be one of this run's that prune: {_listed(names, name)}")
    rates = [f"{each['keep']:g}" for each in own]
    if number not in rates:
        raise ValueError(f"keep rate is {number}, must be one of this run's: {', '.join(rates)}")
    run = own[rates.index(number)]
    if run.get("kept") is None:
        raise ValueError(
            f"{name} at {number} % kept no tokens of {record.unit}: {run.get('error') or 'its run has none'}"
        )
    kept, sample = run["kept"], record.sample
    context = sample.get("context_start"), sample.get("context_tokens")
    stay = always_kept(levels, run.get("protect"), window, *context, run.get("prompts"))
    heading = f"{record.unit}: {name} at keep rate {number} %, {len(kept)} of {levels.tokens} tokens kept{against}"
    if len(levels.importance) > 1:
        heading += ", held against the mean of the layers' truths"
    answers = [(f"{name} at {number} %", run["answer"])] if run.get("answer_tokens") is not None else []
    return _view(record, levels, heading, verdicts(levels, kept, stay), answers)


def _view(
    record: Record, levels: TokenLevels, heading: str, kinds: "np.ndarray[Any, Any]", answers: Sequence[Answer]
) -> TokenView:
    evidence = evidence_of(record.sample)
    unranked = frozenset(np.flatnonzero(levels.truth[0] == OUTSIDE).tolist())
    whose = "answer" if not answers else "full prefill"
    return TokenView(
        heading, levels.texts or (), kinds, evidence, unranked, [(whose, record.sample.get("answer")), *answers]
    )


def _at_least(levels: "np.ndarray[Any, Any]", least: int) -> "np.ndarray[Any, Any]":
    found: np.ndarray[Any, Any] = (levels >= least) & (levels != OUTSIDE)
    return found


def _listed(names: Iterable[str] | Mapping[str, Any], asked: str) -> str:
    """The names, of many those that are most like the one that was asked for."""
    known = list(names)
    if len(known) <= SHOWN:
        return ", ".join(known)
    nearest = difflib.get_close_matches(asked, known, n=SHOWN, cutoff=0.0)
    return f"{', '.join(nearest)} and {len(known) - len(nearest)} more"


def _ranges(numbers: Sequence[int]) -> str:
    """``0 to 3, 8``: consecutive numbers as ranges."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][-1] + 1:
            found[-1] = [found[-1][0], number]
        else:
            found.append([number])
    return ", ".join(" to ".join(map(str, each)) for each in found)
