"""From a config to everything that a run needs; whatever is wrong with the input is found here, before anything is written."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.capture.attention import watch
from tokenrank.capture.model_layers import ModelLayers
from tokenrank.capture.reading import LayerFacts, attention_layers
from tokenrank.evaluation.building import build, build_all, naming
from tokenrank.evaluation.layers import layer_note
from tokenrank.evaluation.studying import side_by_side
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.metrics.metric import Metric, tokens_kept
from tokenrank.models.pretrained import Pretrained
from tokenrank.oracle.bound import Bound
from tokenrank.oracle.oracle import Oracle
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
    heuristics: Mapping[str, Heuristic | Bound]
    oracle: Oracle
    metrics: Mapping[str, Metric]
    layers: list[LayerFacts]  # those that are ranked

    def reference_answer(self, prompt: Prompt) -> list[int] | None:
        """The first ``max_new_tokens`` tokens of the first reference answer with answer=reference, else None."""
        if self.config.answer == "generated":
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
    chosen: dict[str, Heuristic | Bound] = build_all(config, "heuristic")
    heuristics = {name: each for name, each in chosen.items() if not isinstance(each, Bound)}
    metrics: dict[str, Metric] = build_all(config, "metric")
    oracles: dict[str, Oracle] = build_all(config, "oracle")
    if len(oracles) != 1:
        raise ValueError(f"oracle chooses {', '.join(oracles)}: must be one")
    (oracle,) = oracles.values()
    source: Pretrained = build(config.model, "model")
    task: Task = build(config.task, "task")
    tokenizer = source.tokenizer()
    for name, each in heuristics.items():
        with naming(f"heuristic.{name}"):
            each.check(tokenizer, config.answer)
    prompts = task.prompts(tokenizer, source.max_tokens())
    windows = {f"universe.window={config.universe.window}": config.universe.window}
    windows |= {f"heuristic.{name}.window={each.needs.window}": each.needs.window for name, each in heuristics.items()}
    for prompt in prompts:
        _check_prompt(prompt, windows, config.universe.window)
        for name, each in heuristics.items():
            if len(prompt.input_ids) < each.least_tokens():
                raise ValueError(
                    f"heuristic.{name} needs at least {each.least_tokens()} tokens, "
                    f"prompt {prompt.id} of {prompt.task} has {len(prompt.input_ids)}"
                )
        if config.answer == "reference" and not any(prompt.answers[:1]):
            raise ValueError(
                f"answer=reference needs a reference answer, and prompt {prompt.id} of {prompt.task} has none"
            )
    model = source.model()
    watch(model)
    layers = attention_layers(model)
    total = model.config.get_text_config(decoder=True).num_hidden_layers
    known = ModelLayers(total, tuple(layer.index for layer in layers))
    for name, each in heuristics.items():
        with naming(f"heuristic.{name}"):
            each.check_layers(known)
            each.attach(model)
    if note := layer_note(layers, model):
        print(note, file=sys.stderr)
    return Experiment(config, source.label, model, tokenizer, task, prompts, chosen, oracle, metrics, layers)


def check_settings(config: DictConfig) -> None:
    """Raises ValueError unless the settings that belong to no part of the run are in range."""
    if config.answer not in ("generated", "reference"):
        raise ValueError(f"answer is {config.answer!r}, must be one of generated, reference")
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
