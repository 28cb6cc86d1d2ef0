"""Which layer's ranking decides what is kept, and which layers that ranking reads."""

from tokenrank.capture.model_layers import ModelLayers


def resolve_select_layer(layers: ModelLayers, asked: int | None) -> int:
    """The layer asked for; for None, half the layers less one (14 of 30).

    If that one has no full attention, the nearest layer before it that has, otherwise the first after it: in a windowed layer
    most tokens are out of reach, and their scores tie. In a model of windowed layers only, these count as full.

    Args:
        layers: of the model.
        asked: number of an attention layer, or None.

    Raises:
        ValueError: the model has no such attention layer.

    >>> resolve_select_layer(ModelLayers(total=30, attention=tuple(range(30))), None)
    14
    """
    if asked is not None:
        if asked not in layers.attention:
            raise ValueError(f"select_layer is {asked}, must be an attention layer of the model: {layers}")
        return asked
    full = [layer for layer in layers.attention if layer not in layers.windowed] or list(layers.attention)
    half = max(layers.total // 2 - 1, 0)
    return max((layer for layer in full if layer <= half), default=min(full))


def first_layer_read(layers: ModelLayers, select_layer: int, combined: int | None) -> int:
    """The first layer that the ranking at ``select_layer`` reads.

    Args:
        layers: of the model.
        select_layer: one of its attention layers.
        combined: consecutive attention layers that one combined row needs, its own included; None: all earlier ones.

    >>> first_layer_read(ModelLayers(total=4, attention=(0, 1, 2, 3)), select_layer=2, combined=2)
    1
    """
    up_to = [layer for layer in layers.attention if layer <= select_layer]
    return up_to[0 if combined is None else max(0, len(up_to) - combined)]
