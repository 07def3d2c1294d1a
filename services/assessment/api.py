"""The routes of the assessment service."""

import asyncio
from datetime import UTC, datetime

from aiohttp import web

from services.assessment import profile as profiles
from services.assessment import scoring
from services.assessment.framework_replica import FrameworkReplica
from services.assessment.model import (
    AssessmentAccepted,
    Evidence,
    EvidenceList,
    ListEvidence,
    OfficerPut,
    PutOfficer,
    SubmitAssessment,
    assessment_id_of,
    digest_of,
)
from services.assessment.store import SOURCE, Officer, OfficerStore
from shared.auth import EVERYONE, FORGOTTEN_SECONDS, PLATFORMS
from shared.decoding import patched
from shared.domain import Framework, Profile
from shared.errors import Conflict, Forbidden, InvalidInput, NotFound, PreconditionFailed, Unavailable
from shared.events import AssessmentCompleted, OfficerChanged, OfficerErased, new_event
from shared.mongo import KeyStore
from shared.preconditions import Preconditions, Tag
from shared.retries import retry_on_conflict
from shared.routes import (
    IDEMPOTENCY_KEY,
    IF_ABSENT,
    IF_MATCH,
    IF_NONE_MATCH,
    MERGE_PATCH,
    ROUTE,
    MergePatch,
    Route,
    idempotency_key,
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

STORE: web.AppKey[OfficerStore] = web.AppKey("store", OfficerStore)
INDEX: web.AppKey[FrameworkReplica] = web.AppKey("index", FrameworkReplica)
CAUGHT_UP: web.AppKey[asyncio.Event] = web.AppKey("caught_up", asyncio.Event)
KEYS: web.AppKey[KeyStore] = web.AppKey("keys", KeyStore)
DEFAULT_FRAMEWORK: web.AppKey[str] = web.AppKey("default_framework", str)

_ARRIVAL_SECONDS = 1.0


async def put_officer(request: web.Request) -> web.StreamResponse:
    """Register an officer, or replace the registration: a field that is left out is removed.

    Levels are kept. If nothing changed there is no new sequence and no event. An erased id may now belong to another
    person, so only an admin may register it again (409 for others), and keys made before the erasure are revoked.
    """
    asked = preconditions(request)
    body = await read_body(request, PutOfficer)
    put, new = await _register(request, body, asked)
    return json_response(put, 201 if new else 200, tag=Tag(str(put.profile_sequence)))


async def patch_officer(request: web.Request) -> web.StreamResponse:
    """Change where an officer works, or how much time there is, by a JSON merge patch.

    What the patch leaves out stays as it is; null takes a field away; a list is replaced as a whole. Levels are kept.
    """
    asked, patch = preconditions(request), await read_patch(request)

    async def decide() -> OfficerPut | None:
        _, known = await _known(request)
        asked.check(_tag(known))
        body = patched(profiles.registration(known), patch, request[ROUTE].limit)
        try:
            put, _ = await _register(request, body, Preconditions.of([str(_tag(known))], []))
        except PreconditionFailed:
            return None
        return put

    put = await retry_on_conflict(decide, "this officer")
    return json_response(put, tag=Tag(str(put.profile_sequence)))


async def _register(request: web.Request, body: PutOfficer, asked: Preconditions) -> tuple[OfficerPut, bool]:
    """Register the officer and return the answer, and whether the officer is new."""
    tenant, officer_id = _asked(request)
    framework = await _framework(request, body.framework or request.app[DEFAULT_FRAMEWORK])
    owner = request.app[INDEX].owner(tenant, framework.id)
    profiles.check(body, framework)
    store, trace = request.app[STORE], trace_of(request)

    async def decide() -> tuple[OfficerPut, bool] | None:
        before = await store.find(tenant, officer_id)
        known = before.profile if before else None
        asked.check(_tag(known) if known else None)
        if before is not None and known is None:
            await _allow_again(request, before)
        profiles.check_admitted(framework, known)
        sequence = before.sequence if before else 0
        after = profiles.registered(
            body, framework, before=known, tenant=tenant, officer=officer_id, sequence=sequence, owner=owner
        )
        if after is None:
            return OfficerPut(officer_id, sequence, changed=False), False
        envelope = new_event(SOURCE, after.key, after.sequence, OfficerChanged(after), trace)
        if not await store.save(before, after, envelope):
            return None
        return OfficerPut(officer_id, after.sequence, changed=True), known is None

    return await retry_on_conflict(decide, "this officer")


async def get_officer(request: web.Request) -> web.StreamResponse:
    """Return an officer's skill profile."""
    _, known = await _known(request)
    return not_modified(request, _tag(known)) or json_response(known, tag=_tag(known))


async def erase_officer(request: web.Request) -> web.StreamResponse:
    """Forget an officer.

    The officer's keys are revoked, profile and evidence are removed, and every service erases its data. The sequence
    is kept, so that a later registration continues from it. A repeated request completes an unfinished erasure and
    announces it again.
    """
    asked = preconditions(request)
    tenant, officer_id = _asked(request)
    store, trace = request.app[STORE], trace_of(request)

    async def decide() -> bool | None:
        before = await store.find(tenant, officer_id)
        if before is None:
            raise NotFound("no such officer")
        asked.check(_tag(before.profile) if before.profile else None)
        if before.profile is None:
            await request.app[KEYS].revoke_of(tenant, officer_id, before.erased_at or datetime.now(UTC))
            await store.republish([before.key])  # who reads it takes back what was refused since
            return True
        await request.app[KEYS].revoke_of(tenant, officer_id, datetime.now(UTC))  # first: nobody erased has a key
        data = OfficerErased(tenant, officer_id)
        return await store.erase(before, new_event(SOURCE, before.key, before.sequence + 1, data, trace)) or None

    await retry_on_conflict(decide, "this officer")
    return no_content()


async def submit_assessment(request: web.Request) -> web.StreamResponse:
    """Submit evidence about an officer's levels.

    The measurement of a skill that was taken last counts. The new path is pushed to the officer's page
    and can be read from the recommender. An officer's own key may submit self-assessments only.
    """
    body = await read_body(request, SubmitAssessment)
    tenant, officer_id = _asked(request)
    if principal(request).role == "officer" and body.kind != "self":
        raise Forbidden("an officer's key may submit self-assessments only", "kind")
    assessment_id = assessment_id_of(tenant, officer_id, idempotency_key(request))
    store, digest, trace = request.app[STORE], digest_of(body), trace_of(request)

    async def decide() -> int | None:
        before, known = await _known(request)
        if accepted := await store.accepted(before, assessment_id):
            if accepted[0] != digest:
                raise Conflict("this key was used for another assessment", IDEMPOTENCY_KEY.name)
            return accepted[1]
        now = datetime.now(UTC)
        framework = await _framework(request, body.framework)
        owner = request.app[INDEX].owner(tenant, framework.id)
        scoring.check(body, framework, now)
        own = framework if framework.id == known.framework else None
        after = profiles.assessed(known, scoring.measured(body), own, owner)
        evidence = Evidence(assessment_id, body.framework, body.kind, body.results, body.taken_at, now, after.sequence)
        data = AssessmentCompleted(after, assessment_id, body.kind, body.taken_at)
        envelope = new_event(SOURCE, after.key, after.sequence, data, trace)
        return after.sequence if await store.save(before, after, envelope, (evidence, digest)) else None

    return json_response(
        AssessmentAccepted(assessment_id, officer_id, await retry_on_conflict(decide, "this officer")), 202
    )


async def list_assessments(request: web.Request) -> web.StreamResponse:
    """Return a page of an officer's assessments, the latest first."""
    wanted = read_query(request, ListEvidence)
    officer, _ = await _known(request)
    found = await request.app[STORE].evidence(officer, wanted)
    if found is None:
        raise InvalidInput("there is no such assessment of this officer", "after")
    page = found[: wanted.limit]
    return json_response(EvidenceList(page, page[-1].assessment_id if len(found) > len(page) else None))


# --- what the handlers share -----------------------------------------------------------------------------------------


def _asked(request: web.Request) -> tuple[str, str]:
    return principal(request).tenant, request.match_info["officer_id"]


async def _known(request: web.Request) -> tuple[Officer, Profile]:
    officer = await request.app[STORE].find(*_asked(request))
    if officer is None or officer.profile is None:
        raise NotFound("no such officer")
    return officer, officer.profile


async def _allow_again(request: web.Request, erased: Officer) -> None:
    """Return if an erased id may be registered again. Raises Conflict unless the caller is an admin.

    Revokes the keys that the id had before the erasure, and waits `FORGOTTEN_SECONDS`, after which no process has them
    in its cache.
    """
    if principal(request).role != "admin":
        raise Conflict("this id was erased and may name another person now: only an admin's key may register it again")
    now = datetime.now(UTC)
    erased_at = erased.erased_at or now
    revoked = await request.app[KEYS].revoke_of(erased.tenant, erased.officer, erased_at)
    left = FORGOTTEN_SECONDS - (0 if revoked else (now - erased_at).total_seconds())
    await asyncio.sleep(min(max(0.0, left), FORGOTTEN_SECONDS))


async def _framework(request: web.Request, framework: str) -> Framework:
    """Return a framework; wait briefly for one that the catalog may have announced just now."""
    index, caught_up = request.app[INDEX], request.app[CAUGHT_UP]
    deadline = asyncio.get_running_loop().time() + _ARRIVAL_SECONDS
    while (found := index.find(principal(request).tenant, framework)) is None:
        if asyncio.get_running_loop().time() > deadline:
            if not caught_up.is_set():
                raise Unavailable("the frameworks are still being read; try again soon")
            raise InvalidInput(f"unknown framework {framework!r}", "framework")
        await asyncio.sleep(0.05)
    return found


def _tag(profile: Profile) -> Tag:
    return Tag(str(profile.sequence))


_OFFICER = "/v1/officers/{officer_id}"
_REGISTRATION = {
    "job_group": "service",
    "agency": "dept-a",
    "framework": "th-digital-2018",
    "stage": "early",
    "languages": ["th", "en"],
    "weekly_hours": 2,
    "deadline": "2027-09-30",
}
_ASSESSMENT = {
    "framework": "th-digital-2018",
    "kind": "test",
    "results": [{"skill": "dlit-safety", "level": 1}, {"skill": "ds-service-design", "level": 1.5, "sd": 0.4}],
    "taken_at": "2026-11-02T09:00:00+07:00",
}
ROUTES = [
    Route(
        "PUT",
        _OFFICER,
        put_officer,
        PLATFORMS,
        body=PutOfficer,
        example=_REGISTRATION,
        headers=[IF_MATCH, IF_ABSENT],
        answers={200: OfficerPut, 201: OfficerPut},
        problems=[409, 412],
    ),
    Route(
        "PATCH",
        _OFFICER,
        patch_officer,
        PLATFORMS,
        body=MergePatch,
        example={"weekly_hours": 4, "deadline": None},
        accepts=MERGE_PATCH,
        headers=[IF_MATCH],
        answers={200: OfficerPut},
        problems=[412, 415],
    ),
    Route("GET", _OFFICER, get_officer, EVERYONE, headers=[IF_NONE_MATCH], answers={200: Profile, 304: None}),
    Route(
        "DELETE",
        _OFFICER,
        erase_officer,
        PLATFORMS,
        headers=[IF_MATCH],
        answers={204: None},
        problems=[412],
    ),
    Route(
        "POST",
        f"{_OFFICER}/assessments",
        submit_assessment,
        EVERYONE,
        body=SubmitAssessment,
        example=_ASSESSMENT,
        headers=[IDEMPOTENCY_KEY],
        answers={202: AssessmentAccepted},
        problems=[409],
    ),
    Route(
        "GET", f"{_OFFICER}/assessments", list_assessments, EVERYONE, query=ListEvidence, answers={200: EvidenceList}
    ),
]
