"""All rows of a decoder class: its tiny config, its variants, its scaled positions."""

import copy
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from transformers import PreTrainedModel

from tests.sweep.alone import ENGINES, Alone, alone, uncounted
from tests.sweep.building import MODEL_TYPES, tiny_model
from tests.sweep.engines import engine_fault
from tests.sweep.readings import before_a_run, prompt, reading_fault
from tests.sweep.sharing import sharing_verdicts
from tests.sweep.variants import ACTING, ROPE, layer_variants, rope_variants
from tests.sweep.verdicts import EXACT, NOT_MADE, REFUSED, Row, Verdict, judge

SAME_FOR_ALL_LENGTHS = ("linear", "yarn", "llama3")  # scaled positions that no engine can tell from others: read only


def rows_of(model_type: str, *, plain: bool = False) -> list[Row]:
    """The row of a class as such, then those of its variants, unless ``plain``."""
    first = row_of(model_type)
    return [first] if plain or first.reading.word == NOT_MADE else [first, *_variants(model_type)]


def _variants(model_type: str) -> Iterator[Row]:
    plain = tiny_model(model_type)
    for name, settings in layer_variants(plain.config).items():
        yield row_of(model_type, name, **settings)
    for name, settings in rope_variants(plain).items():
        yield _unless_impossible(model_type, name, settings)


def _unless_impossible(model_type: str, name: str, settings: dict[str, Any]) -> Row:
    """The row of a variant with scaled positions; many a class cannot run with some of these, whoever runs it."""
    try:
        with torch.no_grad():
            tiny_model(model_type, **settings)(input_ids=prompt()[None])
    except Exception as error:
        return Row(model_type, name, MODEL_TYPES[model_type], Verdict(NOT_MADE, f"{type(error).__name__}: {error}"))
    return row_of(model_type, name, **settings)


def row_of(model_type: str, variant: str = "", **settings: Any) -> Row:
    """One row.

    Args:
        model_type: one of MODEL_TYPES.
        variant: a name for the settings.
        settings: of the text config, beyond those of the shrinker.
    """
    try:
        model, eager = (tiny_model(model_type, way, **settings) for way in (None, "eager"))
        plain, fresh = copy.deepcopy(model), copy.deepcopy(eager)
        skeleton = tiny_model(model_type, None, "meta", **settings)
    except ValueError as error:
        return Row(model_type, variant, MODEL_TYPES[model_type], Verdict(NOT_MADE, str(error)))
    row = Row(model_type, variant, type(model).__name__, judge(lambda: before_a_run(skeleton, model)))
    if row.reading.word == EXACT:

        def reading() -> str:
            fault, row.deviation = reading_fault(model, plain, eager)
            return fault

        row.reading = judge(reading)
    if row.reading.word == EXACT and not variant.startswith(SAME_FOR_ALL_LENGTHS):
        with uncounted() if variant in ROPE else nullcontext():  # positions change no number of operations
            _run_engines(row, model, fresh)
    if not variant:
        row.acting = _acting(model_type, plain)
    return row


def _run_engines(row: Row, model: PreTrainedModel, eager: PreTrainedModel) -> None:
    """Adds the verdicts of the engines; ``eager``: a copy of the model that was never run."""
    found = dict[str, Alone]()

    def fault(name: str) -> str:
        found[name] = alone(name, model, prompt())
        return engine_fault(found[name], copy.deepcopy(eager), by_hand=bool(row.variant))

    for name in ENGINES:
        row.engines[name] = judge(partial(fault, name))
    refused = {name: each.reason for name, each in row.engines.items() if each.word == REFUSED}
    row.sharing = sharing_verdicts(model, prompt(), found, refused)


def _acting(model_type: str, plain: PreTrainedModel) -> dict[str, bool]:
    """Settings of the config that hide tokens -> whether a value beyond the prompt changes the logits."""
    text = plain.config.get_text_config(decoder=True)
    given = {name: vars(text).get(name) for name in ACTING}
    return {
        name: _differ(plain, tiny_model(model_type, **{name: 64 * value})) for name, value in given.items() if value
    }


@torch.no_grad()
def _differ(one: PreTrainedModel, other: PreTrainedModel) -> bool:
    """Whether two models, neither of them watched, say something else after the prompt; so too if one of them cannot run."""
    try:
        first, second = (each(input_ids=prompt()[None]).logits[0, -1] for each in (one, other))
    except Exception:  # a class that needs more than tokens: its row says so
        return True
    return float((first - second).abs().max()) > 1e-4
