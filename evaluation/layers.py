"""Which of a model's layers are ranked: those with attention, which of a hybrid are not all."""

from collections.abc import Sequence
from typing import Any

from transformers import PreTrainedModel

from tokenrank.capture.reading import LayerFacts


def layer_record(layers: Sequence[LayerFacts], model: PreTrainedModel) -> dict[str, Any]:
    """For environment.json: numbers of the layers that are captured and of those with a window, and how many the model has."""
    return {
        "captured": [layer.index for layer in layers],
        "windowed": [layer.index for layer in layers if layer.sliding_window is not None],
        "of": model.config.get_text_config(decoder=True).num_hidden_layers,
    }


def layer_note(layers: Sequence[LayerFacts], model: PreTrainedModel) -> str | None:
    """One sentence for a model with layers that are not ranked; None for one without."""
    record = layer_record(layers, model)
    captured, total = record["captured"], record["of"]
    if len(captured) == total:
        return None
    have = "has attention and is ranked" if len(captured) == 1 else "have attention and are ranked"
    return f"note: {len(captured)} of {total} layers {have}: {', '.join(map(str, captured))}"
