"""The events between the services, and their CloudEvents 1.0 form on Kafka (binary mode out; binary and structured in).

An event is a past fact that carries the whole present state of its subject, so a reader needs nothing else and a newer
one supersedes an older one. `sequence` orders the events of one subject. A record without a value is a tombstone.
Within a version changes are additive: readers ignore fields that they do not know.

Decoding is total: any key, headers and value give an Event or Rejected. What it returns is bounded (size, depth,
numbers, dates), and its key, subject and data name the same thing.
"""

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from itertools import accumulate
from typing import Annotated, Any, Literal, NamedTuple
from uuid import uuid4

import msgspec
from msgspec import Meta, Struct

from shared.compact_paths import CompactPath, compact, encoded, expanded
from shared.decoding import stored
from shared.domain import Course, Framework, Identifier, Profile, key_of
from shared.errors import Rejected
from shared.paths import LearningPath

PROFILES_TOPIC = "assessment.profiles"
PROFILES_GROUP = "recommender"
"""The group that plans a path for each profile; a bulk of profiles is sent as fast as it reads them."""

CATALOG_TOPIC = "catalog.state"
PATHS_TOPIC = "recommender.paths"

MAX_VALUE_BYTES = 4 * 1024 * 1024
"""A larger value is no event. A broker takes records of 1 MiB after compression; MongoDB keeps documents of 16 MB."""

MAX_SEQUENCE = 1_000_000_000
"""The largest sequence, revision or version of one subject: a change every second for thirty years."""

MAX_JUMP = 100_000
"""How far a sequence may be above the last one known of its subject: an officer changed every hour for eleven years."""

MAX_STAMP = 100_000_000_000_000
"""The largest stamp of `catalog.state`."""

MAX_STAMP_JUMP = 10_000_000_000
"""How far a stamp may be above the last one taken. A try to send uses a stamp for each event that waits; with 500 of
them, two tries a second use this many in 115 days without a broker."""


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
    """Return the plans of these topics and their dead-letter topics, by their names on the broker."""
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
    """Everything about this officer is to be forgotten but the counters."""

    tenant: Identifier
    officer: Identifier


class CoursePublished(Struct, frozen=True):
    """A course is new or changed."""

    tenant: Identifier
    course: Course


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

    A version is read from its parts once FrameworkAnnounced has named them. A part never changes.
    """

    tenant: Identifier
    framework: Identifier
    version: Counter
    digest: Digest
    number: Annotated[int, Meta(ge=0, lt=MAX_PARTS)]
    content: msgspec.Raw

    @property
    def key(self) -> str:
        """`tenant/framework:id@version-digest/number`."""
        return part_key(self.tenant, self.framework, self.version, self.digest, self.number)


class FrameworkAnnounced(Struct, frozen=True):
    """A framework is new or changed, and too large for one record. `parts`: the SHA-256 of each part's content."""

    tenant: Identifier
    framework: Identifier
    version: Counter
    digest: Digest
    parts: Annotated[
        list[Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]], Meta(min_length=1, max_length=MAX_PARTS)
    ]


def part_key(tenant: str, framework: str, version: int, digest: str, number: int) -> str:
    """Return the key of a part of a version of a framework."""
    return f"{key_of(tenant, f'framework:{framework}')}@{version}-{digest}/{number}"


class PathHead(Struct, frozen=True):
    """The fields of PathRecommended that a consumer needs to forward it without decoding the path."""

    tenant: Identifier
    officer: Identifier
    revision: Counter


class PathRecommended(PathHead, frozen=True):
    """An officer's path, as it is shown. `revision` counts the officer's paths; `cause` is why the path changed.

    Older versions announced paths in this form, with sentences; such records are still read.
    """

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
        """Return the event as it is stored and announced."""
        return cls(event.tenant, event.officer, event.revision, event.cause, event.planned_at, compact(event.path))

    def recommended(self) -> PathRecommended:
        """Return the event with what follows from it, without sentences (`messages.told`). Raises ValueError."""
        head = (self.tenant, self.officer, self.revision, self.cause, self.planned_at)
        return PathRecommended(*head, expanded(self.path))


