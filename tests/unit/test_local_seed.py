"""The starter data is loaded, and a stream is opened, also where a service is busy for a moment."""

from collections import Counter
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from deploy.local import seed
from deploy.local.display import Quiet
from deploy.local.live import messages
from deploy.local.processes import CannotStart

OFFICER = {"officer": "one", "profile": {}, "assessment": {}}


class Busy:
    """A service that is too busy for the first requests to each address."""

    def __init__(self, refused: int = 1) -> None:
        self.asked: Counter[str] = Counter()
        self._refused = refused

    async def answer(self, request: web.Request) -> web.Response:
        asked = f"{request.method} {request.path}"
        self.asked[asked] += 1
        await request.read()
        if self.asked[asked] <= self._refused:
            return web.Response(status=503)
        if request.path.endswith("/live"):
            return web.Response(text='event: path\ndata: {"revision": 1}\n\n', content_type="text/event-stream")
        if request.path.endswith(":import"):
            return web.Response(text='{"line": 1, "status": "created"}\n', content_type="application/x-ndjson")
        return web.json_response({"profile_sequence": 2})


@pytest.fixture
async def session(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[aiohttp.ClientSession]:
    monkeypatch.setattr(seed, "_PAUSE_SECONDS", 0.0)
    async with aiohttp.ClientSession() as session:
        yield session


def served(busy: Busy) -> TestServer:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", busy.answer)
    return TestServer(app)


async def test_a_busy_service_gets_every_request_again(session: aiohttp.ClientSession) -> None:
    busy = Busy()
    async with served(busy) as server:
        url = str(server.make_url("")).rstrip("/")
        await seed.load_item_banks(session, url, "key", Quiet())
        assert await seed.import_courses(session, url, "key", b"{}\n", Quiet()) == 1
        await seed.register(session, url, "key", OFFICER)
        assert (await seed.submit(session, url, "key", OFFICER))["profile_sequence"] == 2
        stream = messages(session, url, "one", "key")
        assert (await anext(stream)).data == {"revision": 1}
        await stream.aclose()
    assert len(busy.asked) >= 5
    assert set(busy.asked.values()) == {2}


async def test_a_service_that_stays_busy_is_named(session: aiohttp.ClientSession) -> None:
    busy = Busy(refused=1000)
    async with served(busy) as server:
        with pytest.raises(CannotStart, match="/v1/officers/one was answered 503"):
            await seed.register(session, str(server.make_url("")).rstrip("/"), "key", OFFICER)
    assert set(busy.asked.values()) == {20}
