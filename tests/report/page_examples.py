"""Run folders with levels of tokens, whose numbers are worked out here from the scores, slowly."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.report.contestant_examples import Row, as_tables, value_row, whose
from tests.report.ranking_examples import at_layer, of_prompt, of_prompts, ranked
from tests.report.run_folders import run_folder
from tokenrank.records.run_folder import RunFolder
from tokenrank.records.token_levels import OUTSIDE, TokenLevels, TruthLevels
from tokenrank.report.page import page
from tokenrank.report.rows.loaded_run import load_run

Array = np.ndarray[Any, Any]
K = (5.0, 10.0, 20.0, 40.0)
TOKENS, WINDOW, LAYERS = 64, 4, (0, 1, 2, 5)
HEURISTICS = ("claa", "gemfilter", "oracle")
PROMPTS = ("first one", "b", "c")
HOSTILE = (
    "<script>window.hacked = 1</script>", "</script><img src=x onerror='window.hacked=1'>", "<!--", "\u2028", "\n", "",
    "\ud83d", " word", "&lt;b&gt;", "  ", "\t", "{{DATA}}",
)  # fmt: skip


def write_page(folder: RunFolder, k: float | None = None) -> Path:
    """report.html of a folder."""
    return page.write_page(load_run(folder, k))


@dataclass(frozen=True)
class Scores:
    """Of one prompt: the truth (tokens,), and of each heuristic (layers, tokens); higher is better."""

    truth: Array
    rankings: dict[str, Array]


def scores_of(number: int, tokens: int = TOKENS) -> Scores:
    """Random scores of a prompt; the oracle's are the truth at every layer."""
    random = np.random.default_rng(number)
    truth = random.random(tokens).astype(np.float32)
    own = {name: random.random((len(LAYERS), tokens)) for name in HEURISTICS if name != "oracle"}
    return Scores(truth, own | {"oracle": np.tile(truth, (len(LAYERS), 1))})


def best(scores: Array, k: float) -> set[int]:
    """The best k percent of the ranked tokens of one row, by sorting."""
    ranked = list(enumerate(scores[: len(scores) - WINDOW].tolist()))
    count = max(1, round(k / 100 * len(ranked)))
    return {token for token, _ in sorted(ranked, key=lambda each: -each[1])[:count]}


def levels_of(rows: Array) -> Array:
    """Levels, by counting the k whose best tokens hold a token."""
    found = np.full(rows.shape, OUTSIDE, np.uint8)
    for row, scores in enumerate(rows):
        sets = [best(scores, k) for k in K]
        for token in range(rows.shape[1] - WINDOW):
            found[row, token] = sum(token in each for each in sets)
    return found


def recall(scores: Scores, name: str, row: int, k: float) -> float:
    """Share of the truth's best tokens among the ranking's."""
    wanted = best(scores.truth, k)
    return len(wanted & best(scores.rankings[name][row], k)) / len(wanted)


def token_levels(scores: Scores, texts: Sequence[str] | None, *, rankings: bool = True) -> TokenLevels:
    """What a run writes of a prompt."""
    own = {name: levels_of(rows) for name, rows in scores.rankings.items()} if rankings else {}
    truth = scores.truth[None]
    return TokenLevels(K, LAYERS, truth, levels_of(truth), own, None if texts is None else tuple(texts))


def texts_of(tokens: int = TOKENS) -> list[str]:
    """Hostile tokens first, then ordinary ones."""
    return [*HOSTILE, *(f" t{token}" for token in range(len(HOSTILE), tokens))]


def ranking_run(path: Path, *, levels: bool = True, texts: bool = True) -> RunFolder:
    """A run of evaluation=ranking over three prompts, with needles."""
    metrics: list[Row] = []
    summary: list[Row] = []
    for k in K:
        metrics += [at_layer(prompt, None, None, "recall", k, k / 100) for prompt in PROMPTS]
        for name in HEURISTICS:
            table = np.array([[recall(scores_of(n), name, row, k) for row in range(len(LAYERS))] for n in range(3)])
            for n, prompt in enumerate(PROMPTS):
                metrics += [
                    at_layer(prompt, name, layer, "recall", k, v) for layer, v in zip(LAYERS, table[n], strict=True)
                ]
                summary += [
                    of_prompt(prompt, name, "recall", "mean", k, table[n].mean()),
                    of_prompt(prompt, name, "recall", "worst", k, table[n].min()),
                ]
            for statistic, value in (
                ("mean", table.mean()),
                ("worst", table.min(axis=1).mean()),
                ("std", table.std(axis=1).mean()),
            ):
                ends = {"low": value - 0.0123, "high": value + 0.0321} if statistic != "std" else {}
                summary.append(of_prompts(name, "recall", statistic, k, value, prompts=3, **ends))
    samples = [
        {"id": name, "task": "niah", "tokens": TOKENS, "needle_start": 20, "needle_tokens": 5, "context_start": 10,
         "context_tokens": 40, "question_start": 50, "question_tokens": 6, "depth": 50.0, "accuracy": 1.0, "status": "ok"}
        | ({"prompt": "the text", "answer": f"answer {HOSTILE[0]}", "references": ["right"]} if texts else {})
        for name in PROMPTS
    ]  # fmt: skip
    folder = run_folder(path, ranked(metrics, summary, samples), environment={"units": list(PROMPTS)})
    for number, prompt in enumerate(PROMPTS if levels else ()):
        folder.write_levels(prompt, token_levels(scores_of(number), texts_of() if texts else None))
    return folder