class PathStored(PathHead, frozen=True):
    """An officer's path is new and too large for an event: read it from the recommender."""

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
    | PathRecommended
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
    "path.recommended.v1": PathRecommended,
    "path.recommended.v2": PathAnnounced,
    "path.stored.v1": PathStored,
}
NAMES: dict[type[Data], str] = {shape: name for name, shape in TYPES.items()}
TOMBSTONE = "tombstone"
"""The type of a record without a value: its subject is erased. Not a CloudEvents type; it only labels the outbox."""

PATH_HEADS: dict[str, type[Struct]] = {
    "path.recommended.v1": PathHead,
    "path.recommended.v2": PathHead,
    "path.stored.v1": PathStored,
}
"""The `shapes` of a reader that passes paths on; see `from_kafka`."""


class Event(Struct, frozen=True):
    """One event: its CloudEvents attributes and its data; `data` is None in a tombstone.

    `sequence` is 0 in a plain tombstone, which has none. `catalog_revision` is stamped by the relay on records of
    `catalog.state` and is 0 elsewhere.
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
    catalog_revision: int = 0


def encode(data: Data) -> bytes:
    """Return the JSON of an event's data."""
    if isinstance(data, PathAnnounced):
        return msgspec.json.encode({**msgspec.structs.asdict(data), "path": encoded(data.path)})
    return msgspec.json.encode(data)


def new_event(source: str, subject: str, sequence: int, data: Data | None, traceparent: str | None = None) -> Envelope:
    """Return the envelope of a new event; `data` None makes a tombstone."""
    return Envelope(
        id=str(uuid4()),
        type=TOMBSTONE if data is None else NAMES[type(data)],
        source=source,
        subject=subject,
        time=datetime.now(UTC),
        sequence=sequence,
        data=None if data is None else encode(data),
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
    if envelope.catalog_revision:
        attributes["catalogrevision"] = str(envelope.catalog_revision)
    headers = [(f"ce_{name}", value.encode()) for name, value in attributes.items()]
    if envelope.data is not None:
        headers.append(("content-type", b"application/json"))
    return envelope.subject.encode(), envelope.data, headers


# --- decoding --------------------------------------------------------------------------------------------------------

Headers = Iterable[tuple[str, bytes | None]]

_STRUCTURED = "application/cloudevents+json"
_REQUIRED = ("specversion", "id", "type", "source", "subject", "sequence")
_ATTRIBUTES = {*_REQUIRED, "time", "traceparent", "catalogrevision"}
_LONGEST = 1024
_DEEPEST = 64
_REASON = 500
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_SUBJECT = re.compile(rf"{_NAME}/(?:{_NAME}|framework:{_NAME}(?:@[0-9]{{1,10}}-[0-9a-f]{{16}}/[0-9]{{1,3}})?)")
_WHOLE = re.compile(r"[0-9]{1,15}")
_TRACE = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_YEARS = range(1900, 9999)
_JSON_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)  # it cannot fail once begun, so it takes linear time
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


class _Structured(Struct):
    """A structured CloudEvent; an attribute that is null is absent."""

    specversion: str | None = None
    id: str | None = None
    type: str | None = None
    source: str | None = None
    subject: str | None = None
    time: str | None = None
    sequence: str | int | None = None
    traceparent: Any = None
    catalogrevision: str | int | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")
    data_base64: str | None = None


def from_kafka(
    key: bytes | None,
    value: bytes | None,
    headers: Headers,
    *,
    shapes: Mapping[str, type[Struct]] = TYPES,
    with_data: bool = True,
) -> Event:
    """Return the event of a Kafka record, in either CloudEvents mode, with its data in one of the `shapes` by type.

    Without `with_data` the value is not looked at and `data` is None. Raises Rejected, and nothing else, with the
    reason, where the record is no event, its type is unknown, its data is amiss, or key, subject and data do not name
    the same thing.
    """
    try:
        attributes, data = _parts(value, headers)
        event = _event(key, attributes, data, shapes if with_data else None)
        _hold_together(event)
    except Exception as error:  # noqa: BLE001 - decoding is total, whatever a shape's own check raises
        raise _rejected(error) from None  # the error itself may hold the whole record
    return event


def data_of(value: bytes | None, headers: Headers) -> bytes | None:
    """Return the JSON of an event's data as it was sent, in either mode; None without one. Raises Rejected."""
    try:
        return _parts(value, headers)[1]
    except Exception as error:  # noqa: BLE001 - as above
        raise _rejected(error) from None


