"""The routes that store, read, withdraw, list and search courses."""

from aiohttp import web

from services.catalog.api.context import context_of
from services.catalog.api.entries import patch_entry, present_tag, reached, same_id, shown
from services.catalog.entries import Entry
from services.catalog.matches import with_confirmed
from services.catalog.model import CoursePage, CoursePut, ListCourses, check_course, frameworks_named
from services.catalog.search.find import CURSOR_MARK
from shared.domain import SHARED_TENANT, Course, courses_named, key_of
from shared.errors import InvalidInput, NotFound
from shared.preconditions import Preconditions, Tag
from shared.retries import retry_on_conflict
from shared.routes import (
    json_response,
    no_content,
    preconditions,
    principal,
    read_body,
    read_query,
    trace_of,
)
from shared.work_queue import Caller

ID_LIMIT = 64
"""The most characters of an id."""


async def put_course(request: web.Request) -> web.StreamResponse:
    """Add a course of the caller's tenant, or replace it.

    Admins and editors may call this. A course may name a framework, a skill or a course that does not exist; then it is
    stored, and the answer has a warning. 422 for a faulty course, 412 if a precondition does not hold.
    """
    conditions = preconditions(request)
    course = await read_body(request, Course)
    same_id(course.id, request.match_info["course_id"])
    put, new = await store_course(request, course, conditions)
    return json_response(put, 201 if new else 200, tag=Tag(str(put.revision)))


async def patch_course(request: web.Request) -> web.StreamResponse:
    """Change fields of a course of the caller's tenant by a JSON merge patch.

    Admins and editors may call this. Fields that the patch leaves out stay; null removes a field; a list is replaced as
    a whole. 404 for a shared course or an unknown one, 412 if a precondition does not hold.
    """
    tenant, course_id = principal(request).tenant, request.match_info["course_id"]
    put = await patch_entry(request, key_of(tenant, course_id), course_id, Course, store_course)
    return json_response(put, tag=Tag(str(put.revision)))


async def get_course(request: web.Request) -> web.StreamResponse:
    """Return a course with its ETag: the tenant's own course with this id, or else the shared one.

    404 if neither exists.
    """
    entry = await context_of(request).store.visible(principal(request).tenant, request.match_info["course_id"])
    return shown(request, entry, "course")


async def withdraw_course(request: web.Request) -> web.StreamResponse:
    """Withdraw a course of the caller's tenant.

    Admins and editors may call this. The course disappears from all lists and paths. A PUT offers it again. Repeated,
    the request changes nothing. 404 for a shared course or an unknown one, 412 if a precondition does not hold.
    """
    store, conditions, trace = context_of(request).store, preconditions(request), trace_of(request)
    tenant = principal(request).tenant
    key = key_of(tenant, request.match_info["course_id"])

    async def decide() -> Entry | None:
        before = await store.find(key)
        if before is None or before.copied:
            raise NotFound("no such course of your own")
        conditions.check(present_tag(before, tenant))
        if before.is_withdrawn:
            return before
        return await store.withdraw_course(before, trace)

    await retry_on_conflict(decide, "this course")
    return no_content()


async def list_courses(request: web.Request) -> web.StreamResponse:
    """Return a page of the courses that the caller sees, in the order of their ids.

    A tenant's own course hides the shared one with the same id. With `catalog_revision`, the list is that of the
    catalog at this revision. With `q`, `level`, `provider`, `max_hours` or `job_group`, the request is a search: the
    answer has the best match first, the number of all matches, facets, and the positions of the words of `q`. The
    search finds Thai and English words despite misspellings and missing tone marks. `next` leads to the following page.
    A course that does not change is listed once; a course that changes meanwhile may be listed again.
    """
    wanted = read_query(request, ListCourses)
    if wanted.searches:
        return await _search(request, wanted)
    if len(wanted.after) > ID_LIMIT or wanted.after.startswith(CURSOR_MARK):
        raise InvalidInput("is not the `next` of a page of this list", "after")
    tenant, store, history = principal(request).tenant, context_of(request).store, context_of(request).history
    revision = wanted.catalog_revision
    if revision is not None:
        await reached(history, revision)

    async def page_of(owner: str) -> list[tuple[str, Course]]:
        return await (store.page(owner, wanted) if revision is None else history.page(owner, wanted, revision))

    shared, own = await page_of(SHARED_TENANT), []
    hidden: set[str] = set()
    if tenant != SHARED_TENANT:
        own = await page_of(tenant)
        ids = [identifier for identifier, _ in shared]
        hidden = await (store.offered(tenant, ids) if revision is None else history.offered(tenant, ids, revision))
    return json_response(_merged(shared, own, hidden, wanted.limit))


async def _search(request: web.Request, wanted: ListCourses) -> web.StreamResponse:
    """Return a page of a search: the index finds the ids of the courses, and the store supplies the courses."""
    if wanted.catalog_revision is not None:
        raise InvalidInput("a search is in the catalog as it is now", "catalog_revision")
    who, search = principal(request), context_of(request).search
    caller = Caller.of(who.key_id, who.role)
    found = await search.find(caller, who.tenant, wanted)
    keys = [key_of(*place) for place in found.courses]
    stored = await context_of(request).store.courses(keys)
    courses = [stored[key] for key in keys if key in stored]
    marks = await search.highlights(caller, found.query, courses) if wanted.q else {}
    return json_response(CoursePage(courses, found.next, found.total, found.facets, marks))


def _merged(
    shared: list[tuple[str, Course]], own: list[tuple[str, Course]], hidden: set[str], limit: int
) -> CoursePage:
    """Return one page of shared and own courses, by id, without the shared courses in `hidden`.

    A hidden course counts towards the limit, so a page with fewer courses than the limit may have a next page.
    """
    places = sorted({identifier for identifier, _ in shared} | {identifier for identifier, _ in own})
    visible = {identifier: course for identifier, course in shared if identifier not in hidden} | dict(own)
    looked_at = places[:limit]
    courses = [visible[identifier] for identifier in looked_at if identifier in visible]
    return CoursePage(courses, looked_at[-1] if len(places) > limit else None)


async def store_course(request: web.Request, course: Course, conditions: Preconditions) -> tuple[CoursePut, bool]:
    """Store a course of the caller's tenant if the preconditions hold.

    Returns the result, and whether the tenant did not offer the course before. Raises InvalidInput, PreconditionFailed,
    Conflict, TooLarge, Unavailable.
    """
    store, tenant, trace = context_of(request).store, principal(request).tenant, trace_of(request)
    framework_scales = await store.framework_scales(tenant, frameworks_named(course))
    named = set(courses_named(course.requires))
    known = await store.offered(SHARED_TENANT, named) | await store.offered(tenant, named) if named else set()
    warnings = check_course(course, framework_scales, known)

    async def decide() -> tuple[CoursePut, bool] | None:
        before = await store.find(key_of(tenant, course.id))
        if conditions.given:
            conditions.check(present_tag(before, tenant) or present_tag(await store.visible(tenant, course.id), tenant))
        offered = with_confirmed(course, before.matches if before else ())
        if before and before.is_own(offered):
            return CoursePut(course.id, before.sequence, changed=False, warnings=warnings), False
        after = await store.put_course(before, tenant, offered, trace)
        if after is None:
            return None
        new = before is None or not (before.is_own() or before.unreadable)
        return CoursePut(course.id, after.sequence, changed=True, warnings=warnings), new

    return await retry_on_conflict(decide, "this course")
