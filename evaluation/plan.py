"""The plan of a run: everything checked and built, without weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig
from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.capture.model_layers import ModelLayers
from tokenrank.evaluation.part_keys import PartKeys
from tokenrank.evaluation.shard import Shard
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.metrics.metric import Metric
from tokenrank.models.pretrained import Pretrained
from tokenrank.oracle.oracle import Answer, Oracle
from tokenrank.prefill.contestant import Contestant
from tokenrank.records.store import Storage
from tokenrank.tasks.task import Prompt, Task
from tokenrank.tasks.tokens import tokens_of

if TYPE_CHECKING:
    from tokenrank.evaluation.evaluation import Evaluation

GENERATED, REFERENCE, BROUGHT = "generated", "reference", "brought"  # where an answer comes from


@dataclass(frozen=True)
class Unit:
    """The smallest piece of work that is done or not done: one prompt with all its heuristics or contestants."""

    number: int  # place in the plan, from 0
    prompt: Prompt
    key: str  # SHA-256 of all that decides the result
    key_fields: Mapping[str, Any]  # the same, readable

    @property
    def name(self) -> str:
        """Name of the unit and of its record's file: the prompt's id."""
        return self.prompt.id


@dataclass(frozen=True)
class Plan:
    """The checked settings, the prompts, the contestants and the units of a run."""

    config: DictConfig  # resolved; what config.yaml will hold
    source: Pretrained  # of the model's weights
    tokenizer: Tokenizer
    layers: ModelLayers
    task: Task
    heuristics: Mapping[str, Heuristic]
    oracles: Mapping[str, Oracle]  # by name, in order
    answer: str  # generated, reference or brought
    given: Mapping[str, Answer]  # id of the prompt -> its answer; empty where answers are generated
    metrics: Mapping[str, Metric]
    evaluation: "Evaluation"
    contestants: tuple[Contestant, ...]  # of an evaluation that runs engines; the full prefill first
    units: tuple[Unit, ...]
    texts: bool  # records hold prompts, reference answers and answers
    parts: PartKeys  # keys of what is stored
    store: Storage  # of answers, truths, rankings and values; shared by runs
    store_rankings: bool  # scores are stored too
    shard: Shard  # the units that this command measures

    @property
    def model_name(self) -> str:
        """Name of the model in the tables."""
        return self.source.label

    @property
    def rankings(self) -> list[str]:
        """Names of all rankings in the order chosen, the bound among them."""
        return [str(name) for name in self.config.heuristic]

    @property
    def own_units(self) -> list[Unit]:
        """The units of the shard."""
        return [unit for unit in self.units if self.shard.holds(unit.number)]

    @property
    def prompts(self) -> list[Prompt]:
        """The prompts of all units."""
        return [unit.prompt for unit in self.units]

    def given_answer(self, prompt: Prompt) -> Answer | None:
        """The prompt's answer where it is known before the model is asked, at most ``max_new_tokens`` tokens; else None."""
        return self.given.get(prompt.id)


def reference_answer(tokenizer: Tokenizer, prompt: Prompt) -> Answer:
    """The first ``max_new_tokens`` tokens of a prompt's first reference answer."""
    return Answer(tuple(tokens_of(tokenizer, prompt.answers[0])[: prompt.max_new_tokens]), REFERENCE)
