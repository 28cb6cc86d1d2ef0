"""Loads the model of a plan and sets the heuristics up for it."""

import logging

from transformers import PreTrainedModel

from tokenrank.capture.decoding import Decoding
from tokenrank.capture.inspection import model_layers
from tokenrank.capture.looking import look
from tokenrank.evaluation.plan import Plan

log = logging.getLogger("tokenrank")


class NotLoaded(ValueError):
    """The model cannot be loaded, or not be captured exactly: the input of the run is wrong, and only its weights show it."""


def load_model(plan: Plan) -> PreTrainedModel:
    """The model, in evaluation mode, ready for capture, with every heuristic attached to it.

    Raises:
        NotLoaded: it cannot be loaded or captured exactly (see ``look``), its generation config is not greedy (see ``Decoding.of``),
            its layers are not those that its config describes, or a heuristic cannot rank its prompts.
    """
    log.info("loading %s", plan.model_name)
    try:
        return _loaded(plan)
    except Exception as error:  # whatever it is: nothing was measured yet
        raise NotLoaded(str(error) or type(error).__name__) from error


def _loaded(plan: Plan) -> PreTrainedModel:
    model = plan.source.model()
    Decoding.of(model)
    found = model_layers(model)
    if found != plan.layers:
        raise ValueError(f"{plan.model_name} has the attention layers {found}, but its config describes {plan.layers}")
    ahead = max(
        (1 + each.needs.look_ahead for each in plan.heuristics.values()), default=1
    )  # answer tokens of a ranking's own
    look(model, max(len(prompt.input_ids) + max(prompt.max_new_tokens, ahead) for prompt in plan.prompts))
    for name, each in plan.heuristics.items():
        try:
            each.attach(model)
            each.expect(max(len(prompt.input_ids) for prompt in plan.prompts))
        except ValueError as error:
            raise ValueError(f"heuristic.{name}: {error}") from error
    return model
