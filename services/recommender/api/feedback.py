"""Routes for what officers say about courses: completed, started, not wanted, pinned."""

from datetime import datetime
from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct
from msgspec.structs import asdict

from services.recommender.api.context import context_of, stored_plan
from services.recommender.feedback import Action, Statement
from services.recommender.feedback_handler import FeedbackCommand
from services.recommender.provenance import hash_of
from shared.domain import Identifier, LocalizedText
from shared.routes import idempotency_key, json_response, paged, principal, read_body, read_query, trace_of

Moment = Annotated[datetime, Meta(tz=True)]


class GiveFeedback(Struct, frozen=True, forbid_unknown_fields=True):
    """One statement about a course. `at` is the time when it became true; by default now.

    `undo` takes back the newest valid statement about the course.
    """

    course: Identifier
    action: Action
    at: Moment | None = None


class FeedbackTaken(Struct, frozen=True):
    """The result: the path of this `revision` follows the feedback. If `stale`, the previous path stays for now."""

    officer: str
    feedback_sequence: int
    revision: int
    stale: bool


class CourseStatement(Statement, frozen=True, kw_only=True):
    """A valid statement with the title of its course; no title if the course is no longer offered."""

    title: LocalizedText | None


class ListFeedback(Struct, frozen=True, forbid_unknown_fields=True):
    """Which statements to list: at most `limit`, with a `sequence` above `after`."""

    limit: Annotated[int, Meta(ge=1, le=10_000)] = 10_000
    after: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0


class FeedbackPage(Struct, frozen=True):
    """The valid statements, oldest first: the newest of each course, and all completions.

    `next` is the `after` of the following page, null on the last one.
    """

    officer: str
    feedback_sequence: int
    statements: list[CourseStatement]
    next: int | None


async def give_feedback(request: web.Request) -> web.StreamResponse:
    """Give feedback about a course; the path is replanned at once.

    Officers can give feedback on their own paths only; 404 while there is no path. Feedback is stored together with the
    new path, or answered with an error. A mandatory course cannot be dismissed (409). The newest statement about a
    course is valid; a completion is valid until it is taken back.
    """
    body = await read_body(request, GiveFeedback)
    tenant, officer = principal(request).tenant, request.match_info["officer_id"]
    key, digest = idempotency_key(request), hash_of(body)
    command = FeedbackCommand(tenant, officer, body.course, body.action, body.at, key, digest, trace_of(request))
    taken = await context_of(request).feedback_handler.take(command)
    return json_response(FeedbackTaken(officer, taken.feedback_sequence, taken.revision, taken.stale))


async def get_feedback(request: web.Request) -> web.StreamResponse:
    """Return an officer's valid statements about courses: all of them, or a page.

    Officers can read their own statements only. 404 while the officer has no path.
    """
    wanted = read_query(request, ListFeedback)
    officer = request.match_info["officer_id"]
    feedback = (await stored_plan(request, officer)).feedback
    view = context_of(request).catalog.snapshot.view(principal(request).tenant)
    rest = [statement for statement in feedback.statements if statement.sequence > wanted.after]
    page, following = paged(rest, wanted.limit, lambda statement: statement.sequence)
    courses = {statement.course: view.course(statement.course) for statement in page}
    titles = {name: course.title if course else None for name, course in courses.items()}
    statements = [CourseStatement(**asdict(one), title=titles[one.course]) for one in page]
    return json_response(FeedbackPage(officer, feedback.sequence, statements, following))
