"""The live streams: the stored path first, then each new one, to all who may see it, until a client disconnects."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import aiohttp
import msgspec
import pytest

from deploy.local.live import messages
from services.portal.connections import Connections
from services.portal.consumer import PathConsumer
from shared.cloudevents import to_kafka
from shared.errors import Unavailable
from shared.events import PATHS_TOPIC, PathAnnounced, PathStored, new_event
from shared.kafka import Follower
from shared.mongo import KeyStore, connect
from shared.settings import PortalSettings
from tests.support.portal import Owner, Portal, path, running_portal
from tests.support.servers import recreate_topic
from tests.support.services import issue_key


async def test_a_stream_sends_the_stored_path_and_then_each_new_one_byte_for_byte(portal: Portal) -> None:
    officer, key = await portal.officer()
    portal.owner.stored[officer] = path(officer, 3)
    async with portal.stream(officer, key) as stream:
        first = await stream.next()
        assert (first.event, first.id, first.data["officer"]) == ("path", "3", officer)
        newer = path(officer, 4)
        await portal.announce(officer, 4, newer)
        second = await stream.next()
        assert (second.event, second.id, second.data) == ("path", "4", json.loads(msgspec.json.encode(newer)))


async def test_a_stream_with_the_stored_revision_gets_only_newer_ones(portal: Portal) -> None:
    officer, key = await portal.officer()
    portal.owner.stored[officer] = path(officer, 3)
    await portal.until_streams(0)
    async with portal.stream(officer, key, last_event_id="3") as stream:
        opening = asyncio.create_task(stream.next())
        await portal.until_streams(1)
        await portal.announce(officer, 3, path(officer, 3))
        await portal.announce(officer, 2, path(officer, 2))
        await portal.announce(officer, 4, path(officer, 4))
        assert (await opening).id == "4"


async def test_without_a_path_the_stream_waits_and_the_first_one_arrives_live(portal: Portal) -> None:
    officer, key = await portal.officer()
    async with portal.stream(officer, key) as stream:
        waiting = await stream.next()
        assert (waiting.event, waiting.data) == ("status", {"status": "waiting"})
        await portal.announce(officer, 1, path(officer, 1))
        assert (await stream.next()).id == "1"


async def test_a_path_stored_meanwhile_is_found_without_an_event(portal: Portal) -> None:
    officer, key = await portal.officer()
    async with portal.stream(officer, key) as stream:
        assert (await stream.next()).event == "status"
        portal.owner.stored[officer] = path(officer, 1)
        assert (await stream.next()).id == "1"


async def test_an_unavailable_recommender_is_reported_and_retried(portal: Portal) -> None:
    officer, key = await portal.officer()
    portal.owner.stored[officer] = path(officer, 5)
    portal.owner.broken = True
    try:
        async with portal.stream(officer, key) as stream:
            assert (await stream.next()).data == {"status": "unavailable"}
            portal.owner.broken = False
            assert (await stream.next()).id == "5"
    finally:
        portal.owner.broken = False


async def test_a_path_pushed_during_the_fetch_is_sent_once_and_an_older_stored_one_is_not(portal: Portal) -> None:
    officer, key = await portal.officer()
    portal.owner.stored[officer] = path(officer, 1)
    portal.owner.held = held = asyncio.Event()
    await portal.until_streams(0)
    try:
        async with portal.stream(officer, key) as stream:
            opening = asyncio.create_task(stream.next())
            await portal.until_streams(1)
            await portal.announce(officer, 2, path(officer, 2))
            assert (await opening).id == "2"
            held.set()
            portal.owner.held = None
            await portal.announce(officer, 3, path(officer, 3))
            assert (await stream.next()).id == "3"
    finally:
        held.set()
        portal.owner.held = None


async def test_a_path_too_large_for_an_event_ends_the_stream_so_that_the_stored_one_is_read(portal: Portal) -> None:
    officer, key = await portal.officer()
    portal.owner.stored[officer] = path(officer, 1)
    async with portal.stream(officer, key) as stream:
        await stream.next()
        portal.owner.stored[officer] = path(officer, 2)
        head = PathStored("agency", officer, 2, "assessment", datetime.now(UTC))
        await portal.announce(officer, 2, head)
        assert await stream.ends()
    async with portal.stream(officer, key, last_event_id="1") as stream:
        assert (await stream.next()).id == "2"


async def test_streams_end_when_the_topic_is_replaced_so_that_the_stored_path_is_read(portal: Portal) -> None:
    officer, key = await portal.officer()
    portal.owner.stored[officer] = path(officer, 1)
    try:
        async with portal.stream(officer, key) as stream:
            await stream.next()
            await recreate_topic(portal.settings.kafka_bootstrap_servers, portal.settings.topic(PATHS_TOPIC), 3)
            await portal.announce(officer, 2, path(officer, 2))  # before the portal looks, as a relay may
            portal.owner.stored[officer] = path(officer, 2)
            # It is read before the end if its offset happens to be the one at which the portal stands.
            assert {message.id for message in await stream.rest()} <= {"2"}
    finally:
        await portal.until_ready()
    async with portal.stream(officer, key, last_event_id="1") as stream:
        assert (await stream.next()).id == "2"


async def test_a_tombstone_is_sent_as_erased(portal: Portal) -> None:
    officer, key = await portal.officer()
    portal.owner.stored[officer] = path(officer, 1)
    async with portal.stream(officer, key) as stream:
        await stream.next()
        await portal.announce(officer, 2, None)
        assert (await stream.next()).event == "erased"
        assert await stream.ends()
    # The portal may remember the officer's key for a moment more: it opens no stream in which the next person would be.
    headers = {"Authorization": f"Bearer {key}"}
    async with portal.session.get(f"{portal.url}/v1/officers/{officer}/live", headers=headers) as answer:
        assert answer.status == 401
    async with portal.stream(officer, await portal.key("platform")) as stream:
        await stream.next()


async def test_the_streams_of_a_revoked_or_expired_key_end_at_once_and_open_no_more(
    stage: tuple[PortalSettings, Owner],
) -> None:
    async with running_portal(*stage, keys_every=0.05) as portal:
        client = connect(portal.settings)
        keys = KeyStore(client, portal.settings)
        officer, key = await portal.officer()
        portal.owner.stored[officer] = path(officer, 1)
        usable_keys = [key, await portal.key("platform")]
        async with portal.stream(officer, await portal.key("admin")) as stays:
            await stays.next()
            for usable_key in usable_keys:
                async with portal.stream(officer, usable_key) as stream:
                    await stream.next()
                    assert await keys.revoke(usable_key.partition(".")[0])
                    assert await stream.ends()
                headers = {"Authorization": f"Bearer {usable_key}"}
                async with portal.session.get(f"{portal.url}/v1/officers/{officer}/live", headers=headers) as answer:
                    assert answer.status == 401
            tomorrow, now = datetime.now(UTC) + timedelta(days=1), datetime.now(UTC)
            credential = await issue_key(client, portal.settings, "platform", expires_at=tomorrow)
            async with portal.stream(officer, credential) as stream:
                await stream.next()
                stored_keys = client[portal.settings.database("access")]["keys"]
                await stored_keys.update_one({"_id": credential.partition(".")[0]}, {"$set": {"expires_at": now}})
                assert await stream.ends()
            await portal.announce(officer, 2, path(officer, 2))
            assert (await stays.next()).id == "2"
        assert (await portal.metrics())["learning_path_portal_closed_streams_total revoked"] == 3
        client.close()


async def test_a_structured_event_is_pushed_as_the_path_alone(portal: Portal) -> None:
    officer, key = await portal.officer()
    portal.owner.stored[officer] = path(officer, 1)
    async with portal.stream(officer, key) as stream:
        await stream.next()
        newer = path(officer, 2)
        record_key, value, headers = to_kafka(
            new_event("/recommender", f"agency/{officer}", 2, PathAnnounced.of(newer))
        )
        attributes = {name.removeprefix("ce_"): raw.decode() for name, raw in headers if name.startswith("ce_")}
        whole = {**attributes, "traceparent": None, "data": json.loads(value or b"")}
        structured = [("content-type", b"application/cloudevents+json")]
        topic = portal.settings.topic(PATHS_TOPIC)
        await portal.publisher.resend(topic, record_key, json.dumps(whole).encode(), structured)
        got = await stream.next()
        assert (got.event, got.id, got.data) == ("path", "2", json.loads(msgspec.json.encode(newer)))


async def test_only_the_head_of_a_stored_path_is_decoded(portal: Portal) -> None:
    officer, key = await portal.officer()
    whole = msgspec.json.encode(path(officer, 1)).replace(b'"assessment"', b'"a cause of tomorrow"')
    for unreadable in (b"\xff", b"[" * 100_000, b'{"tenant":"\xff"}', b"{}"):
        portal.owner.stored[officer] = unreadable
        async with portal.stream(officer, key) as stream:
            assert (await stream.next()).data == {"status": "unavailable"}
    portal.owner.stored[officer] = whole.replace(b'"job_group"', b'"later":"\xff","job_group"')
    async with portal.stream(officer, key) as stream:
        got = await stream.next()
        assert (got.event, got.id, got.data["cause"]) == ("path", "1", "a cause of tomorrow")
        assert got.data["path"]["later"] == "\ufffd"


async def test_foreign_records_end_no_stream_and_are_not_logged(
    portal: Portal, caplog: pytest.LogCaptureFixture
) -> None:
    officer, key = await portal.officer()
    portal.owner.stored[officer] = path(officer, 1)
    newer, far_ahead = PathAnnounced.of(path(officer, 2)), PathAnnounced.of(path(officer, 1_000_000))
    record_key, value, headers = to_kafka(new_event("/recommender", f"agency/{officer}", 2, newer))
    far = to_kafka(new_event("/recommender", f"agency/{officer}", 3, far_ahead))
    topic = portal.settings.topic(PATHS_TOPIC)
    skipped = (await portal.metrics("learning_path_follower_"))["learning_path_follower_skipped_records_total"]
    async with portal.stream(officer, key) as stream:
        await stream.next()
        await portal.publisher.resend(topic, record_key, b"\xff" + (value or b""), headers)
        await portal.publisher.resend(topic, b"agency/somebody-else", value, headers)
        await portal.publisher.resend(topic, *far)
        odd = b'{"later":"\xff\xfe",' + (value or b"")[1:]
        await portal.publisher.resend(topic, record_key, odd, [*headers, ("x-correlation-id", None)])
        got = await stream.next()
        assert (got.event, got.id, got.data["officer"]) == ("path", "2", officer)
        await portal.announce(officer, 3, path(officer, 3))
        assert (await stream.next()).id == "3"
    assert (await portal.metrics("learning_path_follower_"))[
        "learning_path_follower_skipped_records_total"
    ] == skipped + 3
    assert "ครบแล้ว" not in caplog.text


async def test_every_stream_of_an_officer_gets_the_path_and_no_other(portal: Portal) -> None:
    officer, key = await portal.officer()
    other, other_key = await portal.officer()
    for name in (officer, other):
        portal.owner.stored[name] = path(name, 1)
    async with (
        portal.stream(officer, key) as one,
        portal.stream(officer, await portal.key("platform")) as two,
        portal.stream(other, other_key) as three,
    ):
        for stream in (one, two, three):
            await stream.next()
        await portal.announce(officer, 2, path(officer, 2, "elsewhere"), tenant="elsewhere")
        await portal.announce(officer, 3, path(officer, 3))
        await portal.announce(other, 4, path(other, 4))
        assert [(await stream.next()).id for stream in (one, two, three)] == ["3", "3", "4"]


async def test_another_officer_is_not_found_and_a_missing_key_is_rejected(portal: Portal) -> None:
    officer, key = await portal.officer()
    for name, headers, status in [
        ("somebody-else", {"Authorization": f"Bearer {key}"}, 404),
        (officer, {"Authorization": "Bearer no.key"}, 401),
        (officer, {}, 401),
        ("..%2Fx", {"Authorization": f"Bearer {key}"}, 404),
    ]:
        async with portal.session.get(f"{portal.url}/v1/officers/{name}/live", headers=headers) as answer:
            assert answer.status == status
            assert answer.content_type == "application/problem+json"


async def test_a_disconnected_stream_is_removed(portal: Portal) -> None:
    officer, key = await portal.officer()
    portal.owner.stored[officer] = path(officer, 1)
    async with portal.stream(officer, key) as stream:
        await stream.next()
        await portal.until_streams(1)
    await portal.until_streams(0)


async def test_stopping_ends_every_stream_at_once_and_a_long_one_ends_by_itself(
    stage: tuple[PortalSettings, Owner],
) -> None:
    settings, owner = stage
    owner.stored["long"] = path("long", 1)
    async with (
        running_portal(settings, owner, lifetime=0.3) as portal,
        portal.stream("long", await portal.key("admin")) as s,
    ):
        assert {message.id for message in await s.rest()} <= {"1"}
        assert (await portal.metrics())["learning_path_portal_closed_streams_total expired"] == 1
    async with aiohttp.ClientSession() as session:
        # A stream that did not end would keep the server from stopping until this test's time is over.
        async with running_portal(settings, owner, shutdown_timeout=3600) as portal:
            source = messages(session, portal.url, "long", await portal.key("platform"))
            assert (await anext(source)).id == "1"
        assert [message async for message in source] == []


async def test_streams_and_messages_are_counted(portal: Portal) -> None:
    await portal.until_streams(0)
    before = await portal.metrics()
    officer, key = await portal.officer()
    portal.owner.stored[officer] = path(officer, 1)
    async with portal.stream(officer, key) as stream:
        await stream.next()
        after = await portal.metrics()
    assert after["learning_path_portal_pushed_events_total"] == before["learning_path_portal_pushed_events_total"] + 1
    assert after["learning_path_portal_streams"] == 1


async def test_losing_the_topic_ends_every_stream() -> None:
    connections = Connections()
    consumer = PathConsumer(connections)
    follower = Follower("127.0.0.1:9", "nothing", consumer.on_paths, start="end")
    with connections.open("agency/somebody", "k") as connection:
        with pytest.raises(Unavailable):
            await consumer.follow(follower)
        assert await connection.next() is None
    assert connections.dropped["follower"] == 1
