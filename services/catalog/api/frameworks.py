"""Frameworks."""

import msgspec
from aiohttp import web

from services.catalog.api.entries import HISTORY, STORE, not_stale, reached, same_id, settled, shown
from services.catalog.model import FrameworkList, FrameworkPut, ShowFramework, check_framework
from services.catalog.store import framework_key
from shared.errors import NotFound
from shared.routes import answer, if_match, principal, read_body, read_query, trace_of
from shared.skills import SHARED_TENANT, Framework


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
    """Return a framework: the tenant's own, else the shared one.

    With `catalogue_revision` as it was at that revision.
    """
    store, tenant, name = request.app[STORE], principal(request).tenant, request.match_info["framework_id"]
    revision = read_query(request, ShowFramework).catalogue_revision
    if revision is None:
        return shown(request, await store.visible_framework(tenant, name), "framework")
    history = request.app[HISTORY]
    await reached(history, revision)
    found = await history.framework(tenant, name, revision) or await history.framework(SHARED_TENANT, name, revision)
    if found is None:
        raise NotFound("no such framework at that revision")
    return answer(found, revision=found.version)


async def list_frameworks(request: web.Request) -> web.StreamResponse:
    """Return the frameworks that the caller sees, by id."""
    return answer(FrameworkList(await request.app[STORE].frameworks(principal(request).tenant)))
