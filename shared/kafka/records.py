"""Kafka records, the events in them, offsets, and dead letters. No I/O."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from shared.events import Event

UNREADABLE = "unreadable-batch"
"""The header with the reason why a batch cannot be unpacked; the record replaces the whole batch."""

Headers = Sequence[tuple[str, bytes | None]]

BULK: Headers = [("bulk", b"1")]
"""The header of records that announce what an import changed; a reader may handle the other records first."""


class Record(NamedTuple):
    """One Kafka record: topic, partition, offset, key, value, headers."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class ConsumedEvent(NamedTuple):
    """A record with its decoded event."""

    record: Record
    event: Event


class RecordMetadata(NamedTuple):
    """The position of a sent event in its topic: partition and offset."""

    partition: int
    offset: int


class TopicSpec(NamedTuple):
    """A topic to create; `config`: Kafka's topic settings, as texts."""

    name: str
    partitions: int
    replication_factor: int
    config: Mapping[str, str]


def is_bulk(record: Record) -> bool:
    """Return whether a record announces what an import changed."""
    return any(header in record.headers for header in BULK)


OnEvents = Callable[[Sequence[ConsumedEvent]], Awaitable[None]]


_KEY_ROOM = 4 * 1024
_REASON_ROOM = 2 * 1024
_HEADERS_KEPT = 100
_HEADERS_ROOM = 64 * 1024


def dead_letter(
    record: Record, group: str, reason: str, room: int | None = None
) -> tuple[bytes, bytes | None, Headers]:
    """Return key, value and headers of a dead letter: the record unchanged, its position, the group and the reason.

    The key is the record's own, so that an erasure can retract it; without one it is the record's position. Headers
    beyond 100 or 64 KiB are left out, those of CloudEvents last; a key is cut to 4 KiB. `room`: keep at most so many
    bytes of the value, and an eighth as many of the headers. The header `dead_cut` names what was cut.
    """
    value = record.value if room is None or record.value is None else record.value[:room]
    headers = _fitting(record.headers, _HEADERS_ROOM if room is None else min(_HEADERS_ROOM, room // 8))
    key = (record.key or b"")[: _KEY_ROOM if room is None else min(_KEY_ROOM, room // 8)]
    place = f"{record.topic}/{record.partition}/{record.offset}".encode()
    about: dict[str, bytes | None] = {
        "dead_reason": reason.encode("utf-8", "replace")[
            : _REASON_ROOM if room is None else min(_REASON_ROOM, room // 8)
        ],
        "dead_group": group.encode(),
        "dead_topic": record.topic.encode(),
        "dead_place": place,
        "dead_key": None if record.key is None else key,
        "dead_value_bytes": str(len(record.value or b"")).encode(),
        "dead_headers": str(len(record.headers)).encode(),
    }
    whole = {
        "value": value == record.value,
        "headers": len(headers) == len(record.headers),
        "key": key == (record.key or b""),
    }
    if cut := [name for name, is_whole in whole.items() if not is_whole]:
        about["dead_cut"] = ",".join(cut).encode()
    return key or place, value, [*headers, *about.items()]


def _fitting(headers: Headers, room: int) -> Headers:
    """Return the headers that fit, in their order; the event's attributes take precedence."""
    chosen: set[int] = set()
    for number, (name, raw) in sorted(enumerate(headers), key=lambda one: not _is_attribute(one[1][0])):
        size = len(name.encode("utf-8", "replace")) + len(raw or b"")
        if size <= room and len(chosen) < _HEADERS_KEPT:
            chosen.add(number)
            room -= size
    return [header for number, header in enumerate(headers) if number in chosen]


def _is_attribute(name: str) -> bool:
    return name.lower().startswith(("ce_", "content-type"))


def is_cut(letter: Record) -> bool:
    """Return whether a dead letter holds only a part of its record."""
    return any(name == "dead_cut" for name, _ in letter.headers)


def takes_back(record: Record) -> bool:
    """Return whether a record of a dead-letter topic retracts the earlier letters of its key."""
    return record.value is None and not any(name == "dead_topic" for name, _ in record.headers)


def from_dead_letter(letter: Record) -> tuple[bytes | None, bytes | None, Headers]:
    """Return key, value and headers of the original record of a dead letter that is complete."""
    about = dict(letter.headers)
    return about.get("dead_key"), letter.value, [(k, v) for k, v in letter.headers if not k.startswith("dead_")]
