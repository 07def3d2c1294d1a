"""The inputs of a plan, and their interpretation before planning."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

from msgspec import Struct, field
from msgspec.structs import force_setattr

from services.recommender.feedback import Feedback
from services.recommender.rules import NO_RULES, STRONGEST_BOOST, Rule, TenantRules, check_rules, rules_within
from shared.domain import Framework, Profile, Skill, SkillLevel, Teaches, keep_millionths, millionths
from shared.errors import InvalidInput, UnknownName, known_names
from shared.events import Cause
from shared.paths import Succession
from shared.succession import carried, job_group_of, stage_of

ALGORITHM = "t1.18"
"""The version of the planner; it changes whenever the same inputs may give another path."""

MICRO = 1_000_000
"""Integer units in one weight x level, and in one hour."""

PRIOR_SHARE = 0.5
PRIOR_SD = 1.0
"""The estimate for a required skill that was never assessed: half of the required level, with a standard deviation of
one level. A provisional assumption about the typical officer of a job group, until measured levels replace it."""

MOST_STEPS = 400
"""The largest number of courses in one path; only started courses may exceed it. Nobody studies more in a career, and
the work to plan, check and explain a path stays bounded."""

SMALLEST_GAP = 0.25
"""Levels of a scale from 0 to 4, and the same share of any other. The surest assessment, a test, is off by 0.3 of a
level; one more test of an officer who is a quarter of a level short would find the requirement reached one time in
five. A smaller gap cannot be distinguished from none, so no course is recommended for it."""

_USUAL_TOP = 4

LEARNERS_ASSUMED, LEARNERS_COMPLETING = 20, 18
"""The prior of every course's completion rate: as if 18 of 20 learners had completed it, a Beta(18, 2) of mean 0.9. An
assumption about courses that an agency proposes, until its own completions are known."""


class Estimate(Struct, frozen=True):
    """An estimate of one level: mean and standard deviation, in levels of the framework's scale.

    `measured_at` None: the time is unknown.
    """

    level: float
    sd: float
    measured_at: datetime | None = None

    def __post_init__(self) -> None:
        keep_millionths(self, "level", "sd")


class MatchedSpan(NamedTuple):
    """A matched row: from `low` to `high` in micro-levels, with confidence and threshold in millionths."""

    low: int
    high: int
    confidence: int
    threshold: int

    @property
    def percent(self) -> int:
        """The confidence in whole per cent, rounded down, so that it is never overstated."""
        return self.confidence * 100 // MICRO


class SkillTarget(Struct, frozen=True):
    """One required skill and the officer's estimated level. Levels are on the framework's scale.

    `measured` and `sd`: as assessed, or the prior. `level`: the level that counts, which is the measured one or a
    higher one that completed courses lead to. `smallest`: a gap below this number of levels counts as none. `evidence`:
    unconfirmed rows of completed courses, which do not change the level.
    """

    skill: Skill
    required: float
    weight: float
    level: float
    sd: float
    assessed: bool
    measured: float
    smallest: float = 0.0
    evidence: tuple[MatchedSpan, ...] = ()

    def lacks(self, level: float) -> bool:
        """Return whether a level is so far below the requirement that an assessment could measure it."""
        missing = round(self.required - level, 6)
        return missing > 0 and missing >= self.smallest

    @property
    def is_gap(self) -> bool:
        """Whether the officer counts as below the requirement."""
        return self.lacks(self.level)

    @property
    def rests_on_courses(self) -> bool:
        """Whether the level comes from completed courses, and no assessment has confirmed it yet."""
        return self.level > self.measured


class Inputs(Struct, frozen=True, kw_only=True):
    """Everything that the planner reads except the catalog; the same inputs and view give the same path.

    `inputs_for` makes inputs from a `PlanRequest` and a version of the framework. For a request without a stored
    officer they are made directly.
    """

    tenant: str
    framework: Framework
    as_of: date
    job_group: str = ""
    stage: str | None = None
    target: dict[str, float] | None = None
    """{skill: level}, every weight 1. Replaces the requirements of the job group."""
    levels: dict[str, Estimate] = {}
    """Levels assessed in `framework`; one above the scale counts as its top."""
    elsewhere: dict[str, dict[str, Estimate]] = {}
    """{framework: {skill: level}}: levels assessed in other frameworks."""
    completed: list[str] = []
    """Courses that are never suggested, and satisfy every course that requires them."""
    budget_hours: float | None = None
    """None: no limit."""
    languages: list[str] = []
    """Empty: any language."""
    max_steps: int | None = None
    """None: no limit besides MOST_STEPS."""
    profile_sequence: int = 0
    rules: list[Rule] = []
    mandatory: list[str] = []
    """Planned with their prerequisites, beyond the budget if needed."""
    excluded: list[str] = []
    """Never in the path."""
    cost_multipliers: dict[str, float] = {}
    """{course: factor of its cost}."""
    pinned: list[str] = []
    """Planned with their prerequisites if they fit."""
    started: list[str] = []
    """At the start of the path, in this order, unless they were withdrawn."""
    completed_at: dict[str, datetime] = {}
    """{completed course: time}."""
    previous: list[str] = []
    """The courses of the previous path, which stays unless a new one is notably better."""
    taught: dict[str, list[Teaches]] = {}
    """{completed course: what it taught then}, if recorded, because the catalog may have changed since."""
    finishing: bool = False
    """Only the officer's own progress has changed: the previous path stays as far as it can still be studied."""
    smallest_gap: float = SMALLEST_GAP
    least_confidence: float | None = None
    """The confidence from which an unconfirmed row counts, 0 to 1; None: the threshold of the row's calibration."""
    successions: list[Succession] = []
    """The officer's former skills, job group and stage that the framework no longer has, for display."""

    def __post_init__(self) -> None:
        keep_millionths(self, "budget_hours", "smallest_gap", "least_confidence")
        if self.target:
            force_setattr(self, "target", {skill: millionths(level) for skill, level in self.target.items()})

    @property
    def framework_version(self) -> str:
        """`id@version`."""
        return f"{self.framework.id}@{self.framework.version}"

    def check(self) -> None:
        """Check that the framework has all that the inputs name, and that the inputs do not contradict each other.

        Raises InvalidInput naming the field.
        """
        skills = self.framework.skills_by_id.keys()
        if self.target is None and self.job_group not in {group.id for group in self.framework.job_groups}:
            message = f"unknown job group {self.job_group!r} in {self.framework.id}"
            raise UnknownName(f"{message}{known_names(group.id for group in self.framework.job_groups)}", "job_group")
        if self.stage is not None and self.stage not in {stage.id for stage in self.framework.stages}:
            message = f"unknown stage {self.stage!r} in {self.framework.id}"
            raise UnknownName(f"{message}{known_names(stage.id for stage in self.framework.stages)}", "stage")
        named = {"target": dict(self.target or {}), "levels": {name: held.level for name, held in self.levels.items()}}
        for place, levels in named.items():
            for skill, level in levels.items():
                if skill not in skills:
                    raise UnknownName(f"unknown skill {skill!r} in {self.framework.id}", f"{place}.{skill}")
                if level < 0 or (place == "target" and level > self.framework.max_level):
                    top = f"{self.framework.max_level:g}"
                    raise InvalidInput(f"outside the scale, 0 to {top}", f"{place}.{skill}")
        check_rules(self.rules, self.mandatory, self.framework)
        self._check_wishes()

    def _check_wishes(self) -> None:
        for name in ("mandatory", "pinned"):
            for i, course in enumerate(getattr(self, name)):
                if course in self.excluded:
                    raise InvalidInput(f"{course!r} is {name} and excluded", f"{name}[{i}]")
        for course, factor in self.cost_multipliers.items():
            if not 1 <= factor <= STRONGEST_BOOST:
                raise InvalidInput(f"a factor from 1 to {STRONGEST_BOOST:g}", f"cost_multipliers.{course}")

    @property
    def done(self) -> set[str]:
        """The completed courses, whether or not the time is known."""
        return {*self.completed, *self.completed_at}

    def known(self, framework: str, skill: str) -> Estimate | None:
        """Return the measured estimate of a skill in any framework; None without a measurement."""
        held = self.levels if framework == self.framework.id else self.elsewhere.get(framework, {})
        return held.get(skill)

    def targets(self) -> dict[str, SkillTarget]:
        """Return skill -> target, in the framework's own order of skills."""
        if self.target is None:
            rows = self.framework.required(self.job_group, self.stage)
            required = {skill: (row.level, row.weight) for skill, row in rows.items()}
        else:
            required = {skill: (level, 1.0) for skill, level in self.target.items()}
        smallest = millionths(self.smallest_gap * self.framework.max_level / _USUAL_TOP)
        return {
            skill.id: self._target(skill, *required[skill.id], smallest) for skill in self.framework.in_order(required)
        }

    def _target(self, skill: Skill, required: float, weight: float, smallest: float) -> SkillTarget:
        believed = self.levels.get(skill.id) or Estimate(PRIOR_SHARE * required, PRIOR_SD)
        top = self.framework.max_level
        level, required = min(believed.level, top), min(required, top)
        known = skill.id in self.levels
        return SkillTarget(
            skill, required, weight, level, believed.sd, assessed=known, measured=level, smallest=smallest
        )

    def entry_levels(self, targets: Mapping[str, SkillTarget]) -> dict[tuple[str, str], float]:
        """Return (framework, skill) -> level before the path; a skill that is not in it counts as 0."""
        ours, top = self.framework.id, self.framework.max_level
        levels = {(ours, skill): min(held.level, top) for skill, held in self.levels.items()}
        levels |= {(ours, skill): target.level for skill, target in targets.items()}
        for framework, known in self.elsewhere.items():
            if framework != ours:
                levels |= {(framework, skill): held.level for skill, held in known.items()}
        return levels


