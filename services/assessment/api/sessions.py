"""Adaptive sessions: start, answer, resume, stop."""

from datetime import UTC, datetime
from functools import partial

from aiohttp import web

from services.assessment.api.context import context_of, known_officer, subject_of
from services.assessment.sessions.model import (
    ListSessions,
    SessionDetail,
    SessionList,
    SessionStep,
    StartSession,
    SubmitAnswer,
)
from services.assessment.sessions.views import detail_of, row_of, step_of
from shared.auth import EVERYONE
from shared.errors import InvalidInput
from shared.routes import Route, json_response, paged, read_body, read_query, trace_of


async def start_session(request: web.Request) -> web.StreamResponse:
    """Start an adaptive session, or continue the open one.

    Answers 201 with the first item of a new session. An officer has at most one open session: repeating the same
    request answers 200 with the current state of that session, a different request 409.
    """
    body = await read_body(request, StartSession)
    runner = context_of(request).runner
    sitting, new = await runner.start(*subject_of(request), body, partial(trace_of, request))
    return json_response(step_of(sitting, datetime.now(UTC)), 201 if new else 200)


async def list_sessions(request: web.Request) -> web.StreamResponse:
    """Return a page of an officer's sessions, the newest first; 404 if there is no such officer."""
    wanted = read_query(request, ListSessions)
    await known_officer(request)
    found = await context_of(request).sessions.page(*subject_of(request), wanted)
    if found is None:
        raise InvalidInput("there is no such session of this officer", "after")
    page, following = paged(found, wanted.limit, lambda one: one.plan.id)
    return json_response(SessionList([row_of(one) for one in page], following))


async def get_session(request: web.Request) -> web.StreamResponse:
    """Return a session: the item to answer, the items asked so far, and the current estimate of each level.

    A client that lost its connection continues from here. 404 if the officer has no such session.
    """
    sitting = await context_of(request).runner.find(*subject_of(request), request.match_info["session_id"])
    return json_response(detail_of(sitting, datetime.now(UTC)))


async def answer_item(request: web.Request) -> web.StreamResponse:
    """Answer the current item; returns the next one, or the result.

    Repeating the same answer changes nothing and returns the current state. 409 for another item or sequence than the
    current one, another response to an answered item, a finished session, or an expired time limit; it names the field.
    The result is added to the officer's profile as an assessment of kind `test`, and a new path follows.
    """
    body = await read_body(request, SubmitAnswer)
    session = request.match_info["session_id"]
    sitting = await context_of(request).runner.answer(*subject_of(request), session, body, partial(trace_of, request))
    return json_response(step_of(sitting, datetime.now(UTC)))


async def stop_session(request: web.Request) -> web.StreamResponse:
    """End a session; the answers given so far count. A finished session stays unchanged; an unknown one is 404."""
    session = request.match_info["session_id"]
    sitting = await context_of(request).runner.stop(*subject_of(request), session, partial(trace_of, request))
    return json_response(step_of(sitting, datetime.now(UTC)))


_SESSIONS = "/v1/officers/{officer_id}/sessions"
_SESSION = f"{_SESSIONS}/{{session_id}}"
SESSION_ROUTES = [
    Route(
        "POST",
        _SESSIONS,
        start_session,
        EVERYONE,
        body=StartSession,
        example={"skills": ["dlit-safety", "ds-service-design"], "max_items": 20},
        answers={200: SessionStep, 201: SessionStep},
        problems=[409],
    ),
    Route("GET", _SESSIONS, list_sessions, EVERYONE, query=ListSessions, answers={200: SessionList}),
    Route("GET", _SESSION, get_session, EVERYONE, answers={200: SessionDetail}),
    Route(
        "POST",
        f"{_SESSION}/answers",
        answer_item,
        EVERYONE,
        body=SubmitAnswer,
        example={"item": "dlit-safety-1", "response": 2, "sequence": 1},
        answers={200: SessionStep},
        problems=[409],
    ),
    Route("POST", f"{_SESSION}:stop", stop_session, EVERYONE, answers={200: SessionStep}),
]
