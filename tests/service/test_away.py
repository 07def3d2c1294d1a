"""With MongoDB away a service says 503 and not ready, and nothing accepted is lost; it goes on when MongoDB is back."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.local.servers import External, Server, find_mongodb
from services.catalog.__main__ import build
from shared.events import CATALOG_TOPIC
from shared.settings import CatalogSettings
from tests.service.cataloguing import course, put
from tests.service.started import followed, settings_of, started

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
async def mongodb(tmp_path: Path, mongodb_uri: str) -> AsyncIterator[Server]:
    """Return a MongoDB that may be stopped."""
    server = find_mongodb(tmp_path / "mongodb")
    if isinstance(server, External):
        pytest.skip("MONGODB_URI names a server that is not ours to stop")
    await server.start()
    yield server
    await server.stop()


async def test_mongodb_away_is_503_and_the_relay_waits_for_it(mongodb: Server, kafka_bootstrap: str) -> None:
    settings = settings_of(CatalogSettings, mongodb.address, kafka_bootstrap)
    async with started(build, settings) as service, followed(settings, CATALOG_TOPIC) as topic:
        assert (await put(service, course("before")))[0] == 201
        await mongodb.stop()
        status, problem = await put(service, course("meanwhile"))
        assert (status, problem["title"]) == (503, "Temporarily unavailable")
        assert (await service.client.get("/livez")).status == 200
        ready = await service.client.get("/readyz")
        assert (ready.status, (await ready.json())["checks"]["kafka"]) == (503, "ok")
        await mongodb.start()

        async def accepted() -> bool:
            return (await put(service, course("after")))[0] in (200, 201)

        await service.until(accepted)
        assert await topic.of("agency/before", 1)
        assert await topic.of("agency/after", 1)
