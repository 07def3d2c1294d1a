"""The document that stores an officer's plan, and the types of its parts."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from pymongo import InsertOne, UpdateOne

from services.recommender.feedback import Feedback
from services.recommender.path_summary import path_summary
from services.recommender.provenance import InputsRecord, PlanHead
from shared.compact_paths import CompactCoverage, Title, alternatives
from shared.domain import Profile
from shared.events import NAMES, Cause, Envelope, PathAnnounced, PathHead, PathRecommended, PathStored, new_event
from shared.outbox import outbox_insert_held, outbox_push_held
from shared.paths import MICRO, Status

Document = dict[str, Any]

SOURCE = "/recommender"
KEY_RETENTION = timedelta(hours=24, minutes=5)
"""How long an Idempotency-Key of feedback is stored: the 24 hours that are promised, and a margin for clocks."""

FEWEST_KEYS, MOST_KEYS = 200, 2000
"""How many idempotency keys are kept per officer: at least the newest 200, however old they are, and at most 2,000."""

REPLAN_AFTER = timedelta(days=7)
"""The time after which a path with a deadline is planned again."""

HEAD: Document = dict.fromkeys(PlanHead.__struct_fields__, 1)
ANNOUNCED = "announced"
"""The field with the data of the newest event, in bytes: the path as it is stored (PathAnnounced)."""

SUMMARY = "measures"
"""The field with the figures of the path (PathSummary)."""

PATH: Document = {"revision": 1, ANNOUNCED: 1, "alternatives": 1}
"""The fields from which a path is read."""

RunnersUp = list[tuple[str, float]]
"""The ids and scores of the courses that were not chosen for one step."""

PLAN: Document = {**HEAD, **PATH, "profile": 1, "feedback": 1}
PLAN_WITH_KEYS: Document = {**PLAN, "feedback_keys": 1}


@dataclass(frozen=True, slots=True)
class PlanBase:
    """What a new plan is based on: the head of the plan before it, and the officer's feedback."""

    head: PlanHead
    feedback: Feedback


@dataclass(frozen=True, slots=True)
class NewPlan:
    """A plan to save over `based_on` (None: the officer has no plan yet). `event` is the path as it is announced.

    `partition`: the one of Kafka that the profile was read from; None: the stored one stays. `record` holds what the
    path was computed from; without one the path cannot be recomputed, and has no steps.
    """

    partition: int | None
    profile: Profile
    event: PathRecommended
    based_on: PlanHead | None
    traceparent: str | None = None
    record: InputsRecord | None = None
    feedback: Feedback | None = None

    @property
    def head(self) -> PlanHead:
        """The head of the document once the plan is saved; `feedback_sequence` is 0 without a record."""
        path, record = self.event.path, self.record
        return PlanHead(
            profile_sequence=self.profile.sequence,
            revision=self.event.revision,
            tenant=self.profile.tenant,
            considered=path.versions.catalog,
            framework=path.versions.framework,
            courses=[step.course.id for step in path.steps],
            open_skills=[f"{path.framework}/{gap.skill}" for gap in path.open],
            feedback_sequence=record.feedback.sequence if record else 0,
            rules=record.rules_version if record else 0,
        )


class IdempotencyRecord(msgspec.Struct, frozen=True):
    """The Idempotency-Key (`id`) of stored feedback, with the digest of the request's body and the time.

    `feedback_sequence`, `revision` and `stale` are the answer, which a repeated request gets again.
    """

    id: str
    digest: str
    feedback_sequence: int
    revision: int
    stale: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """A stored plan: its inputs and the path as announced, with the alternatives of its steps (`runners_up`).

    `keys`: the idempotency keys of accepted feedback, oldest first. Only `PlanStore.find` reads them; otherwise the
    list is empty.
    """

    profile: Profile
    announced: PathAnnounced
    head: PlanHead
    feedback: Feedback
    runners_up: list[RunnersUp] = field(default_factory=list)
    keys: list[IdempotencyRecord] = field(default_factory=list)

    def count_retained_keys(self, now: datetime) -> int:
        """Return how many of the newest keys to keep when another key is added at the time `now`."""
        since = now - KEY_RETENTION
        old = next((i for i, key in enumerate(self.keys) if key.at > since), len(self.keys))
        return min(max(len(self.keys) - old, FEWEST_KEYS - 1), len(self.keys))


def envelope_of(plan: NewPlan) -> Envelope:
    """Return the event that announces a plan."""
    event = PathAnnounced.of(plan.event)
    return new_event(SOURCE, plan.profile.key, event.revision, event, plan.traceparent)


def write_of(plan: NewPlan, envelope: Envelope, key: Document | None = None) -> InsertOne[Document] | UpdateOne:
    """Return the single write that saves a plan with its event.

    It is an insert if the officer has no plan, otherwise an update that changes nothing once `based_on` is out of date.
    `key`: `pushed` of the feedback that caused the plan.
    """
    fields = _fields(plan, envelope.data or b"")
    if plan.based_on is None:
        return InsertOne({"_id": plan.profile.key, **fields, **outbox_insert_held(envelope, ANNOUNCED)})
    update = outbox_push_held(envelope, ANNOUNCED)
    update["$set"] |= fields
    if key is not None:
        update["$push"] |= key
    if plan.record is None:
        update["$unset"] = {"inputs": ""}
    return UpdateOne(unchanged(plan.profile.key, plan.based_on), update)


