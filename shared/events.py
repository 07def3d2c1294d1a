"""The events between the services, and their CloudEvents 1.0 form on Kafka (binary mode out; binary and structured in).

An event is a past fact that carries the whole present state of its subject, so a reader needs nothing else and a newer
one supersedes an older one. `sequence` orders the events of one subject. A record without a value is a tombstone.
Within a version changes are additive: readers ignore fields that they do not know.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Literal, NamedTuple
from uuid import uuid4

import msgspec
from msgspec import Struct

from shared.errors import Rejected
from shared.paths import LearningPath
from shared.skills import Course, Framework, Profile

PROFILES_TOPIC = "assessment.profiles"
CATALOG_TOPIC = "catalog.state"
PATHS_TOPIC = "recommender.paths"


class TopicPlan(NamedTuple):
    """What a topic has to be; `deploy/topics.yaml`, from which topics are created, says the same."""

    partitions: int
    cleanup_policy: str


TOPICS = {
    PROFILES_TOPIC: TopicPlan(24, "compact"),
    f"{PROFILES_TOPIC}.dead": TopicPlan(1, "delete"),
    CATALOG_TOPIC: TopicPlan(1, "compact"),
    PATHS_TOPIC: TopicPlan(24, "compact"),
}


def planned_topics(name_on_broker: Callable[[str], str], *topics: str) -> dict[str, TopicPlan]:
    """Return what these topics, and their dead-letter topics, have to be, by their names on the broker."""
    wanted = [name for topic in topics for name in (topic, f"{topic}.dead") if name in TOPICS]
    return {name_on_broker(name): TOPICS[name] for name in wanted}


AssessmentKind = Literal["test", "self", "supervisor", "external"]
Cause = Literal["assessment", "officer", "catalogue", "framework", "request", "feedback", "rules", "deadline"]


class AssessmentCompleted(Struct, frozen=True):
    """An officer was assessed; `profile` is the whole profile that resulted."""

    profile: Profile
    assessment_id: str
    kind: AssessmentKind
    taken_at: datetime


class OfficerChanged(Struct, frozen=True):
    """An officer was registered, or moved to another job group, agency, stage, language, pace or deadline."""

    profile: Profile


class OfficerErased(Struct, frozen=True):
    """Everything about this officer is to be forgotten but the counters."""

    tenant: str
    officer: str


class CoursePublished(Struct, frozen=True):
    """A course is new or changed."""

    tenant: str
    course: Course


class CourseWithdrawn(Struct, frozen=True):
    """A course is no longer offered."""

    tenant: str
    course: str


class FrameworkPublished(Struct, frozen=True):
    """A framework is new or changed; `framework.version` counts its changes."""

    tenant: str
    framework: Framework


class PathRecommended(Struct, frozen=True):
    """An officer's path is new. `revision` is one more with every new path; `cause` is what made it change."""

    tenant: str
    officer: str
    revision: int
    cause: Cause
    planned_at: datetime
    path: LearningPath


Data = (
    AssessmentCompleted
    | OfficerChanged
    | OfficerErased
    | CoursePublished
    | CourseWithdrawn
    | FrameworkPublished
    | PathRecommended
)

TYPES: dict[str, type[Data]] = {
    "assessment.completed.v1": AssessmentCompleted,
    "officer.changed.v1": OfficerChanged,
    "officer.erased.v1": OfficerErased,
    "course.published.v1": CoursePublished,
    "course.withdrawn.v1": CourseWithdrawn,
    "framework.published.v1": FrameworkPublished,
    "path.recommended.v1": PathRecommended,
}
NAMES: dict[type[Data], str] = {shape: name for name, shape in TYPES.items()}
TOMBSTONE = "tombstone"
"""The type of a record without a value: its subject is erased. Not a CloudEvents type; it only labels the outbox."""

_STRUCTURED = "application/cloudevents+json"


class Event(Struct, frozen=True):
    """One event: its CloudEvents attributes and its data; `data` is None in a tombstone.

    `catalogue_revision` is stamped by the relay on records of `catalog.state` and is 0 elsewhere.
    """

    id: str
    type: str
    source: str
    subject: str
    time: datetime
    sequence: int
    data: Data | None
    traceparent: str | None = None
    catalogue_revision: int = 0


