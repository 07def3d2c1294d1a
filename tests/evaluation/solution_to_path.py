"""A list of courses as a path, so that the independent validator can check choices of other programs."""

from collections.abc import Sequence

from services.recommender.inputs import ALGORITHM, Inputs
from services.recommender.plan_validator.officer_state import Find, OfficerState
from services.recommender.plan_validator.validate import faults
from services.recommender.planner.course_spec import course_spec
from services.recommender.planner.exact.dependencies import dependencies
from services.recommender.planner.exact.options import course_option
from services.recommender.planner.exact.residual import state_before
from services.recommender.planner.explain.expected import expected_gain
from shared.paths import Closes, CourseCard, Coverage, Gap, LearningPath, OpenGap, Reason, Step, Versions
from tests.evaluation.problem import Candidate, Problem, State

_REASON = Reason(th="ผู้ตรวจสอบเลือก", en="chosen by the auditor")


def infeasibilities(path: LearningPath, inputs: Inputs, find: Find) -> list[str]:
    """Return why the courses of a path cannot be studied in order, or do not gain what it says.

    Texts are not checked.
    """
    start = OfficerState(inputs, find)
    return faults(path, inputs, find, start, start.copy())


def path_of(problem: Problem, chosen: Sequence[Candidate]) -> LearningPath:
    """Return the path that studies these courses in this order."""
    inputs, state = problem.inputs, problem.start()
    before = dict(state.held)
    steps: list[Step] = []
    hours = 0.0
    for position, candidate in enumerate(chosen, 1):
        hours += candidate.course.hours
        steps.append(_step(problem, state, candidate, position, hours))
        problem.take(state, candidate)
    gained = sum(row.contribution for step in steps for row in step.closes)
    specs = [course_spec(candidate.course) for candidate in chosen]
    options = [course_option(inputs, problem.value, spec, spec.hours) for spec in specs]
    needs = dependencies(options, state_before(inputs, problem.value, problem.entry_levels))
    expected = expected_gain(problem.value, options, needs)
    gaps = _gaps(problem, before, state)
    return LearningPath(
        status="ready" if any(gap.assessed for gap in gaps) or not gaps else "provisional",
        job_group=inputs.job_group,
        framework=inputs.framework.id,
        steps=steps,
        gaps=gaps,
        open=[
            OpenGap(gap.skill, gap.title, gap.required, gap.reached, "budget", _REASON)
            for gap in gaps
            if gap.reached < gap.required
        ],
        coverage=Coverage(
            problem.value.coverage(0), problem.value.coverage(gained), problem.value.gap, gained, expected
        ),
        hours=hours,
        versions=Versions(inputs.profile_sequence, inputs.framework_version, 1, ALGORITHM),
        as_of=inputs.as_of,
        reason=_REASON,
        stage=inputs.stage,
        budget_hours=inputs.budget_hours,
    )


def _step(problem: Problem, state: State, candidate: Candidate, position: int, hours: float) -> Step:
    course, value = candidate.course, problem.value
    closes = [
        Closes(
            skill=skill,
            title=want.skill.title,
            from_level=state.held[skill],
            to_level=candidate.high[skill],
            required=want.required,
            weight=want.weight,
            contribution=value.of(skill, candidate.high[skill]) - value.of(skill, state.held[skill]),
        )
        for skill, want in value.targets.items()
        if want.is_gap and candidate.high.get(skill, 0.0) > state.held[skill] and want.lacks(state.held[skill])
    ]
    card = CourseCard(course.id, course.title, course.provider, course.hours, course.languages, course.url)
    return Step(position, card, closes, course.requires, _REASON, 0.0, 0.0, hours)


def _gaps(problem: Problem, before: dict[str, float], state: State) -> list[Gap]:
    return [
        Gap(
            skill=skill,
            title=want.skill.title,
            area=want.skill.area,
            level=before[skill],
            sd=want.sd,
            assessed=want.assessed,
            required=want.required,
            reached=state.held[skill],
            weight=want.weight,
        )
        for skill, want in problem.value.targets.items()
    ]