def _rejected(error: Exception) -> Rejected:
    return Rejected(str(error)[:_REASON] or type(error).__name__)


def _parts(value: bytes | None, headers: Headers) -> tuple[dict[str, str], bytes | None]:
    """Return the attributes and the data of a record."""
    attributes: dict[str, str] = {}
    media = ""
    for header, raw in headers:
        name = header.lower()
        if raw is None:
            continue
        if name == "content-type":
            media = raw[:_LONGEST].decode("utf-8", "replace").lower()
        elif name.startswith("ce_") and (name := name.removeprefix("ce_")) in _ATTRIBUTES:
            if len(raw) > _LONGEST:
                raise ValueError(f"attribute {name} holds {len(raw)} bytes, over {_LONGEST}")
            if attributes.setdefault(name, text := _utf8(name, raw)) != text:
                raise ValueError(f"attribute {name} is given twice with different values")
    if value is not None and media.startswith(_STRUCTURED):
        return _structured(value)
    return attributes, value


def _structured(value: bytes) -> tuple[dict[str, str], bytes | None]:
    _bound(value)
    try:
        whole = msgspec.json.decode(value, type=_Structured)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"not a structured CloudEvent: {error}") from None
    texts = {name: getattr(whole, name) for name in _ATTRIBUTES}
    if not isinstance(whole.traceparent, str):
        del texts["traceparent"]
    attributes = {name: str(text) for name, text in texts.items() if text is not None}
    if too_long := [name for name, text in attributes.items() if len(text) > _LONGEST]:
        raise ValueError(f"attribute {too_long[0]} holds over {_LONGEST} characters")
    data = bytes(whole.data)
    if whole.data_base64 is None:
        return attributes, None if data == b"null" else data
    if data != b"null":
        raise ValueError("a structured CloudEvent with both data and data_base64")
    return attributes, base64.b64decode(whole.data_base64, validate=True)


def _bound(value: bytes) -> None:
    """Raise Rejected for data that are too large or nested too deep to decode and store."""
    if len(value) > MAX_VALUE_BYTES:
        raise ValueError(f"the value holds {len(value)} bytes, over {MAX_VALUE_BYTES}")
    # Brackets in texts count at first, as most values have few of either.
    if _is_deep(value) and _is_deep(_JSON_TEXT.sub(b"", value)):
        raise ValueError(f"the value is nested more than {_DEEPEST} deep")


def _is_deep(value: bytes) -> bool:
    brackets = value.translate(None, _NO_BRACKETS)
    return len(brackets) > _DEEPEST and any(depth > _DEEPEST for depth in accumulate(map(_STEPS.__getitem__, brackets)))


def _utf8(name: str, raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"attribute {name} is not UTF-8 at byte {error.start}") from None


def _event(
    key: bytes | None, attributes: Mapping[str, str], value: bytes | None, shapes: Mapping[str, type[Struct]] | None
) -> Event:
    """Return the event of these parts; `shapes` None accepts any data."""
    subject = _subject(key)
    if value is None and "type" not in attributes:  # a plain tombstone, as any Kafka tool writes it
        return Event("", TOMBSTONE, "", subject, datetime.now(UTC), 0, None)
    missing = [name for name in _REQUIRED if name not in attributes]
    if missing:
        raise ValueError(f"not a CloudEvent: no attribute {', '.join(missing)}")
    if attributes["specversion"] != "1.0":
        raise ValueError(f"CloudEvents {attributes['specversion']!r} is not 1.0")
    if attributes["subject"] != subject:
        raise ValueError(f"the key is not the subject {attributes['subject']!r}")
    time = attributes.get("time")
    return Event(
        id=attributes["id"],
        type=attributes["type"],
        source=attributes["source"],
        subject=subject,
        time=msgspec.convert(time, datetime) if time else datetime.now(UTC),
        sequence=_whole("sequence", attributes["sequence"], MAX_SEQUENCE),
        data=_data(attributes["type"], value, shapes),
        traceparent=trace if _TRACE.fullmatch(trace := attributes.get("traceparent", "")) else None,
        catalog_revision=_whole("catalogrevision", attributes.get("catalogrevision", "0"), MAX_STAMP),
    )