def reduced(envelope: Envelope) -> Envelope | None:
    """Return the event that is sent instead of a path too large to send; None for a tombstone, which has no data."""
    if envelope.data is None:
        return None
    stored = msgspec.json.decode(envelope.data, type=PathStored)
    return msgspec.structs.replace(envelope, type=NAMES[PathStored], data=msgspec.json.encode(stored))


def _fields(plan: NewPlan, announced: bytes) -> Document:
    path = plan.event.path
    fields: Document = {
        **msgspec.structs.asdict(plan.head),
        "officer": plan.profile.officer,
        "agency": plan.profile.agency,
        "profile": msgspec.json.encode(plan.profile),
        ANNOUNCED: announced,
        "alternatives": msgspec.json.encode(alternatives(path)),
        "framework_id": path.framework,
        "status": path.status,
        SUMMARY: msgspec.json.encode(path_summary(path)),
        "replan_at": replan_at(plan.profile, path.as_of),
        "planned_at": datetime.now(UTC),
    }
    del fields["feedback_sequence"]  # it changes with the feedback alone
    if plan.partition is not None:
        fields["partition"] = plan.partition
    if plan.record is not None:
        fields["inputs"] = msgspec.json.encode(plan.record)
    if plan.feedback is not None:
        fields |= {"feedback": msgspec.json.encode(plan.feedback), "feedback_sequence": plan.feedback.sequence}
    return fields


def pushed(key: IdempotencyRecord, earlier: int) -> Document:
    """Return the `$push` that stores a key and keeps the newest `earlier` ones before it."""
    return {"feedback_keys": {"$each": [msgspec.to_builtins(key)], "$slice": -(earlier + 1)}}


def replan_at(profile: Profile, as_of: date) -> datetime | None:
    """Return when a path is replanned because of its deadline.

    None if the profile has no deadline or no weekly hours, or if the deadline has passed.
    """
    if profile.deadline is None or profile.weekly_hours is None or profile.deadline <= as_of:
        return None
    return datetime.now(UTC) + REPLAN_AFTER


def unchanged(key: str, head: PlanHead) -> Document:
    """Return the query that matches the plan of an officer's key only while its counters are those of `head`."""
    feedback_sequence = head.feedback_sequence
    return {
        "_id": key,
        "profile_sequence": head.profile_sequence,
        "revision": head.revision,
        "feedback_sequence": feedback_sequence or {"$in": [0, None]},
    }


def head_of(document: Document) -> PlanHead:
    """Return the head in a document that was read with HEAD."""
    return msgspec.convert(document, PlanHead)


def feedback_of(document: Document) -> Feedback:
    """Return the feedback in a document; for an erased officer only its sequence."""
    stored = document.get("feedback")
    if stored is None:
        return Feedback(document.get("feedback_sequence") or 0)
    return msgspec.json.decode(stored, type=Feedback)


class PathVersion(NamedTuple):
    """Which path is stored: its revision, and when it was planned."""

    revision: int
    planned_at: datetime


class FoundPath(NamedTuple):
    """A stored path. `document`: at least the fields named in PATH; empty if the caller has rendered this version."""

    version: PathVersion
    head: PlanHead
    document: Document


def announced_of(document: Document) -> PathAnnounced:
    """Return the path in a document that was read with PATH, as it is stored and announced."""
    return msgspec.json.decode(document[ANNOUNCED], type=PathAnnounced)


def event_of(document: Document) -> PathRecommended:
    """Return the path in a document that was read with PATH, with its derived fields."""
    return announced_of(document).recommended()


class PastCourse(msgspec.Struct, frozen=True, array_like=True):
    """The first fields of a CompactStep; the others are not decoded."""

    course: str
    title: Title
    provider: int
    hours: float


class PastFigures(msgspec.Struct, frozen=True):
    """The fields of a CompactPath that a list of paths shows; the others are not decoded."""

    coverage: CompactCoverage
    status: Status = "ready"
    steps: list[PastCourse] = []

    @property
    def hours(self) -> float:
        """The hours of the path, as in LearningPath."""
        return sum(round(step.hours * MICRO) for step in self.steps) / MICRO


class PastPath(PathHead, frozen=True):
    """What a list of an officer's paths shows of one of them."""

    cause: Cause
    planned_at: datetime
    path: PastFigures


def past_path_of(document: Document) -> PastPath:
    """Return what a list shows of the path in a document that was read with ANNOUNCED.

    It takes a tenth of the time that `event_of` takes.
    """
    return msgspec.json.decode(document[ANNOUNCED], type=PastPath)


def runners_up_of(document: Document) -> list[RunnersUp]:
    """Return for each step the ids and scores of its alternatives, from a document that was read with PATH."""
    return msgspec.json.decode(document["alternatives"], type=list[RunnersUp])


def plan_of(document: Document) -> StoredPlan:
    """Return the plan in a document that was read with PLAN."""
    return StoredPlan(
        msgspec.json.decode(document["profile"], type=Profile),
        announced_of(document),
        head_of(document),
        feedback_of(document),
        runners_up_of(document),
        msgspec.convert(document.get("feedback_keys") or [], list[IdempotencyRecord]),
    )


def is_stored(plan: NewPlan, head: PlanHead | None) -> bool:
    """Return whether the stored plan with this head is `plan`: all its counters are the same."""
    if head is None:
        return False
    before = plan.based_on.feedback_sequence if plan.based_on else 0
    feedback_sequence = plan.feedback.sequence if plan.feedback else before
    return (head.profile_sequence, head.revision, head.feedback_sequence) == (
        plan.profile.sequence,
        plan.event.revision,
        feedback_sequence,
    )
