"""Evidence of an officer's levels: submitting and listing it."""

from aiohttp import web

from services.assessment.api.context import context_of, known_officer, subject_of
from services.assessment.model import EvidenceList, ListEvidence, SubmitAssessment
from services.assessment.profile import self_assessment
from shared.errors import Forbidden, InvalidInput
from shared.routes import idempotency_key, json_response, paged, principal, read_body, read_query, trace_of


async def submit_assessment(request: web.Request) -> web.StreamResponse:
    """Submit evidence about an officer's levels.

    The evidence is fused with all earlier evidence of the same skill, weighted by precision. The new path is pushed to
    the officer's page and can be read from the recommender. An officer's own key may submit only self-assessments; a
    supervisor's key only ratings of the kind `supervisor`, for officers of its agency. Repeating a request under its
    `Idempotency-Key` changes nothing; another assessment under the same key is 409.
    """
    body = await read_body(request, SubmitAssessment)
    role = principal(request).role
    if role == "officer" and body.kind != "self":
        raise Forbidden("an officer's key may submit self-assessments only", "kind")
    if role == "supervisor":
        await known_officer(request)
        if body.kind != "supervisor":
            raise Forbidden("a supervisor's key may submit ratings of the kind `supervisor` only", "kind")
    intake, key = context_of(request).intake, idempotency_key(request)
    return json_response(await intake.submit(*subject_of(request), key, body, trace_of(request)), 202)


async def show_self_assessment(request: web.Request) -> web.StreamResponse:
    """Return the form of a self-assessment: the skills that the job group requires, with the levels to choose from.

    Titles and descriptors are in Thai and English if the framework has both. Submit the answers as an assessment of
    kind `self`. 404 if there is no such officer, or for a supervisor of another agency.
    """
    _, known = await known_officer(request)
    framework = await context_of(request).intake.framework(known.tenant, known.framework)
    return json_response(self_assessment(known, framework))


async def list_assessments(request: web.Request) -> web.StreamResponse:
    """Return a page of an officer's assessments, the latest measurement first.

    404 if there is no such officer, or for a supervisor of another agency; 422 for an unknown `after`.
    """
    wanted = read_query(request, ListEvidence)
    officer, _ = await known_officer(request)
    found = await context_of(request).store.evidence(officer, wanted)
    if found is None:
        raise InvalidInput("there is no such assessment of this officer", "after")
    return json_response(EvidenceList(*paged(found, wanted.limit, lambda one: one.assessment_id)))
