"""Models made from a config, without weights of a file: a skeleton on the meta device, or random numbers."""

import torch
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

from tokenrank.models.load_errors import first_line

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
ATTENTION = ("sdpa", "eager")  # implementations that models are run with


def built(config: PreTrainedConfig, device: str, dtype: str, what: str) -> PreTrainedModel:
    """A model of a config in evaluation mode, with random weights or, on the device ``meta``, none.

    Args:
        config: of a causal language model.
        device: where it is made.
        dtype: one of DTYPES.
        what: the config's place, for messages.

    Raises:
        ValueError: the config describes no causal language model, or the device has not the memory.
    """
    layers = getattr(config.get_text_config(), "num_hidden_layers", 1)
    if type(layers) is not int or layers < 1:
        raise ValueError(f"{what} cannot be built: num_hidden_layers is {layers!r}, must be at least 1")
    try:
        with torch.device(device):
            model: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=DTYPES[dtype])  # type: ignore[no-untyped-call]
    except Exception as error:  # a config can be wrong in as many ways as there are architectures
        raise ValueError(f"{what} cannot be built: {first_line(error)}") from error
    return placed(model, None)


def placed(model: PreTrainedModel, device: str | None) -> PreTrainedModel:
    """The model in evaluation mode, on the device; None leaves it where it is.

    Raises:
        ValueError: it cannot be put there, or its attention is neither sdpa nor eager.
    """
    chosen = model.config._attn_implementation
    if chosen not in ATTENTION:
        raise ValueError(f"the model's attention is {chosen!r}, must be one of {', '.join(ATTENTION)}")
    if device is not None:
        try:
            model.to(device)  # type: ignore[arg-type]
        except (AssertionError, RuntimeError) as error:
            raise ValueError(
                f"model.device is {device!r}, and the model cannot be put there: {first_line(error)}"
            ) from error
    model.train(False)
    return model
