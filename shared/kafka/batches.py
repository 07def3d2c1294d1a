"""Reads batches of records on which aiokafka's own reader would fail. Any client can write such batches.

If a header name is not UTF-8, the batch is read once more with lenient decoding of names. One record marked UNREADABLE
replaces a batch that decompresses to more than `MAX_UNPACKED_BYTES` (a broker limits the compressed size only), and
the records of a batch that aiokafka cannot unpack (a broker checks less: it accepts bytes after compressed data, for
instance). Every other batch is read by aiokafka's own parser. `install` puts this module in place.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

from aiokafka.codec import _detect_xerial_stream
from aiokafka.consumer import fetcher
from aiokafka.record import default_records, memory_records

from shared.kafka.records import UNREADABLE, Headers

MAX_UNPACKED_BYTES = 64 * 1024 * 1024
"""The most bytes of an unpacked batch: what a fetch returns at most without compression."""

_FORMAT, _HEADER_BYTES = 2, 61  # of a batch; brokers before Kafka 4 also keep the older formats, without headers
_CODEC = 7  # the bits of the attributes that name it
_GZIP, _SNAPPY, _LZ4, _ZSTD = 1, 2, 3, 4
_SKIPPED, _SKIPPED_MASK = 0x184D2A50, 0xFFFFFFF0  # frames that zstd and LZ4 skip
_REPEATED, _PACKED = 1, 2
_GZIP_MOST, _LZ4_MOST = 1032, 255  # the highest ratios
_ZSTD_BLOCK = 128 * 1024  # the largest block
_XERIAL_BYTES = 16  # of the header of snappy in blocks


class _Text(bytearray):
    """Bytes whose slices are decoded without errors."""

    def __getitem__(self, place: Any) -> Any:
        part = super().__getitem__(place)
        return _Text(part) if isinstance(place, slice) else part

    def decode(self, encoding: str = "utf-8", errors: str = "replace") -> str:  # noqa: ARG002 - that is the point
        return super().decode(encoding, "replace")


class _LooseBatch(default_records._DefaultRecordBatchPy):  # type: ignore[misc]  # noqa: SLF001 - aiokafka's own decoder, pinned by the lock
    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer: bytearray = _Text(self._buffer)


class _Batch:
    """A batch read by aiokafka; after a header name that cannot be decoded, by `_LooseBatch`."""

    def __init__(self, batch: Any, raw: memoryview) -> None:
        self._batch = batch
        self._raw = raw

    def _too_large(self) -> str | None:
        if unpacked(self._attributes & _CODEC, self._packed) <= MAX_UNPACKED_BYTES:
            return None
        return f"a batch of {len(self._raw)} bytes would unpack to more than {MAX_UNPACKED_BYTES}"

    @property
    def _format(self) -> int:
        return self._raw[16]

    @property
    def _attributes(self) -> int:
        return self._raw[22 if self._format == _FORMAT else 17]

    @property
    def _packed(self) -> memoryview:
        if self._format == _FORMAT:
            return self._raw[_HEADER_BYTES:]
        key = 18 + 8 * self._format  # after the time, which the first format does not have
        return self._raw[key + 8 + max(int.from_bytes(self._raw[key : key + 4], "big", signed=True), 0) :]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        try:
            reason = self._too_large()
            if reason is None:
                yield from self._records()
        except Exception as error:  # noqa: BLE001 - whatever a parser raises must not stop the partition
            reason = f"a batch of {len(self._raw)} bytes cannot be read: {type(error).__name__}"
        if reason is not None:
            yield _Unreadable(self._batch.next_offset - 1, bytes(self._packed), [(UNREADABLE, reason.encode())])

    def _records(self) -> Iterator[Any]:
        done = 0
        try:
            for record in self._batch:
                yield record
                done += 1
        except Exception:
            if self._format != _FORMAT:
                raise
            yield from islice(_LooseBatch(self._raw), done, None)


@dataclass(frozen=True, slots=True)
class _Unreadable:
    """Represents the records of a batch that cannot be read; `value` is the batch as it was sent, without its head."""

    offset: int
    value: bytes
    headers: Headers
    key: None = None
    timestamp: int = -1
    timestamp_type: int = 0
    checksum: None = None


def unpacked(compression: int, packed: memoryview) -> int:
    """Return an upper bound of a batch's decompressed size in bytes; 0 if it cannot exceed `MAX_UNPACKED_BYTES`.

    Counting stops shortly after `MAX_UNPACKED_BYTES`. No decompressed data are kept in memory.
    """
    if compression == _GZIP and len(packed) * _GZIP_MOST > MAX_UNPACKED_BYTES:
        return _gzip_size(packed)
    if compression == _SNAPPY:
        return _snappy_size(packed)
    if compression == _LZ4 and len(packed) * _LZ4_MOST > MAX_UNPACKED_BYTES:
        return _lz4_size(packed)
    return _zstd_size(packed) if compression == _ZSTD else 0


def _gzip_size(packed: memoryview) -> int:
    size, left = 0, bytes(packed)
    try:
        while left and size <= MAX_UNPACKED_BYTES:  # one member after the other
            unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
            while left and not unpacker.eof and size <= MAX_UNPACKED_BYTES:
                size += len(unpacker.decompress(left, 1024 * 1024))
                left = unpacker.unconsumed_tail
            left = unpacker.unused_data
    except zlib.error:
        pass  # the parser reports it
    return size


def _snappy_size(packed: memoryview) -> int:
    """Add up the sizes with which the blocks begin, one or many."""
    if not _detect_xerial_stream(packed):
        return _varint(packed)
    size, place = 0, _XERIAL_BYTES
    while place + 4 < len(packed):
        size += _varint(packed[place + 4 :])
        place += 4 + int.from_bytes(packed[place : place + 4], "big")
    return size


def _varint(data: memoryview) -> int:
    number = 0
    for i, byte in enumerate(data[:5]):
        number |= (byte & 0x7F) << 7 * i
        if byte < 0x80:  # noqa: PLR2004 - the last byte of the number
            break
    return number


def _lz4_size(packed: memoryview) -> int:
    """Add up the blocks of all frames by their headers; a compressed block holds up to its frame's largest block."""
    size, place = 0, 0
    while place + 8 < len(packed) and size <= MAX_UNPACKED_BYTES:
        if int.from_bytes(packed[place : place + 4], "little") & _SKIPPED_MASK == _SKIPPED:
            place += 8 + int.from_bytes(packed[place + 4 : place + 8], "little")
            continue
        flags, largest = packed[place + 4], 1 << 2 * (packed[place + 5] >> 4 & 7) + 8
        place += 7 + (flags >> 3 & 1) * 8 + (flags & 1) * 4
        while size <= MAX_UNPACKED_BYTES and (length := int.from_bytes(packed[place : place + 4], "little")):
            plain, length = length >> 31, length & 0x7FFFFFFF
            size += length if plain else min(largest, length * _LZ4_MOST)
            place += 4 + length + (flags >> 4 & 1) * 4
        place += 4 + (flags >> 2 & 1) * 4
    return size


