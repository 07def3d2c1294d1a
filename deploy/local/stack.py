"""Runs the whole system: servers, topics, keys, the four services and starter data. Demo, tests and benchmarks use it.

async with Stack("demo") as stack:
    stack.urls["catalog"][0], stack.keys.platform, stack.broker.name
    stack.kill("recommender"); await stack.start("recommender")
"""

import asyncio
import contextlib
import itertools
import os
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Mapping
from pathlib import Path
from typing import Self

import aiohttp

from deploy.local.announced import announced_revision
from deploy.local.broker import EmbeddedBroker, find_broker
from deploy.local.display import Display, Quiet
from deploy.local.keys import Issuer, Keys, pepper_file
from deploy.local.processes import LOCAL, CannotStart, Child
from deploy.local.replicas import SERVICES, Replica, Service
from deploy.local.seed import load_catalog, load_item_banks
from deploy.local.servers import Server, find_mongodb
from deploy.topics import ensure_topics
from shared.errors import Unavailable

_numbers = itertools.count(1)
_COMPILE_SECONDS = 600
_LOOK_SECONDS = 0.2
_STATEFUL: tuple[Service, ...] = ("catalog", "assessment", "recommender")


class Stack:
    """Runs MongoDB, a broker and the services as separate processes while its context is open.

    `mongodb` and `broker`: servers to use, which are not stopped; a `namespace` then keeps stacks apart.
    `force_broker`: as `forced` of `find_broker`. `replicas`: {service: number of replicas}, 1 by default. `ports`:
    {service: port of the first replica}, a free port by default. `environment`: further settings of the services.
    `directory`: where the data are kept; without it they are under `.local/run/`, and are deleted after a clean end.
    """

    mongodb: Server
    broker: Server
    keys: Keys
    issuer: Issuer

    def __init__(  # noqa: PLR0913 - made by name, once in each program
        self,
        name: str,
        *,
        mongodb: Server | None = None,
        broker: Server | None = None,
        force_broker: str | None = None,
        replicas: Mapping[Service, int] | None = None,
        ports: Mapping[Service, int] | None = None,
        namespace: str = "",
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
        display: Display | None = None,
    ) -> None:
        self.display = display or Quiet()
        self.namespace = namespace
        self._lasting = directory is not None
        self.directory = directory or _fresh_directory(name)
        self._given_mongodb, self._given_broker, self._force_broker = mongodb, broker, force_broker
        self._replicas = {service: (replicas or {}).get(service, 1) for service in SERVICES}
        self._ports = dict(ports or {})
        self._environment = dict(environment or {})
        self.owned: list[Server] = []
        self.running: dict[Service, list[Replica]] = {service: [] for service in SERVICES}
        self._refilling = asyncio.Lock()
        """Held while an embedded broker that lost its data is filled again: no service is started then."""

    async def __aenter__(self) -> Self:
        """Start everything, load the starter data, and wait until every replica knows the whole catalog.

        If that fails, what was started is stopped. Raises CannotStart.
        """
        try:
            await asyncio.gather(self._start_servers(), self._compile_planner())
            await self._while_servers_run(self._start_services())
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await self.close()
        if kind is None and not self._lasting:
            shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def urls(self) -> dict[Service, list[str]]:
        """{service: base URLs of its replicas}."""
        return {service: [replica.url for replica in copies] for service, copies in self.running.items()}

    @property
    def broker_name(self) -> str:
        """The name of the broker as it is printed."""
        return self.broker.name

    @property
    def servers(self) -> dict[str, str]:
        """The settings that every process of this stack needs, such as the addresses of the servers."""
        return {
            "MONGODB_URI": self.mongodb.address,
            "MONGODB_URI_FILE": "",
            "KAFKA_BOOTSTRAP_SERVERS": self.broker.address,
            "NAMESPACE": self.namespace,
            "API_KEY_PEPPER": "",
            "API_KEY_PEPPER_FILE": str(pepper_file(self.directory)),
            "COOKIE_SECURE": "false",  # pages of this machine come over plain HTTP
            "DRAIN_SECONDS": "0",  # no balancer has to notice
            "TRUSTED_PROXIES": "127.0.0.1",  # the portal, and nobody else can reach this address
            **self._environment,
        }

    def environment(self) -> dict[str, str]:
        """Return all settings of the services: those of `servers`, and the addresses of the services."""
        urls = {
            f"{service.upper()}_URL": ",".join(self.urls[service]) for service in _STATEFUL if self.running[service]
        }
        return {**self.servers, **urls}

    # --- one copy of a service ---------------------------------------------------------------------------------------

    async def start(self, service: Service, number: int = 0, environment: Mapping[str, str] | None = None) -> None:
        """Start a replica on its port unless it runs, and wait until it is ready. Raises CannotStart.

        `number`: the place of the replica in `running`. `environment`: further settings for this start.
        """
        replica = self.running[service][number]
        async with self._refilling:
            if not replica.child.running:
                replica.start({**self.environment(), **(environment or {})})
        async with aiohttp.ClientSession() as session:
            await replica.until(session, "readyz")

    async def stop(self, service: Service, number: int = 0) -> None:
        """Stop a replica by SIGTERM, so that it ends its requests first."""
        await self.running[service][number].child.stop()

    def kill(self, service: Service, number: int = 0) -> None:
        """Kill a replica at once (SIGKILL)."""
        self.running[service][number].child.kill()

    async def join(self, service: Service) -> int:
        """Start one more replica on a free port and wait until it is ready; return its number. Raises CannotStart."""
        self.running[service].append(Replica(service, len(self.running[service]), self.directory))
        number = len(self.running[service]) - 1
        await self.start(service, number)
        return number

    @contextlib.asynccontextmanager
    async def restored(self) -> AsyncIterator[None]:
        """Let a test disturb the stack in the block, and repair the stack afterwards.

        Suspended processes are resumed, and processes that have ended are started again. A replica that was started in
        the block is restarted with the usual settings.
        """
        before = {copy.name: copy.child for copies in self.running.values() for copy in copies}
        try:
            yield
        finally:
            for server in (self.mongodb, self.broker):
                if server.child is not None:
                    server.child.thaw()
                    await (server.start() if server.child.running else self.revive(server))
            await asyncio.gather(
                *(
                    self._as_before(service, number, before.get(copy.name))
                    for service, copies in self.running.items()
                    for number, copy in enumerate(copies)
                )
            )

    async def _as_before(self, service: Service, number: int, before: Child | None) -> None:
        child = self.running[service][number].child
        child.thaw()
        if child is not before or not child.running:
            await child.stop()
            await self.start(service, number)

    # --- all of it ---------------------------------------------------------------------------------------------------

    async def create_topics(self) -> None:
        """Create the topics that the broker does not have yet. Raises CannotStart."""
        try:
            await ensure_topics(self.broker.address, self.namespace)
        except Unavailable as error:
            raise CannotStart(f"the topics were not created on {self.broker.name}: {error}") from error

    async def revive(self, server: Server) -> None:
        """Start a server that has ended. Raises CannotStart; then the server does not run, and this may be tried again.

        The embedded broker has lost all its data. So the services are stopped, because they would commit offsets of the
        lost topics to the new ones. Their state is announced again from MongoDB, which is started first if it has ended
        too. Until the catalog has announced its part no other service runs, since it would read an empty catalog.
        """
        if not isinstance(server, EmbeddedBroker):
            return await server.start()
        async with self._refilling:
            await asyncio.gather(*(copy.child.stop() for copies in self.running.values() for copy in copies))
            await self.mongodb.start()
            await self.republish()
            try:
                await server.start()
                await self.create_topics()
                await self._announce_catalog()
            except BaseException:
                server.kill()  # nobody would fill it
                raise
        return None

    async def republish(self) -> None:
        """Stage the state of every service again, for a broker that lost its data. Raises CannotStart."""
        await asyncio.gather(*(self._republish(service) for service in _STATEFUL))

    async def close(self) -> None:
        """Stop all services, then the servers that this stack started; data stay."""
        copies = [replica.child.stop() for replicas in self.running.values() for replica in replicas]
        await asyncio.gather(*copies)
        await asyncio.gather(*(server.stop() for server in self.owned))

    async def _start_servers(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        if self._given_mongodb is None:
            self.owned.append(find_mongodb(self.directory / "mongodb"))
        if self._given_broker is None:
            place = self.directory / "kafka"
            self.owned.append(await asyncio.to_thread(find_broker, place, self.display.say, self._force_broker))
        self.mongodb, self.broker = self._given_mongodb or self.owned[0], self._given_broker or self.owned[-1]
        for server in (self.mongodb, self.broker):
            self.display.say(f"{server.name} ({server.reason})")
        await asyncio.gather(*(server.start() for server in self.owned))
        self.issuer = Issuer(self.servers, [self.mongodb.address, self.broker.address])
        self.keys = await self.issuer.sample_keys()  # refuses servers of other machines, before anything is made there
        await self.create_topics()

    async def _while_servers_run(self, starting: Awaitable[None]) -> None:
        """Wait for `starting`. Raises CannotStart at once if a server ends meanwhile, as it cannot succeed then."""
        task = asyncio.ensure_future(starting)
        try:
            while not (await asyncio.wait({task}, timeout=_LOOK_SECONDS))[0]:
                for server in self.owned:
                    if server.child is not None and not server.child.running:
                        raise server.child.failure("ended while the services were starting")
        finally:
            task.cancel()
            await asyncio.wait({task})
        task.result()

    async def _compile_planner(self) -> None:
        """Compile the planner if this version of it was not compiled yet, so that no replica has to at its start."""
        argv = [sys.executable, "-m", "services.recommender", "warm"]
        command = Child("compiling the planner", argv, self.directory / "warm.log")
        command.start()
        if not await command.ended(5):
            self.display.say("loading the planner; the first time it is compiled, which takes about half a minute")
            if not await command.ended(_COMPILE_SECONDS):
                minutes = _COMPILE_SECONDS // 60
                raise command.failure(
                    f"took longer than {minutes} minutes; start again when the machine has less to do"
                )
        if command.returncode != 0:
            raise command.failure("did not end well")

    async def _start_services(self) -> None:
        known = self._lasting and (self.directory / "seeded").exists()
        for service in SERVICES:
            for number in range(self._replicas[service]):
                port = self._ports.get(service) if number == 0 else None
                self.running[service].append(Replica(service, number, self.directory, port))
        if known and isinstance(self.broker, EmbeddedBroker):
            self.display.say("the embedded broker lost its records when it stopped: announcing the stored state again")
            await self.republish()
        self.display.say("starting the services")
        replicas = [replica for copies in self.running.values() for replica in copies]
        for replica in replicas:
            replica.start(self.environment())
        async with aiohttp.ClientSession() as session:
            # A recommender is ready only when it holds a framework, and an empty catalog has none yet.
            await asyncio.gather(*(replica.until(session, "livez") for replica in replicas))
            await self.running["catalog"][0].until(session, "readyz")
            await load_catalog(session, self.urls["catalog"][0], self.keys.admin, self.display)
            revision = await announced_revision(self.servers)
            await self.running["assessment"][0].until(session, "readyz")
            await self.running["assessment"][0].until_catalog(session, revision)
            await load_item_banks(session, self.urls["assessment"][0], self.keys.admin, self.display)
            (self.directory / "seeded").touch()
            await asyncio.gather(*(replica.until(session, "readyz") for replica in replicas))
            followers = [replica for service in _STATEFUL for replica in self.running[service]]
            await asyncio.gather(*(replica.until_catalog(session, revision) for replica in followers))

    async def _announce_catalog(self) -> None:
        """Start the first replica of the catalog, and wait until it has announced all that is stored."""
        replica = self.running["catalog"][0]
        replica.start(self.environment())
        async with aiohttp.ClientSession() as session:
            await replica.until(session, "livez")
        await announced_revision(self.servers)

    async def _republish(self, service: Service) -> None:
        log = self.directory / f"{service}-republish.log"
        argv = [sys.executable, "-m", f"services.{service}", "republish"]
        command = Child(f"{service} republish", argv, log, self.environment())
        command.start()
        if not await command.ended(120) or command.returncode:
            raise command.failure("did not announce its state")


def _fresh_directory(name: str) -> Path:
    """Return a new directory for this run; remove the directories of runs whose process has ended."""
    runs = LOCAL / "run"
    for old in runs.glob("*-*"):
        pid = old.name.rpartition("-")[2]
        if pid.isdecimal() and not _exists(int(pid)):
            shutil.rmtree(old, ignore_errors=True)
    return runs / f"{name}-{next(_numbers)}-{os.getpid()}"


def _exists(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError, OverflowError):
        try:
            os.kill(pid, 0)
        except PermissionError:
            return True
        return True
    return False
