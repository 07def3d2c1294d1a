"""A service that receives a stop signal stops in order, also while MongoDB or Kafka hangs."""

import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import pytest

from deploy.local.broker import EmbeddedBroker
from deploy.local.ports import free_port
from deploy.local.processes import Child
from deploy.local.servers import Mongod
from shared.kafka import TopicSpec, create_topics
from tests.support.services import TOPICS
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(600)

SERVICES = ("assessment", "catalog", "recommender", "portal")
ENDED_SECONDS = 60
"""Far more than a stop takes; a thread that waits for a server without a time limit takes longer."""


@pytest.mark.parametrize("away", [("kafka",), ("mongodb",), ("kafka", "mongodb")], ids="-".join)
async def test_every_service_stops_while_a_server_hangs(
    away: tuple[str, ...], own_broker: EmbeddedBroker, own_mongodb: Mongod, tmp_path: Path
) -> None:
    await create_topics(own_broker.address, [TopicSpec(topic, 1, 1, {}) for topic in TOPICS])
    with ExitStack() as restored:
        services = [started(name, own_broker, own_mongodb, tmp_path) for name in SERVICES]
        for child, _ in services:
            restored.callback(child.kill)
        for _, port in services:
            await until(lambda port=port: reaches_both(port))
        for server in away:
            child = {"kafka": own_broker.child, "mongodb": own_mongodb.child}[server]
            restored.callback(child.thaw)
            child.freeze()
        for child, _ in services:
            assert child.pid
            os.kill(child.pid, signal.SIGTERM)
        for child, _ in services:
            assert await child.ended(ENDED_SECONDS), f"{child.name} does not stop: {child.tail()}"
            assert child.outcome == "status 0"


def started(name: str, broker: EmbeddedBroker, mongodb: Mongod, directory: Path) -> tuple[Child, int]:
    """Start a service as a process; return it with its port."""
    port = free_port()
    environment = {
        "MONGODB_URI": mongodb.address,
        "KAFKA_BOOTSTRAP_SERVERS": broker.address,
        "API_KEY_PEPPER": "pepper of the service tests",
        "HTTP_PORT": str(port),
        "DRAIN_SECONDS": "0",
    }
    child = Child(name, [sys.executable, "-m", f"services.{name}"], directory / f"{name}.log", environment)
    child.start()
    return child, port


async def reaches_both(port: int) -> bool:
    """Whether the service on this port reaches MongoDB and Kafka."""
    try:
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/readyz") as answer:
            checks = (await answer.json())["checks"]
    except aiohttp.ClientError:
        return False
    return all(checks.get(name, "ok") == "ok" for name in ("mongodb", "kafka"))
