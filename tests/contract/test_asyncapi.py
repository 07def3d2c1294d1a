"""The AsyncAPI document describes the records on the topics."""

import json
from typing import Any

import jsonschema
import pytest

from shared.asyncapi import document
from shared.cloudevents import from_kafka, to_kafka
from shared.events import TOPICS, TYPES, new_event
from tests.contract.test_events import wire

DOCUMENT = document()
MESSAGES: dict[str, Any] = DOCUMENT["components"]["messages"]


def fits(value: Any, schema: dict[str, Any]) -> bool:
    return bool(jsonschema.Draft202012Validator({**schema, "components": DOCUMENT["components"]}).is_valid(value))


@pytest.mark.parametrize("name", TYPES)
def test_a_record_fits_its_message_and_a_record_without_one_of_its_fields_does_not(name: str) -> None:
    event = from_kafka(*wire(name))
    _, value, headers = to_kafka(new_event("here", event.subject, event.sequence, event.data))
    data, sent = json.loads(value or b""), {header: text.decode() for header, text in headers}
    if "ce_catalogrevision" in MESSAGES[name]["headers"]["required"]:
        sent["ce_catalogrevision"] = "7"  # added by the relay
    assert fits(data, MESSAGES[name]["payload"])
    assert fits(sent, MESSAGES[name]["headers"])
    for missing in (*data, *MESSAGES[name]["headers"]["required"]):
        for whole, schema in ((data, "payload"), (sent, "headers")):
            if missing in whole:
                assert not fits({k: v for k, v in whole.items() if k != missing}, MESSAGES[name][schema]), missing


def test_every_type_of_event_is_on_one_topic() -> None:
    channels = DOCUMENT["channels"]
    assert sorted(name for channel in channels.values() for name in channel["messages"]) == sorted(TYPES)
    assert channels.keys() == {topic for topic in TOPICS if not topic.endswith(".dead")}
