"""What the contract tests share: each broker, a topic with its dead letters, a publisher, an owner of an outbox."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.kafka import Publisher, TopicSpec, create_topics
from shared.relay import Relay
from shared.relay import lease as lease_module
from shared.relay import relay as relay_module
from tests.support.outbox import Owner, owning


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


@pytest.fixture
async def owner(
    mongodb_uri: str, kafka_bootstrap: str, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Owner]:
    """Return an owner whose relays lose their lease only if a test takes it away, however busy the machine is."""
    monkeypatch.setattr(lease_module, "LEASE_SECONDS", 3600.0)
    async with owning(mongodb_uri, kafka_bootstrap, namespace) as owner:
        yield owner


@pytest.fixture
def untimed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the timer out, so that nothing but a wake makes a relay send."""
    monkeypatch.setattr(relay_module, "_SWEEP_SECONDS", 3600.0)


@pytest.fixture
def deaf(untimed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the change stream out as well."""

    async def never(_: Relay) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Relay, "_watch", never)
