"""The routes that show the matches of courses, and store people's decisions on matches."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from aiohttp import web

from services.catalog.api.context import context_of
from services.catalog.api.entries import present_tag
from services.catalog.match_requests import (
    CorrectCourseMatches,
    CorrectMatches,
    CourseMatchCorrection,
    CourseMatches,
    CourseMatchName,
    DecideCourseMatches,
    DecideMatches,
    ListMatches,
    MatchCorrection,
    MatchedTitle,
    MatchPage,
    MatchProblem,
    MatchResult,
    MatchResults,
)
from services.catalog.match_store import MatchedCourse
from services.catalog.matches import Match, MatchDecision, MatchName, SkillSpan, Status, decide, with_decisions
from services.catalog.model import FrameworkScale
from shared.errors import Conflict, InvalidInput, NotFound, Problem, UnknownName
from shared.preconditions import Preconditions, Tag
from shared.retries import retry_on_conflict
from shared.routes import json_response, not_modified, paged, preconditions, principal, read_body, read_query, trace_of

_UNCONDITIONAL = Preconditions(None, None)


async def show_matches(request: web.Request) -> web.StreamResponse:
    """Return the matches of a course of the caller's tenant.

    Admins and editors may call this. `waiting`: the course is about to be matched again. The ETag changes when the
    course or a match changes. 404 for a shared course or an unknown one.
    """
    found = await context_of(request).matches.find(principal(request).tenant, request.match_info["course_id"])
    if found is None:
        raise NotFound("no such course of your own")
    tag = Tag(f"{found.entry.sequence}-{found.version or 0}{'-waiting' if found.waiting else ''}")
    return not_modified(request, tag) or json_response(_shown(request, found), tag=tag)


async def list_matches(request: web.Request) -> web.StreamResponse:
    """Return a page of the tenant's own courses with the matches that the parameters select, by course id.

    Admins and editors may call this.
    """
    wanted = read_query(request, ListMatches)
    found = await context_of(request).matches.page(principal(request).tenant, wanted)
    page, following = paged(found, wanted.limit, lambda row: row[0])
    courses = [
        MatchedTitle(name, one.course.title, [match for match in one.matches if wanted.wants(match)])
        for name, one in page
    ]
    return json_response(MatchPage(courses, following, context_of(request).calibration.enters))


async def confirm_matches(request: web.Request) -> web.StreamResponse:
    """Confirm matches of a course of the caller's tenant: all of them, or none if one is refused.

    Admins and editors may call this. Each match becomes a row of what the course teaches, and paths use it. 404 for an
    unknown course or match, 409 if somebody else decides the same match at this moment, 412 if a precondition does not
    hold.
    """
    return await _decide_one(request, (await read_body(request, DecideMatches)).matches, "confirmed")


async def reject_matches(request: web.Request) -> web.StreamResponse:
    """Reject matches of a course of the caller's tenant: all of them, or none if one is refused.

    Admins and editors may call this. A rejected match is not proposed again while the text of the course stays the
    same. If it was confirmed before, its row is removed from what the course teaches. 404, 409 and 412 as for
    `:confirm`.
    """
    return await _decide_one(request, (await read_body(request, DecideMatches)).matches, "rejected")


async def correct_matches(request: web.Request) -> web.StreamResponse:
    """Correct matches of a course of the caller's tenant: all of them, or none if one is refused.

    Admins and editors may call this. `right` states other levels, or another skill of the same framework; it becomes a
    row of what the course teaches. 404, 409 and 412 as for `:confirm`; 422 if the framework has no such skill or level.
    """
    return await _decide_one(request, (await read_body(request, CorrectMatches)).matches, "corrected")


async def confirm_many(request: web.Request) -> web.StreamResponse:
    """Confirm matches of several courses of the caller's tenant.

    Each decision gets a result of its own; one that is refused does not stop the others.
    """
    return await _decide_many(request, (await read_body(request, DecideCourseMatches)).matches, "confirmed")


async def reject_many(request: web.Request) -> web.StreamResponse:
    """Reject matches of several courses of the caller's tenant.

    Each decision gets a result of its own; one that is refused does not stop the others.
    """
    return await _decide_many(request, (await read_body(request, DecideCourseMatches)).matches, "rejected")


async def correct_many(request: web.Request) -> web.StreamResponse:
    """Correct matches of several courses of the caller's tenant.

    Each decision gets a result of its own; one that is refused does not stop the others.
    """
    return await _decide_many(request, (await read_body(request, CorrectCourseMatches)).matches, "corrected")


def _shown(request: web.Request, found: MatchedCourse) -> CourseMatches:
    threshold = context_of(request).calibration.enters
    return CourseMatches(found.entry.id, found.entry.sequence, found.matches, threshold, found.waiting)


async def _decide_one(request: web.Request, names: Sequence[MatchName], status: Status) -> web.StreamResponse:
    course_id = request.match_info["course_id"]
    decided: dict[tuple[str, str, str], SkillSpan | None] = {}
    for place, name in enumerate(names):
        _check_once((course_id, name.framework, name.skill), _right(name), decided, place)
    after, _ = await _decided(request, course_id, names, status, preconditions(request))
    return json_response(_shown(request, after), tag=Tag(str(after.entry.sequence)))


async def _decide_many(request: web.Request, names: Sequence[CourseMatchName], status: Status) -> web.StreamResponse:
    """Apply decisions one after the other; refuse a second, different decision on the same match."""
    results = []
    decided: dict[tuple[str, str, str], SkillSpan | None] = {}
    for place, name in enumerate(names):
        try:
            _check_once((name.course, name.framework, name.skill), _right(name), decided, place)
            after, changed = await _decided(request, name.course, [name], status, _UNCONDITIONAL)
        except Problem as problem:
            match_problem = MatchProblem.of(problem)
            results.append(MatchResult(name.course, name.framework, name.skill, "refused", problem=match_problem))
        else:
            result: Literal["changed", "unchanged"] = "changed" if changed else "unchanged"
            results.append(MatchResult(name.course, name.framework, name.skill, result, after.entry.sequence))
    return json_response(MatchResults(results))


def _right(name: MatchName) -> SkillSpan | None:
    return name.right if isinstance(name, MatchCorrection | CourseMatchCorrection) else None


def _check_right(right: SkillSpan, place: str, scale: FrameworkScale | None) -> None:
    """Raise InvalidInput if the framework lacks the skill or the level that a correction names.

    `place`: the path of the correction in the request. `scale`: of the framework, None if there is none any more.
    """
    if scale is None:
        raise UnknownName("the framework is not there any more", f"{place}.framework")
    if right.skill not in scale.skills:
        raise UnknownName(f"the framework has no skill {right.skill!r}", f"{place}.skill")
    if right.to_level > scale.max_level:
        raise InvalidInput(f"above the scale's top, {scale.max_level:g}", f"{place}.to")


def _check_once(
    match: tuple[str, str, str],
    right: SkillSpan | None,
    decided: dict[tuple[str, str, str], SkillSpan | None],
    place: int,
) -> None:
    """Raise InvalidInput if the request has decided the same match before, and differently; note it in `decided`."""
    if decided.setdefault(match, right) != right:
        raise InvalidInput("this request decides the same match twice, and differently", f"matches[{place}]")


def _check_undecided(
    name: MatchName,
    decision: tuple[Status, SkillSpan | None],
    place: str,
    matches: Sequence[Match],
    seen: dict[MatchName, Match],
) -> None:
    """Raise Conflict if somebody else has decided a match since a person saw it, or since this request first read it.

    `decision`: what this request decides. `seen`: the matches as this request first read them.
    """
    for match in matches:
        if match.key == (name.framework, name.skill):
            first = seen.setdefault(name, match)
            if (match.status, match.corrected) == decision:
                continue
            if isinstance(name, CourseMatchName) and name.seen not in (None, match.status):
                raise Conflict(f"somebody else has {match.status} this match meanwhile; look again", place)
            if (match.status, match.corrected) != (first.status, first.corrected):
                raise Conflict(f"somebody else has {match.status} this match at the same moment; look again", place)


async def _decided(
    request: web.Request, course_id: str, names: Sequence[MatchName], status: Status, conditions: Preconditions
) -> tuple[MatchedCourse, bool]:
    """Apply all decisions on matches of a course, or none; return the course, and whether anything changed."""
    store, who = context_of(request).matches, principal(request)
    framework_scales = await context_of(request).store.framework_scales(who.tenant, {name.framework for name in names})

    seen: dict[MatchName, Match] = {}

    async def attempt() -> tuple[MatchedCourse, bool] | None:
        before = await store.find(who.tenant, course_id)
        if before is None:
            raise NotFound("no such course of your own")
        for place, name in enumerate(names):
            if right := _right(name):
                _check_right(right, f"matches[{place}].right", framework_scales.get(name.framework))
        conditions.check(present_tag(before.entry, who.tenant))
        matches, decision = before.matches, MatchDecision(status, who.key_id, datetime.now(UTC))
        for place, name in enumerate(names):
            right = _right(name)
            _check_undecided(name, (status, right), f"matches[{place}]", matches, seen)
            matches = decide(matches, name, decision, right)
        if matches == before.matches:
            return before, False
        course = with_decisions(before.course, before.matches, matches)
        if await store.decide(before, course, matches, trace_of(request)) is None:
            return None
        after = await store.find(who.tenant, course_id)
        return (after, True) if after is not None else None

    return await retry_on_conflict(attempt, "the matches of this course")
