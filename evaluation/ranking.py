"""Agreement of every ranking with the truth, layer by layer; one pass over each prompt serves all heuristics."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from tokenrank.capture.select_layer import resolve_select_layer
from tokenrank.evaluation.agnostic_checks import ranked_parts
from tokenrank.evaluation.answer_losses import Masks, chunks_masked, visible_under_masks
from tokenrank.evaluation.evaluation import Advance, Evaluation, Measurement
from tokenrank.evaluation.family import Family
from tokenrank.evaluation.layer_summary import LayerSummary
from tokenrank.evaluation.levels import levels_of
from tokenrank.evaluation.measuring import Hidden, MetricFailures, metrics_against
from tokenrank.evaluation.scoring import Ranked
from tokenrank.evaluation.setting_checks import check_percentages, check_whole
from tokenrank.evaluation.stored import stored_rank, stored_scores
from tokenrank.evaluation.stored_losses import Hides, StoredLosses
from tokenrank.evaluation.stored_values import stored_rows
from tokenrank.evaluation.summary_rows import Comparing
from tokenrank.evaluation.universe import PROMPT, Universe
from tokenrank.metrics.masked_answer import MaskedAnswer
from tokenrank.metrics.metric import LOSS, MASKS
from tokenrank.oracle.oracle import Answer, Truth
from tokenrank.records.digests import bits_digest
from tokenrank.records.run_files import CONTEXT_EFFECT
from tokenrank.records.schema import ORACLE, truth_name
from tokenrank.tasks.before_question import AWARE, check_prompts, ranked_part
from tokenrank.tasks.chunks import SENTENCE, check_chunk
from tokenrank.tasks.task import Prompt
from tokenrank.tasks.token_texts import token_texts

if TYPE_CHECKING:
    from tokenrank.evaluation.plan import Plan, Unit

METRIC = "recall"  # that heuristics are compared in, unless compare.metric names another
Lack = Callable[[Answer, bool], bool] | None
COMPARED = ("mean", "worst", "std")  # statistics over layers in which heuristics are compared with each other


@dataclass(frozen=True)
class RankingAgreement(Evaluation):
    """Every metric of every chosen heuristic at every layer."""

    k: list[float]  # percent of the universe, for the metrics that take a k
    truths: list[str] = field(default_factory=list)  # names of oracle=; comparisons are declared against the first
    universe: str = PROMPT  # what is ranked: the prompt, or its context alone
    window: int = 8  # last tokens of the prompt, or of what is before its question, that are not ranked
    prompts: str = AWARE  # aware: whole prompts are ranked; agnostic: their tokens up to the end of the context
    save_rankings: bool = False  # write the scores themselves
    save_levels: bool = True  # write the levels of the tokens in every ranking
    chunk: int | str = 64  # of the context, tokens or sentence, for metrics that hide chunks
    masks: dict[str, Any] = field(default_factory=dict)  # as Masks
    agreement: bool = False  # measure every ranking against every other heuristic's too, as against a truth
    loss_layers: list[int] | None = None  # at which rankings hide tokens; null: the select layer of pruned prefill
    seed: int = 0  # of random sign flips
    resamples: int = 10000  # random sign flips
    compare: dict[str, Any] = field(default_factory=dict)  # as Family

    kind: ClassVar[str] = "ranking"
    summary_settings: ClassVar[tuple[str, ...]] = ("seed", "resamples", "compare")

    def __post_init__(self) -> None:
        check_percentages("k", self.k)
        Universe(self.universe, self.window)  # raises for a setting out of range
        check_whole("seed", self.seed, 0)
        check_whole("bootstrap.resamples", self.resamples, 1)
        check_prompts(self.prompts)
        check_chunk(self.chunk)
        Masks(**self.masks)  # raises for a setting out of range

    def idle_settings(self, against: Collection[str]) -> Collection[str]:
        """Those of masks and of layers whose rankings hide tokens, where no metric asks for them, and those that stand for what is always so."""
        idle = {
            "chunk": MASKS not in against,
            "masks": MASKS not in against,
            "loss_layers": LOSS not in against,
            "agreement": not self.agreement,
            "truths": len(self.truths) < 2,  # their order; the names are in the keys of oracles
            "universe": self.universe == PROMPT,
            "prompts": self.prompts == AWARE,
        }
        return [name for name, each in idle.items() if each]

    def places(self, prompt: Prompt) -> range:
        """Positions of the prompt's ranked tokens; ValueError as ``Universe.places``."""
        universe, part = Universe(self.universe, self.window), ranked_part(prompt, self.prompts)
        if part is prompt:
            return universe.places(prompt)
        try:
            return universe.places(part)
        except ValueError as error:
            raise ValueError(f"prompts={self.prompts} ranks what is before the question: {error}") from error

    def check(self, plan: "Plan") -> None:
        """Raises ValueError for a comparison of what the run does not have, or a prompt that has no such universe."""
        first, *others = plan.oracles
        if self.agreement and (both := [name for name in plan.heuristics if name in plan.oracles]):
            raise ValueError(f"agreement=true, and {both[0]} is the name of a heuristic and of an oracle: rename one")
        of_first = metrics_against(plan.metrics, signed=plan.oracles[first].signed, first=True)
        if not of_first:
            raise ValueError(
                f"metric chooses {', '.join(plan.metrics)}, which need importance of at least 0, and oracle={first} may give less: "
                "choose another metric"
            )
        own = [truth_name(each, first) for each in others] if ORACLE in plan.rankings else []
        Family(**self.compare).check([*plan.rankings, *own], list(of_first), self.k)
        ranked_parts(plan, self.prompts)
        for prompt in plan.prompts:
            places = self.places(prompt)
            if any(each.against == MASKS for each in plan.metrics.values()):
                chunks_masked(prompt, places, self._texts(plan, prompt), self.chunk)
        for layer in self.loss_layers or ():
            resolve_select_layer(plan.layers, layer)

    def measure(self, plan: "Plan", model: PreTrainedModel, unit: "Unit", advance: Advance) -> Measurement:
        """Ranks the prompt with every heuristic, and measures each ranking against the truth.

        A metric that fails is named in the sample's error, and the values of the others are kept.
        """
        prompt, places = unit.prompt, self.places(unit.prompt)
        hides = self._hides(plan, prompt, places)
        lack = None if hides is None else partial(hides.lack, plan, prompt)
        ranked = self._ranked(plan, model, prompt, lack).with_bound(plan.rankings)
        started = time.perf_counter()
        measured = ranked
        if self.agreement:
            others = {name: Truth(ranked.scores[name]) for name in ranked.scores if name in plan.heuristics}
            measured = replace(ranked, truths=dict(ranked.truths) | others)
        failures = MetricFailures()
        losses = StoredLosses(plan, model, prompt, ranked)
        hidden = None if hides is None else self._hidden(plan, hides, losses, failures)
        effect = None
        if hides is not None and hides.without_context is not None:
            effect = failures.value_or_none([CONTEXT_EFFECT], partial(losses.stored, *hides.without_context))
        part = ranked_part(prompt, self.prompts)
        rows = stored_rows(plan, prompt, measured, self.k, places, failures, hidden, part)
        metrics_seconds = time.perf_counter() - started
        advance(len(prompt.input_ids))
        answer = str(plan.tokenizer.decode(list(ranked.answer.token_ids), skip_special_tokens=True))
        sample = {
            "answer_tokens": len(ranked.answer.token_ids),
            "answer": answer,
            "accuracy": plan.task.grade(prompt, answer) if ranked.answer.origin != "reference" else None,
            **{f"{part}_seconds": ranked.seconds.get(part) for part in ("prefill", "decode", "oracle")},
            CONTEXT_EFFECT: None if effect is None else float(effect[0]),
            "metrics_seconds": metrics_seconds,
            "universe": self.universe,
            "prompts": self.prompts,
        } | ({"error": failures.text()} if failures.text() else {})
        own = {name: scores for name, scores in ranked.scores.items() if name in plan.heuristics}  # no bound
        return Measurement(
            sample,
            rows,
            rankings=as_tensors(unit, ranked, plan.texts) if self.save_rankings else None,
            levels=levels_of(plan, prompt, ranked, own, self.k, places) if self.save_levels else None,
        )

    def _ranked(self, plan: "Plan", model: PreTrainedModel, prompt: Prompt, lack: Lack = None) -> Ranked:
        """The prompt with its rankings and truths; rankings of less than the whole prompt are of its first tokens; ``lack`` as for ``stored_rank``."""
        part = ranked_part(prompt, self.prompts)
        if part is prompt:
            return stored_rank(plan, model, prompt, plan.heuristics, lack=lack)
        # before stored_rank, which may keep the whole prompt's cache in memory
        scores, seconds = stored_scores(plan, model, part, plan.heuristics)
        ranked = stored_rank(plan, model, prompt, {}, lack=lack)
        read = {"prefill": ranked.seconds.get("prefill", 0.0) + seconds} if seconds else {}
        return replace(ranked, scores=scores, seconds=dict(ranked.seconds) | read)

    def _texts(self, plan: "Plan", prompt: Prompt) -> Sequence[str] | None:
        """Of the prompt's tokens, where chunks are sentences."""
        return token_texts(plan.tokenizer, prompt.input_ids) if self.chunk == SENTENCE else None

    def _hides(self, plan: "Plan", prompt: Prompt, places: range) -> Hides | None:
        """What metrics ask to hide from the prompt's answer; None: nothing."""
        asked = {each.against for each in plan.metrics.values()} & {MASKS, LOSS}
        if not asked:
            return None
        masks = None
        if MASKS in asked:
            masks = visible_under_masks(prompt, places, self._texts(plan, prompt), self.chunk, Masks(**self.masks))
        return Hides(places, masks, prompt.context, LOSS in asked)

    def _hidden(self, plan: "Plan", hides: Hides, losses: StoredLosses, failures: MetricFailures) -> Hidden:
        """What the answer loses under random masks, and under those that rankings make, as far as metrics ask for it."""
        layers = tuple(self.loss_layers or [resolve_select_layer(plan.layers, None)])
        by_masks = [name for name, each in plan.metrics.items() if each.against == MASKS]
        masked = None
        if hides.by_masks is not None:
            lost = failures.value_or_none(by_masks, partial(losses.stored, *hides.by_masks))
            masked = None if lost is None else MaskedAnswer(hides.by_masks[1], lost)
        of_masks = {} if masked is None else {MASKS: bits_digest(masked.visible.numpy())}
        decided = of_masks | ({LOSS: list(layers)} if hides.by_rankings else {})
        return Hidden(masked, partial(losses.of, hides.universe) if hides.by_rankings else None, layers, decided)

    def summary(self) -> LayerSummary:
        """Statistics over layers, their means over prompts with intervals, comparisons, and overlaps of layer pairs."""
        family = Family(**self.compare)
        comparing = Comparing(
            self.seed, self.resamples, lambda named: named["statistic"] in COMPARED, self._is_declared, family
        )
        return LayerSummary(comparing, next(iter(self.truths), None))

    def _is_declared(self, named: Mapping[str, Any]) -> bool:
        """Whether a group is the mean over layers of the declared metric, at the declared k if it has one."""
        family = Family(**self.compare)
        declared = {"metric": family.metric or METRIC, "statistic": "mean", "windowed": False}
        at_k = named["k"] is None or np.isnan(named["k"]) or named["k"] == family.main_k(self.k)
        return at_k and all(named[name] == value for name, value in declared.items())


def as_tensors(unit: "Unit", ranked: Ranked, texts: bool) -> Mapping[str, Tensor]:
    """The tensors that ``save_rankings`` writes for a prompt; without ``texts`` not its token ids and the answer's.

    The first truth is called ``oracle``, another ``oracle:NAME``.
    """
    ids = {"input_ids": torch.tensor(unit.prompt.input_ids), "answer_ids": torch.tensor(ranked.answer.token_ids)}
    scores = {f"heuristic.{name}": rows for name, rows in ranked.scores.items()}
    first = next(iter(ranked.truths))
    truths = {truth_name(name, first): each.importance for name, each in ranked.truths.items()}
    return (ids if texts else {}) | truths | scores
