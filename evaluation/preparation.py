"""From a config to everything that a run needs; whatever is wrong with the input is found here, before anything is written."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.capture.attention import watch
from tokenrank.capture.inspection import model_layers
from tokenrank.capture.model_layers import ModelLayers
from tokenrank.evaluation.building import build, build_all, naming
from tokenrank.evaluation.layers import layer_note
from tokenrank.evaluation.studying import side_by_side
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.metrics.metric import Metric, tokens_kept
from tokenrank.models.pretrained import Pretrained
from tokenrank.oracle.answer_informed import AnswerInformedOracle
from tokenrank.tasks.task import Prompt, Task

OURS = Path(__file__).parent.parent / "configs" / "heuristic"


@dataclass(frozen=True)
class Experiment:
    """One run, checked and loaded."""

    config: DictConfig
    model_name: str
    model: PreTrainedModel
    tokenizer: Tokenizer
    task: Task
    prompts: list[Prompt]
    heuristics: Mapping[str, Heuristic]
    oracle: AnswerInformedOracle
    metrics: Mapping[str, Metric]
    layers: ModelLayers

    def reference_answer(self, prompt: Prompt) -> list[int] | None:
        """The first ``max_new_tokens`` tokens of the first reference answer where the oracle asks for it, else None."""
        if self.oracle.answer == "generated":
            return None
        ids: list[int] = self.tokenizer(prompt.answers[0], add_special_tokens=False)["input_ids"]
        return ids[: prompt.max_new_tokens]


def prepare(config: DictConfig) -> Experiment:
    """Builds and checks everything, the model last; says on stderr which layers are ranked where that is not all of them.

    Raises:
        ValueError: with one sentence that says what is wrong, its value and what is allowed.
    """
    check_settings(config)
    config = side_by_side(of_the_chosen(config))
    heuristics: dict[str, Heuristic] = build_all(config, "heuristic")
    metrics: dict[str, Metric] = build_all(config, "metric")
    oracle: AnswerInformedOracle = build(config.oracle, "oracle")
    source: Pretrained = build(config.model, "model")
    task: Task = build(config.task, "task")
    tokenizer = source.tokenizer()
    for name, each in heuristics.items():
        with naming(f"heuristic.{name}"):
            each.check(tokenizer, oracle.answer)
    prompts = task.prompts(tokenizer, source.max_tokens())
    windows = {f"universe.window={config.universe.window}": config.universe.window}
    windows |= {f"heuristic.{name}.window={each.window}": each.window for name, each in heuristics.items()}
    for prompt in prompts:
        _check_prompt(prompt, windows, config.universe.window)
        if oracle.answer == "reference" and not any(prompt.answers[:1]):
            raise ValueError(
                f"oracle.answer=reference needs a reference answer, and prompt {prompt.id} of {prompt.task} has none"
            )
    model = source.model()
    watch(model)
    layers = model_layers(model)
    for name, each in heuristics.items():
        with naming(f"heuristic.{name}"):
            each.attach(model)
    if note := layer_note(layers):
        print(note, file=sys.stderr)
    return Experiment(config, source.label, model, tokenizer, task, prompts, heuristics, oracle, metrics, layers)


def check_settings(config: DictConfig) -> None:
    """Raises ValueError unless the settings that belong to no part of the run are in range."""
    if not OmegaConf.is_list(config.k) or not config.k:
        raise ValueError(f"k is {config.k!r}, must be a list of percentages, as in k=[5,10]")
    if len(set(config.k)) < len(config.k):
        raise ValueError(f"k holds a value twice: {list(config.k)}")
    for name, percent in [*(("k", each) for each in config.k), ("plots.k", config.plots.k)]:
        if type(percent) not in (int, float):
            raise ValueError(f"{name} is {percent!r}, must be a number above 0 and at most 100 percent")
        tokens_kept(percent, 1)
    whole = (("universe.window", config.universe.window, 0), ("seed", config.seed, 0))
    for name, value, least in (*whole, ("bootstrap.resamples", config.bootstrap.resamples, 1)):
        if type(value) is not int or value < least:
            raise ValueError(f"{name} is {value!r}, must be a whole number, at least {least}")
    if config.plots.k not in config.k:
        raise ValueError(f"plots.k is {config.plots.k}, must be one of k={list(config.k)}")


def of_the_chosen(config: DictConfig) -> DictConfig:
    """A copy without the settings that an experiment holds for heuristics of ours that were not chosen."""
    copy = config.copy()
    OmegaConf.set_struct(copy, False)
    nodes = (config.get("heuristic") or {}).items()
    copy.heuristic = {name: node for name, node in nodes if "_target_" in node or not (OURS / f"{name}.yaml").is_file()}
    return copy


def _check_prompt(prompt: Prompt, windows: Mapping[str, int], unranked: int) -> None:
    tokens = len(prompt.input_ids)
    if tokens == 0:
        raise ValueError(f"prompt {prompt.id} of {prompt.task} is empty, at least one token is needed")
    for setting, window in windows.items():
        if tokens <= window:
            raise ValueError(
                f"{setting} is not below the {tokens} tokens of prompt {prompt.id} of {prompt.task}: "
                "set it lower, or leave the heuristic or the prompt out"
            )
    if prompt.needle is not None and prompt.needle.stop > tokens - unranked:
        raise ValueError(f"universe.window={unranked} reaches into the needle of prompt {prompt.id} of {prompt.task}")
    if prompt.max_new_tokens < 1:
        raise ValueError(
            f"max_new_tokens of prompt {prompt.id} of {prompt.task} is {prompt.max_new_tokens}, must be at least 1"
        )
