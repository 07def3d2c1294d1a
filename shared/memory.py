"""Returns freed memory to the system."""

import ctypes
import sys

_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def release() -> None:
    """Return to the system what was freed and is kept for later allocations, as glibc's `malloc` does.

    After work with large temporary arrays that can be a third of the process. It takes some milliseconds, without the
    interpreter's lock: call it in a thread. Does nothing with another C library.
    """
    if trim := getattr(_LIBC, "malloc_trim", None):
        trim(0)
