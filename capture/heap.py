"""Memory of the process that tensors on the CPU no longer use."""

import contextlib
import ctypes


def trim_heap() -> None:
    """Returns memory that was freed to the system, also between blocks that are in use; does nothing where the C library is not glibc.

    The allocator of glibc keeps what small and middle-sized tensors leave: where many are replaced by larger ones, as when the caches
    of several runs are joined, the process would hold both.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
