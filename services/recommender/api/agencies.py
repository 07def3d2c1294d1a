"""Routes for analysts: the agencies that have officers with a path, and the gaps of an agency."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct
from msgspec.structs import asdict, replace

from services.recommender.agency_report import AgencyGaps, DeadlineReport, agency_report, first_groups, unclosable_gaps
from services.recommender.api.context import caller_of, context_of, framework_of, view_of
from services.recommender.disclosure import (
    Officer,
    Release,
    cohorts_of,
    members_of,
    released,
    rounded_down,
    token_of,
)
from services.recommender.inputs import PlanRequest, hours_until
from services.recommender.path_summary import path_summary
from services.recommender.planner.explain.path import card_of
from services.recommender.planner.index.catalog import View
from services.recommender.store.history import ArchivedPlan
from services.recommender.store.releases import ReleaseKey
from shared.domain import Framework, Identifier, WeeklyHours, key_of
from shared.errors import InvalidInput, NotFound
from shared.paths import PLANNED
from shared.routes import REQUEST_ID, json_response, paged, principal, read_query

SAMPLE = 64
"""The most officers who are planned to answer one question about a deadline."""


class AskGaps(Struct, frozen=True, forbid_unknown_fields=True):
    """Which officers to report on, and what to include.

    `framework`: by default the one with the most officers. `first`: job groups to list first, separated by commas,
    `name*` for a prefix; by default those of the setting `FIRST_JOB_GROUPS`. `deadline` and `weekly_hours`, together:
    also report what training cannot close by the deadline.
    """

    framework: Identifier | None = None
    first: Annotated[str, Meta(max_length=2000)] = ""
    deadline: date | None = None
    weekly_hours: WeeklyHours | None = None


class ListAgencies(Struct, frozen=True, forbid_unknown_fields=True):
    """Which agencies to list: at most `limit`, with ids above `after`."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 100
    after: Identifier | None = None


class Agencies(Struct, frozen=True):
    """Agencies by id. `next` is the `after` of the next page, null on the last page."""

    agencies: list[str]
    next: str | None


class AgencyView(AgencyGaps, frozen=True):
    """An agency's gaps. `in_time`: what training cannot close by the deadline of the request.

    `in_time` is null without a deadline, if too few officers may be published or could be planned, and if a plan of the
    published figures is not stored any more.
    """

    in_time: DeadlineReport | None
    request_id: str


async def list_agencies(request: web.Request) -> web.StreamResponse:
    """Return the agencies of the tenant that have officers with a path, by id.

    For admins, platforms and analysts. The key of an analyst of one agency gets that agency alone.
    """
    query, caller = read_query(request, ListAgencies), principal(request)
    known = await context_of(request).store.agencies(caller.tenant)
    found = [one for one in known if one > (query.after or "") and caller.sees_agency(one)]
    return json_response(Agencies(*paged(found, query.limit, str)))


async def get_gaps(request: web.Request) -> web.StreamResponse:
    """Return the gaps of an agency's officers, summed over their stored paths and published by cohort.

    For admins, platforms and analysts; an analyst of one agency gets 404 for every other agency. Sums are published for
    whole cohorts of at least `min_group` officers; a cohort's figures are updated once at least that many of its
    officers have changed. Counts of some officers are rounded down to multiples of `min_group`. With `deadline` and
    `weekly_hours`, a sample of at most 64 of the published officers is planned with these: the answer lists the gaps
    that stay open, and whether courses or hours are missing; it stays the same until the figures are updated. 404
    if no officer of the agency has a path.
    """
    query = read_query(request, AskGaps)
    if (query.deadline is None) != (query.weekly_hours is None):
        raise InvalidInput("needs `deadline` and `weekly_hours`", "weekly_hours" if query.deadline else "deadline")
    caller, agency = principal(request), request.match_info["agency_id"]
    tenant, view, context = caller.tenant, view_of(request), context_of(request)
    settings, store = context.settings, context.store
    frameworks = await store.frameworks_of(tenant, agency) if caller.sees_agency(agency) else {}
    if not frameworks:
        raise NotFound("no officers of such an agency")
    framework = framework_of(view, query.framework or _most(view, frameworks))
    key = ReleaseKey(tenant, agency, framework.id)
    version, release, names = await _release(request, key)
    courses = {course for cohort in release.cohorts for course in cohort.figures.courses}
    report = agency_report(
        release.cohorts,
        agency=agency,
        framework=framework,
        frameworks=await store.releases.officers(tenant, agency, list(frameworks)),
        min_group=settings.min_group_size,
        history=release.history,
        cards={name: card_of(course) for name in courses if (course := view.course(name))},
        first=first_groups(framework, (query.first or settings.first_job_groups).split(",")),
    )
    in_time = None
    if query.deadline and query.weekly_hours and report.officers is not None:
        question = f"{query.deadline}/{query.weekly_hours}"
        in_time = await store.releases.report(key, version, question)
        if in_time is None:
            plans = await _sample(request, release, names)
            in_time = await _in_time(request, plans, framework, query.deadline, query.weekly_hours) if plans else None
            if in_time is not None:
                await store.releases.save_report(key, version, question, in_time)
    return json_response(AgencyView(**asdict(report), in_time=in_time, request_id=request[REQUEST_ID]))


