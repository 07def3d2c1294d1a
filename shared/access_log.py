"""What is logged and measured of each request: one line and one observation of its duration.

    requests = AccessLog(registry)
    requests.note("GET", route, 200, seconds, request_id, address, caller)
    requests.note_rejection("GET", route, 503, seconds, request_id, address, caller)      # the service is full

Under overload most requests are rejected, and a line for each would cost as much as the rejection itself. So the
requests of one key, address and route that are rejected within a second have two lines: one for the first request, and
one with the number of the others (`count`). Every request is measured.
"""

import asyncio
import logging
from collections import Counter
from typing import Any

from prometheus_client import CollectorRegistry, Histogram

from shared.auth import Principal
from shared.logs import handle_line
from shared.routes import Route

log = logging.getLogger("access")

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_TOGETHER_SECONDS = 1.0
_MOST_PLACES = 1000

_Place = tuple[Route, int, str, Principal | None]


class AccessLog:
    """The access log and the durations of one application."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "learning_path_http_server_request_duration_seconds",
            "Duration of HTTP requests by route template and status.",
            ["method", "route", "status"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self._measured: dict[tuple[Route | None, int], Any] = {}
        self._rejected: Counter[_Place] = Counter()

    def note(  # noqa: PLR0913, PLR0917 - each is a field of the log line
        self,
        method: str,
        route: Route | None,
        status: int,
        seconds: float,
        request_id: str,
        address: str,
        caller: Principal | None,
    ) -> None:
        """Measure a request, which took `seconds`, and log it; a probe is only measured."""
        self._measure(route, status, seconds)
        if route is not None and route.quiet:
            return
        fields = {
            "method": method,
            "route": route.path if route else "unmatched",
            "status": status,
            "ms": round(seconds * 1000, 2),
            "request_id": request_id,
            "address": address,
        }
        handle_line(log, "request", fields if caller is None else fields | _names(caller))

    def note_rejection(  # noqa: PLR0913, PLR0917 - as above
        self,
        method: str,
        route: Route,
        status: int,
        seconds: float,
        request_id: str,
        address: str,
        caller: Principal | None,
    ) -> None:
        """Measure a request that was rejected because the service is full; log it, or count it for a later line."""
        place: _Place = route, status, address, caller
        if place not in self._rejected and len(self._rejected) >= _MOST_PLACES:
            place = route, status, "", None
        if place in self._rejected:
            self._measure(route, status, seconds)
            self._rejected[place] += 1
            return
        if not self._rejected:
            asyncio.get_running_loop().call_later(_TOGETHER_SECONDS, self.log_rejected)
        self._rejected[place] = 0
        self.note(method, route, status, seconds, request_id, address, caller)

    def log_rejected(self) -> None:
        """Log how many rejected requests have no line yet, with a line for each route, status, address and key."""
        rejected, self._rejected = self._rejected, Counter()
        for (route, status, address, caller), count in rejected.items():
            if count:
                fields = {
                    "method": route.method,
                    "route": route.path,
                    "status": status,
                    "count": count,
                    "address": address,
                }
                handle_line(log, "rejected requests", fields if caller is None else fields | _names(caller))

    def _measure(self, route: Route | None, status: int, seconds: float) -> None:
        measured = self._measured.get((route, status))
        if measured is None:
            labels = (route.method, route.path) if route else ("-", "unmatched")
            measured = self._measured[route, status] = self._seconds.labels(*labels, str(status))
        measured.observe(seconds)


def _names(caller: Principal) -> dict[str, str | int]:
    return {"key_id": caller.key_id, "tenant": caller.tenant}
