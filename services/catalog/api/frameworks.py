"""Frameworks."""

import msgspec
from aiohttp import web

from services.catalog.api.entries import STORE, not_stale, same_id, settled, shown
from services.catalog.model import FrameworkList, FrameworkPut, check_framework
from services.catalog.store import framework_key
from shared.routes import answer, if_match, principal, read_body, trace_of
from shared.skills import Framework


async def put_framework(request: web.Request) -> web.StreamResponse:
    """Add a framework, or change it.

    The catalogue counts its versions; a version in the body is ignored.
    """
    framework = await read_body(request, Framework)
    same_id(framework.id, request.match_info["framework_id"])
    check_framework(framework)
    store, tenant, trace = request.app[STORE], principal(request).tenant, trace_of(request)
    expected = if_match(request)

    async def decide() -> tuple[FrameworkPut, bool] | None:
        before = await store.find(framework_key(tenant, framework.id))
        not_stale(before, expected)
        if before and msgspec.structs.replace(framework, version=before.sequence) == before.content:
            return FrameworkPut(framework.id, before.sequence, changed=False), False
        after = await store.put_framework(before, tenant, framework, trace)
        return (FrameworkPut(framework.id, after.sequence, changed=True), before is None) if after else None

    put, new = await settled(decide)
    return answer(put, 201 if new else 200, revision=put.version)


async def get_framework(request: web.Request) -> web.StreamResponse:
    """Return a framework: the tenant's own, else the shared one."""
    store, tenant = request.app[STORE], principal(request).tenant
    return shown(request, await store.visible_framework(tenant, request.match_info["framework_id"]), "framework")


async def list_frameworks(request: web.Request) -> web.StreamResponse:
    """Return the frameworks that the caller sees, by id."""
    return answer(FrameworkList(await request.app[STORE].frameworks(principal(request).tenant)))
