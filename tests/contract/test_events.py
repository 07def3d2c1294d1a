"""Golden wire files are replayed: what version 0.3.0 or later sends must be readable by every later version."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event, to_structured_event

from shared.cloudevents import from_kafka, to_kafka
from shared.errors import Rejected
from shared.events import NAMES, TYPES, CourseWithdrawn, new_event

GOLDEN = Path(__file__).parent / "golden"


def wire(name: str) -> tuple[bytes, bytes | None, list[tuple[str, bytes]]]:
    record: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    value = None if record["value"] is None else json.dumps(record["value"], ensure_ascii=False).encode()
    return record["key"].encode(), value, [(header, text.encode()) for header, text in record["headers"].items()]


@pytest.mark.parametrize("name", TYPES)
def test_golden_records_are_still_understood(name: str) -> None:
    key, value, headers = wire(name)
    event = from_kafka(key, value, headers)
    assert event.type == name
    assert isinstance(event.data, TYPES[name])
    assert event.subject.encode() == key
    assert event.sequence > 0
    written = new_event("here", event.subject, event.sequence, event.data).data
    assert value is not None
    assert written is not None
    assert json.loads(written) == json.loads(value), "a field of the golden file is lost or renamed"


@pytest.mark.parametrize("name", TYPES)
def test_another_cloudevents_implementation_reads_the_records(name: str) -> None:
    event = from_kafka(*wire(name))
    key, value, headers = to_kafka(new_event("here", event.subject, event.sequence, event.data))
    assert value is not None
    theirs = from_kafka_event(KafkaMessage(headers=dict(headers), key=key, value=value))
    assert theirs.get_type() == name
    assert theirs.get_subject() == event.subject
    assert theirs.get_extension("sequence") == str(event.sequence)
    assert theirs.get_data() == json.loads(value)


@pytest.mark.parametrize("name", TYPES)
def test_structured_and_binary_mode_give_the_same_event(name: str) -> None:
    key, value, headers = wire(name)
    assert value is not None
    message = to_structured_event(from_kafka_event(KafkaMessage(headers=dict(headers), key=key, value=value)))
    ours = from_kafka(key, message.value, list(message.headers.items()))
    assert ours == from_kafka(key, value, headers)


def test_unknown_fields_are_ignored_within_a_version() -> None:
    key, _, headers = wire("course.withdrawn.v1")
    event = from_kafka(key, b'{"tenant":"shared","course":"svc-design-2","later":{"field":1}}', headers)
    assert event.data == CourseWithdrawn("shared", "svc-design-2")


def test_a_record_without_value_is_a_tombstone() -> None:
    key, value, headers = to_kafka(new_event("here", "t/o-1", 7, None))
    assert value is None
    event = from_kafka(key, value, headers)
    assert (event.data, event.subject, event.sequence) == (None, "t/o-1", 7)
    plain = from_kafka(b"t/o-1", None, [])
    assert (plain.data, plain.subject, plain.sequence) == (None, "t/o-1", 0)


@pytest.mark.parametrize(
    ("change", "value", "reason"),
    [
        ({}, b"not json", "course.withdrawn.v1: JSON is malformed"),
        ({}, b'{"tenant":"t"}', "missing required field `course`"),
        ({"ce_type": "course.withdrawn.v2"}, b"{}", "unknown event type 'course.withdrawn.v2'"),
        ({"ce_specversion": "0.3"}, b"{}", "is not 1.0"),
        ({"ce_sequence": "seven"}, b'{"tenant":"t","course":"c"}', "sequence 'seven' is not a whole number"),
        ({"ce_id": None}, b"{}", "no attribute id"),
        ({"content-type": "application/cloudevents+json"}, b"[1]", "not a structured CloudEvent"),
    ],
)
def test_an_event_that_no_retry_can_process_is_rejected_with_the_reason(
    change: dict[str, str | None], value: bytes, reason: str
) -> None:
    key, _, headers = wire("course.withdrawn.v1")
    texts = {name: raw.decode() for name, raw in headers} | change
    with pytest.raises(Rejected, match=reason):
        from_kafka(key, value, [(name, text.encode()) for name, text in texts.items() if text is not None])


def test_every_event_is_named_subject_action_version() -> None:
    assert all(len(name.split(".")) == 3 and re.search(r"\.v[12]$", name) for name in TYPES)
    assert {NAMES[shape] for shape in TYPES.values()} == set(TYPES)
