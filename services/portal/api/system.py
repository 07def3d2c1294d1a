"""The state of the whole system for its operators: the state of every replica of every service in one answer."""

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
"""How long to wait for one replica: longer than its own readiness checks take (`shared.app`)."""

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
"""The metrics that are shown, where a service has them; docs/operating.md says what each means."""

_LARGEST_BYTES = 4 * 1024 * 1024
_BUILD = "learning_path_build_info"
_STARTED = "process_start_time_seconds"

OwnerName = Literal["assessment", "catalog", "recommender"]
ServiceName = Literal["assessment", "catalog", "recommender", "portal"]
ReplicaStatus = Literal["ready", "not ready", "draining", "away"]


class ReplicaState(Struct, frozen=True):
    """The state of one replica; `number` is its position in the setting, from 1. `away`: it did not answer in time.

    `started_at` and `version` are null if unknown. `checks`: name -> `ok` or what is wrong; `warnings`: what an
    operator should repair; `figures`: {metric: value}.
    """

    number: int
    status: ReplicaStatus
    version: str | None
    started_at: datetime | None
    checks: dict[str, str]
    warnings: dict[str, str]
    figures: dict[str, float]


class ServiceState(Struct, frozen=True):
    """A service with each of its replicas that the portal knows; for the portal itself, the one that answers."""

    service: ServiceName
    replicas: list[ReplicaState]


class SystemState(Struct, frozen=True):
    """The state of all services at the time of the request."""

    services: list[ServiceState]


class Metrics(Struct, frozen=True):
    """The values that are read from the metrics of one replica."""

    version: str | None = None
    started_at: datetime | None = None
    figures: dict[str, float] = {}


class System:
    """Queries every replica concurrently, each for at most `patience` seconds."""

    def __init__(
        self,
        client: ClientSession,
        addresses: Mapping[OwnerName, Sequence[str]],
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._client = client
        self._addresses = addresses
        self._patience = patience

    async def show_system(self, request: web.Request) -> web.Response:
        """Return the state of every service: whether it is ready, its version, its start and a few figures.

        A replica that does not answer within four seconds is `away`, without figures.
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
        """Return the body of an answer, whatever its status; empty if none came in time."""
        try:
            async with (
                asyncio.timeout(self._patience),
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
    """Return the displayed metrics of a replica, summed over their labels.

    Raises ValueError if the text contains no metrics.
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
