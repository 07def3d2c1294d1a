"""The services' API documents under the portal: for admins, with the portal as server, one service away or not."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from openapi_spec_validator import validate

from services.catalog.api import ROUTES as CATALOG
from services.portal.api.documents import through_portal
from shared.openapi import document
from shared.settings import PortalSettings
from tests.support.portal import Owner, Portal, running_portal, serving


def described() -> dict[str, Any]:
    return json.loads(json.dumps(document("Catalog", "What it does.", CATALOG)))  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
async def site(stage: tuple[PortalSettings, Owner]) -> AsyncIterator[Portal]:
    """Return a portal to which the catalog gives its document, assessment none, and the recommender is away."""
    settings, owner = stage

    async def serve_document(_: web.Request) -> web.Response:
        return web.json_response(described())

    async def nonsense(_: web.Request) -> web.Response:
        return web.Response(text="[1, 2]", content_type="application/json")

    good, bad = web.Application(), web.Application()
    good.router.add_get("/openapi.json", serve_document)
    bad.router.add_get("/openapi.json", nonsense)
    away = "http://127.0.0.1:1"
    async with serving(good) as catalog, serving(bad) as assessment:
        urls = {"catalog_url": (away, catalog), "assessment_url": (assessment,), "recommender_url": (away,)}
        async with running_portal(replace(settings, **urls), owner) as portal:  # type: ignore[arg-type]
            yield portal


async def get(portal: Portal, target: str, role: Any = "admin") -> tuple[int, str, str]:
    key = await portal.key(role, "me" if role == "officer" else None)
    headers = {"Authorization": f"Bearer {key}"}
    async with portal.session.get(portal.url + target, headers=headers, allow_redirects=False) as answer:
        policy = answer.headers.get("Content-Security-Policy", "")
        assert answer.status != 200 or ("default-src 'none'" in policy and "unsafe" not in policy)
        return answer.status, answer.content_type, await answer.text()


async def test_a_document_names_the_portal_as_server_and_marks_routes_not_forwarded(site: Portal) -> None:
    for _ in range(2):  # the first replica in turn is away
        status, _, text = await get(site, "/docs/catalog/openapi.json")
        found = json.loads(text)
        assert status == 200
        validate(found)
        assert found["servers"] == [{"url": "/api"}]
        assert "x-not-forwarded" not in found["paths"]["/v1/courses/{course_id}"]["get"]
        assert found["paths"]["/v1/courses:export"]["get"]["x-not-forwarded"]
        assert found["paths"]["/v1/courses:export"]["get"]["description"].startswith("The portal does not forward this")
    own = json.loads((await get(site, "/docs/portal/openapi.json"))[2])
    assert (own["servers"], "/v1/system" in own["paths"]) == ([{"url": "/"}], True)


async def test_the_page_and_its_assets_come_from_the_portal(site: Portal) -> None:
    status, _, text = await get(site, "/docs/catalog")
    assert status == 200
    assert "aria-current=page>catalog<" in text
    for name in ("start.js", "site.css", "swagger-ui-bundle.js", "swagger-ui.css"):
        assert f'"/docs/assets/{name}"' in text
        assert (await get(site, f"/docs/assets/{name}"))[0] == 200
    assert (await get(site, "/docs"))[0] == 303
    for target in ("/docs/nobody", "/docs/nobody/openapi.json", "/docs/assets/other.js", "/docs/catalog/start.js"):
        assert (await get(site, target))[0] == 404, target


async def test_an_unavailable_service_is_reported_and_its_page_is_served(site: Portal) -> None:
    for service in ("assessment", "recommender"):
        assert (await get(site, f"/docs/{service}"))[0] == 200
        status, kind, text = await get(site, f"/docs/{service}/openapi.json")
        assert (status, kind) == (503, "application/problem+json")
        assert service in json.loads(text)["detail"]


async def test_only_an_admin_can_read_the_documents(site: Portal) -> None:
    for target in ("/docs", "/docs/catalog", "/docs/catalog/openapi.json", "/docs/assets/start.js"):
        for role in ("platform", "officer"):
            assert (await get(site, target, role))[0] == 403, (target, role)
        async with site.session.get(site.url + target) as answer:
            assert answer.status == 401


@pytest.mark.parametrize("strange", [{}, {"paths": {}}, {"info": {}, "paths": {"/v1/courses": {}}}])
def test_a_document_with_missing_parts_is_served(strange: dict[str, Any]) -> None:
    assert through_portal(strange, "catalog")["servers"] == [{"url": "/api"}]
