"""The access log under a flood: few lines, bounded memory, every request counted and measured."""

import json

import pytest
from prometheus_client import CollectorRegistry

from shared import access_log
from shared.access_log import AccessLog
from shared.auth import EVERYONE
from shared.routes import Route
from tests.support.raw_http import logged
from tests.support.sample_service import Shelf

ROUTE = Route("GET", "/v1/things", Shelf().events, EVERYONE)


async def test_requests_from_many_addresses_cost_a_bounded_number_of_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "_MOST_PLACES", 3)
    registry = CollectorRegistry()
    requests = AccessLog(registry)
    with logged() as written:
        for number in range(50):
            requests.note_rejection("GET", ROUTE, 503, 0.0, f"id-{number}", f"192.0.2.{number}", None)
        requests.log_rejected()
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [line["address"] for line in lines if "request_id" in line] == [f"192.0.2.{n}" for n in range(4)]
    assert [(line["address"], line["count"]) for line in lines if "count" in line] == [("", 46)]
    labels = {"method": "GET", "route": "/v1/things", "status": "503"}
    assert registry.get_sample_value("learning_path_http_server_request_duration_seconds_count", labels) == 50


async def test_nothing_is_logged_when_nothing_more_was_rejected() -> None:
    requests = AccessLog(CollectorRegistry())
    with logged() as written:
        requests.note_rejection("GET", ROUTE, 503, 0.0, "one", "192.0.2.1", None)
        requests.log_rejected()
        requests.log_rejected()
    [line] = written.getvalue().splitlines()
    assert json.loads(line)["request_id"] == "one"
