"""Every route of every service, walked with no key, a wrong one, a wrong role, a wrong officer and a wrong tenant."""

import base64
import re
from typing import Any

from openapi_spec_validator import validate

from shared.app import TABLE
from shared.auth import ROLES, Role
from shared.mongo import KeyStore
from shared.routes import Route
from tests.support.all_services import COURSE, HERE, Services
from tests.support.builders import FRAMEWORK
from tests.support.services import Started

OF_OFFICERS: tuple[Role, ...] = ("officer", "viewer")
ASSESSMENT = {
    "framework": FRAMEWORK,
    "kind": "self",
    "results": [{"skill": "reading", "level": 1}],
    "taken_at": "2026-11-20T09:00:00+07:00",
}


def routes_of(services: Services) -> list[tuple[str, Started, Route]]:
    """Return every route that needs a key."""
    table = [
        (name, service, route)
        for name, service in services.items()
        for route in service.client.app[TABLE]
        if route.policy is not None and not route.policy.public
    ]
    assert len(table) > 15
    return table


def method_of(route: Route) -> str:
    """Return a method that the route takes; the portal forwards any."""
    return "GET" if route.method == "*" else route.method


def address(route: Route) -> str:
    """Return the route's path about what the tenant `agency` has."""
    return re.sub(r"{[^}]*}", HERE, route.path)


def request_of(route: Route) -> dict[str, Any]:
    """Return a request that would be served if the key had the right to it."""
    if route.path.endswith("/assessments") and route.method == "POST":
        return {"json": ASSESSMENT, "headers": {"Idempotency-Key": "authorization"}}
    if route.path.endswith("/feedback") and route.method == "POST":
        return {"json": {"course": HERE, "action": "not_now"}, "headers": {"Idempotency-Key": "authorization"}}
    if route.method == "POST" and route.body is not None:
        return {"json": route.example}
    return {"json": {}} if route.method in ("POST", "PUT", "PATCH") else {}


async def test_without_a_key_or_with_a_wrong_one_every_route_answers_401(services: Services) -> None:
    wrong = ["", "Bearer", "Bearer nonsense", "Bearer 0123456789abcdef.secret", "Bearer ก.ข".encode().decode("latin-1")]
    for name, service, route in routes_of(services):
        for header in wrong:
            headers = {"Authorization": header} if header else {}
            got = await service.client.request(method_of(route), address(route), headers=headers)
            assert got.status == 401, (name, route.method, route.path, header)
            assert got.content_type == "application/problem+json"


async def test_http_basic_works_on_xapi_routes_only_with_the_same_roles(services: Services) -> None:
    """A key of a wrong role distinguishes a route that reads the password (403) from one that does not (401)."""
    taken = set()
    for name, service, route in routes_of(services):
        assert route.policy is not None
        role = next(iter(sorted(set(ROLES) - route.policy.roles)), None)
        key = await service.key(role or "admin", officer=HERE if role in OF_OFFICERS else None)
        headers = {"Authorization": f"Basic {base64.b64encode(f'lms:{key}'.encode()).decode()}"}
        got = await service.client.request(method_of(route), address(route), headers=headers)
        assert got.status == (403 if route.basic else 401), (name, route.method, route.path)
        if route.basic:
            taken.add((route.method, route.path))
    assert taken == {(method, "/xapi/statements") for method in ("GET", "POST", "PUT")}


async def test_a_valid_key_id_with_a_wrong_secret_is_rejected(services: Services) -> None:
    for service in services.values():
        key = await service.key("admin")
        right = key.partition(".")[0]
        for secret in ("x", key.partition(".")[2][:-1], key.partition(".")[2].lower()):
            headers = {"Authorization": f"Bearer {right}.{secret}"}
            route = next(r for _, s, r in routes_of(services) if s is service)
            assert (await service.client.request(method_of(route), address(route), headers=headers)).status == 401


async def test_a_wrong_role_answers_403(services: Services) -> None:
    refused = 0
    for name, service, route in routes_of(services):
        assert route.policy is not None
        for role in set(ROLES) - route.policy.roles:
            officer = HERE if role in OF_OFFICERS else None
            got = await service.ask(method_of(route), address(route), role, officer=officer, **request_of(route))
            assert got.status == 403, (name, route.method, route.path, role)
            refused += 1
    assert refused >= 10


async def test_another_officers_key_answers_404(services: Services) -> None:
    walked = 0
    for name, service, route in routes_of(services):
        assert route.policy is not None
        for role in set(OF_OFFICERS) & route.policy.roles if "{officer_id}" in route.path else ():
            got = await service.ask(method_of(route), address(route), role, officer="else", **request_of(route))
            assert got.status == 404, (name, route.method, route.path, role)
            walked += 1
    assert walked >= 5


