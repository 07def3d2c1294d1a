"""Registration of officers, their profiles, and erasure."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from functools import partial

from aiohttp import web

from services.assessment import profile as profiles
from services.assessment.api.context import context_of, known_officer, subject_of, tag_of
from services.assessment.model import FrameworkOfficers, JobGroupOfficers, OfficerPut, PutOfficer, ShowProfile
from services.assessment.store import SOURCE
from services.assessment.stored_officer import Officer
from shared.auth import FORGOTTEN_SECONDS
from shared.domain import SHARED_TENANT, key_of
from shared.errors import Conflict, Erased, NotFound, PreconditionFailed
from shared.events import OfficerErased, new_event
from shared.merge_patch import patched
from shared.preconditions import Preconditions, Tag
from shared.retries import retry_on_conflict
from shared.routes import (
    ROUTE,
    json_response,
    no_content,
    not_modified,
    preconditions,
    principal,
    read_body,
    read_patch,
    read_query,
    trace_of,
)

_REVOCATIONS = 4
"""How often the keys of an erased id are revoked before it is registered again, while new ones are made."""


async def put_officer(request: web.Request) -> web.StreamResponse:
    """Register an officer, or replace the registration: a field that is left out is removed.

    Levels are kept. If nothing changes there is no new sequence and no event. An erased id may now belong to another
    person, so only an admin may register it again (409 for others), and all keys of this id are revoked first.
    """
    conditions = preconditions(request)
    body = await read_body(request, PutOfficer)
    put, new = await _register(request, body, conditions)
    return json_response(put, 201 if new else 200, tag=Tag(str(put.profile_sequence)))


async def patch_officer(request: web.Request) -> web.StreamResponse:
    """Change an officer's registration by a JSON merge patch.

    Fields that the patch leaves out stay; null removes a field; a list is replaced as a whole. Levels are kept. 404 if
    there is no such officer.
    """
    conditions, patch = preconditions(request), await read_patch(request)

    async def decide() -> OfficerPut | None:
        _, known = await known_officer(request)
        conditions.check(tag_of(known))
        body = patched(profiles.registration(known), patch, request[ROUTE].limit)
        try:
            put, _ = await _register(request, body, Preconditions.of([str(tag_of(known))], []))
        except PreconditionFailed:
            return None
        return put

    put = await retry_on_conflict(decide, "this officer")
    return json_response(put, tag=Tag(str(put.profile_sequence)))


async def _register(request: web.Request, body: PutOfficer, conditions: Preconditions) -> tuple[OfficerPut, bool]:
    """Register the officer; return the answer, and whether the officer is new."""
    return await context_of(request).registrar.put(
        *subject_of(request), body, conditions, trace_of(request), allow_again=partial(_allow_again, request)
    )


async def get_officer(request: web.Request) -> web.StreamResponse:
    """Return an officer's registration and levels, under the sequence as entity tag.

    404 if there is no such officer, or for a supervisor of another agency.
    """
    _, known = await known_officer(request)
    return not_modified(request, tag_of(known)) or json_response(known, tag=tag_of(known))


async def show_profile(request: web.Request) -> web.StreamResponse:
    """Return the level of each skill at a time, with its standard deviation and the contradictions in its evidence.

    With `at`, only evidence taken by then counts. A standard deviation grows with the age of the evidence: this answer
    shows the one at `at`, by default now, while events carry the one at `measured_at`.
    """
    wanted = read_query(request, ShowProfile)
    officer, known = await known_officer(request)
    store, at = context_of(request).store, wanted.at or datetime.now(UTC)
    statistics = await store.statistics(officer)
    if wanted.at and any(piece.taken_at > at for held in statistics.values() for piece in held.latest):
        statistics = await store.recomputed(officer, at)
    return json_response(profiles.skill_profile(known, statistics, at))


async def erase_officer(request: web.Request) -> web.StreamResponse:
    """Erase an officer.

    The officer's keys are revoked; profile, evidence, sessions, xAPI statements and share links are deleted, and every
    other service erases what it stores about the officer. The sequence is kept, so that a later registration continues
    from it. A repeated request completes an unfinished erasure and announces it again. 404 if there was never such an
    officer.
    """
    conditions = preconditions(request)
    tenant, officer_id = subject_of(request)
    routes, trace = context_of(request), trace_of(request)
    store = routes.store

    async def decide() -> bool | None:
        before = await store.find(tenant, officer_id)
        if before is None:
            raise NotFound("no such officer")
        conditions.check(tag_of(before.profile) if before.profile else None)
        if before.profile is None:
            await store.republish([before.key])  # readers of the tombstone retract dead letters that were sent since
            return True
        await routes.keys.revoke_of(tenant, officer_id)  # first: no key of an erased officer works
        await routes.sessions.erase(before.key)
        await routes.statements.erase(before.key)
        data = OfficerErased(tenant, officer_id)
        return await store.erase(before, new_event(SOURCE, before.key, before.sequence + 1, data, trace)) or None

    await retry_on_conflict(decide, "this officer")
    await routes.keys.revoke_of(tenant, officer_id)  # those made meanwhile, or left by an unfinished erasure
    await routes.sessions.erase(key_of(tenant, officer_id))  # of a session that began meanwhile
    await routes.statements.erase(key_of(tenant, officer_id))
    await routes.keys.remove_viewers(tenant, officer_id)
    return no_content()


async def _allow_again(request: web.Request, erased: Officer) -> None:
    """Check that an erased id may be registered again. Raises Conflict unless the caller is an admin.

    Revokes the keys of the id, also those made since the erasure, which were for the erased officer. Returns once none
    is left and no process has one in its cache, `FORGOTTEN_SECONDS` later. Raises Conflict if ever more are made.
    """
    if principal(request).role != "admin":
        raise Erased("this id was erased and may name another person now: only an admin's key may register it again")
    keys, erased_at = context_of(request).keys, erased.erased_at or datetime.now(UTC)
    waited = 0.0
    for _ in range(_REVOCATIONS):
        revoked = await keys.revoke_of(erased.tenant, erased.officer)
        await keys.remove_viewers(erased.tenant, erased.officer)
        since = max((datetime.now(UTC) - erased_at).total_seconds(), waited)  # the clock that erased may be ahead
        left = FORGOTTEN_SECONDS - (0 if revoked else since)
        if left <= 0:
            return
        waited = min(left, FORGOTTEN_SECONDS)
        await asyncio.sleep(waited)
    raise Conflict("keys of this id are still being made: end that first")


async def count_officers(request: web.Request) -> web.StreamResponse:
    """Return how many officers are registered under a framework, by job group and career stage.

    An admin of the tenant `shared` gets the count over all tenants that use the shared framework of this id, thus
    without those that have their own. 404 if there is no such framework.
    """
    tenant, name = principal(request).tenant, request.match_info["framework_id"]
    index, store = context_of(request).index, context_of(request).store
    if index.find(tenant, name) is None:
        raise NotFound("no such framework")
    if tenant == SHARED_TENANT:
        counts = await store.places_under(name, besides=[one for one in index.owners(name) if one != SHARED_TENANT])
    else:
        counts = await store.places_under(name, tenant=tenant)
    groups: Counter[str] = Counter()
    for (job_group, _), officers in counts.items():
        groups[job_group] += officers
    places = [JobGroupOfficers(job_group, officers, stage) for (job_group, stage), officers in counts.items()]
    places.sort(key=lambda one: (one.job_group, one.stage or ""))
    return json_response(FrameworkOfficers(name, groups.total(), dict(sorted(groups.items())), places))
