"""The route that reports the state of every replica of every service, for operators."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec
from aiohttp import ClientError, ClientSession, web
from msgspec import Struct
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from shared.app import READINESS, REGISTRY, Readiness
from shared.routes import json_response

PATIENCE_SECONDS = 4.0
"""The longest time to wait for one replica; its own readiness checks take less (`shared.app`)."""

FIGURES = (
    "learning_path_outbox_pending_documents",
    "learning_path_relay_unsendable_documents",
    "learning_path_consumer_lag_records",
    "learning_path_consumer_stalled_seconds",
    "learning_path_consumer_dead_lettered_events_total",
    "learning_path_follower_lag_records",
    "learning_path_follower_stalled_seconds",
    "learning_path_follower_skipped_records_total",
    "learning_path_plans_rejected_total",
    "learning_path_framework_parts_missing",
    "learning_path_catalog_revision",
)
"""The metrics that are reported, if a service has them; docs/operating.md explains each."""

_LARGEST_BYTES = 4 * 1024 * 1024
_BUILD = "learning_path_build_info"
_STARTED = "process_start_time_seconds"

OwnerName = Literal["assessment", "catalog", "recommender"]
ServiceName = Literal["assessment", "catalog", "recommender", "portal"]
ReplicaStatus = Literal["ready", "not ready", "draining", "away"]


class ReplicaState(Struct, frozen=True):
    """The state of one replica of a service.

    `number`: its position in the setting that lists the replicas, from 1. `status`: `away` if it did not answer in
    time. `version` and `started_at` are null if unknown. `checks`: {check: `ok` or what is wrong}. `warnings`: {check:
    what an operator should repair}. `figures`: {metric: value}.
    """

    number: int
    status: ReplicaStatus
    version: str | None
    started_at: datetime | None
    checks: dict[str, str]
    warnings: dict[str, str]
    figures: dict[str, float]


class ServiceState(Struct, frozen=True):
    """The states of the replicas of a service; of the portal itself, only of the replica that answers."""

    service: ServiceName
    replicas: list[ReplicaState]


class SystemState(Struct, frozen=True):
    """The state of all services at the time of the request."""

    services: list[ServiceState]


class Metrics(Struct, frozen=True):
    """What the metrics of one replica tell: version, start, and `figures`, {metric: value}."""

    version: str | None = None
    started_at: datetime | None = None
    figures: dict[str, float] = {}


class System:
    """Asks all replicas for their state at the same time, and waits at most `PATIENCE_SECONDS`.

    `addresses`: {service: addresses of its replicas}.
    """

    def __init__(self, client: ClientSession, addresses: Mapping[OwnerName, Sequence[str]]) -> None:
        self._client = client
        self._addresses = addresses

    async def show_system(self, request: web.Request) -> web.Response:
        """Return the state of every service: whether each replica is ready, its version, its start and some metrics.

        Only admins may call this. A replica that does not answer within four seconds is `away`, without metrics.
        """
        requests = (self._service(name, urls) for name, urls in self._addresses.items())
        states = await asyncio.gather(*requests, _portal(request))
        return json_response(SystemState(list(states)))

    async def _service(self, name: OwnerName, urls: Sequence[str]) -> ServiceState:
        replicas = await asyncio.gather(*(self._replica(number, url) for number, url in enumerate(urls, 1)))
        return ServiceState(name, list(replicas))

    async def _replica(self, number: int, url: str) -> ReplicaState:
        readiness, metrics = await asyncio.gather(self._read(f"{url}/readyz"), self._read(f"{url}/metrics"))
        try:
            return _state(number, msgspec.json.decode(readiness, type=Readiness), metrics)
        except msgspec.MsgspecError:
            return ReplicaState(number, "away", None, None, {}, {}, {})

    async def _read(self, url: str) -> bytes:
        """Return the body of an answer of any status; empty if none came in time."""
        try:
            async with (
                asyncio.timeout(PATIENCE_SECONDS),
                self._client.get(url, headers={"Accept-Encoding": "identity"}, allow_redirects=False) as answer,
            ):
                body = bytearray()
                async for piece in answer.content.iter_any():
                    body += piece
                    if len(body) > _LARGEST_BYTES:
                        return b""
                return bytes(body)
        except (ClientError, TimeoutError, ValueError):  # ValueError: the answer is not HTTP
            return b""


async def _portal(request: web.Request) -> ServiceState:
    readiness = await request.app[READINESS]()
    return ServiceState("portal", [_state(1, readiness, generate_latest(request.app[REGISTRY]))])


def _state(number: int, readiness: Readiness, exposed: bytes) -> ReplicaState:
    try:
        metrics = metrics_of(exposed.decode())
    except ValueError:  # these are not the metrics of a service of ours
        metrics = Metrics()
    return ReplicaState(
        number,
        msgspec.convert(readiness.status, ReplicaStatus),
        metrics.version,
        metrics.started_at,
        readiness.checks,
        readiness.warnings,
        metrics.figures,
    )


def metrics_of(text: str) -> Metrics:
    """Return the values of FIGURES in the text that a replica exposes, with the version and the start of the replica.

    A metric with several labels is summed over them. Raises ValueError if the text is not in the format of metrics.
    """
    version, started_at, figures = None, None, dict[str, float]()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name in FIGURES and math.isfinite(sample.value):
                figures[sample.name] = figures.get(sample.name, 0.0) + sample.value
            elif sample.name == _BUILD:
                version = sample.labels.get("version")
            elif sample.name == _STARTED:
                started_at = _moment(sample.value)
    return Metrics(version, started_at, figures)


def _moment(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None
