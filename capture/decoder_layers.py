"""The decoder layers of a model, whatever its classes call them."""

from torch import nn
from transformers import PreTrainedModel


def decoder_layers(model: PreTrainedModel) -> nn.ModuleList:
    """The modules that process the tokens one after the other, in order.

    They are the members of the only ModuleList that is as long as the config says and whose ``layer_idx`` count from 0.

    Raises:
        ValueError: there is no such list, or more than one.
    """
    number = model.config.get_text_config(decoder=True).num_hidden_layers
    lists = [
        module
        for module in model.modules()
        if isinstance(module, nn.ModuleList)
        and len(module) == number
        and all(_layer_numbers(member) == {place} for place, member in enumerate(module))
    ]
    if len(lists) != 1:
        raise ValueError(
            f"{type(model).__name__} has {len(lists)} lists of its {number} decoder layers, must have one to be run on kept tokens"
        )
    return lists[0]


def _layer_numbers(layer: nn.Module) -> set[object]:
    """All ``layer_idx`` of the modules inside a decoder layer; None, which some modules have, is no number."""
    return {module.layer_idx for module in layer.modules() if getattr(module, "layer_idx", None) is not None}
