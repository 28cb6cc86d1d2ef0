"""Total seconds spent in some blocks of a run."""

import time
from types import TracebackType

import torch


class Stopwatch:
    """``with watch: ...`` adds the block's seconds to ``watch.seconds``."""

    def __init__(self, device: torch.device, *, exact: bool) -> None:
        """``exact``: on a GPU, wait for it at both ends of a block; otherwise only the host's time is measured."""
        self.seconds = 0.0
        self._waits = exact and device.type == "cuda"
        self._device, self._started = device, 0.0

    def _now(self) -> float:
        if self._waits:
            torch.cuda.synchronize(self._device)
        return time.perf_counter()

    def __enter__(self) -> None:
        self._started = self._now()

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.seconds += self._now() - self._started
