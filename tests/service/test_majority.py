"""No route answers that a change was made while only a primary without a majority has it."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import msgspec
import pytest

from services.assessment.api import ROUTES as ASSESSMENT_ROUTES
from services.catalog.api import ROUTES as CATALOG_ROUTES
from services.recommender.api import ROUTES as RECOMMENDER_ROUTES
from shared.auth import Role
from tests.support.all_services import COURSE, HERE, Services, everything
from tests.support.builders import FRAMEWORK, framework
from tests.support.replica_set import ReplicaSet, replica_set
from tests.support.services import issue_key
from tests.support.sessions import items_of, publish
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(600)

HOME = "https://lms.example.org"
XAPI = {"X-Experience-API-Version": "2.0.0"}
NDJSON = {"Content-Type": "application/x-ndjson"}
TAKEN_AT = "2026-11-20T09:00:00+07:00"

REGISTRATION = {"job_group": "service", "agency": "north"}
READING = {"skills": ["reading"]}
COMMENT = {"by": "cat", "comment": "well"}
POLICIES = {"first": "all", "second": "shared"}
NATIONAL = "th-digital-2018"
SEED = Path(__file__).parents[2] / "deploy" / "seed" / "frameworks" / f"{NATIONAL}.json"
DATA = {"framework": NATIONAL, "skill": "dt-analytics"}
MATRIX = "role,skill,level\nclerk,filing,1\n"
DECISIONS: dict[str, dict[str, Any]] = {
    "confirm": {},
    "reject": {},
    "correct": {"right": {"skill": "dt-analytics", "from": 0, "to": 1}},
}
ABOUT_DATA = {
    "title": {"th": "การวิเคราะห์ข้อมูลเบื้องต้น", "en": "Introduction to Data Analytics"},
    "provider": {"en": "Provider"},
    "hours": 12,
    "languages": ["th"],
}
ITEM_BANK = {
    "framework": FRAMEWORK,
    "title": {"en": "A bank"},
    "items": msgspec.to_builtins(items_of("reading", 2)),
}

Change = tuple[str, Role | None, str, str, dict[str, Any]]
"""A service, a role (None: the headers hold a key), a method, a path, and the rest of a request."""


@pytest.fixture(scope="module")
async def members(server_directory: Path) -> AsyncIterator[ReplicaSet]:
    async with replica_set(server_directory / "majority") as members:
        yield members


@pytest.fixture(scope="module")
async def services(members: ReplicaSet, kafka_bootstrap: str) -> AsyncIterator[Services]:
    async with everything(members.uri, kafka_bootstrap) as services:
        yield services


async def good(services: Services, service: str, method: str, path: str, role: Role | None, **options: Any) -> Any:
    """Return the answer to a request that succeeds."""
    got = await services[service].ask(method, path, role, **options)
    assert got.status < 300, (method, path, await got.text())
    return await got.json()


async def prepare(services: Services, name: str, third: dict[str, str]) -> tuple[str, str, dict[str, Any]]:
    """Make what the changes of a name delete, end, sign and decide; return a share link, a session, and another's step.

    `third`: the headers of a third person, who approves.
    """
    for officer in (f"{name}-sitting", f"{name}-stopping", f"{name}-gone"):
        await good(services, "assessment", "PUT", f"/v1/officers/{officer}", "platform", json=REGISTRATION)
    courses = [f"{name}-{what}{several}" for what in DECISIONS for several in ("", "-of-many")]
    for course in (f"{name}-gone", *courses):
        await good(services, "catalog", "PUT", f"/v1/courses/{course}", "admin", json=ABOUT_DATA | {"id": course})
    for bank in ("gone", "published"):
        await good(services, "assessment", "PUT", f"/v1/item-banks/{name}-{bank}", "admin", json=ITEM_BANK)
    for draft in ("gone", "signed", "commented", "reviewed", "approved"):
        path = f"/v1/frameworks/{name}-{draft}/draft"
        await good(services, "catalog", "PUT", path, "admin", json=drafted(f"{name}-{draft}"))
        if draft in ("reviewed", "approved"):
            await good(services, "catalog", "POST", f"{path}:review", "editor", json={"by": "ben"})
        if draft == "approved":
            await good(services, "catalog", "POST", f"{path}:approve", None, json={"by": "cat"}, headers=third)
    shares = f"/v1/officers/{HERE}/shares"
    share = await good(services, "assessment", "POST", shares, "officer", officer=HERE, json={"days": 14})
    sessions = [
        await good(services, "assessment", "POST", f"/v1/officers/{name}-{one}/sessions", "platform", json=READING)
        for one in ("sitting", "stopping")
    ]
    for course in courses:
        await until(lambda: _matched(services, course))  # noqa: B023 - awaited in this very turn
    return share["share"], sessions[1]["session"], sessions[0]


async def _matched(services: Services, course: str) -> bool:
    found = await good(services, "catalog", "GET", f"/v1/courses/{course}/matches", "admin")
    return DATA in [{"framework": one["framework"], "skill": one["skill"]} for one in found["matches"]]


def whole(name: str) -> dict[str, Any]:
    """Return a framework of this id."""
    return {**msgspec.to_builtins(framework({"reading": 3})), "id": name}


def drafted(name: str) -> dict[str, Any]:
    """Return a proposal of a framework."""
    return {"framework": whole(name), "by": "ann"}


def changes_of(name: str, prepared: tuple[str, str, dict[str, Any]], third: dict[str, str]) -> list[Change]:
    """Return the changes of what was prepared for a name; each succeeds once."""
    share, session, step = prepared
    answer = {"item": step["item"]["id"], "sequence": step["item"]["sequence"], "response": 1}
    banks, frameworks, sitting = "/v1/item-banks", "/v1/frameworks", f"/v1/officers/{name}-sitting/sessions"
    approval = {"json": {"by": "cat"}, "headers": third}
    return [
        ("assessment", "officer", "DELETE", f"/v1/officers/{HERE}/shares/{share}", {}),
        ("assessment", "platform", "POST", f"{sitting}/{step['session']}/answers", {"json": answer}),
        ("assessment", "platform", "POST", f"/v1/officers/{name}-stopping/sessions/{session}:stop", {}),
        ("assessment", "platform", "DELETE", f"/v1/officers/{name}-gone", {}),
        ("assessment", "admin", "PUT", f"{banks}/{name}", {"json": ITEM_BANK}),
        (
            "assessment",
            "admin",
            "POST",
            f"{banks}/{name}-imported:import?format=json&publish=true",
            {"json": ITEM_BANK},
        ),
        ("assessment", "admin", "DELETE", f"{banks}/{name}-gone/draft", {}),
        ("assessment", "admin", "POST", f"{banks}/{name}-published:publish", {}),
        ("catalog", "admin", "DELETE", f"/v1/courses/{name}-gone", {}),
        ("catalog", "admin", "PUT", f"{frameworks}/{name}", {"json": whole(name)}),
        (
            "catalog",
            "admin",
            "POST",
            f"{frameworks}:import?format=csv&id={name}-imported&title_en=M",
            {"data": MATRIX, "headers": {"Content-Type": "text/csv"}},
        ),
        ("catalog", "admin", "PUT", f"{frameworks}/{name}-drafted/draft", {"json": drafted(f"{name}-drafted")}),
        ("catalog", "admin", "DELETE", f"{frameworks}/{name}-gone/draft", {}),
        ("catalog", "editor", "POST", f"{frameworks}/{name}-signed/draft:review", {"json": {"by": "ben"}}),
        ("catalog", "editor", "POST", f"{frameworks}/{name}-commented/draft:comment", {"json": COMMENT}),
        ("catalog", None, "POST", f"{frameworks}/{name}-reviewed/draft:approve", approval),
        ("catalog", "admin", "POST", f"{frameworks}/{name}-approved/draft:publish", {}),
        *(
            ("catalog", "admin", "POST", f"{path}:{what}", {"json": {"matches": [DATA | right | course]}})
            for what, right in DECISIONS.items()
            for path, course in (
                (f"/v1/courses/{name}-{what}/matches", {}),
                ("/v1/matches", {"course": f"{name}-{what}-of-many"}),
            )
        ),
        ("recommender", "admin", "PUT", "/v1/supervision", {"json": {"paths": POLICIES[name]}}),
    ]


def covered(changes: list[Change]) -> set[tuple[str, str]]:
    """Return method and route of these changes."""
    sent = {(method, path.partition("?")[0]) for _, _, method, path, _ in changes}
    return {
        (method, route)
        for method, route in writing_routes()
        if any(method == m and re.fullmatch(re.sub(r"\{\w+\}", "[^/:]+", route), path) for m, path in sent)
    }


def writing_routes() -> set[tuple[str, str]]:
    """Return method and path of all routes that change something."""
    routes = [*ASSESSMENT_ROUTES, *CATALOG_ROUTES, *RECOMMENDER_ROUTES]
    return {(route.method, route.path) for route in routes if route.method != "GET" and not route.reads}


def changes(name: str, officer: str) -> list[Change]:
    """Return changes of every kind that succeed once for each `name`, about an officer with a path."""
    key = {"Idempotency-Key": name}
    result = {"framework": FRAMEWORK, "kind": "test", "taken_at": TAKEN_AT}
    evidence = {**result, "results": [{"skill": "reading", "level": 1}]}
    statement = {
        "actor": {"account": {"homePage": HOME, "name": officer}},
        "verb": {"id": "http://adlnet.gov/expapi/verbs/passed"},
        "object": {"id": f"{HOME}/{name}"},
        "timestamp": TAKEN_AT,
    }
    known = {**statement, "id": str(uuid5(NAMESPACE_URL, name)), "object": {"id": f"{HOME}/{name}-known"}}
    rule = {"activity": f"{HOME}/{name}", "skill": "reading", "level": 2}
    about = f"/v1/officers/{officer}"
    registration = {"job_group": "service", "agency": name}
    return [
        ("assessment", "admin", "PUT", "/v1/xapi-mapping", {"json": {"home_page": HOME, "rules": [rule]}}),
        ("assessment", "platform", "PUT", f"/v1/officers/{name}", {"json": registration}),
        ("assessment", "platform", "PATCH", about, {"json": {"agency": name}}),
        ("assessment", "platform", "POST", f"{about}/assessments", {"json": evidence, "headers": key}),
        ("assessment", "platform", "POST", f"{about}/sessions", {"json": {"skills": ["reading"]}}),
        ("assessment", "officer", "POST", f"{about}/shares", {"json": {"days": 14}}),
        ("assessment", "platform", "POST", "/xapi/statements", {"json": statement, "headers": XAPI}),
        (
            "assessment",
            "platform",
            "PUT",
            f"/xapi/statements?statementId={known['id']}",
            {"json": known, "headers": XAPI},
        ),
        ("catalog", "admin", "PUT", f"/v1/courses/{name}", {"json": COURSE | {"id": name}}),
        ("catalog", "admin", "PATCH", f"/v1/courses/{HERE}", {"json": {"hours": 3 + len(name)}}),
        ("catalog", "admin", "PATCH", f"/v1/frameworks/{HERE}", {"json": {"title": {"en": name}}}),
        (
            "recommender",
            "admin",
            "PUT",
            "/v1/rules",
            {"json": {"rules": [{"field": "provider", "values": [name], "bias": -1}]}},
        ),
        (
            "recommender",
            "admin",
            "PATCH",
            "/v1/rules",
            {"json": {"least_confidence": len(name) / 10}, "tenant": "of-patched-rules"},
        ),
        (
            "recommender",
            "officer",
            "POST",
            f"{about}/feedback",
            {"json": {"course": HERE, "action": "not_now"}, "headers": key},
        ),
    ]


def imports(name: str) -> list[Change]:
    """Return imports, which answer row by row."""
    row = f'{{"officer": "{HERE}", "skill": "reading", "level": 2, "kind": "test", "taken_at": "{TAKEN_AT}"}}\n'
    officer = f'{{"officer": "{name}", "job_group": "service", "agency": "north"}}\n'
    course = f'{{"id": "{name}", "title": {{"en": "A"}}, "provider": {{"en": "P"}}, "hours": 3, "languages": ["th"]}}\n'
    headers = NDJSON | {"Idempotency-Key": name}
    return [
        ("assessment", "platform", "POST", "/v1/assessments:import", {"data": row, "headers": headers}),
        ("assessment", "platform", "POST", "/v1/officers:import", {"data": officer, "headers": headers}),
        ("catalog", "admin", "POST", "/v1/courses:import", {"data": course, "headers": headers}),
    ]


async def answered(services: Services, change: Change) -> tuple[int, str]:
    service, role, method, path, options = change
    officer = HERE if role == "officer" else None
    got = await services[service].ask(method, path, role, officer=officer, **options)
    return got.status, await got.text()


async def test_no_route_reports_a_change_before_a_majority_has_it(members: ReplicaSet, services: Services) -> None:
    await publish(services["assessment"], *items_of("reading", 8))
    national = json.loads(SEED.read_bytes())
    await good(services, "catalog", "PUT", f"/v1/frameworks/{NATIONAL}", "admin", tenant="shared", json=national)
    key = await issue_key(services["catalog"].mongodb, services["catalog"].settings, "editor")
    third = {"Authorization": f"Bearer {key}"}
    prepared = {name: await prepare(services, name, third) for name in ("first", "second")}
    for change in changes("first", HERE) + changes_of("first", prepared["first"], third):
        status, text = await answered(services, change)
        assert status < 300, (change[:4], text)
    for change in imports("first-rows"):
        assert '"created"' in (await answered(services, change))[1], change[:4]
    frozen = changes("second", HERE) + changes_of("second", prepared["second"], third)
    rows = imports("second-rows")
    assert covered(frozen + rows) == writing_routes()
    frozen = [change for change in frozen if not change[3].endswith("/sessions")]  # one is open
    with members.frozen(1, 2):
        importing = [asyncio.ensure_future(answered(services, change)) for change in rows]
        found = await asyncio.gather(*(answered(services, change) for change in frozen))
        early = [task.result() for task in importing if task.done()]
    assert early == []  # an import waits for MongoDB for some minutes
    for change, (status, text) in zip(frozen, found, strict=True):
        by_row = change[3].startswith("/v1/matches:")
        refused = json.loads(text)["results"][0]["problem"]["status"] if by_row else status
        assert refused == 503, (change[:4], status, text)
    for change, task in zip(rows, importing, strict=True):
        _, text = await task
        assert '"created"' in text or '"unchanged"' in text, change[:4]  # equal evidence is stored once
    await members.until_state(0, "PRIMARY")
