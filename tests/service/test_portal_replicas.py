"""A service behind the portal has several replicas: one that is gone is passed over, and nothing is done twice."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest
from aiohttp import web

from services.portal.api import forwarding
from services.portal.replicas import AVOIDED_SECONDS, Replicas
from shared.settings import PortalSettings
from tests.support.portal import Owner, Portal, path, running_portal, serving
from tests.support.waiting import until

NAMED = {"Idempotency-Key": "k"}
SAFE = [
    ("GET", "/v1/courses", {}),
    ("GET", "/v1/officers/o/path", {}),
    ("POST", "/v1/recommendations", {}),
    ("POST", "/v1/officers/o/assessments", NAMED),
    ("POST", "/v1/officers/o/sessions/s/answers", {}),
    ("POST", "/v1/officers/o/feedback", NAMED),
    ("PUT", "/v1/officers/o", {}),
    ("DELETE", "/v1/officers/o", {}),
]
UNSAFE = [
    ("POST", "/v1/courses:import", {}),
    ("POST", "/v1/officers/o/assessments", {}),
    ("PUT", "/v1/officers/o", {"If-Match": '"7"'}),
    ("PUT", "/v1/courses/c", {"If-Match": '"7"'}),
    ("DELETE", "/v1/courses/c", {"If-Match": '"7"'}),
]


class Replica:
    """Stands for one replica of every service: it counts what reaches it, and answers, breaks off or sends 503."""

    def __init__(self, behaviour: str) -> None:
        self.behaviour = behaviour
        self.bodies: list[bytes] = []
        self.release = asyncio.Event()

    def on_silence(self) -> None:
        """Do nothing; called for each request that gets no answer."""

    async def anything(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.read())
        if self.behaviour == "breaks off":
            assert request.transport
            request.transport.abort()
        if self.behaviour == "sends nothing":
            self.on_silence()
            await self.release.wait()
        status = {"is draining": 503, "finds nothing": 404}.get(self.behaviour, 200)
        return web.Response(status=status, text=self.behaviour)


@pytest.fixture
def unhurried_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the patience with a replica end when it has the request and sends nothing, instead of after some time."""
    limits: list[asyncio.Timeout] = []

    @asynccontextmanager
    async def limited(seconds: float | None) -> AsyncIterator[None]:
        assert seconds is not None, "there is no limit"
        async with asyncio.timeout(None) as limit:
            limits.append(limit)
            yield

    monkeypatch.setattr(Replica, "on_silence", lambda _: limits[-1].reschedule(0))
    monkeypatch.setattr(forwarding, "asyncio", SimpleNamespace(timeout=limited, CancelledError=asyncio.CancelledError))


@asynccontextmanager
async def replicas(*behaviours: str) -> AsyncIterator[tuple[list[Replica], list[str]]]:
    first, second = (Replica(behaviour) for behaviour in behaviours)
    apps = [web.Application() for _ in behaviours]
    for app, replica in zip(apps, (first, second), strict=True):
        app.router.add_route("*", "/{path:.*}", replica.anything)
    async with serving(apps[0]) as one, serving(apps[1]) as two:
        try:
            yield [first, second], [one, two]
        finally:
            for replica in (first, second):
                replica.release.set()


