"""Freed memory is returned to the system."""

import ctypes
import sys

import psutil
import pytest

from shared.memory import release

MEGABYTES = 200


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="another C library"
)
def test_freed_memory_is_returned_although_blocks_between_it_are_in_use() -> None:
    process = psutil.Process()
    blocks = [bytearray(100_000) for _ in range(10 * MEGABYTES)]
    kept = blocks[::100]
    blocks.clear()
    before = process.memory_info().rss
    release()
    assert before - process.memory_info().rss > MEGABYTES / 2 * 1_000_000
    assert len(kept) == MEGABYTES / 10
