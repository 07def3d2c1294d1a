"""Encodes and decodes events as Kafka records in the form of CloudEvents 1.0: writes binary mode, reads both modes.

Decoding is total: any key, headers and value give an Event or raise Rejected. A returned event is bounded (size, depth,
numbers, dates), and its key, subject and data refer to the same subject.
"""

import base64
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any

import msgspec
from msgspec import Struct

from shared.decoding import stored
from shared.domain import key_of
from shared.errors import Rejected
from shared.events import (
    MAX_SEQUENCE,
    MAX_STAMP,
    MAX_VALUE_BYTES,
    TOMBSTONE,
    TYPES,
    YEARS,
    AssessmentCompleted,
    CourseHead,
    CoursePublished,
    CourseWithdrawn,
    Data,
    Envelope,
    Event,
    FrameworkAnnounced,
    FrameworkPart,
    FrameworkPublished,
    OfficerChanged,
    PathAnnounced,
    PathStored,
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
_REQUIRED = dict.fromkeys(("specversion", "id", "type", "source", "subject", "sequence")).keys()
_ATTRIBUTES = {*_REQUIRED, "time", "traceparent", "catalogrevision"}
_ATTRIBUTE_OF = {f"ce_{name}": name for name in _ATTRIBUTES}
_LONGEST = 1024
_DEEPEST = 64
_DIGITS = 15
_REASON = 500
_OF_PROFILE = (AssessmentCompleted, OfficerChanged)
_OF_PATH = (PathAnnounced, PathStored)
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_SUBJECT = re.compile(rf"{_NAME}/(?:{_NAME}|framework:{_NAME}(?:@[0-9]{{1,10}}-[0-9a-f]{{16}}/[0-9]{{1,3}})?)")
_TRACE = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_JSON_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)  # it cannot fail once begun, so it takes linear time
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


class _Structured(Struct):
    """A structured CloudEvent; an attribute that is null counts as absent."""

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
    """Return the event of a Kafka record in either CloudEvents mode. `shapes`: the struct of the data, by event type.

    Without `with_data` the value is not read and `data` is None. Raises only Rejected, with the reason: the record is
    not an event, its type is unknown, its data are invalid, or key, subject and data do not refer to the same subject.
    """
    try:
        attributes, data = _parts(value, headers)
        event = _event(key, attributes, data, shapes if with_data else None)
        _check_consistent(event)
    except Exception as error:  # noqa: BLE001 - decoding is total, also if a shape's own check raises
        reason = str(error)[:_REASON] or type(error).__name__
        raise Rejected(reason) from None  # the error itself may hold the whole record
    return event


def _parts(value: bytes | None, headers: Headers) -> tuple[dict[str, str], bytes | None]:
    """Return the attributes and the data of a record."""
    attributes: dict[str, str] = {}
    media = name = ""
    try:
        for header, raw in headers:
            if raw is None:
                continue
            if name := _ATTRIBUTE_OF.get(header) or _ATTRIBUTE_OF.get(header.lower(), ""):
                if len(raw) > _LONGEST:
                    raise ValueError(f"attribute {name} holds {len(raw)} bytes, over {_LONGEST}")
                if attributes.setdefault(name, text := raw.decode()) != text:
                    raise ValueError(f"attribute {name} is given twice with different values")
            elif header.lower() == "content-type":
                media = raw[:_LONGEST].decode("utf-8", "replace").lower()
    except UnicodeDecodeError as error:
        raise ValueError(f"attribute {name} is not UTF-8 at byte {error.start}") from None
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
    """Raise ValueError for data that are too large or nested too deeply to decode and store."""
    if len(value) > MAX_VALUE_BYTES:
        raise ValueError(f"the value holds {len(value)} bytes, over {MAX_VALUE_BYTES}")
    # Brackets in texts count at first, as most values have few of either.
    if _is_deep(value) and _is_deep(_JSON_TEXT.sub(b"", value)):
        raise ValueError(f"the value is nested more than {_DEEPEST} deep")


def _is_deep(value: bytes) -> bool:
    brackets = value.translate(None, _NO_BRACKETS)
    return len(brackets) > _DEEPEST and any(depth > _DEEPEST for depth in accumulate(map(_STEPS.__getitem__, brackets)))


def _event(
    key: bytes | None, attributes: Mapping[str, str], value: bytes | None, shapes: Mapping[str, type[Struct]] | None
) -> Event:
    """Return the event with these parts; `shapes` None accepts any data."""
    subject = _subject(key)
    if value is None and "type" not in attributes:  # a plain tombstone, as any Kafka tool writes it
        return Event("", TOMBSTONE, "", subject, datetime.now(UTC), 0, None)
    if not attributes.keys() >= _REQUIRED:
        missing = [name for name in _REQUIRED if name not in attributes]
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
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS) or int(text) > most:
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
    except (ValueError, RecursionError):  # decoded again without the fields that only a newer version has
        return _known_data(name, value, shapes[name])


def _known_data(name: str, value: bytes, shape: type[Struct]) -> Any:
    try:
        return stored(msgspec.json.decode(value), shape)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name}: {error}") from None


def _check_consistent(event: Event) -> None:
    """Reject data that contradict the attributes (subject, sequence) or hold numbers or dates out of range."""
    data = event.data
    if data is not None and (owner := _owner(data)) != event.subject:
        raise ValueError(f"the data is about {owner!r}, the key about {event.subject!r}")
    moments = [event.time]
    if isinstance(data, _OF_PROFILE):
        if data.profile.sequence != event.sequence:
            raise ValueError(f"the profile's sequence {data.profile.sequence} is not the event's, {event.sequence}")
        _whole("framework_version", str(data.profile.framework_version), MAX_SEQUENCE)
        moments += [held.measured_at for held in data.profile.levels]
        if exact := [held.skill for held in data.profile.levels if held.sd <= 0]:
            raise ValueError(f"the level of {exact[0]!r} has the standard deviation 0; nothing measures so surely")
    if isinstance(data, AssessmentCompleted):
        moments.append(data.taken_at)
    elif isinstance(data, FrameworkPublished):
        _whole("version", str(data.framework.version), MAX_SEQUENCE)
    elif isinstance(data, _OF_PATH):
        moments.append(data.planned_at)
    for moment in moments:
        if moment.tzinfo is None or moment.year not in YEARS:
            raise ValueError(f"{moment.isoformat()} has no time zone, or a year outside {YEARS[0]} to {YEARS[-1]}")


def _owner(data: Data | CourseHead) -> str:
    """Return the record key of data of this kind."""
    if isinstance(data, CoursePublished | CourseHead):
        return key_of(data.tenant, data.course.id)
    if isinstance(data, FrameworkPart):
        return data.key
    if isinstance(data, FrameworkPublished | FrameworkAnnounced):
        framework = data.framework.id if isinstance(data, FrameworkPublished) else data.framework
        return key_of(data.tenant, f"framework:{framework}")
    if isinstance(data, _OF_PROFILE):
        return data.profile.key
    return key_of(data.tenant, data.course if isinstance(data, CourseWithdrawn) else data.officer)
