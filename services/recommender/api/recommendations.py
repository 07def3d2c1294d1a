"""Stateless recommendations: for platforms, and what-if questions about an officer's current path."""

from datetime import UTC, date, datetime, time
from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct
from msgspec.structs import replace

from services.recommender.api.context import caller_of, context_of, framework_of, stored_plan, view_of
from services.recommender.api.unmatched_rules import unmatched
from services.recommender.inputs import Estimate, Inputs, PlanRequest, hours_until, inputs_for
from services.recommender.plan_pool import plan_stateless
from services.recommender.planner import pipeline
from services.recommender.planning import is_studied
from services.recommender.rules import Rule, TenantRules, rules_within
from services.recommender.store.documents import StoredPlan
from shared.domain import Framework, Identifier, Language, Level, WeeklyHours
from shared.errors import InvalidInput, Warned
from shared.messages import with_sentences
from shared.paths import Changes, LearningPath
from shared.routes import REQUEST_ID, json_response, languages_of, principal, read_body

_GIVEN_SD = 0.3
"""The standard deviation, in levels, of a level that is given without an `sd`: that of a test."""


class GivenLevel(Struct, frozen=True, forbid_unknown_fields=True):
    """A level with its standard deviation, both on the framework's scale."""

    level: Level
    sd: Annotated[float, Meta(ge=0, le=100)] = _GIVEN_SD


class RecommendationRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The inputs of a recommendation: `framework` with `job_group`, or with an explicit `target` {skill: level}.

    A skill missing in `levels` has the job group's prior. A given level counts as measured now, so no `completed`
    course adds to it. The budget is either `budget_hours`, or `weekly_hours` until `deadline`, counted from `as_of`
    (by default today in the officers' time zone). `completed` courses are not suggested again. `rules` and `mandatory`
    courses are added to those of the tenant.

    With `compare_with`, an officer of the tenant, missing fields are taken from this officer: levels, feedback, job
    group, stage, languages, pace and deadline; the answer then includes the changes from the officer's current path.
    """

    framework: Identifier | None = None
    job_group: Identifier | None = None
    target: Annotated[dict[Identifier, Level], Meta(min_length=1)] | None = None
    stage: Identifier | None = None
    levels: dict[Identifier, Level | GivenLevel] = {}
    completed: Annotated[list[Identifier], Meta(max_length=2000)] = []
    budget_hours: Annotated[float, Meta(ge=0, le=100_000)] | None = None
    weekly_hours: WeeklyHours | None = None
    deadline: date | None = None
    as_of: date | None = None
    languages: Annotated[list[Language], Meta(max_length=50)] = []
    max_steps: Annotated[int, Meta(ge=0, le=1000)] | None = None
    rules: Annotated[list[Rule], Meta(max_length=100)] = []
    mandatory: Annotated[list[Identifier], Meta(max_length=50)] = []
    compare_with: Identifier | None = None


class Recommendation(Struct, frozen=True, omit_defaults=True):
    """A path that is not stored; with `compare_with` also the changes from the officer's stored path.

    `revision`: of that stored path. `warnings` are about the request's rules: values that match no visible course, and
    that they exclude every course.
    """

    path: LearningPath
    request_id: str
    changes: Changes | None = None
    revision: int | None = None
    warnings: list[Warned] = []


async def recommend(request: web.Request) -> web.StreamResponse:
    """Return a learning path for the request; nothing is stored.

    With `compare_with` the path is for that officer, under the request's conditions; officers can name only themselves.
    404 if that officer has no path.
    """
    languages = languages_of(request)
    body = await read_body(request, RecommendationRequest)
    present = await stored_plan(request, body.compare_with) if body.compare_with else None
    view = view_of(request)
    name = body.framework or (present.profile.framework if present else None)
    if name is None:
        raise InvalidInput("needs a framework, or an officer to compare with", "framework")
    framework = framework_of(view, name)
    caller, work_queue = caller_of(request), context_of(request).work_queue
    rules = await context_of(request).store.rules.recent(principal(request).tenant)
    as_of = body.as_of or context_of(request).planner.today()
    warnings = await work_queue.run(caller, unmatched, body.rules, [], view, [framework]) if body.rules else []
    wanted = [one for one in (body.job_group, body.target) if one is not None]
    if len(wanted) > 1 or (present is None and not wanted):
        raise InvalidInput("needs either `job_group` or `target`", "job_group")
    if present is None:
        inputs = Inputs(
            tenant=principal(request).tenant,
            framework=framework,
            as_of=as_of,
            job_group=body.job_group or "",
            stage=body.stage,
            rules=rules_within(rules.rules, framework),
            mandatory=rules.mandatory,
            least_confidence=rules.least_confidence,
        )
    else:
        inputs = _officer_inputs(body, present, framework, rules, as_of)
    inputs = replace(_requested(inputs, body, present), smallest_gap=context_of(request).planner.pool.smallest_gap)
    path = await work_queue.run(caller, plan_stateless, inputs, view)
    found = Recommendation(
        with_sentences(path, languages),
        request_id=request[REQUEST_ID],
        changes=pipeline.path_diff(present.announced.recommended().path, path) if present else None,
        revision=present.head.revision if present else None,
        warnings=warnings,
    )
    return json_response(found, languages=languages)


def _officer_inputs(
    body: RecommendationRequest, present: StoredPlan, framework: Framework, rules: TenantRules, as_of: date
) -> Inputs:
    """Return the inputs of a stored officer, who may have another job group, stage or framework in the request."""
    profile = present.profile
    known = framework.id == profile.framework or any(one.id == profile.stage for one in framework.stages)
    stage = body.stage or (profile.stage if known else None)
    progress = RecommendationRequest(compare_with=body.compare_with, completed=body.completed, as_of=body.as_of)
    request = PlanRequest(
        replace(profile, job_group=body.job_group or profile.job_group, stage=stage),
        as_of,
        present.feedback,
        present.head.courses,
        finishing=bool(body.completed) and body == progress and is_studied(present),
        rules=rules,
    )
    return inputs_for(request, framework)


def _requested(inputs: Inputs, body: RecommendationRequest, present: StoredPlan | None) -> Inputs:
    """Return inputs with the values of the request; its target counts instead of what a job group requires."""
    if body.target is not None:
        skills = [one for one in inputs.successions if one.kind == "skill"]
        inputs = replace(inputs, job_group="", stage=None, successions=skills)
    return replace(
        inputs,
        target=body.target,
        levels={**inputs.levels, **_levels(body)},
        completed=body.completed,
        completed_at={**_completed_at(body, inputs.as_of), **inputs.completed_at},
        budget_hours=_budget(body, inputs.as_of, present),
        languages=body.languages or inputs.languages,
        max_steps=body.max_steps,
        rules=[*body.rules, *inputs.rules],
        mandatory=[*body.mandatory, *(course for course in inputs.mandatory if course not in body.mandatory)],
        excluded=[course for course in inputs.excluded if course not in body.mandatory],
    )


def _levels(body: RecommendationRequest) -> dict[str, Estimate]:
    return {
        skill: Estimate(level.level, level.sd) if isinstance(level, GivenLevel) else Estimate(level, _GIVEN_SD)
        for skill, level in body.levels.items()
    }


def _completed_at(body: RecommendationRequest, as_of: date) -> dict[str, datetime]:
    """Return course -> completion time; a completed course counts as completed by the end of the reference day."""
    return dict.fromkeys(sorted(body.completed), datetime.combine(as_of, time.max, UTC))


def _budget(body: RecommendationRequest, as_of: date, present: StoredPlan | None = None) -> float | None:
    if body.budget_hours is not None and (body.weekly_hours is not None or body.deadline is not None):
        raise InvalidInput("give `budget_hours`, or `weekly_hours` and `deadline`", "budget_hours")
    if body.budget_hours is not None:
        return body.budget_hours
    weekly_hours, deadline = body.weekly_hours, body.deadline
    if present is not None:
        weekly_hours, deadline = weekly_hours or present.profile.weekly_hours, deadline or present.profile.deadline
    if body.deadline is not None and weekly_hours is None:
        raise InvalidInput("a deadline needs `weekly_hours`", "weekly_hours")
    if body.weekly_hours is not None and deadline is None:
        raise InvalidInput("weekly hours need a `deadline`", "deadline")
    return hours_until(deadline, weekly_hours, as_of)