async def _release(request: web.Request, key: ReleaseKey) -> tuple[int, Release, dict[int, str]]:
    """Return the current release with its version, after updating it if permitted, and {token: officer}.

    Raises Unavailable.
    """
    found = await _published(request, key)
    if found is None:
        async with context_of(request).publishing:  # or each of many agencies would be computed once for each other one
            while found is None:
                found = await _published(request, key)
    return found


async def _published(request: web.Request, key: ReleaseKey) -> tuple[int, Release, dict[int, str]] | None:
    """Return what `_release` returns, None if another release of the tenant was published meanwhile."""
    context = context_of(request)
    store, smallest, pepper = context.store, context.settings.min_group_size, context.settings.api_key_pepper
    turn = await store.releases.turn(key.tenant)
    version, before = await store.releases.find(key)
    officers: list[Officer] = []
    names: dict[int, str] = {}
    async for officer, revision, summary in store.summaries(*key):
        officers.append(Officer(token_of(pepper, key_of(key.tenant, officer)), revision, summary))
        names[officers[-1].token] = officer
    present = cohorts_of(officers, smallest, context.planner.today())
    after = released(before, present, smallest, token_of(pepper, ""))
    if after is not before:  # there is something new to compare with other agencies and frameworks
        elsewhere = await store.releases.versions_elsewhere(key, list(names))
        after = released(before, present, smallest, token_of(pepper, ""), elsewhere) if elsewhere else after
    if after is before:
        return version, before, names
    saved = await store.releases.replace(key, version, after, turn=turn)
    return (version + 1, after, names) if saved else None


def _most(view: View, frameworks: Mapping[str, int]) -> str:
    """Return the framework with the most officers, among those that are loaded."""
    here = sorted(name for name in frameworks if view.framework(name))
    if not here:
        raise NotFound("the frameworks of this agency's officers are not here yet")
    return max(here, key=lambda name: frameworks[name])


async def _sample(request: web.Request, release: Release, names: Mapping[int, str]) -> list[ArchivedPlan]:
    """Return plans of at most SAMPLE officers of a release, in the revisions that it was computed from.

    The officers are the same for every question about this release, because two questions about different officers
    would tell what a single one lacks. Returns no plans if the plan of one of them is not stored any more. Raises
    Unavailable.
    """
    members = members_of(release)
    chosen = members[:: -(-len(members) // SAMPLE)]
    if any(token not in names for token, _ in chosen):
        return []
    tenant, history = principal(request).tenant, context_of(request).store.history
    found = [await history.find(key_of(tenant, names[token]), revision) for token, revision in chosen]
    return [] if None in found else [one for one in found if one is not None]


async def _in_time(
    request: web.Request, plans: Sequence[ArchivedPlan], framework: Framework, deadline: date, weekly_hours: float
) -> DeadlineReport | None:
    context, tenant, view = context_of(request), principal(request).tenant, view_of(request)
    today, smallest = context.planner.today(), context.settings.min_group_size
    if deadline < today:
        raise InvalidInput("is in the past", "deadline")
    rules = await context.store.rules.recent(tenant)
    requests = [
        PlanRequest(
            replace(plan.record.profile, deadline=deadline, weekly_hours=weekly_hours),
            today,
            plan.record.feedback,
            [step.course.id for step in plan.event.path.steps],
            rules=rules,
        )
        for plan in plans
        if plan.record is not None  # otherwise the framework had not arrived
    ]
    planned = [
        await context.work_queue.run(caller_of(request), context.planner.pool.one, one, view) for one in requests
    ]
    figures = [path_summary(one.path) for one in planned if not one.violations and one.path.status in PLANNED]
    if len(figures) < smallest:
        return None
    return DeadlineReport(
        deadline=deadline,
        weekly_hours=weekly_hours,
        budget_hours=hours_until(deadline, weekly_hours, today) or 0.0,
        sampled=rounded_down(len(figures), smallest) or 0,
        skills=unclosable_gaps(figures, framework, smallest),
        as_of=today,
    )
