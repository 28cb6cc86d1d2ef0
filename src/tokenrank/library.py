"""tokenrank in a notebook: rank prompts with heuristics of one's own, answer after pruned prefill, load a run; no Hydra."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from omegaconf import OmegaConf
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.capture.attention import watch
from tokenrank.capture.inspection import model_layers
from tokenrank.capture.model_layers import ModelLayers
from tokenrank.evaluation.checks import check_percentages, check_whole
from tokenrank.evaluation.measuring import measured_rows
from tokenrank.evaluation.plan import GENERATED, REFERENCE
from tokenrank.evaluation.scoring import rank as rank_prompt
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.metrics.metric import Metric, tokens_kept
from tokenrank.oracle.attention import AttentionOracle
from tokenrank.oracle.bound import Bound
from tokenrank.oracle.oracle import Answer, Oracle
from tokenrank.planning.building import build, naming
from tokenrank.prefill.engine import Engine, Full, Job
from tokenrank.records.run_folder import RunFolder, Tables
from tokenrank.records.schema import MEASURED, METRICS, table
from tokenrank.tasks.task import Prompt, check_ids
from tokenrank.tasks.tokens import encode, final_text, tokens_of

CONFIGS = Path(__file__).parent / "configs"


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
    oracle: Oracle | None = None,
    *,
    answers: str | Sequence[str] | None = None,
    chat_template: bool = False,
    max_new_tokens: int = 64,
    metrics: str | Sequence[str] = ("recall", "spearman"),
    k: Sequence[float] = (5, 10, 20, 40),
    window: int = 8,
) -> pd.DataFrame:
    """Compares the rankings of heuristics with the oracle's, layer by layer; one generation per prompt serves all of them.

    The numbers are those of the command with the same settings.

    Args:
        model: a decoder of transformers.
        tokenizer: the model's.
        prompts: one or several: texts, or prompts of a task.
        heuristics: by name, as in ``{"claa": CLAA(), "mine": Mine()}``; a ``Bound()`` is the oracle's own ranking.
        oracle: gives the truth; None: ``AttentionOracle()``.
        answers: texts, one per prompt, used instead of answers that the model generates.
        chat_template: texts are messages of a user, to which the model's chat template is applied; otherwise they are final.
        max_new_tokens: of the answer to a text; a prompt of a task has its own.
        metrics: names of files in configs/metric.
        k: percent of the ranked tokens, for the metrics that take a k.
        window: tokens at the prompt's end that are not ranked.

    Returns:
        The columns of metrics.parquet: one row per prompt, heuristic, layer, metric and k; rows without a heuristic are the chance
        level. A text's ``sample`` is ``prompt_0``, ``prompt_1``, ...

    Raises:
        ValueError: with one sentence that says what is wrong, its value and what is allowed.
    """
    if not isinstance(heuristics, Mapping) or not heuristics:
        raise ValueError(f"heuristics is {heuristics!r}, must be a mapping with at least one, as in {{'claa': CLAA()}}")
    check_percentages("k", list(k))
    check_whole("window", window, 0)
    asked = _prompts(tokenizer, prompts, max_new_tokens, chat_template=chat_template)
    fed = _answers(tokenizer, asked, answers)
    formulas = {name: _metric(name) for name in _several(metrics)}
    layers = _layers(model)
    rankers = {name: each for name, each in heuristics.items() if not isinstance(each, Bound)}
    for name, heuristic in rankers.items():
        with naming(f"heuristic {name}"):
            _prepare(heuristic, model, tokenizer, layers, asked, GENERATED if answers is None else REFERENCE)
    for prompt in asked:
        _check_length(prompt, window + 1, f"window={window}")
    rows: list[dict[str, Any]] = []
    for prompt, given in zip(asked, fed, strict=True):
        ranked = rank_prompt(model, prompt, rankers, oracle or AttentionOracle(), given).with_bound(list(heuristics))
        whose = {"model": _name(model), "task": prompt.task, "sample": prompt.id}
        rows += [whose | row for row in measured_rows(ranked, prompt, formulas, list(k), window, layers.windowed)]
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
    max_new_tokens: int = 64,
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
        max_new_tokens: of the answer to a text; a prompt of a task has its own.

    Raises:
        ValueError: with one sentence, for example where the heuristic cannot rank for the engine, or ``keep`` leaves nothing but
            the engine's window.
    """
    if not 0 < keep <= 100:
        raise ValueError(f"keep is {keep:g}, must be above 0 and at most 100 percent")
    (asked,) = _prompts(tokenizer, prompt, max_new_tokens, chat_template=chat_template)
    layers, tokens = _layers(model), len(asked.input_ids)
    if heuristic is None:
        if engine is not None and not isinstance(engine, Full):
            raise ValueError(f"heuristic is None, and the engine {engine.kind} needs one")
        chosen: Engine = engine or Full()
        kept = tokens
    else:
        _prepare(heuristic, model, tokenizer, layers, [asked], GENERATED)
        chosen = (engine or _own_engine(heuristic)).resolved(heuristic, layers)
        kept = tokens_kept(keep, tokens)
    if kept <= chosen.window:
        raise ValueError(
            f"keep is {keep:g}, which leaves {kept} of {tokens} tokens, must leave more than the engine's window of {chosen.window}"
        )
    ids = torch.tensor(asked.input_ids)
    done = chosen.prefill(Job(model, heuristic, ids, kept, asked.max_new_tokens))
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


