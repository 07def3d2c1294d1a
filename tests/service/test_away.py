"""With MongoDB away a service says 503 and not ready, and nothing accepted is lost; it goes on when MongoDB is back."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.local.processes import ROOT
from deploy.local.servers import External, Server, find_mongodb
from services.catalog.__main__ import build
from shared.events import CATALOG_TOPIC
from shared.settings import CatalogSettings
from tests.service.cataloguing import course, put
from tests.service.started import Started, followed, settings_of, started

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


async def _command(settings: CatalogSettings, *arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "shared.keys",
        *arguments,
        cwd=ROOT,
        env={
            **os.environ,
            "MONGODB_URI": settings.mongodb_uri,
            "NAMESPACE": settings.namespace,
            "API_KEY_PEPPER": settings.api_key_pepper.decode(),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert b"Traceback" not in err
    return process.returncode or 0, out.decode().strip()


async def test_the_key_command_makes_lists_and_revokes_keys(mongodb_uri: str, kafka_bootstrap: str) -> None:
    settings = settings_of(CatalogSettings, mongodb_uri, kafka_bootstrap)
    status, key = await _command(settings, "create", "--tenant", "agency", "--role", "officer", "--officer", "me")
    assert status == 0
    key_id = key.partition(".")[0]
    assert await _command(settings, "list") == (0, f"{key_id} agency officer me")
    async with started(build, settings) as service:
        await _works(service, key)
    assert (await _command(settings, "revoke", key_id))[0] == 0
    assert (await _command(settings, "revoke", key_id))[0] == 1
    assert await _command(settings, "list") == (0, "")
    assert (await _command(settings, "create", "--tenant", "agency", "--role", "officer"))[0] == 1


async def _works(service: Started, key: str) -> None:
    got = await service.client.get("/v1/courses", headers={"Authorization": f"Bearer {key}"})
    assert got.status == 200
