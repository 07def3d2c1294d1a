"""The size of a packed batch, found without unpacking it, and that whatever a client sends as a batch can be read."""

import gzip
import struct
import subprocess
import sys
import zlib

import cramjam
import pytest
from aiokafka.codec import gzip_encode, lz4_encode, snappy_encode, zstd_encode
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.util import calc_crc32c
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.kafka.batches import MAX_UNPACKED_BYTES, _Records, unpacked
from shared.kafka.records import UNREADABLE

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
SKIPPED = (0x184D2A53).to_bytes(4, "little") + (7).to_bytes(4, "little") + b"skipped"


@given(parts=st.lists(st.tuples(st.binary(max_size=50), st.integers(1, 20_000)), min_size=1, max_size=5))
@settings(max_examples=100, deadline=None)
def test_no_zstd_frame_decompresses_to_more_than_the_reported_size(parts: list[tuple[bytes, int]]) -> None:
    whole = b"".join(part * times for part, times in parts)
    packed = zstd_encode(whole)
    size = unpacked(ZSTD, memoryview(packed))
    assert len(whole) <= size <= len(whole) + 4 * 128 * 1024
    assert unpacked(ZSTD, memoryview(packed + SKIPPED + packed)) == 2 * size


@given(packed=st.binary(max_size=100) | st.binary(max_size=60).map(lambda end: zstd_encode(b"x" * 99)[:9] + end))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_inspected_without_an_error(packed: bytes) -> None:
    for compression in range(8):
        assert unpacked(compression, memoryview(packed)) >= 0


def raw_snappy(whole: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(whole))


def lz4_in_large_blocks(whole: bytes) -> bytes:
    compressor = cramjam.lz4.Compressor(level=1, content_checksum=True, block_linked=False)
    compressor.compress(whole)
    return bytes(compressor.finish())


CODECS = [
    (GZIP, gzip_encode), (SNAPPY, snappy_encode), (SNAPPY, raw_snappy), (LZ4, lz4_encode), (LZ4, lz4_in_large_blocks),
    (ZSTD, zstd_encode),
]  # fmt: skip


@pytest.mark.parametrize(("compression", "encode"), CODECS)
def test_a_small_batch_that_decompresses_to_many_bytes_is_detected(compression: int, encode: object) -> None:
    assert callable(encode)
    packed = encode(bytes(MAX_UNPACKED_BYTES + 1))
    assert unpacked(compression, memoryview(packed)) > MAX_UNPACKED_BYTES
    assert unpacked(compression, memoryview(encode(b"x" * 1_000_000))) <= 2_000_000


@pytest.mark.parametrize(("compression", "encode"), [(LZ4, lz4_encode), (LZ4, lz4_in_large_blocks)])
def test_a_large_batch_that_decompresses_to_few_bytes_is_not_taken_for_a_large_one(
    compression: int, encode: object
) -> None:
    assert callable(encode)
    whole = b"".join(number.to_bytes(3, "big") * 3 for number in range(300_000))
    packed = encode(whole)
    assert len(packed) * 255 > MAX_UNPACKED_BYTES
    assert len(whole) <= unpacked(compression, memoryview(packed)) <= 2 * len(whole) + 4 * 2**20


def test_sizes_of_gzip_members_are_added() -> None:
    packed = gzip.compress(bytes(40 * 1024 * 1024)) * 2
    assert unpacked(GZIP, memoryview(packed)) > MAX_UNPACKED_BYTES


def test_sizes_of_lz4_frames_are_added() -> None:
    packed = lz4_encode(bytes(40 * 1024 * 1024))
    assert unpacked(LZ4, memoryview(packed + SKIPPED + packed)) > MAX_UNPACKED_BYTES


COUNT = 3


