"""Makes a plan from a config. All wrong input is found here, before weights are loaded or anything is written."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.capture.answer_passes import check_passes
from tokenrank.capture.feeding import check_positions
from tokenrank.capture.inspection import model_layers
from tokenrank.capture.model_layers import ModelLayers
from tokenrank.capture.rope_lengths import may_restart, restarts_after
from tokenrank.evaluation.agnostic_checks import check_lengths
from tokenrank.evaluation.evaluation import Evaluation
from tokenrank.evaluation.measuring import metrics_against
from tokenrank.evaluation.plan import BROUGHT, GENERATED, REFERENCE, Plan, Unit, reference_answer
from tokenrank.evaluation.shard import Shard
from tokenrank.heuristics.heuristic import Heuristic, check_tokens
from tokenrank.metrics.metric import FEEDS_ANSWER, Metric
from tokenrank.models.pretrained import Pretrained
from tokenrank.models.weight_files import user_path
from tokenrank.oracle.bound import Bound
from tokenrank.oracle.oracle import Answer, Oracle
from tokenrank.planning.brought_answers import brought_answers
from tokenrank.planning.building import build, build_all, check_printable, naming
from tokenrank.planning.contestants import build_engines, contestants
from tokenrank.planning.keys import part_keys, unit_keys
from tokenrank.planning.presses import each_press
from tokenrank.planning.settings import RunSettings, of_the_chosen, run_settings
from tokenrank.planning.side_by_side import side_by_side
from tokenrank.records.cache_folder import default_store
from tokenrank.records.store import NoStore, Storage, Store
from tokenrank.tasks.before_question import AGNOSTIC, AWARE
from tokenrank.tasks.task import Prompt, Task, check_ids

CONFIGS = Path(__file__).parent.parent / "configs"
DEFAULT_STORE = "default"  # the value of ``store`` that means the folder in the cache
log = logging.getLogger("tokenrank")


def make_plan(config: DictConfig) -> Plan:
    """Builds and checks everything that needs no weights: the tokenizer and the model's config are enough.

    Raises:
        ValueError: with one sentence that says what is wrong, its value and what is allowed.
    """
    settings = run_settings(config)
    config = resolved(config)  # planning, config.yaml and the keys use resolved values
    config = side_by_side(each_press(of_the_chosen(config, CONFIGS)))
    evaluation: Evaluation = build(config.evaluation, "evaluation", Evaluation)
    if settings.prompts == AGNOSTIC != getattr(evaluation, "prompts", AWARE):
        raise ValueError(
            f"prompts is {AGNOSTIC}, must be {AWARE} with evaluation={evaluation.kind}, which reads prompts whole"
        )
    chosen = build_all(config, "heuristic", (Heuristic, Bound))
    heuristics: dict[str, Heuristic] = {name: each for name, each in chosen.items() if type(each) is not Bound}
    metrics: dict[str, Metric] = build_all(config, "metric", Metric)
    oracles: dict[str, Oracle] = build_all(config, "oracle", Oracle)
    if not evaluation.runs_engines:
        _check_shown_truth(settings.plots["truth"], oracles, metrics)
    if evaluation.runs_engines and len(oracles) > 1:
        raise ValueError(
            f"oracle chooses {', '.join(oracles)}, must be one with evaluation={evaluation.kind}, whose bounds it drives"
        )
    source: Pretrained = build(config.model, "model", Pretrained)
    check_printable("model.name", source.label)
    task: Task = build(config.task, "task", Task)
    if evaluation.runs_engines:
        build_engines(config)
    log.info("reading the tokenizer and the config of %s", source.label)
    tokenizer = source.tokenizer()
    skeleton = source.skeleton()
    layers = model_layers(skeleton)
    if evaluation.runs_engines:
        check_positions(skeleton)
    for name, each in heuristics.items():
        with naming(f"heuristic.{name}"):
            each.check(tokenizer, settings.origin)
            each.check_layers(layers)
    for name, oracle in oracles.items():
        with naming(f"oracle.{name}"):
            oracle.check_model(skeleton)
    for name, metric in metrics.items():
        if metric.against in FEEDS_ANSWER:
            with naming(f"metric.{name}"):
                check_passes(skeleton)
    log.info("making the prompts")
    prompts = task.prompts(tokenizer, source.readable_tokens())
    check_ids(prompts)
    for prompt in prompts:
        _check_prompt(prompt, heuristics, settings)
        for name, oracle in oracles.items():
            with naming(f"oracle.{name}, prompt {prompt.id} of {prompt.task}"):
                oracle.check_prompt(len(prompt.input_ids), prompt.context)
    if settings.prompts == AGNOSTIC and evaluation.runs_engines:
        check_lengths(skeleton, prompts)
    engines = contestants(config, settings.seed, heuristics, layers, evaluation) if evaluation.runs_engines else ()
    given = _given(settings, prompts, tokenizer)
    parts = part_keys(config, source, heuristics)
    keys = unit_keys(config, parts, prompts, settings.origin, [given.get(each.id) for each in prompts], evaluation)
    plan = Plan(
        config=config,
        source=source,
        tokenizer=tokenizer,
        layers=layers,
        task=task,
        heuristics=heuristics,
        oracles=oracles,
        answer=settings.origin,
        given=given,
        metrics=metrics,
        evaluation=evaluation,
        contestants=engines,
        units=tuple(Unit(number, prompt, *keys[number]) for number, prompt in enumerate(prompts)),
        texts=settings.texts,
        parts=parts,
        store=_store(settings.store),
        store_rankings=settings.store_rankings,
        shard=Shard.of_text(settings.shard),
    )
    evaluation.check(plan)
    for note in (layer_note(layers), length_note(skeleton, prompts), texts_note(plan), sign_note(plan)):
        if note:
            log.info(note)
    return plan


def _check_shown_truth(shown: str | None, oracles: Mapping[str, Oracle], metrics: Mapping[str, Metric]) -> None:
    """Raises ValueError if no metric is measured against the truth that reports are to show."""
    first = next(iter(oracles))
    if shown in (None, first) or metrics_against(metrics, signed=oracles[shown].signed, first=False):
        return
    raise ValueError(
        f"plots.truth is {shown}, which none of metric={','.join(metrics)} is measured against: must be null or {first}, or choose a "
        "metric that is, such as recall"
    )


def texts_note(plan: Plan) -> str | None:
    """A line for the terminal where ``texts`` is false, and the store keeps the token ids of generated answers all the same."""
    if plan.texts or plan.answer != GENERATED or not isinstance(plan.store, Store):
        return None
    return f"note: texts=false, but the token ids of answers are kept in store={plan.store.path}; store=null keeps none"


def sign_note(plan: Plan) -> str | None:
    """A line for the terminal where metrics are not measured against a truth, because its importance may be below 0."""
    if plan.evaluation.runs_engines:  # metrics are those of evaluation=ranking
        return None
    signed = [name for name, each in plan.oracles.items() if each.signed]
    metrics = [name for name, each in plan.metrics.items() if each.nonnegative]
    if not signed or not metrics:
        return None
    return f"note: {' and '.join(metrics)} need importance of at least 0, and are not measured against {' and '.join(signed)}"


def _given(settings: RunSettings, prompts: Sequence[Prompt], tokenizer: Tokenizer) -> dict[str, Answer]:
    """The answers that are not generated, by the id of the prompt."""
    if settings.answers is not None:
        brought = brought_answers(user_path("answers", settings.answers), prompts, tokenizer)
        return {name: Answer(ids, BROUGHT) for name, ids in brought.items()}
    if settings.answer == REFERENCE:
        return {each.id: reference_answer(tokenizer, each) for each in prompts}
    return {}


def _store(folder: str | None) -> Storage:
    """The store of a run, one that can be written.

    Raises:
        ValueError: it cannot.
    """
    if folder is None:
        return NoStore()
    store = Store(default_store() if folder == DEFAULT_STORE else Path(folder).expanduser())
    store.check()
    return store


def resolved(config: DictConfig) -> DictConfig:
    """A copy with every reference to another setting replaced by its value."""
    copy = config.copy()
    OmegaConf.resolve(copy)
    return copy


def layer_note(layers: ModelLayers) -> str | None:
    """One sentence for a model with layers that are not ranked; None for one without."""
    ranked = len(layers.attention)
    if ranked == layers.total:
        return None
    have = "has attention and is ranked" if ranked == 1 else "have attention and are ranked"
    return f"note: {ranked} of {layers.total} layers {have}: {', '.join(map(str, layers.attention))}"


def length_note(skeleton: PreTrainedModel, prompts: Sequence[Prompt]) -> str | None:
    """One sentence where answers of full length would be refused on the way (``check_answer_position``); else None."""
    long = [each for each in prompts if may_restart(skeleton, len(each.input_ids), each.max_new_tokens)]
    if not long:
        return None
    return (
        f"note: the answers to {len(long)} of {len(prompts)} prompts can go beyond {restarts_after(skeleton)} tokens, where the model's "
        "rope factors change: such a prompt fails if its answer does so"
    )


def _check_prompt(prompt: Prompt, heuristics: Mapping[str, Heuristic], settings: RunSettings) -> None:
    tokens = len(prompt.input_ids)
    of = f"prompt {prompt.id} of {prompt.task}"
    if tokens == 0:
        raise ValueError(f"{of} is empty, at least one token is needed")
    check_tokens(heuristics, tokens, of)
    if prompt.max_new_tokens < 1:
        raise ValueError(f"max_new_tokens of {of} is {prompt.max_new_tokens}, must be at least 1")
    if settings.answer == REFERENCE and not any(prompt.answers[:1]):
        raise ValueError(
            f"answer={REFERENCE} needs a reference answer, and {of} has none; answer={GENERATED} needs none"
        )
