"""Sessions as they are stored, requested and answered."""

import hashlib
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from services.assessment.item_bank.model import ItemKind, OptionText, StemText
from services.assessment.measurement.stopping import StopReason
from shared.domain import Identifier, LocalizedText, key_of

SessionEnding = Literal["complete", "item_limit", "time_limit", "stopped", "left"]


# --- as it is stored -------------------------------------------------------------------------------------------------


class SessionSkill(Struct, frozen=True):
    """A skill to be measured; `required` and `weight` come from the officer's job group, if it requires the skill."""

    skill: str
    required: float | None = None
    weight: float = 0.0


class SessionPlan(Struct, frozen=True):
    """The fixed part of a session, which later versions of the bank or the framework do not change.

    `request`: the digest of the request that started the session.
    """

    id: str
    tenant: str
    officer: str
    framework: str
    bank_owner: str
    bank: str
    bank_version: int
    scale: list[float]
    skills: list[SessionSkill]
    seed: int
    max_items: int
    seconds_per_item: int | None
    seconds: int | None
    started_at: datetime
    request: str

    @property
    def officer_key(self) -> str:
        """The key of the officer: `tenant/officer`."""
        return key_of(self.tenant, self.officer)

    @property
    def key(self) -> str:
        """The key of the session: `tenant/officer/session`."""
        return f"{self.officer_key}/{self.id}"

    @property
    def bank_key(self) -> str:
        """The key of the bank version: `owner/bank@version`."""
        return f"{key_of(self.bank_owner, self.bank)}@{self.bank_version}"


class ShownItem(Struct, frozen=True):
    """The item that is waiting for an answer."""

    item: str
    skill: str
    shown_at: datetime


class SessionAnswer(Struct, frozen=True):
    """One item that was shown, in the order of the list; its position, counted from 1, is its `sequence`.

    `response`: the index of the chosen option, null if no answer came in time. `score`: equal to the response for a
    graded item; 1 for the right option of a choice item and 0 for another one.
    """

    item: str
    skill: str
    shown_at: datetime
    answered_at: datetime
    response: int | None
    score: int | None


class SkillResult(Struct, frozen=True):
    """The result of one skill. Levels are on the framework's scale; without answers, `level` to `reached` are null.

    `level` is the posterior mean, `sd` its standard deviation; the level is between `low_68` and `high_68` with a
    probability of 68 %, and between `low_95` and `high_95` with 95 %. `reached`: the probability that the level is
    `required` or above. `reason`: why the skill needs no more items, null while it continues or if the session ended
    before. `precise`: whether the sd is at most 0.4 steps of the scale, the target of a session.
    """

    skill: str
    answered: int
    required: float | None = None
    level: float | None = None
    sd: float | None = None
    low_68: float | None = None
    high_68: float | None = None
    low_95: float | None = None
    high_95: float | None = None
    reached: float | None = None
    precise: bool = False
    reason: StopReason | None = None


class SessionEnd(Struct, frozen=True):
    """How and when a session ended, and its results."""

    ending: SessionEnding
    ended_at: datetime
    skills: list[SkillResult]


class Session(Struct, frozen=True):
    """The stored state of a session. `revision` counts its changes; `stopped`: {skill: why it needs no more items}.

    `settled`: the session has ended, and its results are in the profile with `profile_sequence` (null: nothing was
    measured). `due_at`: when the session ends by itself, or when its results are submitted again; null once it is
    settled.
    """

    plan: SessionPlan
    revision: int
    answers: list[SessionAnswer]
    current: ShownItem | None
    stopped: dict[str, StopReason]
    end: SessionEnd | None = None
    settled: bool = False
    due_at: datetime | None = None
    profile_sequence: int | None = None


# --- what clients send and get ---------------------------------------------------------------------------------------


