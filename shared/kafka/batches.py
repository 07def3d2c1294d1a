"""Reads batches of records on which aiokafka's own reader would fail. Any client can write such batches.

If a header name is not UTF-8, the batch is read once more with lenient decoding of names. One record marked UNREADABLE
replaces a batch with a wrong checksum (aiokafka fetches it again for ever), one that decompresses to more than
`MAX_UNPACKED_BYTES` (a broker limits the compressed size only), and the records of a batch that cannot be unpacked or
that end outside it (brokers check less, and the compiled parser of aiokafka reads other memory there, or crashes).
Every other batch is read by aiokafka's own parser. `install` puts this module in place.
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

from aiokafka.codec import _detect_xerial_stream, gzip_decode, lz4_decode, snappy_decode, zstd_decode
from aiokafka.consumer import fetcher
from aiokafka.record import default_records, legacy_records, memory_records

from shared.kafka.records import UNREADABLE, Headers

MAX_UNPACKED_BYTES = 64 * 1024 * 1024
"""The most bytes of an unpacked batch: what a fetch returns at most without compression."""

_FORMAT, _HEADER_BYTES = 2, 61  # of a batch; brokers before Kafka 4 also keep the older formats, without headers
_CODEC = 7  # the bits of the attributes that name it
_GZIP, _SNAPPY, _LZ4, _ZSTD = 1, 2, 3, 4
_UNPACK: dict[int, Callable[[bytes], bytes]] = {
    _GZIP: gzip_decode,
    _SNAPPY: snappy_decode,
    _LZ4: lz4_decode,
    _ZSTD: zstd_decode,
}
_SKIPPED, _SKIPPED_MASK = 0x184D2A50, 0xFFFFFFF0  # frames that zstd and LZ4 skip
_MORE, _LONGEST_BITS = 0x80, 70  # a byte that is not the last one of a number; ten bytes of seven bits
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

    def __init__(self, raw: memoryview) -> None:
        self._raw = raw
        self._format = raw[16]
        if self._format == _FORMAT:
            self._batch: Any = default_records.DefaultRecordBatch(raw)
        else:  # rare, and the compiled parser checks no more than that of the newer format
            self._batch = legacy_records._LegacyRecordBatchPy(raw, self._format)  # noqa: SLF001 - aiokafka's own decoder, pinned by the lock

    @property
    def next_offset(self) -> int:
        return max(int(self._batch.next_offset), int(self._batch.base_offset) + 1)

    @property
    def is_control_batch(self) -> bool:
        return bool(self._batch.is_control_batch and self._batch.validate_crc())

    def validate_crc(self) -> bool:
        """Return True: `__iter__` reports a wrong checksum."""
        return True

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
            reason = self._unusable()
            if reason is None:
                yield from self._records()
        except Exception as error:  # noqa: BLE001 - no error of a parser may stop the partition
            reason = f"a batch of {len(self._raw)} bytes cannot be read: {type(error).__name__}"
        if reason is not None:
            yield _Unreadable(self.next_offset - 1, bytes(self._packed), [(UNREADABLE, reason.encode())])

    def _unusable(self) -> str | None:
        if not self._batch.validate_crc():
            return f"a batch of {len(self._raw)} bytes has a wrong checksum"
        if unpacked(self._attributes & _CODEC, self._packed) > MAX_UNPACKED_BYTES:
            return f"a batch of {len(self._raw)} bytes would unpack to more than {MAX_UNPACKED_BYTES}"
        return None

    def _records(self) -> Iterator[Any]:
        if self._format != _FORMAT:
            yield from self._batch
            return
        plain = self._plain()
        check_records(plain[_HEADER_BYTES:], int.from_bytes(plain[_HEADER_BYTES - 4 : _HEADER_BYTES], "big"))
        done = 0
        try:
            for record in default_records.DefaultRecordBatch(plain):
                yield record
                done += 1
        except UnicodeDecodeError:
            yield from islice(_LooseBatch(plain), done, None)

    def _plain(self) -> bytes:
        """Return the batch without compression; its checksum stays that of the compressed one."""
        codec = self._attributes & _CODEC
        if not codec:
            return bytes(self._raw)
        whole = bytearray(self._raw[:_HEADER_BYTES])
        whole[22] &= ~_CODEC
        return bytes(whole) + _UNPACK[codec](bytes(self._packed))


def check_records(data: bytes, count: int) -> None:
    """Check that `count` records fill these bytes exactly, each ending where it says. Raises ValueError, IndexError."""
    place = 0
    for _ in range(count):
        size, place = _number(data, place)
        end = place + size
        if not place < end <= len(data):
            raise ValueError("a record ends outside its batch")
        _check_record(data, place, end)
        place = end
    if place != len(data):
        raise ValueError("bytes follow the records")


def _check_record(data: bytes, place: int, end: int) -> None:
    """Check that a record ends at `end`. No length takes `place` back, so every part of it is inside then."""
    if data[place] >= _MORE:  # one byte by the format, which aiokafka reads as a number
        raise ValueError("a record has unknown attributes")
    _, place = _number(data, place + 1)  # the time
    _, place = _number(data, place)  # the offset
    place = _after(data, _after(data, place))  # key and value
    headers, place = _number(data, place)
    if not 0 <= headers <= end - place:
        raise ValueError("a record cannot have so many headers")
    for _ in range(headers):
        size = data[place]
        if size & 1:  # a negative length
            raise ValueError("a header has no name")
        place = place + 1 + (size >> 1) if size < _MORE else _after(data, place)
        place = _after(data, place)
    if place != end:
        raise ValueError("a record does not end where it says")


def _after(data: bytes, place: int) -> int:
    """Return the place after bytes whose length comes first; a negative length stands for null."""
    byte = data[place]
    if byte < _MORE:  # without a call, since most lengths are short
        return place + 1 + (0 if byte & 1 else byte >> 1)
    size, place = _number(data, place)
    return place + max(size, 0)


def _number(data: bytes, place: int) -> tuple[int, int]:
    """Return the zigzag-encoded number at a place, and the place after it."""
    byte = data[place]
    if byte < _MORE:
        return byte >> 1 ^ -(byte & 1), place + 1
    value, shift = byte & 0x7F, 7
    while byte >= _MORE and shift < _LONGEST_BITS:
        place += 1
        byte = data[place]
        value |= (byte & 0x7F) << shift
        shift += 7
    if byte >= _MORE:
        raise ValueError("a number is too long")
    return value >> 1 ^ -(value & 1), place + 1


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
        if raw is None:
            return None
        self._cache_next()
        return _Batch(cast("memoryview", raw))


def install() -> None:
    """Make aiokafka's consumers in this process read through this module."""
    fetcher.MemoryRecords = _Records
