"""What is recorded of a contestant that failed, while the others go on."""

import gc
import logging

import torch

log = logging.getLogger("tokenrank")  # what is below INFO goes to run.log alone
OUT_OF_MEMORY = "out of memory: "  # in front of the text of an error for lack of memory


def reason(error: BaseException) -> str:
    """The text of an error in tables."""
    return f"{type(error).__name__}: {error}"


def failure(error: Exception, whose: str) -> str:
    """The text of a contestant's error in tables; the traceback goes to the log, and the memory that it held is released.

    Args:
        error: that was raised.
        whose: of which contestant and prompt, for the log.
    """
    log.debug("%s", whose, exc_info=error)
    text = " ".join(str(error).split())
    error.__traceback__ = None  # its frames hold tensors
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return f"{OUT_OF_MEMORY}{text[:200]}"
    return (OUT_OF_MEMORY if "allocate memory" in text else "") + reason(error)
