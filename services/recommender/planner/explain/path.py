"""Builds the explained path: what each pick closes and unlocks, what stays open and why, and the totals."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any

from services.recommender.inputs import ALGORITHM, MICRO, Inputs, MatchedSpan, SkillTarget
from services.recommender.planner.course_spec import CourseCondition, CourseSpec, LevelCondition, mapped_from
from services.recommender.planner.exact.dependencies import Dependencies
from services.recommender.planner.exact.refinement import PathDraft
from services.recommender.planner.exact.residual import GapBlocker, Pick
from services.recommender.planner.explain.expected import expected_gain
from services.recommender.planner.units import micro
from services.recommender.planner.value import CERTAIN, Stair, ValueFunction, added, expected_shortfall, with_stair
from shared.domain import Course, Framework, Profile
from shared.paths import (
    UNRENDERED,
    Alternative,
    AssessFirst,
    Closes,
    CourseCard,
    CourseName,
    Coverage,
    Gap,
    LearningPath,
    Note,
    OpenGap,
    Step,
    UnlockCondition,
    Versions,
)

DOUBT = 0.5
"""An assessment is suggested for a skill if more than this share of its expected gap comes from uncertainty alone."""

_LONGEST_CAUSE = 300

_NOTHING: dict[str, Any] = {"steps": [], "gaps": [], "open": [], "coverage": Coverage(0.0, 0.0, 0, 0, 0), "hours": 0.0}


def path_of(
    draft: PathDraft[Any],
    value: ValueFunction,
    notes: list[Note],
    catalog_revision: int,
    frameworks: Mapping[str, Framework],
) -> LearningPath:
    """Return the finished path of a draft, without statements about the search (`limited`, `proved`).

    `notes`: about requested and completed courses; they become a part of the path. `frameworks`: by id, those that the
    officer's tenant sees, for the titles of skills of other frameworks.
    """
    inputs = draft.residual.inputs
    reached = _Reached(inputs.framework.id, value)
    steps = _steps(inputs.framework, frameworks, reached, draft)
    gaps = [
        Gap(
            skill=target.skill.id,
            title=target.skill.title,
            area=target.skill.area,
            level=target.level,
            sd=target.sd,
            assessed=target.assessed,
            required=target.required,
            reached=reached.levels[target.skill.id],
            weight=target.weight,
        )
        for target in value.targets.values()
    ]
    left = [_open(reached, gap, draft.blocker) for gap in gaps if gap.reached < gap.required]
    gained = sum(row.contribution for step in steps for row in step.closes)
    expected = expected_gain(value, [pick.option for pick in draft.picks], draft.needs)
    hours = steps[-1].cumulative_hours if steps else 0.0
    over = None
    if inputs.budget_hours is not None and hours > inputs.budget_hours:
        over = round(hours - inputs.budget_hours, 6) or None
    assessed = any(gap.assessed for gap in gaps) or not gaps
    missing_hours = draft.residual.missing_hours(value)
    return LearningPath(
        status="ready" if assessed else "provisional",
        job_group=inputs.job_group,
        framework=inputs.framework.id,
        steps=steps,
        gaps=gaps,
        open=left,
        coverage=Coverage(value.coverage(0), value.coverage(gained), value.gap, gained, expected),
        hours=hours,
        versions=Versions(inputs.profile_sequence, inputs.framework_version, catalog_revision, ALGORITHM),
        as_of=inputs.as_of,
        reason=UNRENDERED,
        stage=inputs.stage,
        budget_hours=inputs.budget_hours,
        over_budget_hours=over,
        short_hours=missing_hours.hours if missing_hours else None,
        short_at_most=bool(missing_hours and not missing_hours.proved),
        assess_first=[*assessments_first(value.targets), *_to_confirm(value)],
        notes=notes,
        kept=draft.residual.kept,
        finishing=draft.residual.finishing,
        successions=inputs.successions,
    )


def assessments_first(targets: Mapping[str, SkillTarget]) -> list[AssessFirst]:
    """Return what to assess: levels that come from completed courses, and gaps that are mostly uncertainty.

    A gap is mostly uncertainty if more than the share DOUBT of its expected size comes from the standard deviation
    alone.
    """
    doubtful = []
    for target in targets.values():
        expected, missing = expected_shortfall(target.required, target.level, target.sd), target.required - target.level
        if target.rests_on_courses:
            measured = target.measured if target.assessed else None
            doubtful.append(AssessFirst(target.skill.id, target.skill.title, UNRENDERED, "confirm", measured))
        elif missing > 0 and expected - missing > expected * DOUBT:
            doubtful.append(AssessFirst(target.skill.id, target.skill.title, UNRENDERED))
    return doubtful


def _to_confirm(value: ValueFunction) -> Iterator[AssessFirst]:
    """Yield the gaps that completed courses have partly closed by their description, unconfirmed."""
    for skill in value.stairs:
        target = value.targets[skill]
        if target.is_gap:
            higher = [row for row in target.evidence if row.high > micro(target.level) and value.counts(row)]
            row = max(higher, key=lambda row: (row.confidence, row.high))
            level, confidence = row.high / MICRO, row.confidence / MICRO
            yield AssessFirst(
                target.skill.id, target.skill.title, UNRENDERED, "matched", level=level, confidence=confidence
            )


class _Reached:
    """The state after some courses of a path: estimated levels, and the stairs of each skill."""

    def __init__(self, framework: str, value: ValueFunction) -> None:
        self.framework, self.value = framework, value
        self.levels = {skill: target.level for skill, target in value.targets.items()}
        self._gaps = {skill: place for place, (skill, target) in enumerate(value.targets.items()) if target.is_gap}
        self._stairs = dict(value.stairs)
        self._matched = defaultdict[str, list[tuple[Course, MatchedSpan]]](list)

    def closes(self, spec: CourseSpec) -> Iterator[Closes]:
        """Yield the gaps that a course would narrow now, in the order of the targets."""
        raised = {skill for name, skill in (*spec.teaches, *spec.matched) if name == self.framework}
        for skill in sorted(raised & self._gaps.keys(), key=self._gaps.__getitem__):
            target, before = self.value.targets[skill], self.levels[skill]
            if not target.lacks(before):
                continue
            key, confidence, row = (self.framework, skill), None, spec.matched.get((self.framework, skill))
            if key in spec.teaches and before < (after := spec.teaches[key][1]):
                stair = CERTAIN, self.value.certain(skill, after)
            elif row and self.value.may_use(skill, row):
                stair, after, confidence = self.value.stair(skill, row), row.high / MICRO, row.confidence / MICRO
            else:
                continue
            gain = added(self._stairs.get(skill, ()), stair)
            if confidence is not None and not gain:
                continue
            yield Closes(
                skill=skill,
                title=target.skill.title,
                from_level=before,
                to_level=after,
                required=target.required,
                weight=target.weight,
                contribution=gain,
                confidence=confidence,
                mapped_from=mapped_from(spec.course, key),
            )

    def take(self, spec: CourseSpec) -> None:
        """Complete a course. Only confirmed rows raise a level."""
        for (framework, skill), (_, reached) in spec.teaches.items():
            if framework == self.framework and skill in self.levels:
                self.levels[skill] = max(self.levels[skill], reached)
                self._add_stair(skill, (CERTAIN, self.value.certain(skill, reached)))
        for (framework, skill), row in spec.matched.items():
            if framework == self.framework and self.value.may_use(skill, row):
                self._matched[skill].append((spec.course, row))
                self._add_stair(skill, self.value.stair(skill, row))

    def unconfirmed(self, skill: str) -> tuple[Course, MatchedSpan] | None:
        """Return the most confident course that may have raised a skill above its level, with its row."""
        above = [one for one in self._matched[skill] if one[1].high > micro(self.levels[skill])]
        return max(above, key=lambda one: (one[1].confidence, one[1].high), default=None)

    def _add_stair(self, skill: str, step: Stair) -> None:
        self._stairs[skill] = with_stair(self._stairs.get(skill, ()), step)


def _steps(own: Framework, frameworks: Mapping[str, Framework], reached: _Reached, draft: PathDraft[Any]) -> list[Step]:
    """Return the steps, and change `reached` to the state after the last one."""
    unlocks, taken = _unlocks(own, frameworks, draft.needs, draft.picks), set(draft.names)
    steps: list[Step] = []
    spent = 0
    for position, pick in enumerate(draft.picks, 1):
        spec = pick.option.spec
        closes = list(reached.closes(spec))
        reached.take(spec)
        spent += spec.hours
        course = spec.course
        opens = unlocks[position - 1]
        steps.append(
            Step(
                position=position,
                course=card_of(course),
                closes=closes,
                requires=course.requires,
                reason=UNRENDERED,
                similarity=pick.option.cosine / MICRO,
                score=float(pick.score),
                cumulative_hours=spent / MICRO,
                alternatives=[
                    Alternative(card_of(it.course), float(it.score))
                    for it in pick.runners_up
                    if it.course.id not in taken
                ],
                unlocks=list(opens),
                unlock_conditions={name: condition for name, condition in opens.items() if condition},
                origin=pick.origin,
            )
        )
    return steps


def _unlocks(
    own: Framework, frameworks: Mapping[str, Framework], dependent: Sequence[Dependencies], picks: Sequence[Pick]
) -> list[dict[str, UnlockCondition | None]]:
    """Return for each pick the later courses that cannot be entered without it, in order.

    With each, the condition that the pick satisfies itself; None if it is needed through other courses.
    """
    found: list[dict[str, UnlockCondition | None]] = [{} for _ in picks]
    for pick, needs in zip(picks, dependent, strict=True):
        for place, condition in needs.items():
            found[place][pick.option.id] = _unlock_condition(condition, own, frameworks) if condition else None
    return found


def _unlock_condition(
    condition: LevelCondition | CourseCondition, own: Framework, frameworks: Mapping[str, Framework]
) -> UnlockCondition:
    if isinstance(condition, CourseCondition):
        return UnlockCondition()
    of, name = condition.skill
    framework = own if of == own.id else frameworks.get(of)
    skill = framework.skills_by_id.get(name) if framework else None
    return UnlockCondition(name, skill.title if skill else None, condition.level / MICRO, None if of == own.id else of)


def _open(reached: _Reached, gap: Gap, blocker_of: Callable[[str], GapBlocker]) -> OpenGap:
    """Return an open gap with its cause: what blocks the skill, unless the rest is too small or unconfirmed."""
    open_gap = partial(OpenGap, gap.skill, gap.title, gap.required, gap.reached, reason=UNRENDERED)
    if not reached.value.targets[gap.skill].lacks(gap.reached):
        return open_gap(cause="too_small")
    if matched := reached.unconfirmed(gap.skill):
        course, row = matched
        nearest = CourseName(course.id, course.title)
        return open_gap(cause="unconfirmed", nearest=nearest, level=row.high / MICRO, confidence=row.confidence / MICRO)
    blocker = blocker_of(gap.skill)
    missing = blocker.missing
    return open_gap(
        cause=blocker.cause,
        courses=blocker.courses,
        hours=missing.needed if missing else None,
        missing_hours=missing.hours if missing else None,
        at_most=bool(missing and not missing.proved),
        nearest=blocker.nearest,
        exclusion=blocker.exclusion,
        level=blocker.matched.high / MICRO if blocker.matched else None,
        confidence=blocker.matched.confidence / MICRO if blocker.matched else None,
    )


def card_of(course: Course) -> CourseCard:
    """Return the facts about a course that a path shows."""
    return CourseCard(course.id, course.title, course.provider, course.hours, course.languages, course.url)


def waiting_for_framework(profile: Profile, catalog_revision: int, as_of: date) -> LearningPath:
    """Return the path of an officer whose framework version has not arrived: no steps, and the reason."""
    return LearningPath(
        status="waiting_for_framework",
        job_group=profile.job_group,
        framework=profile.framework,
        versions=Versions(
            profile.sequence, f"{profile.framework}@{profile.framework_version}", catalog_revision, ALGORITHM
        ),
        as_of=as_of,
        reason=UNRENDERED,
        stage=profile.stage,
        **_NOTHING,
    )


def refused(inputs: Inputs, catalog_revision: int, why: str) -> LearningPath:
    """Return a path without steps for an officer for whom no valid path was found.

    `why`: the cause, which the path shows: what the validator found, or which input the framework does not have. A long
    cause is cut.
    """
    return LearningPath(
        status="refused",
        job_group=inputs.job_group,
        framework=inputs.framework.id,
        versions=Versions(inputs.profile_sequence, inputs.framework_version, catalog_revision, ALGORITHM),
        as_of=inputs.as_of,
        reason=UNRENDERED,
        refusal=why if len(why) <= _LONGEST_CAUSE else f"{why[:_LONGEST_CAUSE]}...",
        stage=inputs.stage,
        budget_hours=inputs.budget_hours,
        successions=inputs.successions,
        **_NOTHING,
    )
