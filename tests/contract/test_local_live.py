"""The reader of live streams that the demo and the tests use."""

from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from deploy.local.live import Message, messages

STREAM = (
    b': hello\r\nretry: 1000\r\n\r\nevent: status\ndata: {"status":"waiting"}\n\n'
    b': ping\n\nid: 7\nevent: path\ndata: {"officer":\ndata: "a"}\n\nevent: path\ndata: 1'
)


async def test_events_are_read_with_name_id_and_data_and_incomplete_ones_are_ignored() -> None:
    async def live(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer k.s"
        assert request.headers["Last-Event-ID"] == "6"
        return web.Response(body=STREAM, content_type="text/event-stream")

    app = web.Application()
    app.router.add_get("/v1/officers/a/live", live)
    async with TestServer(app) as server, ClientSession() as session:
        url = str(server.make_url("")).rstrip("/")
        got = [message async for message in messages(session, url, "a", "k.s", last_event_id="6")]
    assert got == [Message("status", "", {"status": "waiting"}), Message("path", "7", {"officer": "a"})]
