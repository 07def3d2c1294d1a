"""What officers say about courses."""

from datetime import datetime
from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct
from msgspec.structs import asdict

from services.recommender.api.context import (
    CATALOG,
    FEEDBACK_HANDLER,
    held_of,
)
from services.recommender.feedback import Action, Statement
from services.recommender.planning import FeedbackCommand
from services.recommender.provenance import hash_of
from shared.domain import Identifier, LocalizedText
from shared.routes import idempotency_key, json_response, principal, read_body, read_query, trace_of

Moment = Annotated[datetime, Meta(tz=True)]


class GiveFeedback(Struct, frozen=True, forbid_unknown_fields=True):
    """One statement about a course. `at` is when it came true; now, without it.

    `undo` takes back the newest statement about the course that still stands.
    """

    course: Identifier
    action: Action
    at: Moment | None = None


class FeedbackTaken(Struct, frozen=True):
    """What became of it: the path of this `revision` obeys it, unless `stale`: then the old path stays for now."""

    officer: str
    feedback_sequence: int
    revision: int
    stale: bool


class Standing(Statement, frozen=True, kw_only=True):
    """A statement that stands, and what its course is called; no title where the course is no longer offered."""

    title: LocalizedText | None


class ListFeedback(Struct, frozen=True, forbid_unknown_fields=True):
    """How many statements at most, and after which `sequence`."""

    limit: Annotated[int, Meta(ge=1, le=10_000)] = 10_000
    after: Annotated[int, Meta(ge=0)] = 0


class FeedbackHeld(Struct, frozen=True):
    """What stands, in the order in which it was said; per course the newest holds, and a completion always.

    `next` is the `after` of the following page, null on the last one.
    """

    officer: str
    feedback_sequence: int
    said: list[Standing]
    next: int | None


async def give_feedback(request: web.Request) -> web.StreamResponse:
    """Say something about a course; the path is planned again at once.

    Stored together with the new path, or answered as an error: nothing is dropped in silence. A mandatory course
    cannot be dismissed (409). Of all that was said about a course the newest holds; a completion holds until it is
    taken back.
    """
    body = await read_body(request, GiveFeedback)
    tenant, officer = principal(request).tenant, request.match_info["officer_id"]
    key, digest = idempotency_key(request), hash_of(body)
    command = FeedbackCommand(tenant, officer, body.course, body.action, body.at, key, digest, trace_of(request))
    taken = await request.app[FEEDBACK_HANDLER].take(command)
    return json_response(FeedbackTaken(officer, taken.feedback_sequence, taken.revision, taken.stale))


async def get_feedback(request: web.Request) -> web.StreamResponse:
    """Return what stands of what an officer has said about courses: all of it, or a page."""
    wanted = read_query(request, ListFeedback)
    officer = request.match_info["officer_id"]
    feedback = (await held_of(request, officer)).plan.feedback
    view = request.app[CATALOG].snapshot.view(principal(request).tenant)
    rest = [said for said in feedback.said if said.sequence > wanted.after]
    page = rest[: wanted.limit]
    courses = {said.course: view.course(said.course) for said in page}
    titles = {name: course.title if course else None for name, course in courses.items()}
    said = [Standing(**asdict(one), title=titles[one.course]) for one in page]
    following = page[-1].sequence if len(rest) > len(page) else None
    return json_response(FeedbackHeld(officer, feedback.sequence, said, following))
