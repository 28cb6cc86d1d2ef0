"""How a metric behaves over a model's layers: one number for each thing that an average hides."""

from collections.abc import Sequence

from torch import Tensor


def over_layers(values: Tensor, layers: Sequence[int]) -> dict[str, float]:
    """Summary of one metric over the layers of one prompt.

    Args:
        values: (layers,), higher = better.
        layers: the layers' numbers in the model, in the order of ``values``.

    Returns:
        ``mean``; ``std``, the standard deviation over layers (of these layers, not an estimate: divided by their
        number); ``worst``, the smallest value; ``worst_layer``, the number of the first layer that has it;
        ``worst_drop``, mean - worst; ``neighbour_drop``, the largest fall from one layer to the next (0 if none falls).

    Raises:
        ValueError: no layer, or not as many numbers as values.

    >>> import torch
    >>> over_layers(torch.tensor([0.6, 0.2, 0.7]), [0, 1, 2])["worst_layer"]
    1.0
    """
    if len(values) == 0 or len(values) != len(layers):
        raise ValueError(f"{len(values)} values and {len(layers)} layer numbers: must be as many, at least one")
    values = values.double()
    mean, worst, at = values.mean(), values.min(), int(values.argmin())
    falls = values[:-1] - values[1:]
    return {
        "mean": float(mean),
        "std": float(values.std(correction=0)),
        "worst": float(worst),
        "worst_layer": float(layers[at]),
        "worst_drop": float(mean - worst),
        "neighbour_drop": max(float(falls.max()), 0.0) if len(falls) else 0.0,
    }
