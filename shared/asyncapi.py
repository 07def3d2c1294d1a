"""The AsyncAPI 3.1 document of the events on Kafka, generated from their shapes: `python -m shared.asyncapi`.

Tests hold the golden records of all events to it.
"""

import inspect
import sys
from typing import Any

import msgspec

from shared.events import CATALOG_TOPIC, NAMES, PATHS_TOPIC, PROFILES_TOPIC, TOPICS, TYPES, Data

_SCHEMAS = "#/components/schemas/{name}"
_DESCRIPTION = (
    "CloudEvents 1.0 in binary mode. Each event holds the whole present state of its subject, which is the record's "
    "key; a record without a value erases it. docs/events.md describes order, compatibility and dead letters."
)
_CHANNELS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    PROFILES_TOPIC: (
        "assessment",
        "What is known of each officer.",
        ("assessment.completed.v1", "officer.changed.v1", "officer.erased.v1"),
    ),
    CATALOG_TOPIC: (
        "catalog",
        "Courses and frameworks.",
        (
            *("course.published.v1", "course.withdrawn.v1"),
            *("framework.published.v1", "framework.published.v2", "framework.part.v1"),
        ),
    ),
    PATHS_TOPIC: (
        "recommender",
        "The present learning path of each officer.",
        ("path.recommended.v2", "path.stored.v1"),
    ),
}
"""{topic: the service that owns it, what it holds, the types of its events}."""

_TEXT = {"type": "string"}
_COUNT = {"type": "string", "pattern": "^[0-9]+$"}
_HEADERS = {
    "ce_specversion": {"const": "1.0"},
    "ce_id": {**_TEXT, "description": "A UUID for every announcement; the same event sent again keeps it."},
    "ce_source": {**_TEXT, "description": "The service that owns the subject."},
    "ce_subject": {**_TEXT, "description": "The record's key."},
    "ce_time": {**_TEXT, "format": "date-time", "description": "When it was announced."},
    "ce_sequence": {**_COUNT, "description": "Counts the changes of this subject; an older one changes nothing."},
    "content-type": {"const": "application/json"},
}
"""The headers that every event has, besides `ce_type`."""
_TRACE = {"ce_traceparent": {**_TEXT, "description": "W3C trace context of the request that caused it."}}
_STAMP = {"ce_catalogrevision": {**_COUNT, "description": "Counts up over the whole topic."}}


def document() -> dict[str, Any]:
    """Return the AsyncAPI document of all topics and events, as builtins ready for JSON."""
    payloads, schemas = msgspec.json.schema_components(TYPES.values(), ref_template=_SCHEMAS)
    payload_of = dict(zip(TYPES, payloads, strict=True))
    return {
        "asyncapi": "3.1.0",
        "info": {"title": "Learning paths from skill gaps", "version": "1", "description": _DESCRIPTION},
        "defaultContentType": "application/json",
        "channels": {topic: _channel(topic) for topic in _CHANNELS},
        "operations": {
            f"announce-{topic}": {
                "action": "send",
                "channel": {"$ref": f"#/channels/{topic}"},
                "summary": f"Sent by the {owner} service.",
            }
            for topic, (owner, _, _) in _CHANNELS.items()
        },
        "components": {
            "messages": {
                name: _message(TYPES[name], payload_of[name], _STAMP if topic == CATALOG_TOPIC else {})
                for topic, (_, _, names) in _CHANNELS.items()
                for name in names
            },
            "schemas": schemas,
        },
    }


def _channel(topic: str) -> dict[str, Any]:
    _, about, names = _CHANNELS[topic]
    plan = TOPICS[topic]
    return {
        "address": topic,
        "description": about,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {
            "kafka": {
                "partitions": plan.partitions,
                "topicConfiguration": {"cleanup.policy": plan.cleanup_policy.split(",")},
            }
        },
    }


def _message(shape: type[Data], payload: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    always = {**_HEADERS, "ce_type": {"const": NAMES[shape]}, **more}
    return {
        "name": NAMES[shape],
        "summary": inspect.cleandoc(shape.__doc__ or "").partition("\n")[0],
        "headers": {"type": "object", "required": list(always), "properties": always | _TRACE},
        "payload": payload,
        "bindings": {"kafka": {"key": _TEXT}},
    }


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(document()), indent=2) + b"\n")
