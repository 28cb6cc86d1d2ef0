"""How well do rankings agree with the oracle, layer by layer? One pass over each prompt answers it for all heuristics."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from capture.layer import AttentionLayer
from capture.reading import Reading, read
from evaluation.environment import environment
from evaluation.preparation import Experiment, resolved
from heuristics.heuristic import Heuristic
from metrics.metric import Metric, Truth, tokens_kept
from metrics.ranking import Ranking
from metrics.summaries import over_layers
from oracle.answer_informed import AnswerInformedOracle
from records.tables import write_json, write_table, write_tensors, write_text
from report.plots import draw_all
from report.table import summary
from tasks.task import Prompt

METRIC_COLUMNS = {
    "model": "str", "task": "str", "sample": "str", "heuristic": "str", "layer": "Int64", "metric": "str", "k": "Float64",
    "value": "float64",
}  # fmt: skip


@dataclass(frozen=True)
class Ranked:
    """One prompt, ranked by every heuristic and by its answer."""

    reading: Reading
    layers: list[int]  # numbers of the attention layers, in order
    oracle: Tensor  # (tokens,) or (layers, tokens), float32
    scores: Mapping[str, Tensor]  # per heuristic (layers, tokens), float32
    oracle_seconds: float


def rank(
    model: Any,
    prompt: Prompt,
    heuristics: Mapping[str, Heuristic],
    oracle: AnswerInformedOracle,
    answer_ids: list[int] | None = None,
) -> Ranked:
    """Reads the prompt once and answers it once; all heuristics score each layer as it passes, then the oracle judges.

    Raises:
        ValueError: scores of the wrong shape or that are not finite; the message names heuristic, layer and prompt.
    """
    rows: dict[str, list[Tensor]] = {name: [] for name, each in heuristics.items() if not each.needs_answer}

    def visit(layer: AttentionLayer) -> None:
        for name, kept in rows.items():
            kept.append(
                checked(heuristics[name].score(layer), f"heuristic {name} at layer {layer.index}", layer.tokens)
            )

    reading = read(
        model,
        torch.tensor(prompt.input_ids),
        visit,
        max_new_tokens=prompt.max_new_tokens,
        answer_ids=answer_ids,
        shared_rows=max((each.window for each in heuristics.values()), default=0),
    )
    layers = [layer.index for layer in reading.answer_layers]
    started = time.perf_counter()
    importance = oracle.importance(reading.answer_layers)
    oracle_seconds = time.perf_counter() - started
    scores = {}
    for name, each in heuristics.items():
        if each.needs_answer:
            scores[name] = importance.expand(len(layers), -1)
        else:
            scores[name] = each.combine(torch.stack([row.cpu() for row in rows[name]]))
        check_finite(scores[name], name, layers, prompt.id)
    check_finite(importance.view(-1, importance.shape[-1]), "oracle (the truth)", layers, prompt.id)
    return Ranked(reading, layers, importance, scores, oracle_seconds)


def checked(row: Tensor, whose: str, tokens: int) -> Tensor:
    """The row, if it has one float32 for each of ``tokens`` tokens; else a ValueError that says whose it is."""
    if row.shape != (tokens,) or row.dtype != torch.float32:
        raise ValueError(
            f"{whose} gave {row.dtype} of shape {tuple(row.shape)}, must be torch.float32 of shape ({tokens},)"
        )
    return row


def check_finite(scores: Tensor, heuristic: str, layers: list[int], sample: str) -> None:
    """Raises ValueError if a score is NaN or infinite, naming heuristic, layer and sample."""
    bad = ~scores.isfinite().all(dim=1)
    if bad.any():
        layer = layers[int(bad.int().argmax())]
        raise ValueError(
            f"heuristic {heuristic}, layer {layer}, sample {sample}: a score is NaN or infinite, must be finite"
        )


def measure(
    scores: Mapping[str, Tensor], truth: Truth, layers: list[int], metrics: Mapping[str, Metric], percents: list[float]
) -> Iterator[tuple[str | None, int | None, str, float | None, float]]:
    """Rows (heuristic, layer, metric, k, value) of one prompt: per layer, then its summaries, and the chance levels.

    Args:
        scores: per heuristic (layers, tokens), the tokens of the universe.
        truth: what they are held against, over the same tokens.
        layers: numbers of the layers.
        metrics: by name.
        percents: of the universe, for the metrics that take a k.
    """
    rankings = {name: Ranking(rows) for name, rows in scores.items()}
    for metric, each in metrics.items():
        if not each.applies(truth):
            continue
        for percent in percents if each.at_k else [None]:
            k = None if percent is None else tokens_kept(percent, truth.oracle.tokens)
            yield None, None, metric, percent, each.by_chance(truth, k)
            for name, ranking in rankings.items():
                values = each.values(ranking, truth, k)
                for layer, value in zip(layers, values.tolist(), strict=True):
                    yield name, layer, metric, percent, value
                for statistic, value in over_layers(values, layers).items():
                    yield name, None, f"{metric}.{statistic}", percent, value


def evaluate(experiment: Experiment, folder: Path) -> int:
    """Runs all prompts and fills the run folder (see results/README.md).

    A prompt that fails is recorded with its reason and the run goes on.

    Returns:
        How many prompts failed.
    """
    config = experiment.config
    remove_earlier_run(folder)
    write_text(folder / "config.yaml", resolved(config))
    write_json(folder / "environment.json", environment(str(experiment.model.device), config.seed))
    samples: list[dict[str, Any]] = []
    rows: list[tuple[Any, ...]] = []
    total = sum(len(prompt.input_ids) for prompt in experiment.prompts)
    with tqdm(total=total, unit=" tokens", unit_scale=True, smoothing=0.1, dynamic_ncols=True) as bar:
        for number, prompt in enumerate(experiment.prompts, start=1):
            bar.set_description(f"{number - 1} of {len(experiment.prompts)} prompts")
            sample, measured = _one(experiment, prompt, folder)
            samples.append(sample)
            rows += [(config.model.name, prompt.task, prompt.id, *row) for row in measured]
            bar.update(len(prompt.input_ids))
        bar.set_description(f"{len(samples)} of {len(samples)} prompts")
    table = pd.DataFrame(rows, columns=list(METRIC_COLUMNS)).astype(METRIC_COLUMNS)
    write_table(folder / "samples.parquet", pd.DataFrame(samples))
    write_table(folder / "metrics.parquet", table)
    draw_all(table, folder / "plots", config.plots.k)
    failed = sum(sample["status"] == "failed" for sample in samples)
    print(summary(table, config.plots.k))
    print(f"{len(samples) - failed} prompts ranked, {failed} failed; tables in {folder}, plots in {folder / 'plots'}")
    return failed


def _one(experiment: Experiment, prompt: Prompt, folder: Path) -> tuple[dict[str, Any], list[tuple[Any, ...]]]:
    """One prompt: its row of samples.parquet and its rows of metrics.parquet (none if it failed)."""
    needle = prompt.needle
    sample: dict[str, Any] = {
        "id": prompt.id,
        "task": prompt.task,
        "tokens": len(prompt.input_ids),
        "cut_tokens": prompt.cut_tokens,
        "needle_start": None if needle is None else needle.start,
        "needle_tokens": None if needle is None else len(needle),
    }
    outcome: dict[str, Any] = dict.fromkeys(
        ("answer_tokens", "answer", "score", "prefill_seconds", "decode_seconds", "oracle_seconds", "metrics_seconds")
    )
    try:
        ranked = rank(
            experiment.model, prompt, experiment.heuristics, experiment.oracle, experiment.reference_answer(prompt)
        )
        started = time.perf_counter()
        universe = slice(len(prompt.input_ids) - experiment.config.universe.window)
        oracle = Ranking(ranked.oracle.view(-1, len(prompt.input_ids))[:, universe])
        scores = {name: rows[:, universe] for name, rows in ranked.scores.items()}
        measured = list(
            measure(scores, Truth(oracle, needle), ranked.layers, experiment.metrics, list(experiment.config.k))
        )
        metrics_seconds = time.perf_counter() - started
        if experiment.config.save_rankings:
            write_tensors(folder / "rankings" / f"{prompt.id}.safetensors", as_tensors(prompt, ranked))
        answer = experiment.tokenizer.decode(ranked.reading.answer_ids, skip_special_tokens=True)
        outcome |= {
            "answer_tokens": len(ranked.reading.answer_ids),
            "answer": answer,
            "score": experiment.task.score(prompt, str(answer)) if experiment.oracle.answer == "generated" else None,
            "prefill_seconds": ranked.reading.prefill_seconds,
            "decode_seconds": ranked.reading.decode_seconds,
            "oracle_seconds": ranked.oracle_seconds,
            "metrics_seconds": metrics_seconds,
        }
    except Exception as error:  # whatever it was: it is recorded, and the other prompts are still worth their run
        reason = f"{type(error).__name__}: {error}"
        tqdm.write(f"prompt {prompt.id} failed: {reason}")
        return sample | outcome | {"status": "failed", "error": reason}, []
    return sample | outcome | {"status": "ok", "error": None}, measured


def as_tensors(prompt: Prompt, ranked: Ranked) -> dict[str, Tensor]:
    """What ``save_rankings`` saves of a prompt."""
    return {
        "input_ids": torch.tensor(prompt.input_ids),
        "answer_ids": ranked.reading.answer_ids,
        "oracle": ranked.oracle,
    } | {f"heuristic.{name}": rows for name, rows in ranked.scores.items()}


def remove_earlier_run(folder: Path) -> None:
    """Removes the files of an earlier run from the folder, so that a folder never holds parts of two."""
    for pattern in (
        "config.yaml", "environment.json", "metrics.parquet", "samples.parquet", "rankings/*.safetensors", "plots/*.png", "plots/*.pdf",
    ):  # fmt: skip
        for file in folder.glob(pattern):
            file.unlink()