class StartSession(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The options of a new session.

    `framework` missing means the officer's own; `skills` missing means those that the officer's job group requires.
    `max_items`: how many items at most. `seconds_per_item`, `seconds`: time limits, of each item and of the session.
    """

    framework: Identifier | None = None
    skills: Annotated[list[Identifier], Meta(min_length=1, max_length=200)] | None = None
    max_items: Annotated[int, Meta(ge=1, le=300)] = 60
    seconds_per_item: Annotated[int, Meta(ge=5, le=3600)] | None = None
    seconds: Annotated[int, Meta(ge=30, le=86_400)] | None = None


class SubmitAnswer(Struct, frozen=True, forbid_unknown_fields=True):
    """The answer to the item at `sequence`: the index of an option, counted from 0."""

    item: Identifier
    response: Annotated[int, Meta(ge=0, le=9)]
    sequence: Annotated[int, Meta(ge=1, le=300)]


class SessionItem(Struct, frozen=True):
    """The item to answer now, without the right option.

    `seconds_left`: of the item's limit, or of the session's if that ends first; null without a limit.
    """

    id: str
    sequence: int
    skill: str
    kind: ItemKind
    stem: StemText
    options: list[OptionText]
    seconds_left: float | None


class SessionSummary(Struct, frozen=True):
    """The progress of a session: how many items were shown and answered, and at how many it ends.

    `skills_measured`: how many of its `skills` need no more items.
    """

    shown: int
    answered: int
    max_items: int
    skills_measured: int
    skills: int


class SessionResult(Struct, frozen=True):
    """The result of a finished session.

    `not_precise`: the skills whose sd is above the target, except those not asked about any more because it is certain
    whether the requirement is reached. `accepted`: the measured levels are in the officer's profile with
    `profile_sequence`, as the assessment `assessment_id`; both are null if nothing was measured. While `accepted` is
    false, the levels are stored; they are added to the profile shortly after.
    """

    ending: SessionEnding
    explanation: LocalizedText
    ended_at: datetime
    skills: list[SkillResult]
    not_precise: list[str]
    assessment_id: str | None
    profile_sequence: int | None
    accepted: bool


class SessionStep(Struct, frozen=True):
    """A session after a start, an answer or a stop: its next item, or its result."""

    session: str
    officer: str
    status: Literal["open", "finished"]
    item: SessionItem | None
    progress: SessionSummary
    result: SessionResult | None


class AskedItem(Struct, frozen=True):
    """An item that was shown before. `response`: the index of the chosen option, null if no answer came in time."""

    sequence: int
    item: str
    skill: str
    response: int | None
    answered_at: datetime


class SessionDetail(Struct, frozen=True):
    """A whole session: the items asked, the current estimates, and the item to answer or the result."""

    session: str
    officer: str
    status: Literal["open", "finished"]
    framework: str
    bank: str
    bank_version: int
    started_at: datetime
    item: SessionItem | None
    progress: SessionSummary
    asked: list[AskedItem]
    skills: list[SkillResult]
    result: SessionResult | None


class SessionRow(Struct, frozen=True):
    """A session in a list. `answered`: how many items. `ending` and `profile_sequence` are null while it is open."""

    session: str
    status: Literal["open", "finished"]
    framework: str
    started_at: datetime
    answered: int
    ending: SessionEnding | None
    profile_sequence: int | None


class SessionList(Struct, frozen=True):
    """An officer's sessions, the newest first. `next` is the `after` of the next page, null on the last one."""

    sessions: list[SessionRow]
    next: str | None


class ListSessions(Struct, frozen=True, forbid_unknown_fields=True):
    """How many sessions to list, and after which session."""

    after: Annotated[str, Meta(max_length=64)] = ""
    limit: Annotated[int, Meta(ge=1, le=100)] = 20


def submission_key(plan: SessionPlan) -> str:
    """Return the idempotency key of a session's result; it contains a space, so no client can send it."""
    return f"session {plan.id}"


def digest_of_request(body: StartSession) -> str:
    """Return a digest of the options of a new session, to tell a repeated request from a different one."""
    return hashlib.sha256(msgspec.json.encode(body)).hexdigest()
