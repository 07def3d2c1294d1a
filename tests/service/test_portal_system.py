"""What operators see of the services: readiness and figures of each replica, and to admins only."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from services.portal.api.system import metrics_of
from shared import VERSION
from shared.settings import PortalSettings
from tests.support.portal import Owner, Portal, running_portal, serving
from tests.support.waiting import until

METRICS = """# HELP learning_path_consumer_lag_records Records.
# TYPE learning_path_consumer_lag_records gauge
learning_path_consumer_lag_records 7.0
# TYPE learning_path_consumer_dead_lettered_events_total counter
learning_path_consumer_dead_lettered_events_total{topic="a"} 2.0
learning_path_consumer_dead_lettered_events_total{topic="b"} 3.0
# TYPE learning_path_build_info gauge
learning_path_build_info{version="9.1"} 1.0
# TYPE process_start_time_seconds gauge
process_start_time_seconds 1.79e9
# TYPE process_open_fds gauge
process_open_fds 12.0
"""
FIGURES = {"learning_path_consumer_lag_records": 7, "learning_path_consumer_dead_lettered_events_total": 5}
READY = {"status": "ready", "checks": {"mongodb": "ok"}}
Answer = Callable[[web.Request], Awaitable[web.Response]]


def replica(readiness: Any, metrics: str = METRICS, status: int = 200) -> web.Application:
    """Return a server that answers as a service does."""

    async def readyz(_: web.Request) -> web.Response:
        text = readiness if isinstance(readiness, str) else json.dumps(readiness)
        return web.Response(text=text, status=status)

    async def response(_: web.Request) -> web.Response:
        return web.Response(text=metrics)

    return app_of(readyz, response)


def app_of(readyz: Answer, metrics: Answer) -> web.Application:
    app = web.Application()
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    return app


async def never(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError


async def state(portal: Portal) -> dict[str, list[dict[str, Any]]]:
    headers = {"Authorization": f"Bearer {await portal.key('admin')}"}
    async with portal.session.get(f"{portal.url}/v1/system", headers=headers) as answer:
        assert answer.status == 200
        return {one["service"]: one["replicas"] for one in (await answer.json())["services"]}


async def in_time(portal: Portal) -> dict[str, list[dict[str, Any]]] | None:
    """Return the state once the replicas that answer did so in time, as did the servers of the portal."""
    found = await state(portal)
    answered = [*found["assessment"], found["recommender"][1]]
    is_complete = all(one["status"] != "away" for one in answered) and all(one["version"] for one in answered[:2])
    return found if is_complete and found["portal"][0]["status"] == "ready" else None


async def test_each_replica_reports_its_state_and_an_unreachable_one_delays_nothing(
    stage: tuple[PortalSettings, Owner],
) -> None:
    settings, owner = stage
    failing = {"status": "not ready", "checks": {"kafka": "no answer"}, "warnings": {"topics": "too few replicas"}}

    async def refused(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"SSH-2.0-something\r\n")
        writer.close()

    other = await asyncio.start_server(refused, "127.0.0.1", 0)
    async with (
        other,
        serving(replica(READY)) as ready,
        serving(replica(failing, status=503)) as sick,
        serving(app_of(never, never)) as silent,
        serving(replica("<html>no service of ours", "no metrics { at all")) as strange,
        serving(replica({"status": "ready", "checks": {}}, "no metrics { at all")) as dumb,
        serving(replica({"status": "on holiday", "checks": {}})) as odd,
        running_portal(
            replace(
                settings,
                assessment_url=(ready, sick),
                catalog_url=(silent, "http://127.0.0.1:1", f"http://127.0.0.1:{other.sockets[0].getsockname()[1]}"),
                recommender_url=(strange, dumb, odd),
            ),
            owner,
        ) as portal,
    ):
        found = await until(lambda: in_time(portal))
    response = {"version": "9.1", "started_at": "2026-09-21T14:13:20Z", "figures": FIGURES}
    away: dict[str, Any] = {
        "status": "away",
        "checks": {},
        "warnings": {},
        "figures": {},
        "version": None,
        "started_at": None,
    }
    assert found["assessment"] == [
        {"number": 1, **READY, "warnings": {}, **response},
        {"number": 2, **failing, **response},
    ]
    assert found["catalog"] == [{"number": number, **away} for number in (1, 2, 3)]
    without: dict[str, Any] = {"version": None, "started_at": None, "figures": {}}
    assert found["recommender"] == [
        {"number": 1, **away},
        {"number": 2, "status": "ready", "checks": {}, "warnings": {}, **without},
        {"number": 3, **away},
    ]
    [own] = found["portal"]
    assert (own["status"], own["version"], set(own["checks"])) == ("ready", VERSION, {"mongodb", "kafka", "paths"})
    assert own["started_at"] is not None
    assert own["figures"]["learning_path_follower_lag_records"] == 0


async def test_only_an_admin_can_read_the_system_state(portal: Portal) -> None:
    _, officers = await portal.officer()
    for key in (officers, await portal.key("platform")):
        async with portal.session.get(f"{portal.url}/v1/system", headers={"Authorization": f"Bearer {key}"}) as answer:
            assert answer.status == 403
    async with portal.session.get(f"{portal.url}/v1/system") as answer:
        assert answer.status == 401


@pytest.mark.parametrize(
    "text",
    [
        "process_start_time_seconds 1e300\n",
        "process_start_time_seconds NaN\n",
        "process_start_time_seconds +Inf\n",
        "learning_path_build_info 1\n",
        "",
    ],
)
def test_missing_metrics_are_unknown(text: str) -> None:
    found = metrics_of(text)
    assert (found.version, found.started_at, found.figures) == (None, None, {})


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf"])
def test_a_metric_that_is_not_a_number_is_left_out(value: str) -> None:
    assert metrics_of(f"learning_path_consumer_lag_records {value}\n").figures == {}
