"""Starts the servers that tests need, and deletes and creates topics on them."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from typing import NoReturn

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from deploy.local.processes import CannotStart
from deploy.local.servers import Server
from shared.errors import Unavailable
from shared.kafka import TopicSpec, create_topics, describe_topics


def missing(reason: str) -> NoReturn:
    """Skip the test that needs what is missing; fail it in CI, where everything must be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


async def started_server(find: Callable[[], Server]) -> AsyncIterator[Server]:
    """Yield a started server and stop it afterwards; skip the test if it cannot start."""
    server: Server | None = None
    try:
        server = find()
        await server.start()
    except CannotStart as error:
        if server is not None:
            await server.stop()
        missing(str(error))
    else:
        yield server
        await server.stop()


async def recreate_topic(bootstrap: str, topic: str, partitions: int) -> None:
    """Delete a topic and create one of the same name; return when the broker shows the new id."""
    before = (await describe_topics(bootstrap, [topic]))[topic].id
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_topics([topic])
    finally:
        await admin.close()
    async with asyncio.timeout(90):
        while True:
            try:
                await create_topics(bootstrap, [TopicSpec(topic, partitions, 1, {})])
                found = (await describe_topics(bootstrap, [topic])).get(topic)
                if found is not None and found.id != before and found.partitions == partitions:
                    return
            except (KafkaError, Unavailable):
                pass
            await asyncio.sleep(0.1)
