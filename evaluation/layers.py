"""Which of a model's layers are ranked: those with attention, which of a hybrid are not all."""

from typing import Any

from tokenrank.capture.model_layers import ModelLayers


def layer_record(layers: ModelLayers) -> dict[str, Any]:
    """For environment.json: numbers of the layers that are captured and of those with a window, and how many the model has."""
    return {"captured": list(layers.attention), "windowed": sorted(layers.windowed), "of": layers.total}


def layer_note(layers: ModelLayers) -> str | None:
    """One sentence for a model with layers that are not ranked; None for one without."""
    captured, total = layers.attention, layers.total
    if len(captured) == total:
        return None
    have = "has attention and is ranked" if len(captured) == 1 else "have attention and are ranked"
    return f"note: {len(captured)} of {total} layers {have}: {', '.join(map(str, captured))}"
