"""The catalog with the seeded framework, and the requests that the tests of matches send."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from services.catalog.api.context import CONTEXT
from services.catalog.matching.calibration import shipped
from services.catalog.matching_loop import MatchingLoop
from tests.support.catalog import catalog
from tests.support.services import Started

NATIONAL = "th-digital-2018"
SEED = Path(__file__).parents[2] / "deploy" / "seed" / "frameworks" / f"{NATIONAL}.json"
ANALYTICS = {"framework": NATIONAL, "skill": "dt-analytics"}


@asynccontextmanager
async def matching_catalog(mongodb_uri: str, kafka_bootstrap: str) -> AsyncIterator[Started]:
    """Start the catalog with the seeded framework."""
    async with catalog(mongodb_uri, kafka_bootstrap) as service:
        got = await service.ask(
            "PUT", f"/v1/frameworks/{NATIONAL}", "admin", tenant="shared", json=json.loads(SEED.read_bytes())
        )
        assert got.status == 201, await got.text()
        yield service


def bare(identifier: str, **changed: Any) -> dict[str, Any]:
    """Return a course about data that states no skills."""
    body = {
        "id": identifier,
        "title": {"th": "การวิเคราะห์ข้อมูลเบื้องต้น", "en": "Introduction to Data Analytics"},
        "provider": {"en": "Provider"},
        "hours": 12.0,
        "languages": ["th"],
    }
    return body | changed


async def put(service: Started, body: dict[str, Any], tenant: str = "agency") -> dict[str, Any]:
    got = await service.ask("PUT", f"/v1/courses/{body['id']}", "admin", tenant=tenant, json=body)
    assert got.status in (200, 201), await got.text()
    return dict(await got.json())


async def matched(service: Started, course: str, tenant: str = "agency") -> dict[str, Any]:
    """Have all waiting courses matched, and return the matches of one course."""
    await MatchingLoop(service.client.app[CONTEXT].matches, shipped()).once()
    got = await service.ask("GET", f"/v1/courses/{course}/matches", "admin", tenant=tenant)
    assert got.status == 200, await got.text()
    return dict(await got.json())


async def decide(
    service: Started, course: str, what: str, *rows: dict[str, Any], **options: Any
) -> tuple[int, dict[str, Any]]:
    path = f"/v1/courses/{course}/matches:{what}"
    got = await service.ask("POST", path, "admin", json={"matches": list(rows)}, **options)
    return got.status, await got.json()


async def teaches(service: Started, course: str) -> list[dict[str, Any]]:
    got = await service.ask("GET", f"/v1/courses/{course}")
    return list((await got.json()).get("teaches", []))


async def shown(service: Started, course: str) -> list[tuple[str, str]]:
    """Return (framework, skill) of each match that the course itself shows."""
    got = await service.ask("GET", f"/v1/courses/{course}")
    return [(row["framework"], row["skill"]) for row in (await got.json()).get("matched", [])]
