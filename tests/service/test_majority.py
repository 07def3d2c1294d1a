"""No route answers that a change was made while only a primary without a majority has it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.auth import Role
from tests.support.all_services import COURSE, HERE, Services, everything
from tests.support.builders import FRAMEWORK
from tests.support.replica_set import ReplicaSet, replica_set
from tests.support.sessions import items_of, publish

pytestmark = pytest.mark.timeout(600)

HOME = "https://lms.example.org"
XAPI = {"X-Experience-API-Version": "2.0.0"}
NDJSON = {"Content-Type": "application/x-ndjson"}
TAKEN_AT = "2026-11-20T09:00:00+07:00"

Change = tuple[str, Role, str, str, dict[str, Any]]
"""A service, a role, a method, a path, and the rest of a request."""


@pytest.fixture(scope="module")
async def members(server_directory: Path) -> AsyncIterator[ReplicaSet]:
    async with replica_set(server_directory / "majority") as members:
        yield members


@pytest.fixture(scope="module")
async def services(members: ReplicaSet, kafka_bootstrap: str) -> AsyncIterator[Services]:
    async with everything(members.uri, kafka_bootstrap) as services:
        yield services


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
    for change in changes("first", HERE):
        status, text = await answered(services, change)
        assert status < 300, (change[:4], text)
    for change in imports("first-rows"):
        assert '"created"' in (await answered(services, change))[1], change[:4]
    frozen, rows = changes("second", HERE), imports("second-rows")
    frozen = [change for change in frozen if not change[3].endswith("/sessions")]  # one is open
    with members.frozen(1, 2):
        importing = [asyncio.ensure_future(answered(services, change)) for change in rows]
        found = await asyncio.gather(*(answered(services, change) for change in frozen))
        early = [task.result() for task in importing if task.done()]
    assert early == []  # an import waits for MongoDB for some minutes
    for change, (status, text) in zip(frozen, found, strict=True):
        assert status == 503, (change[:4], status, text)
    for change, task in zip(rows, importing, strict=True):
        _, text = await task
        assert '"created"' in text or '"unchanged"' in text, change[:4]  # equal evidence is stored once
    await members.until_state(0, "PRIMARY")
