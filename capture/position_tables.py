"""Tables of positions, learned or computed once: beyond their last row a model cannot read."""

from collections.abc import Iterator

from torch import Tensor
from transformers import PreTrainedModel

OF_POSITIONS = ("pos", "wpe")  # parts of the names of such tables
SPARE_ROWS = 8  # at most so many rows of a table are for padding and the like


def position_table(model: PreTrainedModel) -> tuple[str, int] | None:
    """The name of a model's table of positions and how many it holds; None where positions are rotary, or there are none.

    Args:
        model: loaded, or without weights.
    """
    positions = getattr(model.config.get_text_config(decoder=True), "max_position_embeddings", None)
    if type(positions) is not int:
        return None
    for name, table in _tensors(model):
        if (
            any(part in name for part in OF_POSITIONS)
            and table.dim() == 2
            and 0 <= len(table) - positions <= SPARE_ROWS
        ):
            return name, positions
    return None


def check_in_table(model: PreTrainedModel, table: tuple[str, int] | None, tokens: int) -> None:
    """Raises ValueError if the model's table of positions ends before so many tokens, of prompt and answer together."""
    if table is not None and tokens > table[1]:
        raise ValueError(
            f"prompt and answer go on to token {tokens}, and {type(model).__name__} has a table of {table[1]} positions ({table[0]}): "
            "shorten the prompt, the answer or how far a heuristic looks ahead"
        )


def _tensors(model: PreTrainedModel) -> Iterator[tuple[str, Tensor]]:
    """Parameters, buffers and other tensors that are attributes of a module, with their full names."""
    for prefix, module in model.named_modules():
        own = {**vars(module), **module._parameters, **module._buffers}
        yield from ((f"{prefix}.{name}", each) for name, each in own.items() if isinstance(each, Tensor))
