"""Runs one replica of a service as a process, and waits until it is ready."""

import os
import sys
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Literal, get_args

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from deploy.local.ports import free_port, port_is_free
from deploy.local.processes import CannotStart, Child, until

Service = Literal["assessment", "catalog", "recommender", "portal"]
SERVICES: tuple[Service, ...] = get_args(Service)
PORTS: dict[Service, int] = {"portal": 8100, "assessment": 8101, "catalog": 8102, "recommender": 8103}
"""{service: port of its first replica in `make run`}, unless PORT names others."""

CATALOG_REVISION = "learning_path_catalog_revision"
"""The metric that tells up to which revision a service has read the catalog."""

_START_SECONDS = 180
_TIMEOUT = aiohttp.ClientTimeout(total=5)


class Replica:
    """One replica of a service; it has the same port after a restart.

    `number`: the place among the replicas of the service, from 0. `directory`: where the log is. `port`: by default a
    free one.
    """

    def __init__(self, service: Service, number: int, directory: Path, port: int | None = None) -> None:
        self.service = service
        self.name = service if number == 0 else f"{service}-{number + 1}"
        self.port = port or free_port()
        self._log = directory / f"{self.name}.log"
        self._log.unlink(missing_ok=True)
        self.child = self._child(f"services.{service}", {})

    @property
    def url(self) -> str:
        """The base URL of the replica, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, environment: Mapping[str, str], module: str | None = None) -> None:
        """Start a new process with these settings. `module`: a test may run another module than that of the service."""
        settings = {**environment, "HTTP_HOST": "127.0.0.1", "HTTP_PORT": str(self.port)}
        self.child = self._child(module or f"services.{self.service}", settings)
        self.child.start()

    async def until(self, session: aiohttp.ClientSession, probe: Literal["livez", "readyz"]) -> None:
        """Wait until the replica answers 200 to a probe. Raises CannotStart with the end of the log."""

        async def ready() -> bool:
            try:
                async with session.get(f"{self.url}/{probe}", timeout=_TIMEOUT) as answer:
                    return answer.status == HTTPStatus.OK
            except (aiohttp.ClientError, TimeoutError):
                return False

        await until(ready, self.child, _START_SECONDS, self.name)

    async def until_catalog(self, session: aiohttp.ClientSession, revision: int) -> None:
        """Wait until the replica has read the catalog up to a revision. Raises CannotStart with the end of the log."""

        async def has_read_it() -> bool:
            try:
                async with session.get(f"{self.url}/metrics", timeout=_TIMEOUT) as answer:
                    families = text_string_to_metric_families(await answer.text())
            except (aiohttp.ClientError, TimeoutError):
                return False
            return any(one.name == CATALOG_REVISION and one.samples[0].value >= revision for one in families)

        await until(has_read_it, self.child, _START_SECONDS, self.name)

    def _child(self, module: str, environment: Mapping[str, str]) -> Child:
        argv = [sys.executable, "-m", module]
        return Child(self.name, argv, self._log, {"PYTHONUNBUFFERED": "1", **environment})


def fixed_ports() -> dict[Service, int]:
    """Return the ports of `make run`: 8100 to 8103, or four ports from the variable PORT on.

    Raises CannotStart if PORT is no port, or a port is in use.
    """
    first = os.environ.get("PORT") or str(PORTS["portal"])
    if not first.isdecimal() or not 0 < int(first) < 2**16 - len(PORTS):
        raise CannotStart(f"PORT={first} is no port: make run PORT=9100")
    ports: dict[Service, int] = {name: port - PORTS["portal"] + int(first) for name, port in PORTS.items()}
    taken = [f"{port} ({name})" for name, port in ports.items() if not port_is_free(port)]
    if taken:
        raise CannotStart(
            f"Port {', '.join(taken)} is taken. Stop what listens there (another `make run`?),\n"
            "or move all four: make run PORT=9100"
        )
    return ports


def wanted_replicas() -> dict[Service, int]:
    """Return how many replicas of each service the environment asks for (as RECOMMENDER=2), 1 by default.

    Raises CannotStart for a number that is not from 1 to 24.
    """
    wanted: dict[Service, int] = {}
    for name in SERVICES:
        text = os.environ.get(name.upper()) or "1"
        if not text.isdecimal() or not 1 <= int(text) <= 24:  # noqa: PLR2004 - as many as there are partitions
            raise CannotStart(f"{name.upper()}={text}: say how many copies to run, 1 to 24")
        wanted[name] = int(text)
    return wanted
