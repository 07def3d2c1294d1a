"""The events between the services: their types and data, the topics, and the bounds of their numbers.

An event is a past fact with the complete current state of its subject, so a reader needs nothing else and a newer event
supersedes an older one. `sequence` orders the events of one subject. A record without a value is a tombstone. Within a
version, changes are additive: readers ignore unknown fields.

`shared/cloudevents.py` encodes and decodes events as Kafka records.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from random import Random
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from shared.compact_paths import CompactPath, compact, encoded, expanded
from shared.domain import Course, Framework, Identifier, Profile, key_of
from shared.errors import Rejected
from shared.paths import LearningPath

PROFILES_TOPIC = "assessment.profiles"
PROFILES_GROUP = "recommender"
"""The consumer group that plans a path for each profile; a bulk of profiles is sent as fast as the group reads it."""

CATALOG_TOPIC = "catalog.state"
PATHS_TOPIC = "recommender.paths"

MAX_VALUE_BYTES = 4 * 1024 * 1024
"""The most bytes of an event's value. A broker takes records of 1 MiB after compression; MongoDB documents of 16 MB."""

MAX_SEQUENCE = 1_000_000_000
"""The largest sequence, revision or version of one subject: a change every second for thirty years."""

MAX_JUMP = 100_000
"""How far a sequence may be above the last one known of its subject: an officer changed every hour for eleven years."""

MAX_STAMP = 100_000_000_000_000
"""The largest stamp of `catalog.state`."""

MAX_STAMP_JUMP = 10_000_000_000
"""How far a stamp may be above the last one used. Every attempt to send uses a stamp for each waiting event. If 500
events wait and two attempts are made each second, 115 days without a broker use this many stamps."""


YEARS = range(1900, 9999)
"""The years that dates of events may lie in."""

EARLIEST = datetime(YEARS[0], 1, 1, tzinfo=UTC)
"""The earliest time of evidence that is accepted, so that an event may hold it in any zone."""


class TopicPlan(NamedTuple):
    """The planned properties of a topic; `deploy/topics.yaml`, from which topics are created, has the same values."""

    partitions: int
    cleanup_policy: str


TOPICS = {
    PROFILES_TOPIC: TopicPlan(24, "compact"),
    f"{PROFILES_TOPIC}.dead": TopicPlan(1, "compact,delete"),
    CATALOG_TOPIC: TopicPlan(1, "compact"),
    PATHS_TOPIC: TopicPlan(24, "compact"),
}


def planned_topics(name_on_broker: Callable[[str], str], *topics: str) -> dict[str, TopicPlan]:
    """Return {name on the broker: plan} of these topics and of their dead-letter topics.

    `name_on_broker`: returns the name that a topic has on the broker.
    """
    wanted = [name for topic in topics for name in (topic, f"{topic}.dead") if name in TOPICS]
    return {name_on_broker(name): TOPICS[name] for name in wanted}


AssessmentKind = Literal["test", "self", "supervisor", "external"]
Cause = Literal["assessment", "officer", "catalog", "framework", "request", "feedback", "rules", "deadline"]


Counter = Annotated[int, Meta(ge=0, le=MAX_SEQUENCE)]


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
    """An officer was erased: consumers delete all data about the officer except counters."""

    tenant: Identifier
    officer: Identifier


class CoursePublished(Struct, frozen=True):
    """A course is new or changed."""

    tenant: Identifier
    course: Course


class CourseName(Struct, frozen=True):
    """The id of a course, without its other fields."""

    id: Identifier


class CourseHead(Struct, frozen=True):
    """The fields of CoursePublished that identify the course."""

    tenant: Identifier
    course: CourseName


class CourseWithdrawn(Struct, frozen=True):
    """A course is no longer offered."""

    tenant: Identifier
    course: Identifier


class FrameworkPublished(Struct, frozen=True):
    """A framework is new or changed; `framework.version` counts its changes."""

    tenant: Identifier
    framework: Framework


Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{16}$(?!\n)")]
"""Names the content of a framework: the first 16 digits of the SHA-256 of its JSON, without its version."""

MAX_PARTS = 1000


class FrameworkPart(Struct, frozen=True):
    """Some rows of a framework that is too large for one record; `content`: an object with fields of Framework.

    A version is assembled from its parts once FrameworkAnnounced has named them. A part never changes.
    """

    tenant: Identifier
    framework: Identifier
    version: Counter
    digest: Digest
    number: Annotated[int, Meta(ge=0, lt=MAX_PARTS)]
    content: msgspec.Raw

    @property
    def key(self) -> str:
        """The record key of the part: `tenant/framework:id@version-digest/number`."""
        return part_key(self.tenant, self.framework, self.version, self.digest, self.number)


class FrameworkAnnounced(Struct, frozen=True):
    """A framework that is new or changed and too large for one record. `parts`: the SHA-256 of each part's content."""

    tenant: Identifier
    framework: Identifier
    version: Counter
    digest: Digest
    parts: Annotated[
        list[Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]], Meta(min_length=1, max_length=MAX_PARTS)
    ]


def part_key(tenant: str, framework: str, version: int, digest: str, number: int) -> str:
    """Return the record key of one part of a framework version; see `FrameworkPart.key`."""
    return f"{key_of(tenant, f'framework:{framework}')}@{version}-{digest}/{number}"


class PathHead(Struct, frozen=True):
    """The fields of PathRecommended that a consumer needs to forward it without decoding the path."""

    tenant: Identifier
    officer: Identifier
    revision: Counter


