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
    """Sentences as messages, which fill the templates of any language, and rendered in the requested languages.

    `shared/messages.py` renders them when a path is shown. Paths of events of the first version have no messages.
    """

    th: str | None = None
    en: str | None = None
    messages: list[Message] = []


UNRENDERED = Reason()
"""The reason of a path that is not shown: without messages and sentences."""


class Closes(Struct, frozen=True, omit_defaults=True):
    """One gap that a step narrows: the level before and after it, the required level, and its share of the value.

    `contribution` is in micro-levels; the contributions of all steps add up to `coverage.gained`. `confidence`: the
    course was matched to the skill by its description and nobody has confirmed it; its value is multiplied by this, and
    the level counts neither as reached nor as an entry condition. `mapped_from`: the course's provider states this
    skill, `framework/skill`, and a framework states that both are the same.
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
    """A runner-up at a step, with its score: micro-levels per weighted hour, its prerequisites included."""

    course: CourseCard
    score: float


class UnlockCondition(Struct, frozen=True, omit_defaults=True):
    """An entry condition of another course that a step satisfies itself: a level of a skill, or its completion."""

    skill: str | None = None
    title: LocalizedText | None = None
    level: float | None = None


class Step(Struct, frozen=True, omit_defaults=True):
    """One course of the path. `score`: micro-levels per weighted hour of the prerequisite closure that added it.

    `similarity`: cosine, 0 to 1.

    `unlocks`: later courses of the path that cannot be entered if this one, and the courses that then fail too, are
    left out; `unlock_conditions` gives the reason if the step itself satisfies one of their conditions. No course of
    the path is among the `alternatives`; they belong to the course that was picked, not to the prerequisites added with
    it. `origin`: why the course was added if not for its value; a prerequisite has the origin of the course that it was
    added for.
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

    `courses`: the shortest sequence found, from the end of the path, to a course that raises the skill. If the budget
    does not suffice, `hours` is its length and `missing_hours` the excess; `at_most`: a shorter sequence was not ruled
    out. `little`: it fits, and adds almost nothing. `too_small`: the gap is smaller than an assessment can measure.
    `kept`: a course would close it, and the path that the officer is studying stays as promised. `unconfirmed`:
    `nearest` is in the path, and nobody has confirmed that it raises the skill. `nearest`: the course that would raise
    it next if it were allowed; `exclusion`: why it is not. With a `confidence` it is only matched to the skill, up to
    `level`.
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


class Coverage(Struct, frozen=True, omit_defaults=True):
    """Shares of the requirement held (0 to 1) before and after; `gap` and the part `gained` of it, in micro-levels.

    `after` and `gained` assume that every course is completed; `expected` is the gain at the usual completion rates,
    never more than `gained`. Paths stored before it was computed have none.
    """

    before: float
    after: float
    gap: int
    gained: int
    expected: int | None = None


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

    `first`: its gap is mostly uncertainty; assessing it may close as much as a course. `confirm`: its level comes from
    completed courses and was not assessed since; `measured`: the level before them. `matched`: a completed course leads
    to `level` by its description, with this `confidence`, unconfirmed.
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

    `unknown`: the catalog has no course with this id; also used for a `completed` one. `does_not_fit`: it exceeds the
    budget by `missing_hours` (with `at_most`, by no more than that); without them, it would have too many courses.
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
    """Why a course is not in a path. At its best `step` its closure would have gained so many micro-levels in `hours`.

    `score` and `taken_score`: micro-levels per weighted hour of its closure, and of the closure chosen there. With
    `does_not_fit`, `hours` is the excess over the budget; `at_most`: a smaller excess was not ruled out. `no_path`: the
    officer has no path. `confidence`: an upper bound on the confidence that it teaches one of the gaps, if it is only
    matched to them; `unsure`: that is below what a path accepts.
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
    """A course with similar learning outcomes; `similarity`: cosine, 0 to 1."""

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

    Without `successors` the level does not count; without a job group or stage no path can be planned. `title`: the
    name of the former one.
    """

    kind: Literal["skill", "job_group", "stage"]
    id: str
    successors: list[Successor] = []
    title: LocalizedText | None = None


Status = Literal["ready", "provisional", "waiting_for_framework", "refused"]

PLANNED: frozenset[str] = frozenset({"ready", "provisional"})
"""The statuses of a path that was computed; the others state why there is none."""


class LearningPath(Struct, frozen=True, omit_defaults=True):
    """The answer to a recommendation. `reason` explains a path without steps, or the whole path.

    `over_budget_hours`: by how much started and mandatory courses exceed the budget. `short_hours`: how many more hours
    would close everything that courses can close; `short_at_most`: a smaller number was not ruled out. `kept`: the
    previous path stayed, because no other was notably better. `limited`: the search reached its work limit.
    `finishing`: the previous path stays as promised. `proved`: no path closes more that consists of the courses that
    were weighed, holds this path's requested courses, and takes no more hours than the budget or this path; without it
    a better one was not ruled out. `refusal`: why no path may be given, for operators of the system.
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