def batch(compression: int, packed: bytes) -> bytes:
    """Return a batch of three records, of which everything after the head is replaced by `packed`."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 100_000)
    for offset in range(COUNT):
        builder.append(offset, None, b"key", b"value", [("name", b"x")])
    whole = bytearray(builder.build())
    whole[61:] = packed or whole[61:]
    struct.pack_into(">i", whole, 8, len(whole) - 12)
    struct.pack_into(">h", whole, 21, compression)
    return summed(whole)


def summed(whole: bytearray) -> bytes:
    """Return a batch with its right checksum."""
    if whole[16] < 2:
        struct.pack_into(">I", whole, 12, zlib.crc32(whole[16:]))
    else:
        struct.pack_into(">I", whole, 17, calc_crc32c(bytes(whole[21:])))
    return bytes(whole)


PLAIN = batch(0, b"")[61:]


@given(
    codec=st.sampled_from([*CODECS, (5, bytes), (7, bytes)]),
    end=st.integers(0, 60),
    more=st.binary(max_size=60),
)
@settings(max_examples=500, deadline=None)
def test_a_packed_batch_with_another_end_gives_records_or_one_that_says_why_not(
    codec: tuple[int, object], end: int, more: bytes
) -> None:
    compression, encode = codec
    assert callable(encode)
    packed = encode(PLAIN)
    whole = batch(compression, (packed[: len(packed) - end] + more) or b"?")
    records = [*_Records(whole).next_batch()]
    if [name for name, _ in records[-1].headers] == [UNREADABLE]:
        assert (records[-1].offset, records[-1].value) == (COUNT - 1, whole[61:])
    else:
        assert [record.value for record in records] == [b"value"] * COUNT


@pytest.mark.parametrize(("compression", "encode"), [(0, bytes), *CODECS])
def test_records_are_read_from_each_compression(compression: int, encode: object) -> None:
    assert callable(encode)
    records = [*_Records(batch(compression, encode(PLAIN))).next_batch()]
    assert [(record.offset, record.value) for record in records] == [(offset, b"value") for offset in range(COUNT)]


@pytest.mark.parametrize(("compression", "encode"), CODECS)
def test_a_batch_that_decompresses_to_too_much_is_not_unpacked(compression: int, encode: object) -> None:
    assert callable(encode)
    [record] = _Records(batch(compression, encode(bytes(MAX_UNPACKED_BYTES + 1)))).next_batch()
    assert b"would unpack to more" in dict(record.headers)[UNREADABLE]


@pytest.mark.parametrize(
    ("magic", "compression"), [(0, 0), (0, GZIP), (0, SNAPPY), (1, 0), (1, GZIP), (1, SNAPPY), (1, LZ4)]
)
def test_records_of_the_formats_before_headers_are_read(magic: int, compression: int) -> None:
    builder = LegacyRecordBatchBuilder(magic, compression, 100_000)
    for offset in range(COUNT):
        builder.append(offset, 1_700_000_000_000, b"key", b"value")
    found, left = [], _Records(bytes(builder.build()))
    while left.has_next():
        found += [(record.offset, record.value) for record in left.next_batch()]
    assert found == [(offset, b"value") for offset in range(COUNT)]


@pytest.mark.parametrize("magic", [0, 1])
@pytest.mark.parametrize("key", [None, b"key"])
def test_a_batch_of_an_older_format_that_decompresses_to_too_much_is_not_unpacked(
    magic: int, key: bytes | None
) -> None:
    packed = gzip_encode(bytes(MAX_UNPACKED_BYTES + 1))
    builder = LegacyRecordBatchBuilder(magic, 0, len(packed) + 1000)
    builder.append(0, 1_700_000_000_000, key, packed)
    whole = bytearray(builder.build())
    whole[17] |= GZIP
    [record] = _Records(summed(whole)).next_batch()
    assert b"would unpack to more" in dict(record.headers)[UNREADABLE]


@pytest.mark.parametrize("magic", [0, 1, 2])
def test_a_batch_with_a_wrong_checksum_is_reported_once_and_passed(magic: int) -> None:
    whole = bytearray(batch(0, b""))
    if magic < 2:
        builder = LegacyRecordBatchBuilder(magic, 0, 100_000)
        builder.append(0, 1_700_000_000_000, b"key", b"value")
        whole = bytearray(builder.build())
    whole[-1] ^= 1
    found = _Records(bytes(whole)).next_batch()
    assert found.validate_crc(), "aiokafka would fetch it again"
    [record] = found
    assert b"wrong checksum" in dict(record.headers)[UNREADABLE]
    assert record.offset == found.next_offset - 1 == (2 if magic == 2 else 0)


def test_a_batch_that_claims_to_end_before_its_first_record_is_passed() -> None:
    whole = bytearray(batch(0, b""))
    struct.pack_into(">i", whole, 23, -7)
    struct.pack_into(">q", whole, 0, 40)
    assert _Records(summed(whole)).next_batch().next_offset == 41


NUMBERS = [bytes([number]) for number in (0x00, 0x01, 0x7E, 0x7F, 0x80, 0xFF)] + [
    b"\xfe\xff\xff\xff\x0f", b"\x80\x80\x80\x80\x08", b"\xfe" + b"\xff" * 8 + b"\x01", b"\xff" * 12,
]  # fmt: skip
MUTATED = """
import sys
from tests.unit.test_batches import mutants, read
for codec in range(3):
    for one in mutants(codec):
        read(one)
"""


def mutants(codec: int) -> list[bytes]:
    """Return batches with right checksums of which one place of the records holds another number, or is cut there."""
    compression, encode = [(0, bytes), (ZSTD, zstd_encode), (GZIP, gzip_encode)][codec]
    plain = [PLAIN[:place] + number + PLAIN[place + len(number) :] for place in range(len(PLAIN)) for number in NUMBERS]
    return [batch(compression, encode(one)) for one in [*plain, *(PLAIN[:end] for end in range(1, len(PLAIN)))]]


def read(whole: bytes) -> list[object]:
    """Return the records of a batch: all three, or the report alone."""
    records = [*_Records(whole).next_batch()]
    unreadable = [one for one in records if UNREADABLE in dict(one.headers)]
    assert len(records) == COUNT if not unreadable else records == unreadable
    return records


def test_no_length_within_a_record_lets_the_reader_leave_its_batch() -> None:
    """In a process of its own, because the compiled parser crashes."""
    done = subprocess.run([sys.executable, "-c", MUTATED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
