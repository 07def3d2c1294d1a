"""A learning path as it is answered, stored and pushed: ordered steps, each with its reasons; what stays open and why.

Coverage is about the requirement: the share of the weighted required levels that the officer is expected to hold.
Worth is counted in integer micro-levels (a millionth of weight x level), so that contributions add up exactly.
"""

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from shared.domain import LocalizedText, Prerequisite

Whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""A whole number that MongoDB keeps."""

Value = str | bool | int | float | LocalizedText


class Message(Struct, frozen=True):
    """A sentence by its code and the values that fill its template; see `shared/templates.json`."""

    code: str
    values: dict[str, Value] = {}


class Reason(Struct, frozen=True, omit_defaults=True):
    """Sentences: as messages, to be filled into templates of any language, and in the languages that were asked for.

    Whoever shows a path fills it in; see `shared/messages.py`. Paths of events of the first version have no messages.
    """

    th: str | None = None
    en: str | None = None
    messages: list[Message] = []


UNSAID = Reason()
"""The reason of what is not shown yet."""


class Closes(Struct, frozen=True, omit_defaults=True):
    """One gap that a step narrows: the level before and after it, what is required, and its share of the path's worth.

    `contribution` is in micro-levels; over all steps they add up to `coverage.gained`. `confidence`: the course is only
    matched to the skill by its description, and nobody has confirmed it; what it is worth counts times this, and the
    level counts neither as reached nor for any entry.
    """

    skill: str
    title: LocalizedText
    from_level: float = field(name="from")
    to_level: float = field(name="to")
    required: float
    weight: float
    contribution: int
    confidence: float | None = None


class CourseCard(Struct, frozen=True, omit_defaults=True):
    """What a reader sees of a course in a path."""

    id: str
    title: LocalizedText
    provider: LocalizedText
    hours: float
    languages: list[str]
    url: str | None = None


class Alternative(Struct, frozen=True):
    """A runner-up at a step, with what it is worth: micro-levels per weighted hour, its prerequisites' included."""

    course: CourseCard
    score: float


class UnlockCondition(Struct, frozen=True, omit_defaults=True):
    """The condition of a course's entry that a step makes true itself: a level of a skill, or having done the step."""

    skill: str | None = None
    title: LocalizedText | None = None
    level: float | None = None


class Step(Struct, frozen=True, omit_defaults=True):
    """One course of the path. `score`: micro-levels per weighted hour of the bundle that brought it in.

    `similarity`: cosine.

    `unlocks` names later courses of the path that cannot be entered if this one, and what then cannot be entered
    either, is left out; `unlock_conditions` says why, where the step itself makes a condition of theirs true. None of
    the `alternatives` is in the path; they belong to the course that was picked, not at the prerequisites that were
    picked with it. `origin`: what brought it in where that was not its worth; a prerequisite
    has the origin of what it was taken for.
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
    """One requirement with the officer's current level and sd, and the level after the path."""

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
    """A requirement that the path does not reach, and why not.

    `courses`: the shortest way found, from the end of the path, to a course that raises the skill. Where the hours do
    not suffice for it, `hours` are those it takes, `missing_hours` those that are missing; with `at_most` a shorter way
    was not ruled out. `little`: there is room for it, and it adds next to nothing. `too_small`: what is missing is
    less than an assessment measures. `kept`: a course would close it, and the path that is being studied stays as it
    was promised. `unconfirmed`: `nearest` is in the path, and nobody has confirmed that it raises the skill. `nearest`:
    the course that would raise it next, if it could be used; `barred`: why it is not used. With a `confidence` it is
    only matched to the skill, up to `level`.
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
    barred: Literal["language", "rule", "feedback"] | None = None
    level: float | None = None
    confidence: float | None = None


class Coverage(Struct, frozen=True, omit_defaults=True):
    """Shares of the requirement held (0 to 1) before and after; `gap` and what of it is `gained`, in micro-levels.

    `after` and `gained` are those of every course completed; `expected` is what is gained as courses are usually
    completed, never more. Paths made before it was reckoned have none.
    """

    before: float
    after: float
    gap: int
    gained: int
    expected: int | None = None


class Versions(Struct, frozen=True, omit_defaults=True):
    """What a path was computed from. `framework` is `id@version`; `feedback` and `rules` count from 1, 0: none."""

    profile: Whole
    framework: str
    catalog: Whole
    algorithm: str
    feedback: Whole = 0
    rules: Whole = 0


class AssessFirst(Struct, frozen=True, omit_defaults=True):
    """A required skill to be assessed. `first`: its gap is mostly doubt, and an assessment may do as much as a course.

    `confirm`: its level is that of completed courses, and was not assessed since; `measured`: the level before them.
    `matched`: a completed course leads to `level` by its description, with this `confidence`, and was not confirmed.
    """

    skill: str
    title: LocalizedText
    reason: Reason
    kind: Literal["first", "confirm", "matched"] = "first"
    measured: float | None = None
    level: float | None = None
    confidence: float | None = None


class Note(Struct, frozen=True, omit_defaults=True):
    """A course that was wanted (mandatory, pinned, started) or was in the previous path, and is not in this one.

    `unknown`: no course of this id is in the catalog; also used for a `completed` one. `does_not_fit`: by so
    many hours, with `at_most` no more than these; without hours, because the path may hold no more courses.
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
    """Why a course is not in a path. At its best `step` its bundle would have gained so many micro-levels in `hours`.

    `score` and `taken_score`: micro-levels per weighted hour of its bundle, and of what was taken there. With
    `does_not_fit`, `hours` are those that are missing. `at_most`: fewer hours were not ruled out. `no_path`: there is
    no path that a course could be missing from. `confidence`: what it teaches of the gaps is only matched to it, this
    surely at most; `unsure`: less surely than may enter a path.
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
    """A course that teaches alike; `similarity`: cosine, 0 to 1."""

    course: CourseCard
    similarity: float


class Changes(Struct, frozen=True):
    """What a second path changes against a first. `hours` and `coverage`: by how much more, or less."""

    added: list[CourseCard]
    removed: list[CourseCard]
    moved: list[str]
    hours: float
    coverage: float


class Successor(Struct, frozen=True):
    """A skill or a job group of the present version of a framework; `match`: how far it is the former one."""

    id: str
    title: LocalizedText
    match: Literal["exact", "broader", "partial"]


class Succession(Struct, frozen=True, omit_defaults=True):
    """What the officer was assessed in, or registered under, and the framework no longer has; and what counts instead.

    Without `successors` the level does not count; without a job group or a stage no path can be planned. `title`: what
    the former one was called.
    """

    kind: Literal["skill", "job_group", "stage"]
    id: str
    successors: list[Successor] = []
    title: LocalizedText | None = None


Status = Literal["ready", "provisional", "waiting_for_framework", "refused"]


class LearningPath(Struct, frozen=True, omit_defaults=True):
    """The answer to a recommendation. `reason` explains a path without steps, or the whole path.

    `over_budget_hours`: by how much what is started or mandatory exceeds the budget. `short_hours`: how many hours more
    it would take to close all that courses can close; with `short_at_most` fewer were not ruled out. `kept`: the
    previous path stayed, because no other was worth notably more. `limited`: the search ended at its limit.
    `finishing`: the previous path stays as it was promised. `refusal`: why no path may be given, for
    operators of the system.
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
    refusal: str | None = None
    successions: list[Succession] = []
