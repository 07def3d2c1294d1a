"""Answers through the portal are compressed for clients that accept it; their tags and preconditions keep working."""

import asyncio
import gzip
import json
import zlib
from collections.abc import Iterator

import pytest

from shared.routes import BODY_LIMIT
from tests.support.portal import Portal, path
from tests.support.waiting import WAIT_SECONDS

DOCUMENT = json.dumps({"skills": [{"id": f"skill-{number}", "name": "ทักษะ"} for number in range(400)]}).encode()
TARGET = "/api/v1/frameworks/fw"


@pytest.fixture
async def headers(portal: Portal) -> dict[str, str]:
    return {"Authorization": f"Bearer {await portal.key('admin')}"}


@pytest.fixture
def documented(portal: Portal) -> Iterator[None]:
    portal.owner.document = DOCUMENT
    yield
    portal.owner.document = None


@pytest.mark.usefixtures("documented")
@pytest.mark.parametrize("accepted", ["gzip, deflate, br", "identity", "gzip;q=0"])
async def test_an_answer_is_compressed_if_the_client_accepts_it(
    portal: Portal, headers: dict[str, str], accepted: str
) -> None:
    packed = accepted.startswith("gzip,")
    async with portal.session.get(
        portal.url + TARGET, headers=headers | {"Accept-Encoding": accepted}, auto_decompress=False
    ) as answer:
        body = await answer.read()
        assert answer.headers.get("Content-Encoding") == ("gzip" if packed else None)
        assert answer.headers["Vary"] == "Accept-Language, Accept-Encoding"
        assert answer.headers["ETag"] == ('"7;gzip"' if packed else '"7"')
        assert (gzip.decompress(body) if packed else body) == DOCUMENT
        assert not packed or len(body) < len(DOCUMENT) / 5


@pytest.mark.usefixtures("documented")
@pytest.mark.parametrize(("method", "target"), [("POST", "/api/v1/officers/o/shares"), ("PUT", "/api/v1/courses/c")])
async def test_answers_that_may_hold_a_key_are_not_compressed(
    portal: Portal, headers: dict[str, str], method: str, target: str
) -> None:
    async with portal.session.request(
        method, portal.url + target, headers=headers | {"Accept-Encoding": "gzip"}, auto_decompress=False
    ) as answer:
        assert (answer.status, answer.headers["ETag"]) == (200, '"7"')
        assert "Content-Encoding" not in answer.headers
        assert await answer.read() == DOCUMENT


@pytest.mark.usefixtures("documented")
@pytest.mark.parametrize("accepted", ["gzip", "identity", "gzip;q=0"])
async def test_head_has_the_headers_of_get(portal: Portal, headers: dict[str, str], accepted: str) -> None:
    officer, key = await portal.officer()
    stream = f"/v1/officers/{officer}/live"
    for target, authorization in ((TARGET, headers), (stream, {"Authorization": f"Bearer {key}"})):
        request_headers = authorization | {"Accept-Encoding": accepted}
        found = []
        for method in ("GET", "HEAD"):
            async with portal.session.request(
                method, portal.url + target, headers=request_headers, auto_decompress=False
            ) as answer:
                names = ("Vary", "ETag", "Content-Encoding", "Content-Type", "Cache-Control")
                found.append((answer.status, *((name, answer.headers.get(name)) for name in names)))
                if method == "HEAD":
                    assert await answer.read() == b""
        assert found[0] == found[1]


@pytest.mark.usefixtures("documented")
@pytest.mark.parametrize("accepted", ["gzip", "identity"])
@pytest.mark.parametrize(
    ("method", "condition", "status", "tag"),
    [
        ("GET", {"If-None-Match": '"7;gzip"'}, 304, '"7;gzip"'),
        ("GET", {"If-None-Match": '"6", W/"7;gzip"'}, 304, '"7;gzip"'),
        ("GET", {"If-None-Match": '"7"'}, 304, '"7"'),
        ("GET", {"If-None-Match": "*"}, 304, '"7"'),
        ("GET", {"If-None-Match": '"6;gzip"'}, 200, None),
        ("PUT", {"If-Match": '"7;gzip"'}, 200, '"7"'),
        ("PUT", {"If-Match": '"6", "7"'}, 200, '"7"'),
        ("PUT", {"If-Match": 'W/"7;gzip"'}, 412, None),
        ("PUT", {"If-Match": '"6;gzip"'}, 412, None),
        ("PUT", {"If-None-Match": '"7;gzip"'}, 412, None),
    ],
)
async def test_preconditions_take_the_tags_of_compressed_and_other_answers(  # noqa: PLR0917
    portal: Portal,
    headers: dict[str, str],
    accepted: str,
    method: str,
    condition: dict[str, str],
    status: int,
    tag: str | None,
) -> None:
    request_headers = headers | condition | {"Accept-Encoding": accepted}
    async with portal.session.request(method, portal.url + TARGET, headers=request_headers) as answer:
        assert answer.status == status
        assert tag is None or answer.headers["ETag"] == tag
        assert status != 304 or answer.headers["Vary"] == "Accept-Language, Accept-Encoding"


async def test_rows_that_are_answered_one_by_one_are_not_held_back(portal: Portal, headers: dict[str, str]) -> None:
    request_headers = headers | {"Accept-Encoding": "gzip"}
    body = b'{"row":1}\n' * 1000
    assert len(body) < BODY_LIMIT
    async with portal.session.post(f"{portal.url}/api/v1/courses:import", data=body, headers=request_headers) as answer:
        assert "Content-Encoding" not in answer.headers
        assert await answer.read() == body


@pytest.mark.parametrize("accepted", ["gzip", "identity"])
async def test_each_event_of_a_stream_arrives_by_itself(portal: Portal, accepted: str) -> None:
    officer, key = await portal.officer()
    portal.owner.stored[officer] = path(officer, 1)
    reader = zlib.decompressobj(16 + zlib.MAX_WBITS)
    request_headers = {"Authorization": f"Bearer {key}", "Accept-Encoding": accepted}
    url = f"{portal.url}/v1/officers/{officer}/live"
    async with portal.session.get(url, headers=request_headers, auto_decompress=False) as answer:
        assert answer.headers.get("Content-Encoding") == ("gzip" if accepted == "gzip" else None)
        assert answer.headers["Vary"] == "Accept-Encoding"

        async def until_in(text: str) -> None:
            came = b""
            async with asyncio.timeout(WAIT_SECONDS):
                while f"{text}\n".encode() not in came:
                    piece = await answer.content.readany()
                    came += reader.decompress(piece) if accepted == "gzip" else piece

        await until_in("id: 1")
        await portal.announce(officer, 2, path(officer, 2))
        await until_in("id: 2")
        await portal.announce(officer, 3, None)
        await until_in("event: erased")
        rest = await answer.read()
        assert accepted != "gzip" or (reader.decompress(rest) == b"" and reader.eof)
