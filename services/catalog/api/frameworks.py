"""The routes that store, read and list frameworks."""

import asyncio

import msgspec
from aiohttp import web

from services.catalog.api.context import context_of
from services.catalog.api.entries import patch_entry, present_tag, reached, same_id, shown, tag_of
from services.catalog.drafts import check_change, scale_change, unmapped
from services.catalog.entries import framework_in, framework_key
from services.catalog.model import FrameworkList, FrameworkPut, ListFrameworks, ShowFramework
from shared.domain import SHARED_TENANT, Framework
from shared.errors import NotFound
from shared.preconditions import Preconditions, Tag
from shared.retries import retry_on_conflict
from shared.routes import (
    json_response,
    not_modified,
    paged,
    preconditions,
    principal,
    read_body,
    read_query,
    trace_of,
)


async def put_framework(request: web.Request) -> web.StreamResponse:
    """Add a framework of the caller's tenant, or replace it: this publishes the next version at once.

    Only admins may call this. The catalog numbers the versions; a version in the body is ignored. 409 for a change of a
    retired framework, 412 if a precondition does not hold, 422 for a faulty framework.
    """
    conditions = preconditions(request)
    framework = await read_body(request, Framework)
    same_id(framework.id, request.match_info["framework_id"])
    put, new = await store_framework(request, framework, conditions)
    return json_response(put, 201 if new else 200, tag=Tag(str(put.version)))


async def patch_framework(request: web.Request) -> web.StreamResponse:
    """Change fields of a framework of the caller's tenant by a JSON merge patch.

    Only admins may call this. Fields that the patch leaves out stay; null removes a field; a list is replaced as a
    whole. 404 for a shared framework or an unknown one, 409 for a change of a retired one, 412 if a precondition does
    not hold.
    """
    tenant, framework_id = principal(request).tenant, request.match_info["framework_id"]
    put = await patch_entry(request, framework_key(tenant, framework_id), framework_id, Framework, store_framework)
    return json_response(put, tag=Tag(str(put.version)))


async def store_framework(
    request: web.Request, framework: Framework, conditions: Preconditions
) -> tuple[FrameworkPut, bool]:
    """Store a framework of the caller's tenant if it is valid and the preconditions hold.

    Returns the result, and whether the tenant did not have it before. Raises InvalidInput, Conflict,
    PreconditionFailed, TooLarge, Unavailable.
    """
    await asyncio.to_thread(framework.check)
    store, tenant, trace = context_of(request).store, principal(request).tenant, trace_of(request)

    async def decide() -> tuple[FrameworkPut, bool] | None:
        before = await store.find(framework_key(tenant, framework.id))
        if conditions.given:
            visible = await store.visible_framework(tenant, framework.id)
            conditions.check(present_tag(before, tenant) or present_tag(visible, tenant))
        check_change(framework_in(before), framework)
        if before and msgspec.structs.replace(framework, version=before.sequence) == before.content:
            return FrameworkPut(framework.id, before.sequence, changed=False), False
        after = await store.put_framework(before, tenant, framework, trace)
        if after is None:
            return None
        # what officers had until now
        had = framework_in(before or await store.find(framework_key(SHARED_TENANT, framework.id)))
        gone = unmapped(had, framework, "skill"), unmapped(had, framework, "job_group")
        officers = await context_of(request).officers.count(request, had, framework)
        scale_note = scale_change(had, framework)
        return FrameworkPut(framework.id, after.sequence, True, *gone, officers, scale_note), before is None  # noqa: FBT003 - a field of a record

    return await retry_on_conflict(decide, "this framework")


async def get_framework(request: web.Request) -> web.StreamResponse:
    """Return a framework with its ETag: the tenant's own framework with this id, or else the shared one.

    With `catalog_revision`, the answer is the version at this revision of the catalog. 404 if neither exists, 422 if
    the catalog has not reached the revision.
    """
    store, tenant, name = context_of(request).store, principal(request).tenant, request.match_info["framework_id"]
    revision = read_query(request, ShowFramework).catalog_revision
    if revision is None:
        return shown(request, await store.visible_framework(tenant, name), "framework")
    history = context_of(request).history
    await reached(history, revision)
    for owner in dict.fromkeys((tenant, SHARED_TENANT)):
        if found := await history.framework(owner, name, revision):
            tag = tag_of(found.version, owner, tenant)
            return not_modified(request, tag) or json_response(found, tag=tag)
    raise NotFound("no such framework at that revision")


async def list_frameworks(request: web.Request) -> web.StreamResponse:
    """Return a page of the frameworks that the caller sees, in the order of their ids, without their contents.

    A tenant's own framework hides the shared one with the same id.
    """
    wanted = read_query(request, ListFrameworks)
    found = await context_of(request).store.frameworks(principal(request).tenant, wanted)
    return json_response(FrameworkList(*paged(found, wanted.limit, lambda one: one.id)))
