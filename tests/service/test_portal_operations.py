"""Every operation of the services' OpenAPI documents, called through the portal by every kind of caller.

The operations are read from the documents that run, so a new route is tested too, without a line here.
"""

import re
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import ClientResponse, hdrs

from services.portal.api.session import COOKIE
from shared.auth import ROLES, Role
from tests.support.all_services import HERE, Services
from tests.support.services import issue_key

OF_OFFICERS: tuple[Role, ...] = ("officer", "viewer")
FROM_ELSEWHERE = "this request must come from the officers' page itself"
UNFORWARDED = "there is no such path"


@dataclass(frozen=True)
class Operation:
    """An operation of a document, and where the portal takes it."""

    service: str
    method: str
    path: str
    roles: frozenset[Role]
    forwarded: bool
    streams: bool

    @property
    def changes(self) -> bool:
        """Whether it may change something."""
        return self.method not in ("GET", "HEAD", "OPTIONS")

    def address(self, subject: str) -> str:
        """Return the address at the portal, about this officer, course, framework and all else."""
        return ("" if self.service == "portal" else "/api") + re.sub(r"{\w+}", subject, self.path)


async def operations(services: Services) -> list[Operation]:
    found = []
    for service in services:
        document = await (await services["portal"].ask("GET", f"/docs/{service}/openapi.json", "admin")).json()
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                produced = {kind for answer in operation["responses"].values() for kind in answer.get("content", {})}
                found.append(
                    Operation(
                        service,
                        method.upper(),
                        path,
                        frozenset(operation.get("x-roles", ())),
                        not operation.get("x-not-forwarded", False),
                        "text/event-stream" in produced,
                    )
                )
    assert {one.service for one in found} == set(services)
    assert len([one for one in found if one.forwarded and one.roles]) > 60
    return found


async def answer_of(
    services: Services,
    operation: Operation,
    role: Role | None,
    *,
    subject: str = HERE,
    officer: str = HERE,
    tenant: str = "agency",
    headers: dict[str, str] | None = None,
    **options: Any,
) -> ClientResponse:
    """Ask with the cookie of a new key of a role; None: of nobody. A body that nothing takes is sent with a change."""
    portal, headers = services["portal"], dict(headers or {})
    if role is not None:
        mine = officer if role in OF_OFFICERS else None
        key = await issue_key(portal.mongodb, portal.settings, role, tenant=tenant, officer=mine)
        headers[hdrs.COOKIE] = f"{portal.client.app[COOKIE]}={key}"
    if operation.changes and not options:
        options = {"json": {}}
    answer = await portal.client.request(
        operation.method, operation.address(subject), headers=headers, allow_redirects=False, **options
    )
    if operation.streams and answer.ok:
        answer.close()
    return answer


async def detail_of(answer: ClientResponse) -> str:
    return str((await answer.json())["detail"]) if answer.content_type == "application/problem+json" else ""


async def test_nobody_is_let_in_without_a_key(services: Services) -> None:
    for operation in await operations(services):
        if operation.roles:
            answer = await answer_of(services, operation, None)
            assert answer.status == 401, operation


async def test_each_role_may_use_exactly_the_documented_routes(services: Services) -> None:
    allowed = {"Sec-Fetch-Site": "same-origin"}
    wrong = []
    for operation in await operations(services):
        if not operation.roles or not operation.forwarded:
            continue
        for role in ROLES:
            may = role in operation.roles
            # What may change something changes nobody who is there.
            subject = "absent" if may and operation.changes and role not in OF_OFFICERS else HERE
            answer = await answer_of(services, operation, role, subject=subject, headers=allowed)
            let_in = answer.status not in (401, 403)
            lost = not answer.ok and await detail_of(answer) == UNFORWARDED
            if let_in is not may or lost or answer.status >= 500:
                wrong.append((role, operation.method, operation.path, answer.status))
    assert wrong == []


async def test_routes_that_the_portal_does_not_forward_are_not_found_for_every_role(services: Services) -> None:
    for operation in await operations(services):
        if operation.service != "portal" and not operation.forwarded:
            for role in (*ROLES, None):
                answer = await answer_of(services, operation, role)
                assert answer.status == (401 if role is None else 404), (role, operation)


async def test_another_officer_and_another_tenant_look_like_none(services: Services) -> None:
    walked = 0
    for operation in await operations(services):
        if "{" not in operation.path or not operation.roles or not operation.forwarded:
            continue
        for role in set(OF_OFFICERS) & operation.roles if "{officer_id}" in operation.path else ():
            answer = await answer_of(services, operation, role, officer="else")
            assert answer.status == 404, (role, operation)
            walked += 1
        if operation.changes or operation.streams:
            continue
        for role in operation.roles:
            answer = await answer_of(services, operation, role, tenant="stranger")
            assert answer.status == 404, (role, operation)
            walked += 1
    assert walked > 60


ELSEWHERE: list[dict[str, Any]] = [
    {"headers": {"Sec-Fetch-Site": "cross-site"}},
    {"headers": {"Sec-Fetch-Site": "same-site", "Origin": "https://sister.example"}},
    {"headers": {"Origin": "https://elsewhere.example"}},
    {"headers": {"Origin": "null", "Content-Type": "text/plain"}, "data": '{"a": "="}'},
    {"headers": {"Origin": "https://elsewhere.example"}, "data": {"a": "a form"}},
]


@pytest.mark.parametrize("sent", ELSEWHERE)
async def test_a_change_from_another_site_is_rejected_for_signed_in_people(
    services: Services, sent: dict[str, Any]
) -> None:
    walked = 0
    for operation in await operations(services):
        if not operation.changes or not operation.forwarded:
            continue
        role: Any = next(iter(sorted(operation.roles)), "admin")
        answer = await answer_of(services, operation, role, subject="absent", **sent)
        assert (answer.status, await detail_of(answer)) == (403, FROM_ELSEWHERE), operation
        walked += 1
    assert walked > 30
