"""The HTTP layer while it runs: readiness, background tasks, changes that finish, streams, the log, the figures."""

import asyncio
import logging
from contextlib import suppress
from functools import partial

import pytest
from aiohttp.test_utils import TestServer

from shared.app import LIFECYCLE, Readiness, background, build_app
from shared.auth import Authenticator
from shared.process import log_readiness
from tests.support.sample_service import PEPPER, KeysInMemory, Shelf, serving


@pytest.fixture
async def shelf() -> Shelf:
    return Shelf()


async def test_a_change_finishes_when_its_client_disconnects(shelf: Shelf) -> None:
    app = build_app("Shelf", shelf.routes(), Authenticator(KeysInMemory(), PEPPER))
    server = TestServer(app)
    await server.start_server()
    _, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(b"POST /v1/slow HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    await asyncio.wait_for(shelf.entered.wait(), 90)
    writer.transport.abort()
    await asyncio.sleep(0.2)
    assert not shelf.stored
    asyncio.get_running_loop().call_later(0.2, shelf.go_on.set)
    await server.close()
    assert shelf.stored


async def test_a_broken_stream_ends_the_connection(shelf: Shelf) -> None:
    async with serving(shelf) as (client, _):
        got = await client.get("/v1/stream")
        assert got.status == 200
        with pytest.raises(Exception, match=r"payload|disconnected|reset|closed"):
            await got.read()


async def test_a_broken_stream_does_not_look_whole_to_a_client_of_http_1_0(shelf: Shelf) -> None:
    """Proxies often speak HTTP/1.0 to a service; there the end of the connection is the end of the answer."""
    async with serving(shelf) as (client, _):
        reader, writer = await asyncio.open_connection(client.server.host, client.server.port)
        writer.write(b"GET /v1/stream HTTP/1.0\r\nHost: x\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


async def test_readiness_names_what_is_wrong(shelf: Shelf) -> None:
    async def fine() -> None:
        return None

    async def wrong() -> str:
        return "no primary"

    async with serving(shelf, checks={"a": fine, "b": wrong}) as (client, _):
        got = await client.get("/readyz")
        assert (got.status, await got.json()) == (
            503,
            {"status": "not ready", "checks": {"a": "ok", "b": "no primary"}},
        )
        assert (await client.get("/livez")).status == 200
    async with serving(shelf, checks={"a": fine}) as (client, _):
        assert (await client.get("/readyz")).status == 200
        assert client.app is not None
        client.app[LIFECYCLE].draining = True
        got = await client.get("/readyz")
        assert (got.status, (await got.json())["status"]) == (503, "draining")


async def test_the_log_reports_what_a_service_waits_for_on_change_and_every_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fine, catalog = {"mongodb": "ok"}, {"mongodb": "ok", "catalog": "4 records are left"}
    found = iter([catalog, {**catalog, "catalog": "3 records are left"}, *[catalog] * 29, fine, fine, catalog])

    async def readiness() -> Readiness:
        return Readiness("as found", next(found))

    async def pause(_: float) -> None:
        pass

    caplog.set_level(logging.INFO, "shared.process")
    with pytest.raises(RuntimeError, match="StopIteration"):
        await log_readiness(readiness, pause)
    messages = [(record.message, getattr(record, "fields", {}).get("checks")) for record in caplog.records]
    waits = ("not ready", {"catalog": "4 records are left"})
    assert messages == [
        waits,
        waits,
        ("ready", None),
        waits,
    ]  # 31 looks, two seconds apart: logged again after a minute


async def test_a_background_task_that_fails_ends_the_process(shelf: Shelf, caplog: pytest.LogCaptureFixture) -> None:
    async def dies() -> None:
        raise RuntimeError("the broker is gone")

    async with serving(shelf, contexts=[background("relay", dies)]) as (client, _):
        assert client.app is not None
        await asyncio.wait_for(client.app[LIFECYCLE].stopping.wait(), 90)
        assert client.app[LIFECYCLE].failure == "relay ended: RuntimeError('the broker is gone')"
        got = await client.get("/readyz")
        assert got.status == 503
    assert "relay ended by itself" in caplog.text


async def test_a_background_task_may_finish_its_current_work(shelf: Shelf) -> None:
    stop_called = asyncio.Event()
    finished = []

    async def works() -> None:
        await stop_called.wait()
        await asyncio.sleep(0.05)
        finished.append(True)

    async with serving(shelf, contexts=[background("consumer", works, stop=stop_called.set)]) as (client, _):
        assert client.app is not None
        assert client.app[LIFECYCLE].failure is None
    assert finished == [True]


async def test_background_tasks_are_stopped_at_the_same_time(shelf: Shelf, caplog: pytest.LogCaptureFixture) -> None:
    first, second = asyncio.Event(), asyncio.Event()
    finished = []

    async def both_stopped(name: str) -> None:
        await first.wait()
        await second.wait()  # set later than the first in one order, and earlier in the other
        finished.append(name)

    contexts = [
        background("a", partial(both_stopped, "a"), stop=first.set),
        background("b", partial(both_stopped, "b"), stop=second.set),
    ]
    async with serving(shelf, contexts=contexts):
        pass
    assert sorted(finished) == ["a", "b"]
    assert caplog.records == []


async def test_a_background_task_that_does_not_end_is_abandoned(
    shelf: Shelf, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.app._FINISH_SECONDS", 0.01)
    free = asyncio.Event()

    async def hangs() -> None:
        while not free.is_set():
            with suppress(asyncio.CancelledError):
                await free.wait()

    async with serving(shelf, contexts=[background("relay", hangs, stop=lambda: None)]):
        pass
    free.set()
    assert [record.getMessage() for record in caplog.records] == [
        "relay has not finished its current work; it is interrupted",
        "relay does not end; the service ends without it",
    ]


async def test_the_access_log_contains_path_templates_and_no_queries(
    shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "access")
    async with serving(shelf) as (client, _):
        await client.get("/v1/things/private?limit=secret")
        await client.get("/livez")
    lines = [vars(record)["fields"] for record in caplog.records if record.name == "access"]
    assert [(line["route"], line["status"]) for line in lines] == [("/v1/things/{thing_id}", 401)]
    assert "secret" not in str(lines)
    assert "private" not in str(lines)


async def test_requests_are_measured_by_template(shelf: Shelf) -> None:
    async with serving(shelf) as (client, _):
        await client.get("/v1/trace")
        await client.get("/any/thing")
        text = await (await client.get("/metrics")).text()
    assert (
        'learning_path_http_server_request_duration_seconds_count{method="GET",route="/v1/trace",status="200"} 1.0'
        in text
    )
    assert (
        'learning_path_http_server_request_duration_seconds_count{method="-",route="unmatched",status="404"} 1.0'
        in text
    )