def _several(names: str | Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _prompts(
    tokenizer: Tokenizer, prompts: str | Prompt | Sequence[str | Prompt], max_new_tokens: int, *, chat_template: bool
) -> list[Prompt]:
    """Texts as prompts, and those of a task as they are."""
    each = [prompts] if isinstance(prompts, str | Prompt) else list(prompts)
    if not each:
        raise ValueError("prompts is empty, must hold at least one")
    check_whole("max_new_tokens", max_new_tokens, 1)
    found = []
    for number, prompt in enumerate(each):
        if isinstance(prompt, Prompt):
            found.append(prompt)
            continue
        if not isinstance(prompt, str):
            raise ValueError(f"prompts holds {prompt!r}, must be texts or prompts of a task")
        ids = encode(tokenizer, final_text(tokenizer, prompt, as_chat=chat_template))
        found.append(Prompt(f"prompt_{number}", "prompts", tuple(ids), max_new_tokens))
    check_ids(found)
    for prompt in found:
        _check_length(prompt, 1, "a prompt")
    return found


def _answers(
    tokenizer: Tokenizer, prompts: Sequence[Prompt], answers: str | Sequence[str] | None
) -> Sequence[Answer | None]:
    """The first ``max_new_tokens`` tokens of the given answers, as ``answer=reference`` does; None where there are none."""
    if answers is None:
        return [None] * len(prompts)
    texts = _several(answers)
    if len(texts) != len(prompts):
        raise ValueError(f"answers holds {len(texts)}, must be one for each of the {len(prompts)} prompts")
    ids = [tuple(tokens_of(tokenizer, text)) for text in texts]
    if not all(ids):
        raise ValueError(f"the answer to {prompts[ids.index(())].id} is empty, must be a text of at least one token")
    return [Answer(each[: prompt.max_new_tokens], REFERENCE) for each, prompt in zip(ids, prompts, strict=True)]


def _layers(model: PreTrainedModel) -> ModelLayers:
    watch(model)
    return model_layers(model)


def _prepare(
    heuristic: Heuristic,
    model: PreTrainedModel,
    tokenizer: Tokenizer,
    layers: ModelLayers,
    prompts: Sequence[Prompt],
    origin: str,
) -> None:
    """Raises ValueError if the heuristic cannot rank these prompts of this model; sets it up for the model."""
    if not isinstance(heuristic, Heuristic):
        raise ValueError(f"{heuristic!r} is no heuristic, must be an instance of a subclass of Heuristic, as CLAA()")
    heuristic.check(tokenizer, origin)
    heuristic.check_layers(layers)
    for prompt in prompts:
        _check_length(prompt, heuristic.least_tokens(), type(heuristic).__name__)
    heuristic.attach(model)


def _own_engine(heuristic: Heuristic) -> Engine:
    """The engine that the command's default settings give a heuristic of ours, or any other."""
    config = OmegaConf.create({"prefill": OmegaConf.load(CONFIGS / "prefill" / "default.yaml")})
    name = type(heuristic).__module__.removeprefix("tokenrank.heuristics.")
    name = name if name in config.prefill.engine else "any"
    built: Engine = build(config.prefill.engine[name], f"prefill.engine.{name}", Engine)
    return built


def _metric(name: str) -> Metric:
    file = CONFIGS / "metric" / f"{name}.yaml"
    if not file.is_file() or name == "all":
        known = sorted(each.stem for each in file.parent.glob("*.yaml") if each.stem != "all")
        raise ValueError(f"metrics holds {name!r}, must be some of {', '.join(known)}")
    built: Metric = build(OmegaConf.select(OmegaConf.load(file), name), f"metric.{name}", Metric)
    return built


def _name(model: PreTrainedModel) -> str:
    """The last part of the path that the model was loaded from, else its class."""
    return Path(getattr(model, "name_or_path", "") or "").name or type(model).__name__


def _check_length(prompt: Prompt, least: int, whose: str) -> None:
    if len(prompt.input_ids) < least:
        raise ValueError(f"{prompt.id} has {len(prompt.input_ids)} tokens, and {whose} needs at least {least}")
