"""Frameworks about crafts, and a tenant that puts them and courses into the catalog."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from services.catalog.api.context import CONTEXT
from services.catalog.match_store import MatchStore
from services.catalog.matching.calibration import shipped
from services.catalog.matching_loop import MatchingLoop
from services.catalog.store import CatalogStore
from shared.mongo import connect
from shared.settings import CatalogSettings
from tests.support.builders import unique
from tests.support.services import Started, settings_of

GLASS = {"id": "glass", "area": "crafts", "title": {"th": "การเป่าแก้ว", "en": "Glass blowing"}}
POTTERY = {"id": "pottery", "area": "crafts", "title": {"th": "เครื่องปั้นดินเผา", "en": "Pottery and ceramics"}}


def crafts(identifier: str, *skills: dict[str, Any], top: int = 4, **changed: Any) -> dict[str, Any]:
    """Return a framework about crafts with levels from 0 to `top`; everybody needs half of `top` in each skill."""
    levels = [{"level": level, "title": {"en": f"Level {level}"}} for level in range(top + 1)]
    body = {
        "id": identifier,
        "title": {"en": f"Crafts {identifier}"},
        "scale": levels,
        "areas": [{"id": "crafts", "title": {"en": "Crafts"}}],
        "skills": list(skills),
        "job_groups": [{"id": "everybody", "title": {"en": "Everybody"}}],
        "requirements": [{"job_group": "everybody", "skill": one["id"], "level": top / 2} for one in skills],
    }
    return body | changed


def same(origin: str, target: str) -> dict[str, str]:
    return {"kind": "exact_match", "origin": origin, "target": target}


class Agency:
    """A tenant of its own, with the service that holds its catalog."""

    def __init__(self, service: Started) -> None:
        self.service = service
        self.tenant = unique("agency").replace("_", "-")

    async def ask(self, method: str, path: str, status: int = 200, **more: Any) -> dict[str, Any]:
        got = await self.service.ask(method, path, "admin", tenant=more.pop("tenant", self.tenant), **more)
        assert got.status == status, await got.text()
        return dict(await got.json())

    async def frame(self, body: dict[str, Any], status: int = 201, **more: Any) -> None:
        await self.ask("PUT", f"/v1/frameworks/{body['id']}", status, json=body, **more)

    async def course(self, identifier: str, *rows: dict[str, Any], status: int = 201, **changed: Any) -> dict[str, Any]:
        body = {
            "id": identifier,
            "title": {"en": "Glass blowing by hand"},
            "provider": {"en": "Provider"},
            "hours": 12.0,
            "languages": ["en"],
            "teaches": list(rows),
        }
        return await self.ask("PUT", f"/v1/courses/{identifier}", status, json=body | changed)

    async def matches(self, course: str) -> dict[tuple[str, str], dict[str, Any]]:
        """Have all waiting courses matched, and return the matches of one course."""
        await MatchingLoop(self.service.client.app[CONTEXT].matches, shipped()).once()
        found = await self.ask("GET", f"/v1/courses/{course}/matches")
        assert not found["waiting"]
        return {(one["framework"], one["skill"]): one for one in found["matches"]}

    async def taught(self, course: str) -> list[dict[str, Any]]:
        return list((await self.ask("GET", f"/v1/courses/{course}")).get("teaches", []))

    async def decide(self, course: str, what: str, framework: str, skill: str) -> None:
        rows = {"matches": [{"framework": framework, "skill": skill}]}
        await self.ask("POST", f"/v1/courses/{course}/matches:{what}", json=rows)


def row(framework: str, skill: str, low: float = 0, high: float = 1) -> dict[str, Any]:
    return {"framework": framework, "skill": skill, "from": low, "to": high}


@asynccontextmanager
async def stores_of(mongodb_uri: str) -> AsyncIterator[tuple[CatalogStore, MatchStore]]:
    """Yield the stores of a catalog whose database no service uses."""
    client = connect(settings_of(CatalogSettings, mongodb_uri, "127.0.0.1:1"))
    database = client[unique("in-use")]
    catalog_store = CatalogStore(database)
    match_store = MatchStore(database, catalog_store)
    await catalog_store.prepare()
    await match_store.prepare()
    try:
        yield catalog_store, match_store
    finally:
        await client.drop_database(database)
        client.close()
