"""tokenrank in a notebook: rank prompts with heuristics of one's own, answer under an engine, load a run; no Hydra."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from omegaconf import OmegaConf
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.capture.attention import watch
from tokenrank.capture.inspection import model_layers
from tokenrank.evaluation.measuring import measured_rows
from tokenrank.evaluation.scoring import rank as rank_prompt
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.metrics.metric import Metric, tokens_kept
from tokenrank.oracle.attention import AttentionOracle
from tokenrank.oracle.oracle import Answer, Oracle
from tokenrank.planning.building import build
from tokenrank.prefill.engine import Engine, Full, Job
from tokenrank.prefill.layerwise import Layerwise
from tokenrank.records.run_folder import RunFolder, Tables
from tokenrank.records.schema import MEASURED, METRICS, table
from tokenrank.tasks.task import Prompt, check_ids
from tokenrank.tasks.tokens import encode

CONFIGS = Path(__file__).parent / "configs"


@dataclass(frozen=True)
class EngineAnswer:
    """An answer generated after an engine's prefill."""

    text: str
    token_ids: tuple[int, ...]  # the end-of-sequence token included, where it was generated
    kept: tuple[int, ...]  # positions in the prompt of the tokens that every layer has seen, ascending


def rank(
    model: PreTrainedModel,
    tokenizer: Tokenizer,
    prompts: Sequence[str | Prompt],
    heuristics: Mapping[str, Heuristic],
    oracle: Oracle | None = None,
    *,
    answers: Sequence[str] | None = None,
    max_new_tokens: int = 64,
    metrics: Sequence[str] = ("recall", "spearman"),
    k: Sequence[float] = (5, 10, 20, 40),
    window: int = 8,
) -> pd.DataFrame:
    """Compares the rankings of heuristics with the truth, layer by layer; one generation per prompt serves all.

    Args:
        model: a decoder of transformers.
        tokenizer: the model's.
        prompts: final texts, tokenised as they are (apply a chat template first), or prompts of a task.
        heuristics: by name; yours or tokenrank's.
        oracle: gives the truth; None: the answer-informed attention oracle.
        answers: given to the model in place of generated ones, one per prompt.
        max_new_tokens: of a generated answer to a text; a prompt of a task has its own.
        metrics: names of files in configs/metric.
        k: percent of the universe, for the metrics that take a k.
        window: tokens at the prompt's end that are not ranked.

    Returns:
        As metrics.parquet: a row a heuristic, layer, metric and k; rows without a heuristic are the chance level.

    Raises:
        ValueError: no prompt or heuristic, an unknown metric, a prompt too short for a heuristic or the window, scores of the
            wrong shape or not finite, or a model that cannot be captured.
    """
    if not prompts or not heuristics:
        raise ValueError(f"{len(prompts)} prompts and {len(heuristics)} heuristics: must be at least one each")
    if answers is not None and len(answers) != len(prompts):
        raise ValueError(f"{len(answers)} answers for {len(prompts)} prompts: must be as many")
    watch(model)
    layers = model_layers(model)
    asked = [_prompt(tokenizer, each, number, max_new_tokens) for number, each in enumerate(prompts)]
    check_ids(asked)
    formulas = {name: _metric(name) for name in metrics}
    for name, heuristic in heuristics.items():
        heuristic.check(tokenizer, "generated" if answers is None else "reference")
        heuristic.check_layers(layers)
        heuristic.attach(model)
        for prompt in asked:
            _check_length(prompt, name, heuristic.least_tokens())
    rows = []
    for number, prompt in enumerate(asked):
        _check_length(prompt, "the universe", window + 1)
        answer = (
            None
            if answers is None
            else Answer(tuple(tokenizer(answers[number], add_special_tokens=False)["input_ids"]), "reference")
        )
        ranked = rank_prompt(model, prompt, heuristics, oracle or AttentionOracle(), answer=answer)
        whose = {"model": type(model).__name__, "task": prompt.task, "sample": prompt.id}
        rows += [whose | row for row in measured_rows(ranked, prompt, formulas, list(k), window, layers.windowed)]
    measured = table(rows, MEASURED)
    return measured.loc[measured["other_layer"].isna(), list(METRICS)].reset_index(drop=True)


def answer(
    model: PreTrainedModel,
    tokenizer: Tokenizer,
    prompt: str,
    heuristic: Heuristic | None = None,
    *,
    keep: float = 20,
    engine: Engine | None = None,
    max_new_tokens: int = 64,
) -> EngineAnswer:
    """Answers a prompt after pruned prefill.

    Args:
        model: a decoder of transformers.
        tokenizer: the model's.
        prompt: a final text.
        heuristic: ranks the tokens; None: full prefill.
        keep: keep rate, percent of the prompt's tokens that stay.
        engine: how the kept tokens are run; None: ``Layerwise()`` with a heuristic, ``Full()`` without.
        max_new_tokens: of the answer.

    Raises:
        ValueError: the heuristic cannot rank for the engine, or ``keep`` leaves nothing beside the engine's window.
    """
    watch(model)
    ids = torch.tensor(encode(tokenizer, prompt))
    if heuristic is None:
        resolved: Engine = engine or Full()
    else:
        layers = model_layers(model)
        heuristic.check_layers(layers)
        heuristic.attach(model)
        resolved = (engine or Layerwise()).resolved(heuristic, layers)
    kept = len(ids) if heuristic is None else tokens_kept(keep, len(ids))
    done = resolved.prefill(Job(model, heuristic, ids, kept, max_new_tokens))
    found = done.answer(max_new_tokens)
    return EngineAnswer(str(tokenizer.decode(found, skip_special_tokens=True)), tuple(found), tuple(done.kept.tolist()))


def load(folder: str | os.PathLike[str]) -> Tables:
    """The tables of a run folder: ``load("results/...").metrics``.

    Raises:
        ValueError: it is no run folder of this version, or its tables were not made yet.
    """
    found = RunFolder(Path(folder).expanduser())
    found.environment()
    return found.tables()


def _prompt(tokenizer: Tokenizer, prompt: str | Prompt, number: int, max_new_tokens: int) -> Prompt:
    if not isinstance(prompt, str):
        return prompt
    return Prompt(f"prompt_{number}", "prompts", tuple(encode(tokenizer, prompt)), max_new_tokens)


def _metric(name: str) -> Metric:
    file = CONFIGS / "metric" / f"{name}.yaml"
    if not file.is_file() or name == "all":
        known = sorted(each.stem for each in file.parent.glob("*.yaml") if each.stem != "all")
        raise ValueError(f"there is no metric {name!r}; there are {', '.join(known)}")
    built: Metric = build(OmegaConf.select(OmegaConf.load(file), name), f"metric.{name}", Metric)
    return built


def _check_length(prompt: Prompt, whose: str, least: int) -> None:
    if len(prompt.input_ids) < least:
        raise ValueError(f"{prompt.id} has {len(prompt.input_ids)} tokens, and {whose} needs at least {least}")