def _estimate(held: SkillLevel) -> Estimate:
    return Estimate(held.level, held.sd, held.measured_at)


def hours_until(deadline: date | None, weekly_hours: float | None, as_of: date) -> float | None:
    """Return the hours of study from `as_of` to a deadline.

    None if the deadline or the weekly hours are not set: no limit.
    """
    if deadline is None or weekly_hours is None:
        return None
    return round(max((deadline - as_of).days, 0) / 7 * weekly_hours, 2)


class OfficerInputs(Struct, frozen=True):
    """The inputs of a plan that are the officer's own: stored with the path, as catalog, framework and rules are not.

    `previous`: the courses of the previous path, in order. `stable`: the previous path stays unless another is notably
    better. `finishing`: only the officer's progress in the previous path, or the date, has changed; so the path stays
    as far as it can still be studied.
    """

    profile: Profile
    as_of: date
    feedback: Feedback = field(default_factory=Feedback)
    previous: list[str] = []
    stable: bool = True
    finishing: bool = False
    smallest_gap: float = SMALLEST_GAP

    def officer_inputs(self) -> dict[str, Any]:
        """Return the fields of this class by name."""
        return {name: getattr(self, name) for name in OfficerInputs.__struct_fields__}


class PlanRequest(OfficerInputs, frozen=True, kw_only=True):
    """An officer to plan for, with the tenant's rules. `inputs_for` interprets it.

    `cause`, `partition` and `traceparent`: of the event that requests the plan; a plan that no event requests has no
    partition, and stays where it is.
    """

    rules: TenantRules = NO_RULES
    cause: Cause = "assessment"
    partition: int | None = None
    traceparent: str | None = None


