"""tokenrank in a notebook: rank prompts with heuristics of one's own, answer after pruned prefill, load a run; no Hydra."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.capture.decoding import Decoding
from tokenrank.evaluation.plan import GENERATED, REFERENCE
from tokenrank.evaluation.rows_by_truth import measured_rows
from tokenrank.evaluation.scoring import rank as rank_prompt
from tokenrank.evaluation.setting_checks import check_percentages, check_whole
from tokenrank.evaluation.universe import PROMPT, Universe
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.library_inputs import (
    answers_of,
    check_length,
    check_readable,
    default_engine,
    layers_of,
    metric_named,
    name_of,
    named_oracles,
    prepare,
    prompts_of,
    several,
)
from tokenrank.metrics.metric import tokens_kept
from tokenrank.oracle.bound import Bound
from tokenrank.oracle.oracle import Oracle
from tokenrank.planning.building import naming
from tokenrank.prefill.engine import Engine, Full, Job
from tokenrank.records.run_folder import RunFolder
from tokenrank.records.schema import MEASURED, METRICS, table
from tokenrank.records.tables import Tables
from tokenrank.tasks.task import Prompt


@dataclass(frozen=True)
class EngineAnswer:
    """An answer generated after an engine's prefill."""

    text: str
    token_ids: tuple[int, ...]  # the end-of-sequence token included, where it was generated
    kept: tuple[int, ...]  # places in the prompt of the tokens that every layer has processed, ascending


def rank(
    model: PreTrainedModel,
    tokenizer: Tokenizer,
    prompts: str | Prompt | Sequence[str | Prompt],
    heuristics: Mapping[str, Heuristic | Bound],
    oracle: Oracle | Mapping[str, Oracle] | None = None,
    *,
    answers: str | Sequence[str] | None = None,
    chat_template: bool = False,
    template: Mapping[str, Any] | None = None,
    max_new_tokens: int = 64,
    metrics: str | Sequence[str] = ("recall", "spearman"),
    k: Sequence[float] = (5, 10, 20, 40),
    window: int = 8,
    universe: str = PROMPT,
    max_tokens: int | None = None,
) -> pd.DataFrame:
    """Compares the rankings of heuristics with the oracle's, layer by layer; one generation per prompt serves all of them.

    The numbers are those of the command with the same settings.

    Args:
        model: a decoder of transformers.
        tokenizer: the model's.
        prompts: one or several: texts, or prompts of a task.
        heuristics: by name, as in ``{"claa": CLAA(), "mine": Mine()}``; a ``Bound()`` is the oracle's own ranking.
        oracle: gives the truth, or several by name, the first of which is that of a ``Bound()``; None: ``AttentionOracle()``.
        answers: texts, one per prompt, used instead of answers that the model generates.
        chat_template: texts are messages of a user, to which the model's chat template is applied; otherwise they are final.
        template: arguments of the chat template, as ``{"enable_thinking": False}``.
        max_new_tokens: of the answer to a text; a prompt of a task has its own.
        metrics: names of files in configs/metric.
        k: percent of the ranked tokens, for the metrics that take a k.
        window: tokens at the prompt's end that are not ranked.
        universe: what is ranked: ``prompt``, or ``context``, which only prompts of a task have.
        max_tokens: the model reads, prompt and answer together; None: what its config says.

    Returns:
        The columns of metrics.parquet: one row per prompt, heuristic, layer, metric and k; rows without a heuristic are the chance
        level, NaN where it is not known. A text's ``sample`` is ``prompt_0``, ``prompt_1``, ...

    Raises:
        ValueError: with one sentence that says what is wrong, its value and what is allowed.
    """
    if not isinstance(heuristics, Mapping) or not heuristics:
        raise ValueError(f"heuristics is {heuristics!r}, must be a mapping with at least one, as in {{'claa': CLAA()}}")
    check_percentages("k", list(k))
    check_whole("window", window, 0)
    over = Universe(universe, window)
    asked = prompts_of(tokenizer, prompts, max_new_tokens, chat_template=chat_template, template=template)
    fed = answers_of(tokenizer, asked, answers)
    check_readable(model, asked, fed, max_tokens)
    formulas = {name: metric_named(name) for name in several(metrics)}
    layers = layers_of(model, asked)
    rankers = {name: each for name, each in heuristics.items() if not isinstance(each, Bound)}
    for name, heuristic in rankers.items():
        with naming(f"heuristic {name}"):
            prepare(heuristic, model, tokenizer, layers, asked, GENERATED if answers is None else REFERENCE)
    for prompt in asked:
        check_length(prompt, window + 1, f"window={window}")
    places = [over.places(prompt) for prompt in asked]
    oracles = named_oracles(oracle)
    signed = [name for name, each in oracles.items() if each.signed]
    rows: list[dict[str, Any]] = []
    for prompt, given, own in zip(asked, fed, places, strict=True):
        ranked = rank_prompt(model, prompt, rankers, oracles, given, tokenizer=tokenizer).with_bound(list(heuristics))
        whose = {"model": name_of(model), "task": prompt.task, "sample": prompt.id}
        rows += [whose | row for row in measured_rows(ranked, prompt, formulas, list(k), own, layers.windowed, signed)]
    measured = table(rows, MEASURED)
    return measured.loc[measured["other_layer"].isna(), list(METRICS)].reset_index(drop=True)


