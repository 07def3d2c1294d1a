"""Without MongoDB a service answers 503 and is not ready; it loses nothing, and continues when MongoDB is back."""

import os
import signal

from deploy.local.broker import EmbeddedBroker
from deploy.local.servers import Mongod
from services.catalog.__main__ import build
from shared.events import CATALOG_TOPIC
from shared.settings import CatalogSettings
from tests.support.catalog import course, put
from tests.support.portal import running_portal, staged
from tests.support.services import followed, settings_of, started
from tests.support.waiting import until


async def test_the_portals_readiness_queries_kafka(own_broker: EmbeddedBroker, mongodb_uri: str) -> None:
    async with staged(own_broker.address, mongodb_uri) as stage, running_portal(*stage) as portal:

        async def answer_of() -> tuple[int, str]:
            async with portal.session.get(f"{portal.url}/readyz") as answer:
                return answer.status, (await answer.json())["checks"]["kafka"]

        async def answers() -> bool:
            return await answer_of() == (200, "ok")

        async def is_missed() -> bool:
            status, word = await answer_of()
            return status == 503 and "no broker answers" in word  # a busy machine may not tell that in time

        await until(answers)
        pid = own_broker.child.pid
        assert pid
        os.kill(pid, signal.SIGSTOP)  # its port still takes connections, and nobody answers on them
        try:
            await until(is_missed)
        finally:
            os.kill(pid, signal.SIGCONT)
        await until(answers)
        own_broker.kill()
        await until(is_missed)


async def test_without_mongodb_requests_get_503_and_the_relay_waits(own_mongodb: Mongod, kafka_bootstrap: str) -> None:
    settings = settings_of(CatalogSettings, own_mongodb.address, kafka_bootstrap)
    async with started(build, settings) as service, followed(settings, CATALOG_TOPIC) as topic:
        assert (await put(service, course("before")))[0] == 201
        await own_mongodb.stop()
        status, problem = await put(service, course("meanwhile"))
        assert (status, problem["title"]) == (503, "Temporarily unavailable")
        assert (await service.client.get("/livez")).status == 200

        async def misses_mongodb_alone() -> bool:
            ready = await service.client.get("/readyz")
            return (ready.status, (await ready.json())["checks"]["kafka"]) == (503, "ok")

        await until(misses_mongodb_alone)
        await own_mongodb.start()

        async def accepted() -> bool:
            return (await put(service, course("after")))[0] in (200, 201)

        await until(accepted)
        assert await topic.of("agency/before", 1)
        assert await topic.of("agency/after", 1)
