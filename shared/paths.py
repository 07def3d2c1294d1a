"""A learning path as it is answered, stored and pushed: ordered steps with reasons, and open gaps with causes.

Coverage is the share of the weighted required levels that the officer is expected to hold. Value is counted in integer
micro-levels (a millionth of weight x level), so that contributions add up exactly.
"""

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from shared.domain import LocalizedText, Prerequisite

MICRO = 1_000_000
"""Micro-levels in a level of weight 1."""

Whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""A whole number that fits a 64-bit integer of MongoDB."""

Value = str | bool | int | float | LocalizedText


class Message(Struct, frozen=True):
    """A sentence as its code and the values that fill its template; see `shared/templates.json`."""

    code: str
    values: dict[str, Value] = {}


class Reason(Struct, frozen=True, omit_defaults=True):
    """The sentences that explain something in a path.

    `messages`: their codes and values, which fill the templates of any language. `th`, `en`: the sentences rendered in
    the requested languages. `shared/messages.py` makes both when a path is shown.
    """

    th: str | None = None
    en: str | None = None
    messages: list[Message] = []


UNRENDERED = Reason()
"""The reason of a path that is not shown: without messages and sentences."""


class Closes(Struct, frozen=True, omit_defaults=True):
    """One gap that a step narrows: the level before and after the step, and the required level.

    `contribution`: what the step adds to the value of the path, in micro-levels; the contributions of all steps add up
    to `coverage.gained`. `confidence`: set if the course was matched to the skill by its description and nobody has
    confirmed it. Then the value is multiplied by the confidence, and the level counts neither as reached nor as an
    entry condition. `mapped_from`: the course's provider states this other skill, `framework/skill`, and a framework
    states that both are the same.
    """

    skill: str
    title: LocalizedText
    from_level: float = field(name="from")
    to_level: float = field(name="to")
    required: float
    weight: float
    contribution: int
    confidence: float | None = None
    mapped_from: str | None = None


class CourseCard(Struct, frozen=True, omit_defaults=True):
    """The facts about a course that a path shows."""

    id: str
    title: LocalizedText
    provider: LocalizedText
    hours: float
    languages: list[str]
    url: str | None = None


class Alternative(Struct, frozen=True):
    """A runner-up at a step. `score`: the micro-levels that it and its prerequisites gain per weighted hour."""

    course: CourseCard
    score: float


class UnlockCondition(Struct, frozen=True, omit_defaults=True):
    """An entry condition of a later course that a step itself satisfies.

    It is the `level` of a `skill`, or without these that the step's course is completed. `framework`: of the skill;
    None: that of the path. `title` None: the officer's tenant does not see that framework, or it lacks the skill.
    """

    skill: str | None = None
    title: LocalizedText | None = None
    level: float | None = None
    framework: str | None = None


class Step(Struct, frozen=True, omit_defaults=True):
    """One course of the path. `score`: the micro-levels per weighted hour of the closure with which it was added.

    `similarity`: the cosine of the levels gained and the values of the gaps, 0 to 1. `unlocks`: later courses of the
    path that cannot be entered without this one, directly or because a course that they need then cannot be entered;
    `unlock_conditions`: {course: its entry condition that this step itself satisfies}. `alternatives`: the runners-up
    of this course, none of which is in the path; a prerequisite that was added with another course has none. `origin`:
    why the course was added if not for its value; a prerequisite has the origin of the course that it was added for.
    """

    position: int
    course: CourseCard
    closes: list[Closes]
    requires: list[Prerequisite]
    reason: Reason
    similarity: float
    score: float
    cumulative_hours: float
    alternatives: list[Alternative] = []
    unlocks: list[str] = []
    unlock_conditions: dict[str, UnlockCondition] = {}
    origin: Literal["started", "mandatory", "pinned"] | None = None


class Gap(Struct, frozen=True):
    """One requirement with the officer's current level and standard deviation, and the level after the path."""

    skill: str
    title: LocalizedText
    area: str
    level: float
    sd: float
    assessed: bool
    required: float
    reached: float
    weight: float


class CourseName(Struct, frozen=True):
    """A course by its id and title."""

    id: str
    title: LocalizedText


class OpenGap(Struct, frozen=True, omit_defaults=True):
    """A requirement that the path does not reach, and the cause.

    `nearest`: the course that would raise the skill next if it were allowed; `exclusion`: why it is not allowed. With a
    `confidence`, `nearest` is only matched to the skill, up to `level`. `courses`: the shortest sequence found that
    could follow the path and raise the skill. If the budget is too small for the sequence, `hours` is its length and
    `missing_hours` how much the budget lacks; `at_most`: a shorter sequence was not ruled out.

    Causes: `little`: the sequence fits, and adds almost nothing. `too_small`: the gap is smaller than an assessment can
    measure. `kept`: a course would close the gap, and the path that the officer is studying stays as promised.
    `unconfirmed`: `nearest` is in the path, and nobody has confirmed that it raises the skill.
    """

    skill: str
    title: LocalizedText
    required: float
    reached: float
    cause: Literal["no_course", "budget", "little", "prerequisite", "excluded", "too_small", "kept", "unconfirmed"]
    reason: Reason
    courses: list[str] = []
    hours: float | None = None
    missing_hours: float | None = None
    at_most: bool = False
    nearest: CourseName | None = None
    exclusion: Literal["language", "rule", "feedback"] | None = None
    level: float | None = None
    confidence: float | None = None