def _subject(key: bytes | None) -> str:
    text = (key or b"")[:_LONGEST].decode("ascii", "replace")
    if not _SUBJECT.fullmatch(text):
        raise ValueError("the key is not `tenant/id`, `tenant/framework:id` or that of a part of a framework")
    return text


def _whole(name: str, text: str, most: int) -> int:
    if not _WHOLE.fullmatch(text) or int(text) > most:
        raise ValueError(f"{name} {text[:40]!r} is not a whole number from 0 to {most}")
    return int(text)


def _data(name: str, value: bytes | None, shapes: Mapping[str, type[Struct]] | None) -> Any:
    if name == TOMBSTONE and value is None:
        return None
    if name not in (TYPES if shapes is None else shapes):
        raise ValueError(f"unknown event type {name[:100]!r}")
    if shapes is None:
        return None
    if value is None:
        raise ValueError(f"{name} has no data")
    _bound(value)
    try:
        return msgspec.json.decode(value, type=shapes[name])
    except (ValueError, RecursionError):  # looked at once more without the fields that only a newer version knows
        return _known_data(name, value, shapes[name])


def _known_data(name: str, value: bytes, shape: type[Struct]) -> Any:
    try:
        return stored(msgspec.json.decode(value), shape)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name}: {error}") from None


def _hold_together(event: Event) -> None:
    """Refuse data about another subject, another change than the attributes say, or numbers and dates out of range."""
    data = event.data
    if data is not None and (owner := _owner(data)) != event.subject:
        raise ValueError(f"the data is about {owner!r}, the key about {event.subject!r}")
    moments = [event.time]
    if isinstance(data, AssessmentCompleted | OfficerChanged):
        if data.profile.sequence != event.sequence:
            raise ValueError(f"the profile's sequence {data.profile.sequence} is not the event's, {event.sequence}")
        _whole("framework_version", str(data.profile.framework_version), MAX_SEQUENCE)
        moments += [held.measured_at for held in data.profile.levels]
    if isinstance(data, AssessmentCompleted):
        moments.append(data.taken_at)
    elif isinstance(data, FrameworkPublished):
        _whole("version", str(data.framework.version), MAX_SEQUENCE)
    elif isinstance(data, PathRecommended | PathAnnounced | PathStored):
        moments.append(data.planned_at)
    for moment in moments:
        if moment.tzinfo is None or moment.year not in _YEARS:
            raise ValueError(f"{moment.isoformat()} has no time zone, or a year outside {_YEARS[0]} to {_YEARS[-1]}")


def _owner(data: Data) -> str:
    """Return the key that data of this kind has."""
    if isinstance(data, FrameworkPart):
        return data.key
    if isinstance(data, FrameworkPublished | FrameworkAnnounced):
        framework = data.framework.id if isinstance(data, FrameworkPublished) else data.framework
        return key_of(data.tenant, f"framework:{framework}")
    if isinstance(data, AssessmentCompleted | OfficerChanged):
        return data.profile.key
    if isinstance(data, CoursePublished):
        return key_of(data.tenant, data.course.id)
    return key_of(data.tenant, data.course if isinstance(data, CourseWithdrawn) else data.officer)


def sendable(moment: datetime) -> datetime:
    """Return a moment as events may hold it; one that was stored before they were bounded is moved by the least."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if moment.year in _YEARS:
        return moment
    return datetime(min(max(moment.year, _YEARS[0]), _YEARS[-1]), 1, 1, tzinfo=UTC)


# --- what could have happened ----------------------------------------------------------------------------------------


def check_jump(subject: str, number: int, known: int, what: str = "sequence") -> None:
    """Refuse a number that is further above the last known one (0: none) than a subject can have changed.

    Otherwise one wrong record would make every later change look older. Raises Rejected.
    """
    if number > known + MAX_JUMP:
        raise Rejected(f"{what} {number} of {subject} is more than {MAX_JUMP} above {known}, the last one known")


def check_stamps(events: Iterable[Event], known: int) -> None:
    """Refuse stamps of `catalog.state` that jump further than could have been used since the last one taken.

    `known` 0: nothing was taken yet, and the first stamp may be any. Raises Rejected.
    """
    for event in events:
        stamp = event.catalog_revision
        if known and stamp > known + MAX_STAMP_JUMP:
            raise Rejected(f"stamp {stamp} of {event.subject} is more than {MAX_STAMP_JUMP} above {known}")
        known = max(known, stamp)