class Envelope(Struct, frozen=True):
    """An event with its data already encoded: what the outbox holds and the relay sends."""

    id: str
    type: str
    source: str
    subject: str
    time: datetime
    sequence: int
    data: bytes | None
    traceparent: str | None = None
    catalogue_revision: int = 0


def announce(source: str, subject: str, sequence: int, data: Data | None, traceparent: str | None = None) -> Envelope:
    """Return the envelope of a new event; `data` None makes a tombstone."""
    return Envelope(
        id=str(uuid4()),
        type=TOMBSTONE if data is None else NAMES[type(data)],
        source=source,
        subject=subject,
        time=datetime.now(UTC),
        sequence=sequence,
        data=None if data is None else msgspec.json.encode(data),
        traceparent=traceparent,
    )


def to_kafka(envelope: Envelope) -> tuple[bytes, bytes | None, list[tuple[str, bytes]]]:
    """Return key, value and headers of the Kafka record of an event, in CloudEvents binary mode."""
    attributes = {
        "specversion": "1.0",
        "id": envelope.id,
        "type": envelope.type,
        "source": envelope.source,
        "subject": envelope.subject,
        "time": envelope.time.isoformat().replace("+00:00", "Z"),
        "sequence": str(envelope.sequence),
    }
    if envelope.traceparent:
        attributes["traceparent"] = envelope.traceparent
    if envelope.catalogue_revision:
        attributes["cataloguerevision"] = str(envelope.catalogue_revision)
    headers = [(f"ce_{name}", value.encode()) for name, value in attributes.items()]
    if envelope.data is not None:
        headers.append(("content-type", b"application/json"))
    return envelope.subject.encode(), envelope.data, headers


def from_kafka(key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes]]) -> Event:
    """Return the event of a Kafka record, in either CloudEvents mode.

    Raises Rejected, with the reason, where the record is no event, its major version is unknown or its data is amiss.
    """
    texts = {name.lower(): raw.decode("utf-8", "replace") for name, raw in headers}
    if texts.get("content-type", "").startswith(_STRUCTURED):
        return _from_structured(value or b"")
    if value is None and "ce_type" not in texts:  # a plain tombstone, as any Kafka tool writes it
        subject = (key or b"").decode("utf-8", "replace")
        return Event("", TOMBSTONE, "", subject, datetime.now(UTC), 0, None)
    attributes = {name.removeprefix("ce_"): text for name, text in texts.items() if name.startswith("ce_")}
    return _event(attributes, value)


def _from_structured(value: bytes) -> Event:
    try:
        whole = msgspec.json.decode(value, type=dict[str, msgspec.Raw])
        data = whole.pop("data", None)
        attributes = {name: str(msgspec.json.decode(raw)) for name, raw in whole.items()}
    except msgspec.DecodeError as error:
        raise Rejected(f"not a structured CloudEvent: {error}") from error
    return _event(attributes, None if data is None else bytes(data))


def _event(attributes: Mapping[str, str], value: bytes | None) -> Event:
    missing = [
        name for name in ("specversion", "id", "type", "source", "subject", "sequence") if name not in attributes
    ]
    if missing:
        raise Rejected(f"not a CloudEvent: no attribute {', '.join(missing)}")
    if attributes["specversion"] != "1.0":
        raise Rejected(f"CloudEvents {attributes['specversion']!r} is not 1.0")
    name = attributes["type"]
    if name not in TYPES and not (name == TOMBSTONE and value is None):
        raise Rejected(f"unknown event type {name!r}")
    try:
        data = None if value is None or name == TOMBSTONE else msgspec.json.decode(value, type=TYPES[name])
        time = attributes.get("time")
        return Event(
            id=attributes["id"],
            type=name,
            source=attributes["source"],
            subject=attributes["subject"],
            time=msgspec.convert(time, datetime) if time else datetime.now(UTC),
            sequence=int(attributes["sequence"]),
            data=data,
            traceparent=attributes.get("traceparent"),
            catalogue_revision=int(attributes.get("cataloguerevision", "0")),
        )
    except (msgspec.ValidationError, msgspec.DecodeError, ValueError) as error:
        raise Rejected(f"{name}: {error}") from error
