"""What the contract tests of Kafka share: each broker, a topic with its dead letters, a publisher."""

from collections.abc import AsyncIterator

import pytest

from shared.kafka import Publisher, TopicSpec, create_topics


@pytest.fixture(params=["kafka_bootstrap", "embedded_bootstrap"], ids=["broker", "embedded"])
def bootstrap(request: pytest.FixtureRequest) -> str:
    address: str = request.getfixturevalue(request.param)
    return address


@pytest.fixture
async def topic(bootstrap: str, namespace: str) -> str:
    name = f"{namespace}things"
    await create_topics(bootstrap, [TopicSpec(name, 4, 1, {}), TopicSpec(f"{name}.dead", 1, 1, {})])
    return name


@pytest.fixture
async def publisher(bootstrap: str) -> AsyncIterator[Publisher]:
    async with Publisher(bootstrap) as publisher:
        yield publisher