class PathRecommended(PathHead, frozen=True):
    """An officer's path as it is shown. `revision` counts the officer's paths; `cause` is why the path changed."""

    cause: Cause
    planned_at: datetime
    path: LearningPath


class PathAnnounced(PathHead, frozen=True):
    """A new path of an officer: PathRecommended without sentences and derivable fields."""

    cause: Cause
    planned_at: datetime
    path: CompactPath

    @classmethod
    def of(cls, event: PathRecommended) -> "PathAnnounced":
        """Return the event in the form in which it is stored and announced."""
        return cls(event.tenant, event.officer, event.revision, event.cause, event.planned_at, compact(event.path))

    def recommended(self) -> PathRecommended:
        """Return the event with its derived fields, without sentences, which `messages.with_sentences` adds.

        Raises ValueError if the rows of the path do not fit together.
        """
        head = (self.tenant, self.officer, self.revision, self.cause, self.planned_at)
        return PathRecommended(*head, expanded(self.path))


class PathStored(PathHead, frozen=True):
    """An officer has a new path that is too large for an event: read it from the recommender."""

    cause: Cause
    planned_at: datetime


Data = (
    AssessmentCompleted
    | OfficerChanged
    | OfficerErased
    | CoursePublished
    | CourseWithdrawn
    | FrameworkPublished
    | FrameworkPart
    | FrameworkAnnounced
    | PathAnnounced
    | PathStored
)

TYPES: dict[str, type[Data]] = {
    "assessment.completed.v1": AssessmentCompleted,
    "officer.changed.v1": OfficerChanged,
    "officer.erased.v1": OfficerErased,
    "course.published.v1": CoursePublished,
    "course.withdrawn.v1": CourseWithdrawn,
    "framework.published.v1": FrameworkPublished,
    "framework.part.v1": FrameworkPart,
    "framework.published.v2": FrameworkAnnounced,
    "path.recommended.v2": PathAnnounced,
    "path.stored.v1": PathStored,
}
NAMES: dict[type[Data], str] = {shape: name for name, shape in TYPES.items()}
TOMBSTONE = "tombstone"
"""The type of a record without a value: its subject is erased. Not a CloudEvents type; it only labels the outbox."""

PATH_HEADS: dict[str, type[Struct]] = {
    "path.recommended.v2": PathHead,
    "path.stored.v1": PathStored,
}
"""The `shapes` for a reader that forwards paths without decoding them; see `from_kafka`."""

WITHOUT_COURSES: dict[str, type[Struct]] = {**TYPES, "course.published.v1": CourseHead}
"""The `shapes` for a reader of the catalog that uses its frameworks only."""


class Event(Struct, frozen=True):
    """One event: its CloudEvents attributes and its data; `data` is None in a tombstone.

    `sequence` is 0 in a tombstone without one. `catalog_revision` is set by the relay on records of `catalog.state`,
    and is 0 elsewhere.
    """

    id: str
    type: str
    source: str
    subject: str
    time: datetime
    sequence: int
    data: Data | None
    traceparent: str | None = None
    catalog_revision: int = 0


class Envelope(Struct, frozen=True, gc=False):
    """An event with its data already encoded, as the outbox stores it and the relay sends it."""

    id: str
    type: str
    source: str
    subject: str
    time: datetime
    sequence: int
    data: bytes | None
    traceparent: str | None = None
    catalog_revision: int = 0


_IDS = Random()  # noqa: S311 - ids are unique names and guard nothing; asking the system for each costs 20 µs
"""A random generator of this process alone, which no other code can seed."""


def encode(data: Data) -> bytes:
    """Return the JSON of an event's data."""
    if isinstance(data, PathAnnounced):
        return msgspec.json.encode({**msgspec.structs.asdict(data), "path": encoded(data.path)})
    return msgspec.json.encode(data)


def new_event(source: str, subject: str, sequence: int, data: Data | None, traceparent: str | None = None) -> Envelope:
    """Return the envelope of a new event; `data` None makes a tombstone."""
    return Envelope(
        id=_new_id(),
        type=TOMBSTONE if data is None else NAMES[type(data)],
        source=source,
        subject=subject,
        time=datetime.now(UTC),
        sequence=sequence,
        data=None if data is None else encode(data),
        traceparent=traceparent,
    )


def _new_id() -> str:
    """Return a random UUID, version 4, as text; `uuid.UUID` takes four times as long."""
    digits = f"{_IDS.getrandbits(128):032x}"
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


# --- what could have happened ----------------------------------------------------------------------------------------


def check_jump(subject: str, number: int, known: int, what: str = "sequence") -> None:
    """Check that a number is at most MAX_JUMP above the last known one of its subject (0: none is known).

    Otherwise one wrong record would make every later change look outdated. Raises Rejected.
    """
    if number > known + MAX_JUMP:
        raise Rejected(f"{what} {number} of {subject} is more than {MAX_JUMP} above {known}, the last one known")


def check_stamps(events: Iterable[Event], known: int) -> None:
    """Check that each stamp of `catalog.state` is at most MAX_STAMP_JUMP above the highest one before it.

    More stamps cannot have been used in between. `known`: the highest stamp read so far; 0: none, and the first may
    have any value. Raises Rejected.
    """
    for event in events:
        stamp = event.catalog_revision
        if known and stamp > known + MAX_STAMP_JUMP:
            raise Rejected(f"stamp {stamp} of {event.subject} is more than {MAX_STAMP_JUMP} above {known}")
        known = max(known, stamp)
