"""Input of the library: texts as prompts, given answers, metrics and engines by name; each checked."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.capture.inspection import model_layers
from tokenrank.capture.looking import look
from tokenrank.capture.model_layers import ModelLayers
from tokenrank.evaluation.plan import REFERENCE
from tokenrank.evaluation.setting_checks import check_whole
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.metrics.metric import FEEDS_ANSWER, Metric
from tokenrank.models.lengths import check_asked, check_table, readable_tokens
from tokenrank.oracle.answer_attention import AttentionOracle
from tokenrank.oracle.oracle import Answer, Oracle
from tokenrank.planning.building import build
from tokenrank.prefill.engine import Engine
from tokenrank.tasks.chat import Chat, final_text
from tokenrank.tasks.task import Prompt, check_ids
from tokenrank.tasks.tokens import encode, final_ids, tokens_of

CONFIGS = Path(__file__).parent / "configs"


def several(names: str | Sequence[str]) -> list[str]:
    """One name or several, as a list."""
    return [names] if isinstance(names, str) else list(names)


def named_oracles(oracle: Oracle | Mapping[str, Oracle] | None) -> Mapping[str, Oracle]:
    """Oracles by name; None: the attention oracle.

    Raises:
        ValueError: the mapping is empty, or holds what is no oracle.
    """
    found = {"attention": AttentionOracle()} if oracle is None else oracle
    found = {type(found).__name__: found} if isinstance(found, Oracle) else found
    if not isinstance(found, Mapping) or not found or not all(isinstance(each, Oracle) for each in found.values()):
        raise ValueError(f"oracle is {oracle!r}, must be an Oracle, or a mapping with at least one, by name")
    return found


def prompts_of(
    tokenizer: Tokenizer,
    prompts: str | Prompt | Sequence[str | Prompt],
    max_new_tokens: int,
    *,
    chat_template: bool,
    template: Mapping[str, Any] | None,
) -> list[Prompt]:
    """Texts as prompts, and those of a task as they are."""
    chat = Chat(template or {})
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
        ids = (
            final_ids(tokenizer, final_text(tokenizer, prompt, chat=chat))
            if chat_template
            else encode(tokenizer, prompt)
        )
        found.append(Prompt(f"prompt_{number}", "prompts", tuple(ids), max_new_tokens))
    check_ids(found)
    for prompt in found:
        check_length(prompt, 1, "a prompt")
    return found


def answers_of(
    tokenizer: Tokenizer, prompts: Sequence[Prompt], answers: str | Sequence[str] | None
) -> Sequence[Answer | None]:
    """The first ``max_new_tokens`` tokens of the given answers, as ``answer=reference`` does; None where there are none."""
    if answers is None:
        return [None] * len(prompts)
    texts = several(answers)
    if len(texts) != len(prompts):
        raise ValueError(f"answers holds {len(texts)}, must be one for each of the {len(prompts)} prompts")
    ids = [tuple(tokens_of(tokenizer, text)) for text in texts]
    if not all(ids):
        raise ValueError(f"the answer to {prompts[ids.index(())].id} is empty, must be a text of at least one token")
    return [Answer(each[: prompt.max_new_tokens], REFERENCE) for each, prompt in zip(ids, prompts, strict=True)]


def check_readable(
    model: PreTrainedModel, prompts: Sequence[Prompt], answers: Sequence[Answer | None], max_tokens: int | None
) -> None:
    """Raises ValueError if a prompt and its answer are together longer than what the model reads, as the command's tasks do.

    Args:
        model: a decoder of transformers.
        prompts: with the length that their answers may have.
        answers: given ones; None: it is generated.
        max_tokens: what the model reads; None: what its config says.
    """
    check_asked(max_tokens, "max_tokens")
    if max_tokens is None:
        max_tokens = readable_tokens(model.config, type(model).__name__, "max_tokens")
    else:
        check_table(model, max_tokens, "max_tokens")
    for prompt, given in zip(prompts, answers, strict=True):
        tokens, more = len(prompt.input_ids), prompt.max_new_tokens if given is None else len(given.token_ids)
        if tokens + more > max_tokens:
            raise ValueError(
                f"{prompt.id} has {tokens} tokens and its answer up to {more}, and the model reads {max_tokens} in all: shorten "
                "one of them, or give max_tokens if the model reads more"
            )


def layers_of(model: PreTrainedModel, prompts: Sequence[Prompt]) -> ModelLayers:
    """The layers of a model that is to read these prompts; raises ValueError if it cannot be captured exactly (see ``look``)."""
    layers = model_layers(model)
    look(model, max(len(prompt.input_ids) + prompt.max_new_tokens for prompt in prompts))
    return layers


def prepare(
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
        check_length(prompt, heuristic.least_tokens(), type(heuristic).__name__)
    heuristic.attach(model)
    heuristic.expect(max(len(prompt.input_ids) for prompt in prompts))


def default_engine(heuristic: Heuristic) -> Engine:
    """The engine that the command's default settings give a heuristic of ours, or any other."""
    config = OmegaConf.create({"prefill": OmegaConf.load(CONFIGS / "prefill" / "default.yaml")})
    name = type(heuristic).__module__.removeprefix("tokenrank.heuristics.")
    name = name if name in config.prefill.engine else "any"
    built: Engine = build(config.prefill.engine[name], f"prefill.engine.{name}", Engine)
    return built


def metric_named(name: str) -> Metric:
    """The metric of a file in configs/metric; raises ValueError for a name that is none, or one that feeds the answer again."""
    nodes = {
        each.stem: OmegaConf.select(OmegaConf.load(each), each.stem) for each in (CONFIGS / "metric").glob("*.yaml")
    }
    known = {each: node for each, node in nodes.items() if node is not None and node.get("against") not in FEEDS_ANSWER}
    if name not in known:
        raise ValueError(f"metrics holds {name!r}, must be some of {', '.join(sorted(known))}")
    built: Metric = build(known[name], f"metric.{name}", Metric)
    return built


def name_of(model: PreTrainedModel) -> str:
    """The last part of the path that the model was loaded from, else its class."""
    return Path(getattr(model, "name_or_path", "") or "").name or type(model).__name__


def check_length(prompt: Prompt, least: int, whose: str) -> None:
    """Raises ValueError unless the prompt has at least ``least`` tokens."""
    if len(prompt.input_ids) < least:
        raise ValueError(f"{prompt.id} has {len(prompt.input_ids)} tokens, and {whose} needs at least {least}")
