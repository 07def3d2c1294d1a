"""Starts the servers that tests need, says where they keep their data, and deletes and creates topics on them."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NoReturn

import psutil
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from deploy.local.processes import LOCAL, CannotStart
from deploy.local.servers import Server
from shared.errors import Unavailable
from shared.kafka import TopicSpec, create_topics, describe_topics

DATA = "learning-path-tests-"
"""The name of the directory of one process of tests, without the number of the process."""

_MEMORY = Path("/dev/shm")  # noqa: S108 - only directories with the number of a process are made in it
_ROOM = 6 << 30


def server_data(memory: Path = _MEMORY, room: int = _ROOM) -> Path:
    """Return the directory for data of servers: one in memory, where a flush takes no time, or else `.local/run`.

    `memory`: a file system in memory. It is used if `room` bytes are free in it; what processes of tests that were
    killed left in it is deleted first.
    """
    for left in memory.glob(f"{DATA}*"):
        if not psutil.pid_exists(int(left.name.removeprefix(DATA))):
            shutil.rmtree(left, ignore_errors=True)
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free >= room:
        return memory
    return LOCAL / "run"


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
