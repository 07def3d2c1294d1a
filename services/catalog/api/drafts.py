"""The routes of drafts of frameworks, and of the list of published versions."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from services.catalog import drafts
from services.catalog.api.context import context_of
from services.catalog.api.entries import present_tag, same_id
from services.catalog.api.frameworks import store_framework
from services.catalog.drafts import (
    CommentDraft,
    DraftComment,
    DraftState,
    FrameworkDraft,
    ProposeDraft,
    Signature,
    SignDraft,
)
from services.catalog.entries import framework_in, framework_key
from services.catalog.model import FrameworkPut
from shared.auth import EDITORS
from shared.decoding import stored
from shared.domain import Framework
from shared.errors import Conflict, InvalidInput, NotFound, PreconditionFailed
from shared.preconditions import Preconditions, Tag
from shared.retries import retry_on_conflict
from shared.routes import json_response, no_content, not_modified, preconditions, principal, read_body, read_query
from shared.texts import shows_something

PAGE_BYTES = 4 * 1024 * 1024
"""The most bytes of signatures and comments in a page of versions; one draft alone may have 3 MB of comments."""


class DraftPut(Struct, frozen=True):
    """The state of a draft after a request. `changed` is false if nothing changed; then there is no new revision."""

    id: str
    revision: int
    state: DraftState
    base_version: int
    changed: bool


class ListVersions(Struct, frozen=True, forbid_unknown_fields=True):
    """Selects a page of versions: at most `limit`, the newest first.

    With `after`, only versions that were published before this revision of the catalog.
    """

    after: Annotated[int, Meta(ge=1, le=2**63 - 1)] | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = 100


class FrameworkVersion(Struct, frozen=True):
    """A published version of a framework, and the revision of the catalog that published it.

    `state` is `superseded` if a newer version is published. The signatures and comments are those of the draft.
    """

    version: int
    catalog_revision: int
    state: Literal["published", "superseded", "retired"]
    proposed: Signature | None = None
    reviewed: Signature | None = None
    approved: Signature | None = None
    comments: list[DraftComment] = []


class FrameworkVersions(Struct, frozen=True):
    """Versions of a framework, the newest first. `next` is the `after` of the following page, null on the last page."""

    versions: list[FrameworkVersion]
    next: int | None


class _Approval(Struct, frozen=True):
    proposed: Signature
    reviewed: Signature | None = None
    approved: Signature | None = None
    comments: list[DraftComment] = []


async def put_draft(request: web.Request) -> web.StreamResponse:
    """Propose a framework as a draft, or change the draft.

    Admins and editors of the tenant may call this, and only they can read the draft. It has no effect until it is
    published. If the content changes, the review and the approval are removed. The draft is based on the version that
    is published now. 409 if the draft has too many comments, 412 if a precondition does not hold.
    """
    conditions, body = preconditions(request), await read_body(request, ProposeDraft)
    tenant, name = principal(request).tenant, request.match_info["framework_id"]
    same_id(body.framework.id, name)
    await asyncio.to_thread(body.framework.check)
    store, kept = context_of(request).store, context_of(request).drafts

    async def decide() -> tuple[DraftPut, bool] | None:
        before = await kept.find(tenant, name)
        conditions.check(Tag(str(before.revision)) if before else None)
        entry = await store.find(framework_key(tenant, name))
        base = entry.sequence if entry else 0
        last = 0 if before else await kept.last_revision(tenant, name)
        after = drafts.proposed(before, body, _signature(request, body.by), base, last)
        if after is None and before:
            return _put(before, changed=False), False
        if after and await kept.save(tenant, before, after):
            return _put(after, changed=True), before is None
        return None

    put, new = await retry_on_conflict(decide, "this draft")
    return json_response(put, 201 if new else 200, tag=Tag(str(put.revision)))


async def get_draft(request: web.Request) -> web.StreamResponse:
    """Return the draft of a framework: its content, who proposed, reviewed and approved it, and all comments.

    Admins and editors may call this. 404 without a draft.
    """
    draft = await _draft(request)
    tag = Tag(str(draft.revision))
    return not_modified(request, tag) or json_response(draft, tag=tag)


async def delete_draft(request: web.Request) -> web.StreamResponse:
    """Delete the draft of a framework, with its signatures and comments; published versions stay.

    Admins and editors may call this. 404 without a draft, 412 if a precondition does not hold.
    """
    conditions = preconditions(request)

    async def decide() -> bool | None:
        draft = await _draft(request)
        conditions.check(Tag(str(draft.revision)))
        return await context_of(request).drafts.remove(principal(request).tenant, draft) or None

    await retry_on_conflict(decide, "this draft")
    return no_content()


async def review_draft(request: web.Request) -> web.StreamResponse:
    """Record that a person has reviewed the draft.

    Admins and editors may call this. 409 if the same person proposed the draft; people are told apart by their identity
    at the OpenID Connect provider, or without one by their key. 404 without a draft, 412 if a precondition does not
    hold.
    """
    await _draft(request)
    body = await read_body(request, SignDraft)
    by, alone = _signature(request, body.by), _alone(request)
    return await _changed(request, lambda draft: drafts.reviewed(draft, by, body.comment, alone=alone))


async def approve_draft(request: web.Request) -> web.StreamResponse:
    """Record that a person approves the draft.

    Admins and editors may call this. 409 if the draft is not reviewed, or if the same person proposed or reviewed it.
    404 without a draft, 412 if a precondition does not hold.
    """
    await _draft(request)
    body = await read_body(request, SignDraft)
    by, alone = _signature(request, body.by), _alone(request)
    return await _changed(request, lambda draft: drafts.approved(draft, by, body.comment, alone=alone))


async def comment_draft(request: web.Request) -> web.StreamResponse:
    """Add a comment to the draft; its state does not change.

    Admins and editors may call this. 404 without a draft, 409 if it has too many comments.
    """
    await _draft(request)
    body = await read_body(request, CommentDraft)
    by = _signature(request, body.by)
    return await _changed(request, lambda draft: drafts.commented(draft, by, body.comment))


async def publish_draft(request: web.Request) -> web.StreamResponse:
    """Publish an approved draft as the next version of the framework, and delete the draft.

    Admins and editors may call this. 409 if the draft is not approved, or if another version was published after the
    draft was made. If a request was interrupted, repeating it completes the publication.
    """
    conditions, tenant, kept = preconditions(request), principal(request).tenant, context_of(request).drafts
    draft = await _draft(request)
    conditions.check(Tag(str(draft.revision)))
    version, done = await _published(request, draft)
    if done:
        put = FrameworkPut(draft.framework.id, version, changed=False)
    else:
        drafts.check_publishable(draft, version, alone=_alone(request))
        seen = present_tag(await context_of(request).store.visible_framework(tenant, draft.framework.id), tenant)
        only = Preconditions.of([str(seen)], []) if seen else Preconditions.of([], ["*"])
        try:
            put, _ = await store_framework(request, draft.framework, only)
        except PreconditionFailed as lost:  # the caller's own preconditions have held
            version, done = await _published(request, draft)
            if not done:
                raise Conflict(
                    "another version of this framework was published at the same moment: put the draft again",
                    "base_version",
                ) from lost
            put = FrameworkPut(draft.framework.id, version, changed=False)
    await kept.keep_approval(tenant, draft, put.version)
    await kept.remove(tenant, draft)
    return json_response(put, tag=Tag(str(put.version)))


async def show_impact(request: web.Request) -> web.StreamResponse:
    """Return what publishing the draft would change: skills, job groups, requirements, and the number of officers.

    Admins and editors may call this. 404 without a draft.
    """
    draft = await _draft(request)
    name = draft.framework.id
    # A tenant's first version replaces the shared one, which its officers have until then.
    tenant = principal(request).tenant
    entry = await context_of(request).store.visible_framework(tenant, name)
    own = entry.sequence if entry and entry.tenant == tenant else 0
    present = framework_in(entry)
    found = await asyncio.to_thread(drafts.impact, draft, present, own)
    officers = await context_of(request).officers.count(request, present, draft.framework)
    return json_response(msgspec.structs.replace(found, officers=officers))


async def list_versions(request: web.Request) -> web.StreamResponse:
    """Return the published versions of a framework, the newest first.

    The framework is the tenant's own one with this id, or else the shared one. A published version never changes; `GET
    /v1/frameworks/{id}` with its `catalog_revision` returns it. Only admins and editors of the tenant that owns the
    framework can read who proposed, reviewed and approved a version. 404 without a framework.
    """
    wanted, tenant, name = (
        read_query(request, ListVersions),
        principal(request).tenant,
        request.match_info["framework_id"],
    )
    entry = await context_of(request).store.visible_framework(tenant, name)
    if entry is None:
        raise NotFound("no such framework")
    history = context_of(request).history
    below = await history.position() + 1  # a version that the history does not have yet is not listed
    below = below if wanted.after is None else min(below, wanted.after)
    rows = await history.framework_versions(entry.tenant, name, below, wanted.limit + 1)
    page = rows[: wanted.limit]
    told_who = entry.tenant == tenant and principal(request).role in EDITORS.roles
    approvals: dict[int, dict[str, Any]] = {}
    if told_who:
        numbers = [row.version for row in page]
        fitting, approvals = await context_of(request).drafts.approvals(entry.tenant, name, numbers, PAGE_BYTES)
        page = page[:fitting]
    versions = []
    for row in page:
        state: Literal["published", "superseded", "retired"] = "superseded"
        if row.version == entry.sequence:
            framework = framework_in(entry)
            state = "retired" if framework and framework.retired else "published"
        by = stored(approvals[row.version], _Approval) if row.version in approvals else None
        signatures = (by.proposed, by.reviewed, by.approved, by.comments) if by else (None, None, None, [])
        versions.append(FrameworkVersion(row.version, row.catalog_revision, state, *signatures))
    return json_response(FrameworkVersions(versions, page[-1].catalog_revision if len(rows) > len(page) else None))


async def _draft(request: web.Request) -> FrameworkDraft:
    found = await context_of(request).drafts.find(principal(request).tenant, request.match_info["framework_id"])
    if found is None:
        raise NotFound("no draft of this framework")
    return found


async def _published(request: web.Request, draft: FrameworkDraft) -> tuple[int, bool]:
    """Return the present version of the framework, 0 without one, and whether this approved draft is that version."""
    entry = await context_of(request).store.find(framework_key(principal(request).tenant, draft.framework.id))
    version = entry.sequence if entry else 0
    is_next = draft.state == "approved" and version == draft.base_version + 1
    return version, is_next and entry is not None and _same(entry.content, draft.framework)


async def _changed(request: web.Request, change: Callable[[FrameworkDraft], FrameworkDraft]) -> web.StreamResponse:
    conditions = preconditions(request)

    async def decide() -> DraftPut | None:
        before = await _draft(request)
        conditions.check(Tag(str(before.revision)))
        after = change(before)
        saved = await context_of(request).drafts.save(principal(request).tenant, before, after)
        return _put(after, changed=True) if saved else None

    put = await retry_on_conflict(decide, "this draft")
    return json_response(put, tag=Tag(str(put.revision)))


def _signature(request: web.Request, by: str) -> Signature:
    if not shows_something(by):
        raise InvalidInput("shows nothing", "by")
    who = principal(request)
    return Signature(by, who.key_id, datetime.now(UTC), who.subject)


def _alone(request: web.Request) -> bool:
    return principal(request).tenant in context_of(request).sole_editors


def _put(draft: FrameworkDraft, *, changed: bool) -> DraftPut:
    return DraftPut(draft.framework.id, draft.revision, draft.state, draft.base_version, changed)


def _same(present: object, wanted: Framework) -> bool:
    return isinstance(present, Framework) and msgspec.structs.replace(wanted, version=present.version) == present
