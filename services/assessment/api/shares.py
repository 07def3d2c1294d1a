"""Share links: an officer gives others read-only access to the learning path for some days.

A link contains a key of the role `viewer`, which opens only the path of its officer, until it expires or the officer
ends it. The secret is shown once, to the officer; only its digest is stored.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct

from services.assessment.api.context import context_of, known_officer, subject_of
from shared.auth import EVERYONE, OFFICERS, StoredKey, issue
from shared.errors import Conflict, NotFound
from shared.routes import Route, json_response, no_content, read_body

MOST_SHARES = 10
"""How many links of one officer may be open at a time."""

LONGEST_DAYS = 90


class CreateShare(Struct, frozen=True, forbid_unknown_fields=True):
    """How many days the link is valid."""

    days: Annotated[int, Meta(ge=1, le=LONGEST_DAYS)]


class Share(Struct, frozen=True):
    """An open share link; `opened_at`: about when it was last opened, null if never."""

    share: str
    created_at: datetime
    expires_at: datetime
    opened_at: datetime | None


class ShareCreated(Struct, frozen=True):
    """A new share link; `key` is the viewer's API key, which is not shown again."""

    share: str
    key: str
    expires_at: datetime


class Shares(Struct, frozen=True):
    """The open share links of an officer, the newest first."""

    shares: list[Share]


async def create_share(request: web.Request) -> web.StreamResponse:
    """Create a share link: until it expires, whoever has it can read the officer's learning path without signing in.

    While a link is open, supervisors of the officer's agency can read the path too. 409 if ten links are open.
    """
    body = await read_body(request, CreateShare)
    tenant, officer = subject_of(request)
    keys = context_of(request).keys
    await known_officer(request)
    expires_at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=body.days)
    credential, stored = issue(context_of(request).settings.api_key_pepper, tenant, "viewer", officer, expires_at)
    await keys.create(stored)
    try:
        await known_officer(request)  # an erasure removes the links that are there after the officer is gone
    except NotFound:
        await keys.remove_viewer(tenant, officer, stored.key_id)
        raise
    if len(await keys.viewers_of(tenant, officer)) > MOST_SHARES:
        await keys.remove_viewer(tenant, officer, stored.key_id)
        raise Conflict(f"{MOST_SHARES} links are open: end one of them first")
    return json_response(ShareCreated(stored.key_id, credential, expires_at), 201)


async def list_shares(request: web.Request) -> web.StreamResponse:
    """Return the officer's open share links, the newest first, without their keys; 404 if there is no such officer."""
    await known_officer(request)
    found = await context_of(request).keys.viewers_of(*subject_of(request))
    return json_response(Shares([_share(key) for key in found]))


async def end_share(request: web.Request) -> web.StreamResponse:
    """End a share link, 404 if there is none. It stops working within two seconds on every server."""
    await known_officer(request)
    if not await context_of(request).keys.remove_viewer(*subject_of(request), request.match_info["share_id"]):
        raise NotFound("no such share link")
    return no_content()


def _share(key: StoredKey) -> Share:
    expires_at = key.expires_at or datetime.now(UTC)
    return Share(key.key_id, key.created_at or expires_at, expires_at, key.used_at)


_SHARES = "/v1/officers/{officer_id}/shares"
SHARE_ROUTES = [
    Route(
        "POST",
        _SHARES,
        create_share,
        OFFICERS,
        body=CreateShare,
        example={"days": 14},
        answers={201: ShareCreated},
        problems=[409],
    ),
    Route("GET", _SHARES, list_shares, EVERYONE, answers={200: Shares}),
    Route("DELETE", f"{_SHARES}/{{share_id}}", end_share, EVERYONE, answers={204: None}),
]
