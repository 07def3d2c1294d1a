"""Returns freed memory to the system."""

import ctypes
import sys

_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def release() -> None:
    """Return freed memory to the operating system; glibc's `malloc` keeps it for later allocations.

    After work with large temporary arrays this can be a third of the process's memory. It takes some milliseconds and
    releases the interpreter lock: call it in a thread. It does nothing if the C library is not glibc.
    """
    if trim := getattr(_LIBC, "malloc_trim", None):
        trim(0)
