"""The recommender's routes: the stored path of an officer, and stateless recommendations for platforms and what-if."""

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime, tzinfo
from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct

from services.recommender.catalogue import Catalogue
from services.recommender.model import Estimate, Inputs, hours_until
from services.recommender.planning import plan_stateless
from services.recommender.store import PlanStore
from shared.auth import EVERYONE
from shared.errors import InvalidInput, NotFound, Unavailable
from shared.events import PathRecommended
from shared.paths import LearningPath
from shared.routes import (
    IF_NONE_MATCH,
    REQUEST_ID,
    Route,
    answer,
    held_already,
    not_modified,
    principal,
    read_body,
)
from shared.skills import Hours, Identifier, Language, Level

STORE: web.AppKey[PlanStore] = web.AppKey("store", PlanStore)
CATALOGUE: web.AppKey[Catalogue] = web.AppKey("catalogue", Catalogue)
TODAY: web.AppKey[Callable[[], date]] = web.AppKey("today")

_GIVEN_SD = 0.3
"""Levels. What a level given without an `sd` is taken for: as sure as a test."""


class GivenLevel(Struct, frozen=True, forbid_unknown_fields=True):
    """A level with its standard deviation, both on the framework's scale."""

    level: Level
    sd: Annotated[float, Meta(ge=0, le=100)] = _GIVEN_SD


class RecommendationRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What to recommend for. `job_group`, or an explicit `target` {skill: level}.

    A skill that `levels` leaves out has the job group's prior. The budget is `budget_hours`, or `weekly_hours` until
    `deadline`, counted from `as_of` (today where the officers are). `completed` courses are not suggested again.
    """

    framework: Identifier
    job_group: Identifier | None = None
    target: dict[Identifier, Level] | None = None
    stage: Identifier | None = None
    levels: dict[Identifier, Level | GivenLevel] = {}
    completed: Annotated[list[Identifier], Meta(max_length=2000)] = []
    budget_hours: Annotated[float, Meta(ge=0, le=100_000)] | None = None
    weekly_hours: Hours | None = None
    deadline: date | None = None
    as_of: date | None = None
    languages: Annotated[list[Language], Meta(max_length=50)] = []
    max_steps: Annotated[int, Meta(ge=0, le=1000)] | None = None


class Recommendation(Struct, frozen=True):
    """A path that was not stored."""

    path: LearningPath
    stale: bool
    request_id: str


class StoredPath(PathRecommended, frozen=True):
    """An officer's stored path. `stale`: the catalogue has moved on under it, and a new one is on its way."""

    stale: bool
    request_id: str


async def get_path(request: web.Request) -> web.StreamResponse:
    """The learning path of an officer, as it is stored and was last pushed.

    Never plans. 404 while there is none yet: follow the portal's live stream to be told.
    """
    found = await request.app[STORE].find_path(principal(request).tenant, request.match_info["officer_id"])
    if found is None:
        raise NotFound("there is no path for this officer yet")
    path, plan = found
    stale = request.app[CATALOGUE].is_due(plan)
    if not stale and held_already(request, plan.revision):
        return not_modified(plan.revision)
    # The stored bytes are the answer but for its last two fields: nothing is decoded on this route.
    last = f',"stale":{"true" if stale else "false"},"request_id":"{request[REQUEST_ID]}"}}'
    return web.Response(
        body=path[:-1] + last.encode(), headers={"ETag": f'"{plan.revision}"'}, content_type="application/json"
    )


async def recommend(request: web.Request) -> web.StreamResponse:
    """A learning path for the levels in the request. Stores nothing."""
    asked = await read_body(request, RecommendationRequest)
    view = request.app[CATALOGUE].snapshot.view(principal(request).tenant)
    framework = view.framework(asked.framework)
    if framework is None:
        if not request.app[CATALOGUE].has_framework:
            raise Unavailable("the catalogue is not here yet; try again soon")
        raise InvalidInput(f"unknown framework {asked.framework!r}", "framework")
    if (asked.job_group is None) == (asked.target is None):
        raise InvalidInput("needs either `job_group` or `target`", "job_group")
    as_of = asked.as_of or request.app[TODAY]()
    inputs = Inputs(
        tenant=view.tenant,
        framework=framework,
        as_of=as_of,
        job_group=asked.job_group or "",
        stage=asked.stage,
        target=asked.target,
        levels={skill: _estimate(level) for skill, level in asked.levels.items()},
        completed=asked.completed,
        budget_hours=_budget(asked, as_of),
        languages=asked.languages,
        max_steps=asked.max_steps,
    )
    path = await asyncio.to_thread(plan_stateless, inputs, view)
    return answer(Recommendation(path, stale=False, request_id=request[REQUEST_ID]))


def _estimate(given: float | GivenLevel) -> Estimate:
    return Estimate(given.level, given.sd) if isinstance(given, GivenLevel) else Estimate(given, _GIVEN_SD)


def _budget(asked: RecommendationRequest, as_of: date) -> float | None:
    if asked.deadline is not None and asked.weekly_hours is None:
        raise InvalidInput("a deadline needs `weekly_hours`", "weekly_hours")
    if asked.weekly_hours is not None and asked.deadline is None:
        raise InvalidInput("weekly hours need a `deadline`", "deadline")
    if asked.budget_hours is not None and asked.deadline is not None:
        raise InvalidInput("give `budget_hours`, or `weekly_hours` and `deadline`", "budget_hours")
    if asked.budget_hours is not None:
        return asked.budget_hours
    return hours_until(asked.deadline, asked.weekly_hours, as_of)


def today_in(zone: tzinfo) -> Callable[[], date]:
    """Return a clock that tells the date where the officers are."""
    return lambda: datetime.now(UTC).astimezone(zone).date()


ROUTES = [
    Route(
        "GET",
        "/v1/officers/{officer_id}/path",
        get_path,
        EVERYONE,
        headers=[IF_NONE_MATCH],
        answers={200: StoredPath, 304: None},
        problems=[503],
    ),
    Route(
        "POST",
        "/v1/recommendations",
        recommend,
        EVERYONE,
        body=RecommendationRequest,
        answers={200: Recommendation},
        problems=[503],
    ),
]
