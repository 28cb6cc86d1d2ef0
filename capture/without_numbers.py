"""Forward passes of models on the meta device, which have shapes and no numbers, where they ask for some."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor
from torch.fx.experimental import _config as meta_settings
from torch.overrides import TorchFunctionMode

UNREAD: dict[Any, Any] = {Tensor.item: 0, Tensor.__bool__: False, Tensor.__contains__: False}


@contextmanager
def numbers_made_up() -> Iterator[None]:
    """Within the block a number that is read of a meta tensor is 0, and all elements of one count as not zero.

    Models ask whether a token is the padding (gpt2), how long the prompt is, or which experts were chosen (dbrx). Their layers do not
    depend on it; a loaded model's are compared with those found so.
    """
    with _MadeUp(), meta_settings.patch(meta_nonzero_assume_all_nonzero=True):  # type: ignore[attr-defined]
        yield


class _MadeUp(TorchFunctionMode):
    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function in UNREAD and args[0].is_meta:
            return UNREAD[function]
        if function is Tensor.__getitem__ and isinstance(args[1], Tensor) and args[1].is_meta and not args[1].dim():
            args = args[0], 0
        return function(*args, **(kwargs or {}))