def inputs_for(request: PlanRequest, framework: Framework) -> Inputs:
    """Return the inputs of an officer's plan.

    Levels and job group are mapped to this version of the framework (shared/succession.py). A mandatory course stays in
    the path even if the officer dismissed it before it was mandatory.
    """
    profile, feedback, rules = request.profile, request.feedback, request.rules
    elsewhere: dict[str, dict[str, Estimate]] = {}
    for held in profile.levels:
        if held.framework != framework.id:
            elsewhere.setdefault(held.framework, {})[held.skill] = _estimate(held)
    present, successions = carried(profile.levels, framework)
    job_group, moved = job_group_of(profile.job_group, framework)
    stage, ended = stage_of(profile.stage, job_group, framework)
    return Inputs(
        tenant=profile.tenant,
        framework=framework,
        as_of=request.as_of,
        job_group=job_group,
        stage=stage,
        levels={skill: _estimate(held) for skill, held in present.items()},
        elsewhere=elsewhere,
        budget_hours=hours_until(profile.deadline, profile.weekly_hours, request.as_of),
        languages=list(profile.languages),
        profile_sequence=profile.sequence,
        rules=rules_within(rules.rules, framework),
        mandatory=rules.mandatory,
        excluded=sorted(course for course in feedback.courses_with("not_relevant") if course not in rules.mandatory),
        cost_multipliers=feedback.cost_multipliers(),
        pinned=feedback.courses_with("pin"),
        started=feedback.started(request.previous),
        completed_at=feedback.completed_at(),
        taught=feedback.taught(),
        previous=request.previous if request.stable else [],
        finishing=request.finishing,
        smallest_gap=request.smallest_gap,
        least_confidence=rules.least_confidence,
        successions=[*moved, *ended, *successions],
    )
