"""Header names that are not UTF-8: any client can write one, and aiokafka cannot read its batch.

`install` lets aiokafka's consumers read such a batch once more, with its names decoded loosely. Everything else, and
every other batch, goes through aiokafka's own parser.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any, cast

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record import default_records, memory_records


class _Text(bytearray):
    """Bytes whose slices are decoded without errors."""

    def __getitem__(self, place: Any) -> Any:
        part = super().__getitem__(place)
        return _Text(part) if isinstance(place, slice) else part

    def decode(self, encoding: str = "utf-8", errors: str = "replace") -> str:  # noqa: ARG002 - that is the point
        return super().decode(encoding, "replace")


class _LooseBatch(default_records._DefaultRecordBatchPy):  # type: ignore[misc]  # noqa: SLF001
    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer: bytearray = _Text(self._buffer)


class _Batch:
    """A batch as aiokafka reads it; where a name cannot be decoded, the rest of it as `_LooseBatch` does."""

    def __init__(self, batch: Any, raw: memoryview) -> None:
        self._batch = batch
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        done = 0
        try:
            for record in self._batch:
                yield record
                done += 1
        except (UnicodeDecodeError, CorruptRecordException):
            if self._batch.magic < 2:  # noqa: PLR2004 - older formats have no headers
                raise
            yield from islice(_LooseBatch(self._raw), done, None)


class _Records(memory_records._MemoryRecordsPy):  # type: ignore[misc]  # noqa: SLF001
    def next_batch(self) -> Any:
        raw = self._next_slice
        batch = super().next_batch()
        return None if batch is None else _Batch(batch, cast("memoryview", raw))


def install() -> None:
    """Have aiokafka's consumers of this process read through this module."""
    fetcher.MemoryRecords = _Records
