"""Small contests for tests: a prompt of a tiny architecture, contestants of every engine, and what is measured of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from transformers import PreTrainedModel

from tests.plans import plan
from tests.prefill.cases import ANSWER, layers_of, prompt
from tokenrank.capture.looking import look
from tokenrank.capture.model_layers import ModelLayers
from tokenrank.evaluation.contest import Contest, full_answers
from tokenrank.evaluation.evaluation import Measurement
from tokenrank.evaluation.plan import BROUGHT, Plan, Unit
from tokenrank.evaluation.pruned_answers import PrunedAnswers
from tokenrank.evaluation.shared_prompt import SharedPrompt
from tokenrank.heuristics.claa import CLAA
from tokenrank.heuristics.controls import Control
from tokenrank.heuristics.fastkv import FastKV
from tokenrank.heuristics.gemfilter import GemFilter
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.heuristics.speculative import Speculative
from tokenrank.heuristics.tova import TOVA
from tokenrank.oracle.oracle import Answer
from tokenrank.prefill.contestant import Contestant
from tokenrank.prefill.draft import Draft
from tokenrank.prefill.engine import Engine, Full
from tokenrank.prefill.layerwise import Layerwise
from tokenrank.prefill.precomputed import Precomputed
from tokenrank.prefill.restart import Restart
from tokenrank.tasks.task import Prompt

WINDOW, RATES = 4, [20.0, 45.0]  # of 40 tokens: 8 and 18
CLAA_ENGINE = Layerwise(window=WINDOW, min_layer=1)
# name -> name of the engine, engine, ranking
CONTESTANTS: dict[str, tuple[str, Engine, Heuristic]] = {
    "claa": ("layerwise@claa", CLAA_ENGINE, CLAA(window=WINDOW, n=2)),
    "fastkv": ("layerwise", Layerwise(window=WINDOW), FastKV(window=WINDOW)),
    "tova": ("layerwise", Layerwise(window=WINDOW), TOVA()),
    "gemfilter": ("restart@gemfilter", Restart(window=WINDOW), GemFilter()),
    "speculative": ("draft@speculative", Draft(window=WINDOW), Speculative(look_ahead=3)),
    "oracle@claa": ("layerwise@claa", CLAA_ENGINE, Precomputed({})),
    "random@claa": ("layerwise@claa", CLAA_ENGINE, Control()),
    "oracle": ("layerwise", Layerwise(window=WINDOW), Precomputed({})),
    "random": ("layerwise", Layerwise(window=WINDOW), Control()),
    "oracle@gemfilter": ("restart@gemfilter", Restart(window=WINDOW), Precomputed({})),
    "random@gemfilter": ("restart@gemfilter", Restart(window=WINDOW), Control()),
    "oracle@speculative": ("draft@speculative", Draft(window=WINDOW), Precomputed({})),
    "random@speculative": ("draft@speculative", Draft(window=WINDOW), Control()),
}
Values = Mapping[str, float]  # metric -> value


def contestants(layers: ModelLayers, names: Iterable[str] = CONTESTANTS) -> list[Contestant]:
    """Some of CONTESTANTS, for a model with these layers."""
    found = ((name, *CONTESTANTS[name]) for name in names)
    return [Contestant(name, engine.resolved(ranks, layers), ranks, own) for name, own, engine, ranks in found]


def given(tokens: Sequence[int] | None = None, **settings: Any) -> Prompt:
    """The prompt of the tiny architectures; ``settings`` are further fields."""
    ids = tuple(prompt().tolist()) if tokens is None else tuple(tokens)
    return Prompt("one", "mine", ids, **{"max_new_tokens": ANSWER} | settings)


@cache
def _plan() -> Plan:
    return plan(evaluation="fidelity")


def plan_of(who: Sequence[Contestant], evaluation: PrunedAnswers, answer: Sequence[int] = ()) -> Plan:
    """A plan with these contestants beside the full prefill; ``answer`` is brought for ``given()``."""
    whole = (Contestant("full", Full(), None), *who)
    heuristics = {each.name: each.ranker for each in who}
    made = replace(_plan(), contestants=whole, evaluation=evaluation, heuristics=heuristics)
    return replace(made, answer=BROUGHT, given={"one": Answer(tuple(answer), BROUGHT)}) if answer else made


def measured(made: Plan, model: PreTrainedModel, asked: Prompt) -> Measurement:
    """What the plan's evaluation measures of a prompt."""
    return made.evaluation.measure(made, model, Unit(0, asked, "", {}), lambda _: None)


def values(found: Measurement) -> dict[tuple[str, float], Values]:
    """(contestant, keep rate) -> metric -> value; the full prefill is called full."""
    each: dict[tuple[str, float], dict[str, float]] = {}
    for row in found.rows:
        each.setdefault((row["heuristic"] or row["engine"], row["keep"]), {})[row["metric"]] = row["value"]
    return dict(each)


def begun(
    model: PreTrainedModel,
    who: Sequence[Contestant],
    *,
    asked: Prompt | None = None,
    memory: float = 1e12,
    together: bool = True,
    limit: int | None = ANSWER,
) -> Contest:
    """A contest on a prompt that was read; it measures the full prefill's answer."""
    look(model, 40 + ANSWER)  # as before every run: what it computes is counted for no engine
    made = plan_of(who, _plan().evaluation)  # type: ignore[arg-type]
    shared = SharedPrompt(made, model, asked or given(), "window", ANSWER)
    answers = full_answers(shared.full(), {"": shared.ranked.answer.token_ids})
    return Contest(shared, {prefix: each for prefix, each, _ in answers}, limit, memory, together=together)


def contest(
    architecture: str, model: PreTrainedModel, names: Iterable[str] = CONTESTANTS, **settings: Any
) -> dict[tuple[str, float], dict[str, Any]]:
    """(contestant, keep rate) -> what came of it, or its ``error``; ``settings`` as for ``begun``."""
    who = contestants(layers_of(architecture), names)
    entries = begun(model, who, **settings).run(who, RATES, lambda: None)
    return {
        (each.contestant.name, each.rate): {"error": each.error} if each.error is not None else each.found
        for each in entries
    }


def raising(error: Exception, fails: Callable[..., bool]) -> Callable[[Any], Any]:
    """Makes of a method one that raises ``error`` where ``fails`` is true of its arguments."""

    def of(method: Any) -> Any:
        def wrapped(*args: Any, **named: Any) -> Any:
            if fails(*args, **named):
                raise error
            return method(*args, **named)

        return wrapped

    return of


def noting(noted: list[int], what: Callable[..., int]) -> Callable[[Any], Any]:
    """Makes of a function one that first notes ``what`` of its arguments."""

    def of(function: Any) -> Any:
        def wrapped(*args: Any, **named: Any) -> Any:
            noted.append(what(*args, **named))
            return function(*args, **named)

        return wrapped

    return of


def close(found: Values, wanted: Values, atol: float) -> bool:
    """Whether both have the same metrics, with values that differ by at most ``atol``."""
    return found.keys() == wanted.keys() and all(abs(found[name] - wanted[name]) <= atol for name in found)