EVIDENCE = ([5, 8], [20, 25])  # spans of tokens, of ``two_truths_run``


def ablation_of(number: int) -> Array:
    """A truth of a prompt with values below 0, (tokens,)."""
    found: Array = scores_of(number + 50).truth - np.float32(0.5)
    return found


def two_truths_run(path: Path, shown: str) -> RunFolder:
    """As ``ranking_run``, of a run with two truths and two spans of evidence; ``shown`` is its ``plots.truth``."""
    folder = ranking_run(path)
    config = f"oracle:\n  attention: {{}}\n  ablation: {{_target_: own.Ablation}}\nplots: {{k: 10, truth: {shown}}}\nstudy: null\n"
    folder.config.write_text(config, encoding="utf-8")
    for number, prompt in enumerate(PROMPTS):
        other = ablation_of(number)[None]
        levels = token_levels(scores_of(number), texts_of())
        folder.write_levels(prompt, replace(levels, others={"ablation": TruthLevels(other, levels_of(other))}))
    tables = folder.tables()
    evidence = pd.Series([[list(span) for span in EVIDENCE]] * len(PROMPTS), dtype=object)
    folder.write_tables(replace(tables, samples=tables.samples.assign(evidence=evidence)))
    return folder


CONTESTANTS = ("full", "claa", "gemfilter", "oracle@claa", "random@claa")
KEEP = (10.0, 20.0)


def kept_of(number: int, name: str, keep: float) -> list[int]:
    """Positions that a contestant keeps: some at random, and the last ``WINDOW``."""
    random = np.random.default_rng([number, CONTESTANTS.index(name), int(keep)])
    chosen = random.choice(TOKENS - WINDOW, int(keep / 100 * TOKENS), replace=False)
    return sorted({*chosen.tolist(), *range(TOKENS - WINDOW, TOKENS)})


def measured(number: int, name: str, keep: float) -> dict[str, float]:
    """Accuracy and costs of a contestant on a prompt."""
    if name == "full":
        return {"accuracy": 1.0, "loss": 0.0, "flops_ratio": 1.0, "kv_ratio": 1.0}
    off = CONTESTANTS.index(name) / 10 + number / 30
    return {
        "accuracy": off,
        "loss": 1.5 - off + keep / 100,
        "flops_ratio": keep / 100 + off / 10,
        "kv_ratio": keep / 100,
    }


def accuracy_run(path: Path) -> RunFolder:
    """A run of evaluation=accuracy over three prompts."""
    metrics: list[Row] = []
    summary: list[Row] = []
    runs: list[Row] = []
    for name in CONTESTANTS:
        for keep in KEEP[:1] if name == "full" else KEEP:
            own, each = whose(name, keep), [measured(n, name, keep) for n in range(3)]
            for n, prompt in enumerate(PROMPTS):
                metrics += [value_row("niah", prompt, name, metric, keep, value) for metric, value in each[n].items()]
                kept = None if name == "full" else kept_of(n, name, keep)
                runs.append(own | {"task": "niah", "sample": prompt, "kept": kept, "status": "ok", "answer_tokens": 3,
                                   "answer": f"{name} {keep:g} says <b>", "accuracy": each[n]["accuracy"], "protect": "window"})  # fmt: skip
            for metric in each[0]:
                mean = float(np.mean([values[metric] for values in each]))
                ends = {"low": mean - 0.05, "high": mean + 0.07, "prompts": 3}
                summary.append(own | {"metric": metric, "statistic": "mean", "value": mean} | ends)
                if name in ("claa", "gemfilter") and metric == "accuracy":
                    summary.append(
                        own | {"metric": metric, "statistic": "gap_closed", "value": 0.4, "low": 0.1, "high": 0.9}
                    )
    samples = [
        {
            "id": name,
            "task": "niah",
            "tokens": TOKENS,
            "needle_start": 20,
            "needle_tokens": 5,
            "status": "ok",
            "answer": "yes",
        }
        for name in PROMPTS
    ]
    folder = run_folder(path, as_tables(metrics, summary, samples, runs), environment={"units": list(PROMPTS)})
    for number, prompt in enumerate(PROMPTS):
        folder.write_levels(prompt, token_levels(scores_of(number), texts_of(), rankings=False))
    return folder
