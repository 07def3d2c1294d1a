"""The catalog on real servers with a small framework, and the requests that its tests send."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from services.catalog.__main__ import build
from shared.settings import CatalogSettings
from tests.support.builders import FRAMEWORK, framework
from tests.support.services import Started, settings_of, started


@asynccontextmanager
async def catalog(mongodb_uri: str, kafka_bootstrap: str, **more: str) -> AsyncIterator[Started]:
    """Start the service; it holds a framework when the block begins."""
    async with started(build, settings_of(CatalogSettings, mongodb_uri, kafka_bootstrap, **more)) as service:
        body = msgspec.to_builtins(framework({"reading": 3, "writing": 4}))
        got = await service.ask("PUT", f"/v1/frameworks/{FRAMEWORK}", "admin", tenant="shared", json=body)
        assert (got.status, (await got.json())["version"]) == (201, 1)
        yield service


def course(identifier: str, skill: str = "reading", *, to: float = 2, **changed: Any) -> dict[str, Any]:
    body = {
        "id": identifier,
        "title": {"th": f"วิชา {identifier}", "en": f"Course {identifier}"},
        "provider": {"en": "Provider"},
        "hours": 3.0,
        "languages": ["th"],
        "teaches": [{"framework": FRAMEWORK, "skill": skill, "from": 0.0, "to": to}],
    }
    return body | changed


async def put(service: Started, body: dict[str, Any], **options: Any) -> tuple[int, dict[str, Any]]:
    got = await service.ask("PUT", f"/v1/courses/{body['id']}", "admin", json=body, **options)
    return got.status, await got.json()


async def ids(service: Started, query: str = "", tenant: str = "agency") -> list[str]:
    """Return the ids on all pages of the list of courses."""
    found: list[str] = []
    after = ""
    while True:
        got = await service.ask("GET", f"/v1/courses?after={after}&{query}", tenant=tenant)
        assert got.status == 200, await got.text()
        page = await got.json()
        found += [one["id"] for one in page["courses"]]
        if page["next"] is None:
            return found
        after = page["next"]
