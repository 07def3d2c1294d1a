"""Officers as they are in real life: levels fused from many results, odd hours and dates, and what happens to them.

Everything follows from a seed. A level has six decimals, or it equals the required one, differs from it by a millionth,
or leaves just the smallest gap; standard deviations are of any size.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, get_args

import msgspec

from services.recommender.feedback import Action, Feedback, apply_feedback
from services.recommender.inputs import SMALLEST_GAP, PlanRequest
from services.recommender.plan_pool import PlannedPath, solve
from services.recommender.planner.index.catalog import View
from services.recommender.rules import Rule, TenantRules
from shared.domain import Course, Framework, MatchedRow, Profile, SkillLevel
from shared.errors import Problem
from shared.paths import PLANNED, LearningPath
from tests.support.builders import MOMENT, TENANT

Change = Literal["assessed", "registered", "rules", "week"]
_CHANGES: tuple[Change, ...] = get_args(Change)
_ACTIONS: tuple[Action, ...] = get_args(Action)


def fused_level(chance: random.Random, required: float, top: float) -> float:
    """Return a level, on a scale from 0 to `top`, as it is fused from many results; sometimes above `top`."""
    gap = SMALLEST_GAP * top / 4
    millionth = chance.choice([-0.000001, 0.0, 0.000001])
    level = chance.choice(
        [
            chance.uniform(0, top),
            chance.gauss(required, gap),
            required + millionth,
            required - gap + millionth,
            float(chance.randint(0, round(top))),
            chance.uniform(top, 1.2 * top),
        ]
    )
    return round(min(max(level, 0.0), 100.0), 6)


def sureness(chance: random.Random) -> float:
    """Return a standard deviation in levels, mostly one of a fused level."""
    return chance.choice([round(chance.uniform(0.05, 1.2), 6), 0.0, 0.000001, 100.0])


def unconfirmed(chance: random.Random, course: Course) -> Course:
    """Return a course with some of its skills only matched, with confidences of six decimals."""
    kept = [row for row in course.teaches if chance.random() < 0.4]
    matched = [
        MatchedRow(
            framework=row.framework,
            skill=row.skill,
            from_level=row.from_level,
            to_level=row.to_level,
            confidence=round(chance.uniform(0.01, 0.99), 6),
            threshold=0.617283,
        )
        for row in course.teaches
        if row not in kept
    ]
    return msgspec.structs.replace(course, teaches=kept, matched=matched)


@dataclass
class Officer:
    """One officer, to whom things happen after which a new path is planned.

    `framework`: that of the officer. `courses`: all courses of the catalog.
    """

    chance: random.Random
    framework: Framework
    courses: list[Course]
    view: View
    now: datetime = MOMENT
    rules: TenantRules = field(default_factory=TenantRules)
    feedback: Feedback = field(default_factory=Feedback)
    path: LearningPath | None = None

    def __post_init__(self) -> None:
        group = self.chance.choice(self.framework.job_groups).id
        stage = self.chance.choice([None, *(stage.id for stage in self.framework.stages)])
        self.profile = Profile(
            tenant=TENANT,
            officer="o1",
            sequence=0,
            framework=self.framework.id,
            framework_version=self.framework.version,
            job_group=group,
            agency="office",
            stage=stage,
        )
        self._register()
        share = self.chance.choice([0, 0.5, 0.9, 1])
        self._assess([skill.id for skill in self.framework.skills if self.chance.random() < share])

    def first(self) -> tuple[PlanRequest, PlannedPath]:
        """Return the request for the first path, and the path."""
        return self._plan()

    def go_on(self, changes: int) -> Iterator[tuple[PlanRequest, PlannedPath]]:
        """Make so many changes; yield the request and the path after each, except after a refused statement."""
        for _ in range(changes):
            self.now += timedelta(days=self.chance.choice([0, 1, 7, 40]), seconds=self.chance.randint(0, 9999))
            planned = (
                self._after(self.chance.choice(_CHANGES)) if self.chance.random() < 0.4 else self._after_statement()
            )
            if planned is not None:
                yield planned

    def finish(self) -> Iterator[tuple[PlanRequest, PlannedPath]]:
        """Complete the courses of the path one after another; yield the request and the path after each."""
        while self.path and self.path.steps:
            self.now += timedelta(seconds=1)
            self._apply_feedback(self.path.steps[0].course.id, "completed", self.now)
            yield self._plan(finishing=True)

    def _after(self, change: Change) -> tuple[PlanRequest, PlannedPath]:
        if change == "assessed":
            self._assess(self.chance.sample([skill.id for skill in self.framework.skills], 3))
        elif change == "registered":
            self._register()
        elif change == "rules":
            self._rule()
        return self._plan(finishing=change == "week")

    def _after_statement(self) -> tuple[PlanRequest, PlannedPath] | None:
        action, steps = self.chance.choice(_ACTIONS), self.path.steps if self.path else []
        named = [one.course for one in self.feedback.statements]
        known = (
            named if action == "undo" else [*(step.course.id for step in steps), self.chance.choice(self.courses).id]
        )
        at = self.now - timedelta(days=self.chance.choice([0, 0, 3, 400]))
        try:
            self._apply_feedback(self.chance.choice(known or ["nothing"]), action, at)
        except Problem:
            return None
        return self._plan(stable=action not in ("not_now", "undo"), finishing=action in ("started", "completed"))

    def _apply_feedback(self, course_id: str, action: Action, at: datetime) -> None:
        course = self.view.course(course_id)
        self.feedback = apply_feedback(
            self.feedback,
            course_id,
            action,
            at=at,
            now=self.now,
            mandatory=self.rules.mandatory,
            teaches=course.teaches if course else (),
        )

    def _register(self) -> None:
        chance = self.chance
        deadline = chance.choice([None, self.now.date() + timedelta(days=chance.choice([-3, 0, 5, 45, 301, 900]))])
        self.profile = msgspec.structs.replace(
            self.profile,
            sequence=self.profile.sequence + 1,
            languages=chance.choice([[], ["th"], ["th", "en"]]),
            weekly_hours=chance.choice([None, 1 / 3, round(chance.uniform(0.2, 20), 6)]),
            deadline=deadline,
        )

    def _assess(self, skills: list[str]) -> None:
        chance, top = self.chance, self.framework.max_level
        required = self.framework.required(self.profile.job_group, self.profile.stage)
        held = {level.skill: level for level in self.profile.levels}
        for skill in skills:
            need = required[skill].level if skill in required else top / 2
            level = fused_level(chance, need, top)
            held[skill] = SkillLevel(self.framework.id, skill, level, sureness(chance), self.now)
        sequence = self.profile.sequence + 1
        self.profile = msgspec.structs.replace(self.profile, sequence=sequence, levels=list(held.values()))

    def _rule(self) -> None:
        chance, courses = self.chance, self.courses
        provider = chance.choice(courses).provider
        rules = [
            Rule("provider", [provider.en or provider.th or ""], chance.choice([-1.0, 0.0, 1.3])),
            Rule("course", [one.id for one in chance.sample(courses, 5)], chance.choice([0.0, 1.000001, 1000.0])),
            Rule("modality", ["online"], chance.choice([-1.0, 2.0])),
        ]
        self.rules = TenantRules(
            version=self.rules.version + 1,
            rules=chance.sample(rules, chance.choice([0, 0, 1])),
            mandatory=[chance.choice(courses).id] if chance.random() < 0.3 else [],
            least_confidence=chance.choice([None, 0.0, round(chance.random(), 6), 1.0]),
        )

    def _plan(self, *, stable: bool = True, finishing: bool = False) -> tuple[PlanRequest, PlannedPath]:
        request = PlanRequest(
            self.profile,
            self.now.date(),
            self.feedback,
            [step.course.id for step in self.path.steps] if self.path else [],
            stable,
            finishing and self.path is not None and self.path.status in PLANNED,
            rules=self.rules,
        )
        planned = solve(request, self.view)
        self.path = planned.path
        return request, planned


def repeated_request(request: PlanRequest, path: LearningPath) -> PlanRequest:
    """Return the request that follows `request` if only the path has changed, to this one."""
    return msgspec.structs.replace(request, previous=[step.course.id for step in path.steps], stable=True)
