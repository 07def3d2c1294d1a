"""What the handlers of courses and of frameworks have in common: tags, checks, and changes by a patch."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import web

from services.catalog.api.context import context_of
from services.catalog.entries import Entry, cannot_be_read
from services.catalog.history import HistoryStore
from services.catalog.model import CoursePut, FrameworkPut
from shared.domain import Course, Framework
from shared.errors import InvalidInput, NotFound, PreconditionFailed
from shared.merge_patch import patched
from shared.preconditions import Preconditions, Tag
from shared.retries import retry_on_conflict
from shared.routes import ROUTE, json_response, not_modified, preconditions, principal, read_patch

E = TypeVar("E", Course, Framework)
P = TypeVar("P", CoursePut, FrameworkPut)


def shown(request: web.Request, entry: Entry | None, what: str) -> web.StreamResponse:
    """Return the response with an entry and its ETag, or 304 if the client has this revision.

    `what` names the kind of the entry in texts. Raises NotFound without an entry, Conflict for an unreadable one.
    """
    if entry is None:
        raise NotFound(f"no such {what}")
    if entry.unreadable:
        raise cannot_be_read()
    tag = tag_of(entry.sequence, entry.tenant, principal(request).tenant)
    return not_modified(request, tag) or json_response(entry.shown, tag=tag)


def tag_of(sequence: int, owner: str, reader: str) -> Tag:
    """Return the entity tag of the revision `sequence` of an entry, for a caller of the tenant `reader`.

    If the entry belongs to another tenant, the tag names this owner: so a shared entry and a tenant's own one with the
    same id and revision have different tags.
    """
    return Tag(str(sequence) if owner == reader else f"{owner}-{sequence}")


def present_tag(entry: Entry | None, reader: str) -> Tag | None:
    """Return the entity tag that an entry has for a caller of the tenant `reader`; None if it has no content."""
    if entry is None or entry.content is None:
        return None
    return tag_of(entry.sequence, entry.tenant, reader)


def same_id(given: str, expected: str) -> None:
    """Raise InvalidInput if the id in the body (`given`) is not the id in the path (`expected`)."""
    if given != expected:
        raise InvalidInput(f"is not {expected!r}, as the path says", "id")


async def reached(history: HistoryStore, revision: int) -> None:
    """Raise InvalidInput if the history has not reached a revision of the catalog yet. Raises Unavailable."""
    if revision > (position := await history.position()):
        raise InvalidInput(f"the catalog is at {position}", "catalog_revision")


async def patch_entry(
    request: web.Request,
    key: str,
    before_id: str,
    shape: type[E],
    put: Callable[[web.Request, E, Preconditions], Awaitable[tuple[P, bool]]],
) -> P:
    """Apply the JSON merge patch of a request to the tenant's own entry under `key`; store the result with `put`.

    `before_id`: the id of the entry, which the patch may not change. `shape`: Course or Framework. Returns the first
    value of the pair that `put` returns. Raises NotFound, PreconditionFailed, InvalidInput, Conflict, and what `put`
    raises.
    """
    conditions, patch = preconditions(request), await read_patch(request)
    store, tenant = context_of(request).store, principal(request).tenant

    async def decide() -> P | None:
        before = await store.find(key)
        if before is not None and before.unreadable:
            raise cannot_be_read()
        if before is None or before.copied or not isinstance(before.content, shape):
            raise NotFound(f"no such {shape.__name__.lower()} of your own")
        conditions.check(present_tag(before, tenant))
        content = await asyncio.to_thread(patched, before.content, patch, request[ROUTE].limit)
        same_id(content.id, before_id)
        try:
            result, _ = await put(request, content, Preconditions.of([f'"{before.sequence}"'], []))
        except PreconditionFailed:
            return None
        return result

    return await retry_on_conflict(decide, f"this {shape.__name__.lower()}")
