"""The decoder layers of a model, whatever its classes call them."""

from torch import nn
from transformers import PreTrainedModel


def decoder_layers(model: PreTrainedModel) -> nn.ModuleList:
    """The modules that tokens pass one after the other, in order: the one list with a member for every layer of the config.

    Raises:
        ValueError: there is none, or more than one.
    """
    number = model.config.get_text_config(decoder=True).num_hidden_layers
    lists = [
        module
        for module in model.modules()
        if isinstance(module, nn.ModuleList)
        and len(module) == number
        and all(_numbers(member) == {place} for place, member in enumerate(module))
    ]
    if len(lists) != 1:
        raise ValueError(
            f"{type(model).__name__} has {len(lists)} lists of its {number} layers, must have one to be run on kept tokens"
        )
    return lists[0]


def _numbers(layer: nn.Module) -> set[object]:
    return {module.layer_idx for module in layer.modules() if hasattr(module, "layer_idx")}
