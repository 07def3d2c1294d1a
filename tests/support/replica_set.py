"""A replica set of three on this machine, whose members a test can freeze: for writes with and without a majority."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from deploy.local.ports import free_port
from deploy.local.processes import Child, until
from deploy.local.servers import Mongod, find_mongodb
from tests.support.servers import missing

_NAME = "rs3"
_LIMIT_MS = 2000


class ReplicaSet:
    """Three members on 127.0.0.1; `members[0]` is the primary unless a test freezes or stops it."""

    def __init__(self, binary: str, directory: Path) -> None:
        self.ports = [free_port() for _ in range(3)]
        self.data = [directory / str(port) / "data" for port in self.ports]
        self.members = [_member(binary, directory / str(port), port) for port in self.ports]

    @property
    def uri(self) -> str:
        """The connection URI."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        return f"mongodb://{hosts}/?replicaSet={_NAME}"

    async def start(self) -> None:
        """Start and initiate the set; return when the first member is the primary and the others follow it."""
        for member in self.members:
            member.start()
        members = [
            {"_id": number, "host": f"127.0.0.1:{port}", "priority": 2 if number == 0 else 1}
            for number, port in enumerate(self.ports)
        ]
        config = {"_id": _NAME, "members": members, "settings": {"heartbeatIntervalMillis": 200}}
        # Without a time limit: MongoDB aborts at the next initiation after an interrupted one.
        await until(lambda: self._answers(self.ports[0], {"replSetInitiate": config}, None), self.members[0], 60, _NAME)
        await self._until_complete()

    async def _until_complete(self) -> None:
        await self.elect(0)
        for number, state in enumerate(("PRIMARY", "SECONDARY", "SECONDARY")):
            await self.until_state(number, state)

    async def stop_cleanly(self) -> None:
        """Stop every member; the secondaries first, so that none is elected meanwhile."""
        for member in reversed(self.members):
            await member.stop(30)

    async def start_again(self) -> None:
        """Start the members that were stopped; return when the first one is the primary and the others follow it."""
        for member in self.members:
            member.start()
        await self._until_complete()

    async def until_caught_up(self, number: int) -> None:
        """Wait until a member has applied all writes that the primary has now."""

        async def caught_up() -> bool:
            statuses = [
                await self._command(port, {"replSetGetStatus": 1}) for port in (self.ports[0], self.ports[number])
            ]
            applied = [one.get("optimes", {}).get("appliedOpTime", {}).get("ts") for one in statuses]
            return None not in applied and applied[1] >= applied[0]

        await until(caught_up, self.members[number], 60, f"member {number}")

    async def until_state(self, number: int, *states: str) -> None:
        """Wait until a member reports one of these states."""

        async def reached() -> bool:
            return await self._state(number) in states

        await until(reached, self.members[number], 60, f"member {number}")

    async def elect(self, number: int) -> None:
        """Make a member the primary: it stands for election at once, and not after the usual 10 seconds."""

        async def elected() -> bool:
            await self._command(self.ports[number], {"replSetStepUp": 1})
            return await self._state(number) == "PRIMARY"

        await until(elected, self.members[number], 60, "an election")

    async def _state(self, number: int) -> str:
        status = await self._command(self.ports[number], {"replSetGetStatus": 1})
        return next((one["stateStr"] for one in status.get("members", []) if one.get("self")), "")

    @contextmanager
    def frozen(self, *numbers: int) -> Iterator[None]:
        """Freeze members while the block runs, and thaw them whatever happens in it."""
        self._signal(signal.SIGSTOP, numbers)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT, numbers)

    def stop(self) -> None:
        """Kill every member; nothing of the set is used afterwards."""
        for member in self.members:
            member.kill()

    def _signal(self, number: signal.Signals, members: tuple[int, ...]) -> None:
        for member in members:
            if pid := self.members[member].pid:
                os.kill(pid, number)

    async def _answers(self, port: int, command: dict[str, Any], limit_ms: int | None = _LIMIT_MS) -> bool:
        return bool((await self._command(port, command, limit_ms)).get("ok"))

    async def _command(self, port: int, command: dict[str, Any], limit_ms: int | None = _LIMIT_MS) -> dict[str, Any]:
        return await asyncio.to_thread(_sent, port, command, limit_ms)


def _sent(port: int, command: dict[str, Any], limit_ms: int | None) -> dict[str, Any]:
    """Return the answer of one member; empty without an answer."""
    try:
        with MongoClient[dict[str, Any]](
            "127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=1000, timeoutMS=limit_ms
        ) as client:
            return client.admin.command(command)
    except PyMongoError:
        return {}


def _member(binary: str, directory: Path, port: int) -> Child:
    (directory / "data").mkdir(parents=True)
    argv: list[str | Path] = [binary, "--replSet", _NAME, "--bind_ip", "127.0.0.1", "--port", str(port)]
    argv += ["--dbpath", directory / "data", "--nounixsocket", "--wiredTigerCacheSizeGB", "0.25"]
    argv += ["--setParameter", "diagnosticDataCollectionEnabled=false"]
    argv += ["--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100"]  # a secondary waits that long at its end
    return Child(f"mongod {port}", argv, directory / "mongod.log")


@asynccontextmanager
async def replica_set(directory: Path) -> AsyncIterator[ReplicaSet]:
    """Yield a running replica set of three, of the `mongod` that the local stack uses."""
    found = find_mongodb(directory / "unused")
    if not isinstance(found, Mongod):
        missing("a MongoDB that is not ours cannot be frozen")
    members = ReplicaSet(str(found.binary), directory)
    try:
        await members.start()
        yield members
    finally:
        members.stop()