def _zstd_size(packed: memoryview) -> int:
    """Add up the blocks of all frames by their headers (RFC 8878, 3.1.1); a compressed block holds up to 128 KiB."""
    size, place = 0, 0
    while place + 8 < len(packed):  # no frame is shorter
        if int.from_bytes(packed[place : place + 4], "little") & _SKIPPED_MASK == _SKIPPED:
            place += 8 + int.from_bytes(packed[place + 4 : place + 8], "little")
            continue
        descriptor = packed[place + 4]
        single = descriptor >> 5 & 1
        place += 5 + (1 - single) + (0, 1, 2, 4)[descriptor & 3] + (single, 2, 4, 8)[descriptor >> 6]
        last = 0
        while not last and place + 3 <= len(packed):
            header = int.from_bytes(packed[place : place + 3], "little")
            last, kind, length = header & 1, header >> 1 & 3, header >> 3
            size += _ZSTD_BLOCK if kind == _PACKED else length
            place += 3 + (1 if kind == _REPEATED else length)
        place += (descriptor >> 2 & 1) * 4
    return size


class _Records(memory_records._MemoryRecordsPy):  # type: ignore[misc]  # noqa: SLF001 - aiokafka's own decoder, pinned by the lock
    def next_batch(self) -> Any:
        raw = self._next_slice
        batch = super().next_batch()
        return None if batch is None else _Batch(batch, cast("memoryview", raw))


def install() -> None:
    """Make aiokafka's consumers in this process read through this module."""
    fetcher.MemoryRecords = _Records
