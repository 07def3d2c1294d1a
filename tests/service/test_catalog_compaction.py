"""Apache Kafka compacts `catalog.state`: a reader that starts after that holds the present catalog."""

import asyncio

import msgspec
import pytest

from deploy.local.broker import ApacheKafka
from deploy.local.servers import Server
from services.recommender.catalog_replica import CatalogReplica
from services.recommender.consumer import CatalogConsumer
from shared.cloudevents import to_kafka
from shared.events import CATALOG_TOPIC, CoursePublished, Event, new_event
from shared.kafka import Follower, Publisher, create_topics
from tests.support.catalog import catalog, course, put
from tests.support.events import compacted_at_once, whole_log
from tests.support.servers import missing
from tests.support.services import Started, Topic, followed
from tests.support.waiting import WAIT_SECONDS, running, until


@pytest.mark.parametrize("kind", ["an older stamp", "no event"])
async def test_a_course_behind_which_another_record_landed_is_in_the_compacted_catalog(
    kafka_server: Server, mongodb_uri: str, namespace: str, kind: str
) -> None:
    """`first` is announced before `second`; then a record lands with the stamp of then, or one that nobody can read."""
    if not isinstance(kafka_server, ApacheKafka):
        missing("the embedded broker compacts nothing")
    brokers, topic = kafka_server.address, f"{namespace}{CATALOG_TOPIC}"
    await create_topics(brokers, [compacted_at_once(CATALOG_TOPIC, topic)])
    async with (
        catalog(mongodb_uri, brokers, NAMESPACE=namespace) as service,
        followed(service.settings, CATALOG_TOPIC) as seen,
    ):
        first = await changed(service, seen, "first", 1)
        assert first.catalog_revision < (await changed(service, seen, "second", 1)).catalog_revision
        late = new_event("/catalog", first.subject, first.sequence, first.data)
        key, value, headers = to_kafka(msgspec.structs.replace(late, catalog_revision=first.catalog_revision))
        async with Publisher(brokers) as publisher:
            await publisher.resend(topic, key, *((b"{}", ()) if kind == "no event" else (value, headers)))
        landed = (await whole_log(brokers, topic))[-1]
        assert landed.key == b"agency/first"
        hours = 2
        await changed(service, seen, "second", hours)
        await until(lambda: is_read_back(service, landed.offset), "the late record is read back")
        async with asyncio.timeout(WAIT_SECONDS):
            while [record.key for record in await whole_log(brokers, topic)].count(b"agency/first") > 1:
                # A segment is closed, and then compacted, when something is written after its time.
                hours += 1
                await changed(service, seen, "second", hours)
                await asyncio.sleep(0.2)
    replica = CatalogReplica()
    reader = Follower(brokers, topic, CatalogConsumer(replica, lambda: None).on_catalog)
    async with running(reader):
        await asyncio.wait_for(reader.caught_up.wait(), WAIT_SECONDS)
    held = {name: replica.snapshot.own_course("agency", name) for name in ("first", "second")}
    assert {name: one and one.hours for name, one in held.items()} == {"first": 1, "second": hours}


async def changed(service: Started, seen: Topic, name: str, hours: int) -> Event:
    """Change a course, and return the event of the change."""
    status, _ = await put(service, course(name, hours=hours))
    assert status < 300

    def announced() -> list[Event]:
        of_it = [(one, one.data) for one in seen.events if one.subject == f"agency/{name}"]
        return [one for one, data in of_it if isinstance(data, CoursePublished) and data.course.hours == hours]

    found: Event = (await until(announced, f"{name} with {hours} hours is announced"))[0]
    return found


async def is_read_back(service: Started, offset: int) -> bool:
    """Return whether the relay has read the topic back beyond an offset, and has sent all that it staged then."""
    database = service.database("catalog")
    lease = await database["leases"].find_one({"_id": "relay:entries"}) or {}
    waiting = await database["entries"].count_documents({"outbox.sequence": {"$exists": True}})
    return lease.get("read_back", {}).get("0", 0) > offset and not waiting