class Coverage(Struct, frozen=True):
    """The share of the requirement, 0 to 1, that the officer holds `before` and `after` the path.

    `gap`: what the officer lacks before the path; `gained`: what the path closes of the gap; both in micro-levels.
    `after` and `gained` assume that every course is completed; `expected` is the gain at the usual completion rates,
    never more than `gained`.
    """

    before: float
    after: float
    gap: int
    gained: int
    expected: int


class Versions(Struct, frozen=True, omit_defaults=True):
    """The inputs that a path was computed from.

    `framework` is `id@version`; `feedback` and `rules` count from 1, 0: none.
    """

    profile: Whole
    framework: str
    catalog: Whole
    algorithm: str
    feedback: Whole = 0
    rules: Whole = 0


class AssessFirst(Struct, frozen=True, omit_defaults=True):
    """A required skill to be assessed.

    `first`: the gap is mostly uncertainty; an assessment may close as much as a course. `confirm`: the level comes from
    completed courses and was not assessed since; `measured`: the level before these courses. `matched`: a completed
    course leads, by its description and with this `confidence`, to `level`, and nobody has confirmed that.
    """

    skill: str
    title: LocalizedText
    reason: Reason
    kind: Literal["first", "confirm", "matched"] = "first"
    measured: float | None = None
    level: float | None = None
    confidence: float | None = None


class Note(Struct, frozen=True, omit_defaults=True):
    """A requested course (mandatory, pinned, started), or one of the previous path, that is not in this path.

    `unknown`: the catalog has no course with this id; `completed`: the officer has completed it. `does_not_fit`: with
    the course the path would exceed the budget by `missing_hours` (`at_most`: or by less); if these are null, it would
    have too many courses.
    """

    course: str
    kind: Literal["withdrawn", "unknown", "excluded", "unreachable", "does_not_fit"]
    reason: Reason
    title: LocalizedText | None = None
    completed: bool = False
    missing_hours: float | None = None
    at_most: bool = False


WhyNotCause = Literal[
    "no_path",
    "in_path",
    "completed",
    "feedback",
    "language",
    "rule",
    "unreachable",
    "nothing_left",
    "does_not_fit",
    "lower_value",
    "worse_overall",
    "kept",
    "unsure",
]


class WhyNot(Struct, frozen=True, omit_defaults=True):
    """Why a course is not in a path.

    `step`: where the course would have scored best; there its closure would have gained `gain` micro-levels in `hours`.
    `score`, `taken_score`: micro-levels per weighted hour of this closure, and of the closure that was chosen there.
    With `does_not_fit`, `hours` is the excess over the budget; `at_most`: a smaller excess was not ruled out.
    `confidence`: the highest confidence of its matches with gaps, if nobody has confirmed that it closes any of them.
    Causes: `no_path`: the officer has no path. `unsure`: the confidence is below what a path accepts.
    """

    course: str
    cause: WhyNotCause
    reason: Reason
    step: int | None = None
    gain: int | None = None
    hours: float | None = None
    score: float | None = None
    taken_score: float | None = None
    at_most: bool = False
    confidence: float | None = None


class Similar(Struct, frozen=True):
    """A course similar to another one; `similarity`: the cosine of the levels that both gain, 0 to 1."""

    course: CourseCard
    similarity: float


class Changes(Struct, frozen=True):
    """The changes from a first path to a second. `hours` and `coverage`: the difference, second minus first."""

    added: list[CourseCard]
    removed: list[CourseCard]
    moved: list[str]
    hours: float
    coverage: float


class Successor(Struct, frozen=True):
    """A skill or job group of the current framework version; `match`: how closely it corresponds to the former one."""

    id: str
    title: LocalizedText
    match: Literal["exact", "broader", "partial"]


class Succession(Struct, frozen=True, omit_defaults=True):
    """A skill, job group or stage that the framework no longer has, with its successors.

    A level of a skill without `successors` does not count; for a job group without `successors` no path can be planned.
    A stage never has any: what is required at every stage counts instead, and without such requirements no path can be
    planned. `title`: the name of the former skill, job group or stage. `surpassed`: the successors for which another
    level of the officer counts.
    """

    kind: Literal["skill", "job_group", "stage"]
    id: str
    successors: list[Successor] = []
    title: LocalizedText | None = None
    surpassed: list[str] = []


Status = Literal["ready", "provisional", "waiting_for_framework", "refused"]

PLANNED: frozenset[str] = frozenset({"ready", "provisional"})
"""The statuses of a path that was computed; the others state why there is none."""


class LearningPath(Struct, frozen=True, omit_defaults=True):
    """The answer to a recommendation. `reason` explains a path without steps, or the whole path.

    `over_budget_hours`: by how much started and mandatory courses exceed the budget. `short_hours`: how many more hours
    would close everything that courses can close; `short_at_most`: a smaller number was not ruled out. `kept`: the
    previous path stayed, because no other was notably better. `limited`: the search reached its work limit.
    `finishing`: the previous path stays as promised. `proved`: among the paths that consist of the weighed courses,
    hold the requested courses of this path, and take no more hours than the budget or this path, none closes more; if
    false, a better path was not ruled out. `refusal`: why no path may be given, for operators of the system.
    """

    status: Status
    job_group: str
    framework: str
    steps: list[Step]
    gaps: list[Gap]
    open: list[OpenGap]
    coverage: Coverage
    hours: float
    versions: Versions
    as_of: date
    reason: Reason
    stage: str | None = None
    budget_hours: float | None = None
    over_budget_hours: float | None = None
    short_hours: float | None = None
    short_at_most: bool = False
    assess_first: list[AssessFirst] = []
    notes: list[Note] = []
    kept: bool = False
    limited: bool = False
    finishing: bool = False
    proved: bool = False
    refusal: str | None = None
    successions: list[Succession] = []