@contextmanager
def gone() -> Iterator[str]:
    """Yield the address of a port that is taken and on which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@asynccontextmanager
async def portal_over(stage: tuple[PortalSettings, Owner], *urls: str) -> AsyncIterator[Portal]:
    settings, owner = stage
    async with running_portal(
        replace(settings, assessment_url=urls, catalog_url=urls, recommender_url=urls), owner
    ) as portal:
        yield portal


async def answer_of(portal: Portal, method: str, target: str, headers: dict[str, str]) -> tuple[int, str, str]:
    signed = headers | {"Authorization": f"Bearer {await portal.key('admin')}"}
    body = None if method in ("GET", "DELETE") else b'{"a": 1}'
    async with portal.session.request(method, f"{portal.url}/api{target}", headers=signed, data=body) as answer:
        return answer.status, answer.content_type, await answer.text()


async def test_an_unreachable_replica_is_skipped_for_every_request(
    stage: tuple[PortalSettings, Owner],
) -> None:
    async with replicas("answers", "answers") as ([live, _], [address, _]):
        with gone() as nobody:
            async with portal_over(stage, nobody, address) as portal:
                for method, target, headers in [*SAFE, *UNSAFE]:
                    for _ in range(3):
                        assert (await answer_of(portal, method, target, headers))[0] == 200, (method, target)
        assert len(live.bodies) == 3 * len([*SAFE, *UNSAFE])
        assert set(live.bodies) == {b"", b'{"a": 1}'}


@pytest.mark.usefixtures("unhurried_patience")
@pytest.mark.parametrize("behaviour", ["breaks off", "is draining", "sends nothing"])
async def test_a_repeatable_request_is_sent_to_the_next_replica(
    stage: tuple[PortalSettings, Owner], behaviour: str
) -> None:
    for method, target, headers in SAFE:
        async with replicas(behaviour, "answers") as ([bad, good], addresses):
            async with portal_over(stage, *addresses) as portal:
                got = [await answer_of(portal, method, target, headers) for _ in range(3)]
            assert [(status, text) for status, _, text in got] == [(200, "answers")] * 3, (method, target)
            assert len(good.bodies) == 3
            assert len(bad.bodies) >= 1
            assert len({*bad.bodies, *good.bodies}) == 1


@pytest.mark.usefixtures("unhurried_patience")
@pytest.mark.parametrize("behaviour", ["breaks off", "is draining", "sends nothing"])
async def test_what_a_repeated_deletion_does_not_find_any_more_is_deleted(
    stage: tuple[PortalSettings, Owner], behaviour: str
) -> None:
    for method, target, status in (
        ("DELETE", "/v1/officers/o/shares/s", 204),
        ("DELETE", "/v1/frameworks/f/draft", 204),
        ("GET", "/v1/courses/c", 404),
    ):
        async with replicas(behaviour, "finds nothing") as ([bad, good], addresses):
            async with portal_over(stage, *reversed(addresses)) as portal:  # the first request begins with the second
                assert (await answer_of(portal, method, target, {}))[0] == status
            assert (len(bad.bodies), len(good.bodies)) == (1, 1)


async def test_a_deletion_that_was_sent_once_is_answered_as_by_its_owner(stage: tuple[PortalSettings, Owner]) -> None:
    async with replicas("finds nothing", "finds nothing") as (_, [address, _]):
        with gone() as nobody:
            async with portal_over(stage, nobody, address) as portal:
                assert (await answer_of(portal, "DELETE", "/v1/courses/c", {}))[::2] == (404, "finds nothing")


async def test_an_unrepeatable_request_is_never_executed_twice(stage: tuple[PortalSettings, Owner]) -> None:
    for method, target, headers in UNSAFE:
        async with replicas("breaks off", "breaks off") as (both, addresses):
            async with portal_over(stage, *addresses) as portal:
                status, kind, _ = await answer_of(portal, method, target, headers)
            assert (status, kind) == (503, "application/problem+json"), (method, target)
            assert sum(len(replica.bodies) for replica in both) == 1, (method, target)


@pytest.mark.usefixtures("unhurried_patience")
@pytest.mark.parametrize(("method", "target", "headers"), [*UNSAFE, ("GET", "/v1/courses", {})])
async def test_a_replica_that_hangs_is_not_waited_for_without_end(
    stage: tuple[PortalSettings, Owner], method: str, target: str, headers: dict[str, str]
) -> None:
    async with replicas("sends nothing", "sends nothing") as (both, addresses):
        async with portal_over(stage, *addresses) as portal:
            status, kind, _ = await answer_of(portal, method, target, headers)
        assert (status, kind) == (503, "application/problem+json")
        assert sum(len(replica.bodies) for replica in both) == (2 if method == "GET" else 1)


async def test_a_replica_that_a_client_gave_up_on_is_tried_last(
    stage: tuple[PortalSettings, Owner], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarding, "_PATIENCE_SECONDS", 0)
    monkeypatch.setattr(Replicas, "answered", lambda *_: None)
    noted: list[str] = []
    monkeypatch.setattr(Replicas, "failed", lambda _, url: noted.append(url))
    async with (
        replicas("sends nothing", "sends nothing") as (both, addresses),
        portal_over(stage, *addresses) as portal,
    ):
        asking = asyncio.create_task(answer_of(portal, "DELETE", "/v1/courses/c", {"If-Match": '"7"'}))
        await until(lambda: any(replica.bodies for replica in both))
        asking.cancel()
        await until(lambda: len(noted) == 1)
    assert noted[0] in addresses


async def test_if_every_replica_fails_the_last_answer_is_forwarded(stage: tuple[PortalSettings, Owner]) -> None:
    async with replicas("is draining", "is draining") as (both, addresses), portal_over(stage, *addresses) as portal:
        assert (await answer_of(portal, "GET", "/v1/courses", {}))[0] == 503
        assert [len(replica.bodies) for replica in both] == [1, 1]


async def test_a_stream_gets_the_stored_path_from_the_remaining_replica(
    stage: tuple[PortalSettings, Owner],
) -> None:
    settings, owner = stage
    with gone() as nobody:
        async with portal_over(stage, nobody, *settings.recommender_url) as portal:
            for _ in range(4):
                officer, key = await portal.officer()
                owner.stored[officer] = path(officer, 3)
                async with portal.stream(officer, key) as stream:
                    assert (await stream.next()).id == "3"


def test_replicas_take_turns_and_one_that_failed_comes_last_for_a_while() -> None:
    now = 100.0
    found = Replicas(["a", "b", "c"], lambda: now)
    assert {found.in_order()[0] for _ in range(3)} == {"a", "b", "c"}
    found.failed("b")
    assert [found.in_order()[-1] for _ in range(3)] == ["b"] * 3
    found.answered("b")
    assert {found.in_order()[0] for _ in range(3)} == {"a", "b", "c"}
    found.failed("a")
    now += AVOIDED_SECONDS
    assert {found.in_order()[0] for _ in range(3)} == {"a", "b", "c"}
    for url in "abc":
        found.failed(url)
    assert sorted(found.in_order()) == ["a", "b", "c"]
