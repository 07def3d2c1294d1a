"""What is read and written: records, the events in them, where they landed, and dead letters. No I/O."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from shared.events import Event

Headers = list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Record:
    """One Kafka record as it stands on the wire."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Received:
    """A record and the event in it."""

    record: Record
    event: Event


@dataclass(frozen=True, slots=True)
class Landed:
    """Where an event landed."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic to create; `config` holds Kafka's own topic settings as texts."""

    name: str
    partitions: int
    replication_factor: int
    config: Mapping[str, str]


OnEvents = Callable[[Sequence[Received]], Awaitable[None]]


def dead_letter(record: Record, group: str, reason: str) -> tuple[bytes, bytes | None, Headers]:
    """Return key, value and headers of a dead letter: as it was, and where it lay, who refused it, and why."""
    about = {
        "dead_reason": reason.encode(),
        "dead_group": group.encode(),
        "dead_topic": record.topic.encode(),
        "dead_key": record.key or b"",
    }
    place = f"{record.topic}/{record.partition}/{record.offset}"
    return place.encode(), record.value, [*record.headers, *about.items()]


def revived(letter: Record) -> tuple[bytes | None, bytes | None, Headers]:
    """Return key, value and headers of the record that a dead letter was."""
    about = dict(letter.headers)
    return about.get("dead_key") or None, letter.value, [(k, v) for k, v in letter.headers if not k.startswith("dead_")]
