"""Questions about one course: why it is not in a path, and which courses are similar."""

from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct
from msgspec.structs import asdict

from services.recommender.api.context import caller_of, context_of, stored_plan, view_of
from services.recommender.inputs import inputs_for
from services.recommender.planner import pipeline
from services.recommender.provenance import request_of
from shared.domain import Identifier, key_of
from shared.errors import MissingPath, NotFound, Unavailable
from shared.messages import why_not_with_sentences
from shared.paths import UNRENDERED, Similar, WhyNot
from shared.routes import REQUEST_ID, json_response, languages_of, principal, read_query


class WhyNotAnswer(WhyNot, frozen=True, kw_only=True):
    """Why a course is not in an officer's path. `revision`: of that path."""

    revision: int
    request_id: str


class AskSimilar(Struct, frozen=True, forbid_unknown_fields=True):
    """`limit`: the maximum number of courses. `officer`: the officer whose path's courses are left out."""

    limit: Annotated[int, Meta(ge=1, le=50)] = 10
    officer: Identifier | None = None


class SimilarCourses(Struct, frozen=True):
    """The courses that are most similar to `course`, by the cosine of the levels that they teach."""

    course: str
    similar: list[Similar]
    request_id: str


async def why_not(request: web.Request) -> web.StreamResponse:
    """Return why a course is not in an officer's path.

    The course with the prerequisites that it lacks is tried at each step of the path; the answer is about the step
    where its score is highest. Officers can ask about their own paths only. 404 if there is no such path or course, or
    if what the path was computed from is not here.
    """
    languages_of(request)
    tenant, course = principal(request).tenant, request.match_info["course_id"]
    store, view = context_of(request).store, view_of(request)
    plan = await store.history.find(key_of(tenant, request.match_info["officer_id"]), None)
    if plan is None:
        raise MissingPath("there is no path for this officer yet")
    if view.course(course) is None:
        raise NotFound("no such course")
    path, record, framework = plan.event.path, plan.record, view.framework(plan.event.path.framework)
    if path.status == "waiting_for_framework":
        return _answered(request, WhyNot(course, "no_path", UNRENDERED), plan.event.revision)
    if record is None or framework is None:
        raise NotFound("what this path was computed from is not here")
    rules = await store.rules.find(tenant, record.rules_version)
    if rules is None:
        raise Unavailable("the rules of this path are not here; try again soon")
    inputs = inputs_for(request_of(record, rules), framework)
    found = await context_of(request).work_queue.run(caller_of(request), pipeline.why_not, inputs, view, path, course)
    return _answered(request, found, plan.event.revision)


def _answered(request: web.Request, found: WhyNot, revision: int) -> web.Response:
    languages = languages_of(request)
    found = why_not_with_sentences(found, languages)
    return json_response(
        WhyNotAnswer(**asdict(found), revision=revision, request_id=request[REQUEST_ID]), languages=languages
    )


async def similar_courses(request: web.Request) -> web.StreamResponse:
    """Return the courses that are most similar to this one, among those that the caller sees.

    With `officer`, the courses in that officer's path are left out. 404 if there is no such course, or no such path.
    """
    query, view = read_query(request, AskSimilar), view_of(request)
    course = request.match_info["course_id"]
    if view.course(course) is None:
        raise NotFound("no such course")
    taken = (await stored_plan(request, query.officer)).head.courses if query.officer else []
    found = await context_of(request).work_queue.run(
        caller_of(request), pipeline.similar_courses, course, view, query.limit, taken
    )
    return json_response(SimilarCourses(course, found, request[REQUEST_ID]))
