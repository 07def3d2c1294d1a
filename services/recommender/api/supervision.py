"""Supervision: the tenant's policy, the permission check, and a supervisor's list of officers."""

from datetime import datetime
from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct

from services.recommender.api.context import context_of
from services.recommender.path_summary import rounded_share
from services.recommender.store.plans import OfficerSummary
from services.recommender.store.supervision import Visible
from shared.auth import check_agency
from shared.domain import Identifier
from shared.errors import NotFound
from shared.routes import json_response, principal, read_body, read_query

_BATCH, _BATCHES = 500, 5
"""How many officers are read at a time to find those who share, and how often for one answer."""


class SupervisionPolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """Which paths a supervisor can read.

    `shared`: those that officers have shared; `all`: those of all officers of the agency.
    """

    paths: Visible


class ListOfficerPaths(Struct, frozen=True, forbid_unknown_fields=True):
    """Which officers to list: at most `limit`, with ids above `after`."""

    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    after: Identifier | None = None


class OfficerPath(Struct, frozen=True):
    """An officer with figures of the path: shares of the requirement held `before` and `after` it, and its hours.

    The shares are in hundredths: 1 stands for the whole requirement alone, and 0 for nothing of it alone.
    `shared_until`: until when the officer shares the path; null if it is not shared.
    """

    officer: str
    job_group: str
    status: str
    planned_at: datetime
    before: float
    after: float
    hours: float
    shared_until: datetime | None


class OfficerPaths(Struct, frozen=True):
    """The officers of an agency whose paths the caller may read; `paths`: the policy that applies to supervisors.

    `next` is the `after` of the next page, null on the last. A page may hold fewer than `limit` although more follow,
    if few officers share.
    """

    agency: str
    paths: Visible
    officers: list[OfficerPath]
    next: str | None


async def get_supervision(request: web.Request) -> web.StreamResponse:
    """Return which learning paths supervisors may read in the caller's tenant; `shared` if nothing was set.

    For admins, platforms, supervisors and officers.
    """
    return json_response(SupervisionPolicy(await context_of(request).store.supervision.of(principal(request).tenant)))


async def put_supervision(request: web.Request) -> web.StreamResponse:
    """Set which learning paths supervisors may read in the caller's tenant.

    For admins.
    """
    body, caller = await read_body(request, SupervisionPolicy), principal(request)
    await context_of(request).store.supervision.put(caller.tenant, body.paths, caller.key_id)
    return json_response(body)


async def check_readable(request: web.Request, officer: str) -> None:
    """Check that a supervisor may read this officer's path; any other caller passes.

    A supervisor may read the path of an officer of the own agency if the officer shares it or the tenant's policy is
    `all`. Otherwise raises NotFound. Raises Unavailable.
    """
    caller, context = principal(request), context_of(request)
    store = context.store
    if caller.role != "supervisor":
        return
    agency = await store.agency_of(caller.tenant, officer)
    check_agency(caller, agency or "")
    by_policy = await store.supervision.of(caller.tenant) == "all"
    if not by_policy and not await context.viewers.viewers_of(caller.tenant, officer):
        raise NotFound("no such officer")


async def list_officer_paths(request: web.Request) -> web.StreamResponse:
    """Return the officers of an agency whose paths the caller may read, by id.

    Admins and platforms see all officers who have a path. A supervisor sees the own agency only, and there the officers
    who share their paths, or all of them if the tenant's policy permits. 404 for a supervisor of another agency, and if
    no officer of the agency has a path.
    """
    query, caller, agency = read_query(request, ListOfficerPaths), principal(request), request.match_info["agency_id"]
    store, viewers = context_of(request).store, context_of(request).viewers
    if not (caller.sees_agency(agency) and await store.frameworks_of(caller.tenant, agency)):
        raise NotFound("no officers of such an agency")
    policy = await store.supervision.of(caller.tenant)
    everybody = caller.role != "supervisor" or policy == "all"
    rows: list[OfficerPath] = []
    following = query.after
    for _ in range(_BATCHES):
        found, following = await store.officers(
            caller.tenant, agency, following or "", query.limit if everybody else _BATCH
        )
        shared = await viewers.viewed_until(caller.tenant, [one.officer for one in found])
        rows += [_row(one, shared.get(one.officer)) for one in found if everybody or one.officer in shared]
        if following is None or len(rows) >= query.limit:
            break
    if len(rows) > query.limit:
        rows = rows[: query.limit]
        following = rows[-1].officer
    return json_response(OfficerPaths(agency, policy, rows, following))


def _row(one: OfficerSummary, shared_until: datetime | None) -> OfficerPath:
    path = one.summary
    before, after = rounded_share(path.before), rounded_share(path.after)
    return OfficerPath(
        one.officer, path.job_group, path.status, one.planned_at, before, after, path.hours, shared_until
    )
