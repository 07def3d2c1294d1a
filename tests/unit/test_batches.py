"""The size of a packed batch, found without unpacking it."""

import gzip

import pytest
from aiokafka.codec import gzip_encode, lz4_encode, snappy_encode, zstd_encode
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.kafka.batches import MAX_UNPACKED_BYTES, unpacked

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


@pytest.mark.parametrize(("compression", "encode"), [(GZIP, gzip_encode), (ZSTD, zstd_encode)])
def test_a_small_batch_that_decompresses_to_many_bytes_is_detected(compression: int, encode: object) -> None:
    assert callable(encode)
    packed = encode(bytes(MAX_UNPACKED_BYTES + 1))
    assert unpacked(compression, memoryview(packed)) > MAX_UNPACKED_BYTES
    assert unpacked(compression, memoryview(encode(b"x" * 1_000_000))) <= 2_000_000


def test_sizes_of_gzip_members_are_added() -> None:
    packed = gzip.compress(bytes(40 * 1024 * 1024)) * 2
    assert unpacked(GZIP, memoryview(packed)) > MAX_UNPACKED_BYTES


@pytest.mark.parametrize(("compression", "encode", "ratio"), [(SNAPPY, snappy_encode, 25), (LZ4, lz4_encode, 256)])
def test_codecs_that_are_not_inspected_have_a_bounded_ratio(compression: int, encode: object, ratio: int) -> None:
    assert callable(encode)
    packed = encode(bytes(10_000_000))
    assert len(packed) * ratio > 10_000_000
    assert unpacked(compression, memoryview(packed)) == 0
