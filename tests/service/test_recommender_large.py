"""A framework of thousands of skills: the path of an officer under it is stored, and announced, whatever its size."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from services.recommender.store.documents import reduced
from shared.events import PATHS_TOPIC, PROFILES_TOPIC, PathAnnounced, PathStored, new_event
from tests.support.builders import framework
from tests.support.recommender import path_of, recommender, registered, somebody
from tests.support.services import Started, Topic, followed
from tests.support.waiting import until


@pytest.fixture(scope="module")
async def service(mongodb_uri: str, kafka_bootstrap: str) -> AsyncIterator[Started]:
    large = framework({f"skill-{number}": 3 for number in range(3000)})
    async with recommender(mongodb_uri, kafka_bootstrap, [large]) as service:
        yield service


@pytest.fixture
async def announced(service: Started) -> AsyncIterator[Topic]:
    async with followed(service.settings, PATHS_TOPIC) as topic:
        yield topic


async def test_the_path_under_a_framework_of_thousands_of_skills_is_announced_change_after_change(
    service: Started, announced: Topic
) -> None:
    officer = somebody(levels={})
    for sequence in range(1, 4):
        changed = msgspec.structs.replace(officer, sequence=sequence, weekly_hours=float(sequence))
        await service.publish(PROFILES_TOPIC, registered(changed))
        stored = await path_of(service, changed)
    assert len(msgspec.json.encode(stored)) > 1_000_000
    first, *_ = await announced.of(officer.key, 1)
    assert isinstance(first.data, PathAnnounced)

    async def emptied() -> bool:
        plans = service.database("recommender")["plans"]
        return await plans.count_documents({"outbox.sequence": {"$exists": True}}) == 0

    await until(emptied)


async def test_a_path_too_large_for_an_event_is_announced_as_stored(service: Started, announced: Topic) -> None:
    officer = somebody(levels={})
    await service.publish(PROFILES_TOPIC, registered(officer))
    stored = await path_of(service, officer)
    [event] = await announced.of(officer.key, 1)
    assert isinstance(event.data, PathAnnounced)
    smaller = reduced(new_event("/recommender", officer.key, stored["revision"], event.data))
    assert smaller is not None
    assert msgspec.json.decode(smaller.data or b"", type=PathStored).revision == stored["revision"]
    assert len(smaller.data or b"") < 500
