"""Which answers the portal compresses, under which tags, and a gzip stream whose parts are readable one by one."""

import gzip
import random
import zlib

import pytest
from aiohttp_sse import EventSourceResponse

from services.portal.compression import (
    EventStream,
    GzipParts,
    LineEnds,
    accepts_gzip,
    gzip_tag,
    is_compressible,
    owners_tags,
)
from shared.preconditions import Preconditions


@pytest.mark.parametrize(
    ("lines", "accepted"),
    [
        (["gzip"], True),
        (["gzip, deflate, br, zstd"], True),
        (["br", "GZIP"], True),
        (["x-gzip"], True),
        (["*"], True),
        (["gzip;q=0.5, identity;q=1"], True),
        (["gzip ; q = 0.001"], True),
        (["*;q=0, gzip"], True),
        ([], False),
        ([""], False),
        (["br"], False),
        (["gzip;q=0"], False),
        (["gzip;q=0.000"], False),
        (["*, gzip;q=0"], False),
        (["*;q=0"], False),
        (["identity"], False),
        (["notgzip"], False),
        (["gzip;q=high"], False),
        (["gzip;q=2"], False),
    ],
)
def test_gzip_is_used_only_if_the_client_accepts_it(lines: list[str], accepted: bool) -> None:
    assert accepts_gzip(lines) is accepted


@pytest.mark.parametrize(
    ("method", "path", "status", "changed", "compressible"),
    [
        ("GET", "/v1/frameworks/fw", 200, {}, True),
        ("GET", "/v1/frameworks/fw", 200, {"Content-Type": "Application/JSON; charset=utf-8"}, True),
        ("POST", "/v1/recommendations", 200, {}, True),
        ("POST", "/v1/officers/o/shares", 201, {}, False),  # holds a key
        ("POST", "/v1/officers/o/feedback", 200, {}, False),
        ("HEAD", "/v1/frameworks/fw", 200, {}, True),
        ("GET", "/v1/frameworks/fw", 404, {}, False),
        ("GET", "/v1/frameworks/fw", 200, {"Content-Length": "1023"}, False),
        ("GET", "/v1/frameworks/fw", 200, {"Content-Length": ""}, False),  # its parts are sent as they become known
        ("GET", "/v1/frameworks/fw", 200, {"Content-Encoding": "br"}, False),
        ("GET", "/v1/frameworks/fw", 200, {"Content-Type": "application/zip"}, False),
    ],
)
def test_answers_with_text_of_known_length_and_without_a_key_are_compressed(
    method: str, path: str, status: int, changed: dict[str, str], compressible: bool
) -> None:
    headers = {"Content-Type": "application/json", "Content-Length": "1024"} | changed
    assert is_compressible(method, path, status, headers) is compressible


def test_a_compressed_answer_has_a_tag_of_its_own_that_its_owner_is_not_shown() -> None:
    assert gzip_tag('"7"') == '"7;gzip"'
    assert gzip_tag('W/"7-th"') == 'W/"7-th"'
    assert owners_tags('"7;gzip", W/"6;gzip", "5"') == '"7", W/"6", "5"'
    assert owners_tags("*") == "*"
    assert Preconditions.of([gzip_tag('"7"')], []) != Preconditions.of(['"7"'], [])


def test_each_part_of_a_gzip_stream_can_be_read_as_soon_as_it_arrives() -> None:
    noise = random.Random(7).randbytes(200_000)  # noqa: S311 - what no compressor makes smaller
    sent = [b"retry: 3\n\n", b"", "เส้นทาง".encode() * 20_000, noise, b": ping\n\n"]
    parts, reader, whole = GzipParts(), zlib.decompressobj(16 + zlib.MAX_WBITS), b""
    for data in sent:
        packed = parts.part(data)
        whole += packed
        assert reader.decompress(packed) == data
    whole += parts.end()
    assert gzip.decompress(whole) == b"".join(sent)
    assert gzip.decompress(GzipParts().end()) == b""


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [""]),
        ('{"th": "หนึ่ง"}', ['{"th": "หนึ่ง"}']),
        ("one\u2028line\x0b\x85", ["one\u2028line\x0b\x85"]),
        ("one\r\ntwo\rthree\n", ["one", "two", "three", ""]),
    ],
)
def test_an_event_has_a_line_of_data_for_each_line_of_its_text(text: str, lines: list[str]) -> None:
    assert LineEnds.split(text) == EventSourceResponse.LINE_SEP_EXPR.split(text) == lines


async def test_an_event_whose_id_holds_a_line_end_is_not_sent() -> None:
    with pytest.raises(ValueError, match="line separators"):
        await EventStream().send("{}", id="1\nevent: erased")