async def test_the_key_of_a_share_link_opens_one_path_and_nothing_else(services: Services) -> None:
    opened = []
    for name, service, route in routes_of(services):
        for officer in (HERE, "else"):
            got = await service.ask(method_of(route), address(route), "viewer", officer=officer, **request_of(route))
            if got.status < 400:
                opened.append((name, route.method, route.path, officer))
    assert opened == [("recommender", "GET", "/v1/officers/{officer_id}/path", HERE)]


async def test_an_editor_has_no_access_to_officers_and_publishes_only_through_drafts(
    services: Services,
) -> None:
    opened = {(name, route.method, route.path) for name, _, route in routes_of(services) if "editor" in roles_of(route)}
    assert not [path for _, _, path in opened if "{officer_id}" in path or "agenc" in path or "item-bank" in path]
    assert {(name, method, path) for name, method, path in opened if name != "catalog"} == {
        ("assessment", "GET", "/v1/frameworks/{framework_id}/officers"),
        ("recommender", "GET", "/v1/open-skills"),
        ("portal", "GET", "/session"),
        ("portal", "*", "/api/{path:.*}"),
    }
    changed = {(method, path) for name, method, path in opened if name == "catalog" and method != "GET"}
    assert ("PUT", "/v1/courses/{course_id}") in changed
    assert ("POST", "/v1/frameworks/{framework_id}/draft:publish") in changed
    framework = "/v1/frameworks/{framework_id}"
    assert not {("PUT", framework), ("PATCH", framework), ("POST", "/v1/frameworks:import")} & changed


async def test_an_analyst_reads_figures_of_groups_and_nothing_of_one_officer_and_changes_nothing(
    services: Services,
) -> None:
    opened = {
        (name, route.method, route.path) for name, _, route in routes_of(services) if "analyst" in roles_of(route)
    }
    assert {(name, path) for name, _, path in opened if name != "catalog"} == {
        ("recommender", "/v1/agencies"),
        ("recommender", "/v1/agencies/{agency_id}/gaps"),
        ("portal", "/session"),
        ("portal", "/api/{path:.*}"),
    }
    assert {method for name, method, _ in opened if name != "portal"} == {"GET"}


def roles_of(route: Route) -> frozenset[Role]:
    assert route.policy is not None
    return route.policy.roles


async def test_another_tenants_key_answers_404_and_changes_nothing(services: Services) -> None:
    walked = 0
    for name, service, route in routes_of(services):
        assert route.policy is not None
        creates = route.method == "PUT" or route.path.endswith("}:import")
        if name == "portal" or "{" not in route.path or creates:
            continue
        for role in route.policy.roles:
            officer = HERE if role in OF_OFFICERS else None
            got = await service.ask(
                method_of(route), address(route), role, tenant="stranger", officer=officer, **request_of(route)
            )
            assert got.status == 404, (name, route.method, route.path, role)
            walked += 1
    assert walked >= 15
    await _is_all_there(services)


async def test_entries_of_two_tenants_with_the_same_id_are_separate(services: Services) -> None:
    assessment, catalog = services["assessment"], services["catalog"]
    body = {"job_group": "service", "agency": "elsewhere"}
    got = await assessment.ask("PUT", f"/v1/officers/{HERE}", tenant="twin", json=body)
    assert got.status == 201
    course = COURSE | {"hours": 99}
    assert (await catalog.ask("PUT", f"/v1/courses/{HERE}", "admin", tenant="twin", json=course)).status == 201
    await _is_all_there(services)


async def _is_all_there(services: Services) -> None:
    officer = await (await services["assessment"].ask("GET", f"/v1/officers/{HERE}")).json()
    assert (officer["agency"], officer["sequence"]) == ("north", 1)
    assert (await (await services["catalog"].ask("GET", f"/v1/courses/{HERE}")).json())["hours"] == 3
    assert (await services["catalog"].ask("GET", f"/v1/frameworks/{HERE}")).status == 200
    assert (await services["recommender"].ask("GET", f"/v1/officers/{HERE}/path")).status == 200


async def test_a_revoked_key_stops_working(services: Services) -> None:
    service = services["catalog"]
    key = await service.key("platform", "leaving")
    store = KeyStore(service.mongodb, service.settings)
    assert [one.tenant async for one in store.list("leaving")] == ["leaving"]
    assert await store.revoke(key.partition(".")[0])
    assert not await store.revoke(key.partition(".")[0])
    assert (await service.ask("GET", "/v1/courses", tenant="leaving")).status == 401


async def test_every_services_openapi_document_is_valid_and_states_the_roles(services: Services) -> None:
    for service in services.values():
        document = await (await service.client.get("/openapi.json")).json()
        validate(document)
    document = await (await services["catalog"].client.get("/openapi.json")).json()
    assert document["paths"]["/v1/courses/{course_id}"]["put"]["x-roles"] == ["admin", "editor"]
