"""What always stays of a prompt, whatever the ranking says: the setting ``prefill.protect``."""

import torch
from torch import Tensor

from tokenrank.tasks.task import Prompt

WINDOW, FRAME = "window", "frame"
PROTECTS = (WINDOW, FRAME)  # values of the setting


def protected_places(prompt: Prompt, window: int, protect: str) -> Tensor:
    """Places of the tokens that always stay, within the keep rate.

    Args:
        prompt: with its ``context`` where ``protect`` is frame.
        window: tokens at the prompt's end.
        protect: ``window``: these alone; ``frame``: these and all tokens outside of the prompt's context (template, instruction, question).

    Returns:
        (protected,) int64, ascending, on the CPU.

    Raises:
        ValueError: another value of ``protect``, or the frame of a prompt whose context is not known.

    >>> prompt = Prompt("one", "mine", input_ids=(5, 6, 7, 8, 9), max_new_tokens=1, context=range(1, 4))
    >>> protected_places(prompt, window=2, protect="window"), protected_places(prompt, window=2, protect="frame")
    (tensor([3, 4]), tensor([0, 3, 4]))
    """
    check_protect(protect)
    tokens = len(prompt.input_ids)
    stays = torch.zeros(tokens, dtype=torch.bool)
    if protect == FRAME:
        if prompt.context is None:
            raise ValueError(
                f"prefill.protect is {FRAME}, and the context of prompt {prompt.id} of {prompt.task} is not known: set "
                f"prefill.protect={WINDOW}"
            )
        stays[:] = True
        stays[prompt.context.start : prompt.context.stop] = False
    stays[max(tokens - window, 0) :] = True
    return stays.nonzero()[:, 0]


def check_protect(protect: str) -> None:
    """Raises ValueError for a value that the setting does not have."""
    if protect not in PROTECTS:
        raise ValueError(f"prefill.protect is {protect!r}, must be {' or '.join(PROTECTS)}")
