"""What always stays of a prompt whatever the ranking says, and whether it counts in the keep rate: ``prefill.protect`` and ``budget``."""

import torch
from torch import Tensor

from tokenrank.metrics.metric import tokens_kept
from tokenrank.tasks.task import Prompt

WINDOW, FRAME = "window", "frame"
PROTECTS = (WINDOW, FRAME)  # values of ``prefill.protect``
WITHIN, BESIDE = "within", "beside"
BUDGETS = (WITHIN, BESIDE)  # values of ``prefill.budget``


def protected_places(prompt: Prompt, window: int, protect: str) -> Tensor:
    """Places of the tokens that always stay.

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


def kept_in_all(rate: float, tokens: int, protected: int, budget: str) -> int:
    """How many tokens of a prompt stay at a keep rate.

    Args:
        rate: the keep rate in percent.
        tokens: of the prompt.
        protected: how many of them always stay.
        budget: ``within``: the rate is of all tokens, and what is protected counts among them; ``beside``: it is of the tokens that are
            not protected, and what is protected stays beside them.

    Returns:
        At least 1 and at most ``tokens``; no more than are protected where the rate leaves a ranking nothing to choose.

    Raises:
        ValueError: another value of ``budget``, or a rate outside (0, 100].

    >>> kept_in_all(20, tokens=100, protected=15, budget="within"), kept_in_all(20, tokens=100, protected=15, budget="beside")
    (20, 32)
    """
    check_budget(budget)
    if budget == WITHIN:
        return tokens_kept(rate, tokens)
    return protected + min(tokens_kept(rate, tokens - protected), tokens - protected)


def check_budget(budget: str) -> None:
    """Raises ValueError for a value that the setting does not have."""
    if budget not in BUDGETS:
        raise ValueError(f"prefill.budget is {budget!r}, must be {' or '.join(BUDGETS)}")


def check_protect(protect: str) -> None:
    """Raises ValueError for a value that the setting does not have."""
    if protect not in PROTECTS:
        raise ValueError(f"prefill.protect is {protect!r}, must be {' or '.join(PROTECTS)}")