def answer(
    model: PreTrainedModel,
    tokenizer: Tokenizer,
    prompt: str | Prompt,
    heuristic: Heuristic | None = None,
    *,
    keep: float = 20,
    engine: Engine | None = None,
    chat_template: bool = False,
    template: Mapping[str, Any] | None = None,
    max_new_tokens: int = 64,
    max_tokens: int | None = None,
) -> EngineAnswer:
    """Answers a prompt after pruned prefill.

    Args:
        model: a decoder of transformers.
        tokenizer: the model's.
        prompt: a text, or a prompt of a task.
        heuristic: ranks the tokens; None: full prefill.
        keep: percent of the prompt's tokens that are kept.
        engine: how the kept tokens are run; None: the heuristic's own in configs/prefill/default.yaml, as the command uses.
        chat_template: the text is a message of a user, to which the model's chat template is applied; otherwise it is final.
        template: arguments of the chat template, as ``{"enable_thinking": False}``.
        max_new_tokens: of the answer to a text; a prompt of a task has its own.
        max_tokens: the model reads, prompt and answer together; None: what its config says.

    Raises:
        ValueError: with one sentence, for example where the heuristic cannot rank for the engine, or ``keep`` leaves nothing but
            the engine's window.
    """
    if not 0 < keep <= 100:
        raise ValueError(f"keep is {keep:g}, must be above 0 and at most 100 percent")
    (asked,) = prompts_of(tokenizer, prompt, max_new_tokens, chat_template=chat_template, template=template)
    check_readable(model, [asked], [None], max_tokens)
    layers, tokens = layers_of(model, [asked]), len(asked.input_ids)
    if heuristic is None:
        if engine is not None and not isinstance(engine, Full):
            raise ValueError(f"heuristic is None, and the engine {engine.kind} needs one")
        chosen: Engine = engine or Full()
        kept = tokens
    else:
        prepare(heuristic, model, tokenizer, layers, [asked], GENERATED)
        chosen = (engine or default_engine(heuristic)).resolved(heuristic, layers)
        kept = tokens_kept(keep, tokens)
    if kept <= chosen.window:
        raise ValueError(
            f"keep is {keep:g}, which leaves {kept} of {tokens} tokens, must leave more than the engine's window of {chosen.window}"
        )
    ids = torch.tensor(asked.input_ids)
    decoding = Decoding.of(model, ends=asked.stop_ids, not_first=asked.not_first_ids)
    done = chosen.prefill(Job(model, heuristic, ids, kept, asked.max_new_tokens, decoding=decoding))
    found = done.answer(asked.max_new_tokens)
    return EngineAnswer(str(tokenizer.decode(found, skip_special_tokens=True)), tuple(found), tuple(done.kept.tolist()))


def load(folder: str | os.PathLike[str]) -> Tables:
    """The tables of a run folder: ``load("results/...").metrics``, ``.summary``, ``.samples`` and ``.runs``.

    Raises:
        ValueError: it is no run folder of this version, or its tables were not made yet.
    """
    found = RunFolder(Path(folder).expanduser())
    found.environment()
    return found.tables()
