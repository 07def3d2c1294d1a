"""Real servers that require TLS and a user: an Apache Kafka with SASL_SSL and SCRAM, a MongoDB with SCRAM."""

import asyncio
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from deploy.local.broker import ApacheKafka
from deploy.local.ports import free_port
from deploy.local.processes import Child, until

USER = "learning"
PASSWORD = "pass/w:rd@of#the tests"
ENCODED = "pass%2Fw%3Ard%40of%23the%20tests"


@dataclass(frozen=True)
class Certificates:
    """An authority, and the certificate of a server that it signed, with its key; likewise of a client."""

    authority: Path
    server: Path
    client: Path


def certificates(directory: Path, names: str = "DNS:localhost,IP:127.0.0.1", days: str = "2") -> Certificates:
    """Make an authority and a certificate with the `openssl` command, in files of this directory.

    `names` and `days`: for whom and how long the certificate is valid.
    """
    directory.mkdir(parents=True, exist_ok=True)
    extensions = (f"subjectAltName={names}", "authorityKeyIdentifier=keyid")
    (directory / "extensions").write_text("\n".join(extensions))

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)

    new = ["-newkey", "rsa:2048", "-nodes"]
    usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]  # Python 3.13 refuses an authority without it
    openssl("req", "-x509", *new, *usage, "-days", "2", "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem")
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "extensions"]

    def certificate(name: str, subject: str) -> Path:
        openssl("req", *new, "-subj", subject, "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", *signed, "-days", days, "-out", f"{name}.crt")
        made = directory / f"{name}.pem"
        made.write_text((directory / f"{name}.key").read_text() + (directory / f"{name}.crt").read_text())
        return made

    server, client = certificate("server", "/CN=localhost"), certificate("client", f"/O=tests/CN={USER}")
    return Certificates(directory / "ca.pem", server, client)


class SecuredKafka(ApacheKafka):
    """An Apache Kafka whose clients need TLS and a user; only the broker's connections to itself are in plain text.

    `client_auth`: whether clients need a certificate: `none` or `required`.
    """

    def __init__(self, java: Path, jars: Path, directory: Path, made: Certificates, client_auth: str = "none") -> None:
        super().__init__(java, jars, directory, "the tests need it")
        self._client_auth = client_auth
        self.clients = f"localhost:{free_port()}"
        self._made = made

    def _configure(self) -> None:
        super()._configure()
        lines = [
            line
            for line in self._properties.read_text().splitlines()
            if not line.startswith(("listeners=", "advertised.listeners=", "listener.security.protocol.map="))
        ]
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        lines += [
            f"listeners=INTERNAL://{self.address},CLIENTS://{self.clients},CONTROLLER://{self._controller}",
            f"advertised.listeners=INTERNAL://{self.address},CLIENTS://{self.clients}",
            "listener.security.protocol.map=CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT,CLIENTS:SASL_SSL",
            "inter.broker.listener.name=INTERNAL",
            "sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512",
            f"listener.name.clients.scram-sha-256.sasl.jaas.config={scram}",
            f"listener.name.clients.scram-sha-512.sasl.jaas.config={scram}",
            "listener.name.clients.ssl.keystore.type=PEM",
            f"listener.name.clients.ssl.keystore.location={self._made.server}",
            f"listener.name.clients.ssl.client.auth={self._client_auth}",
        ]
        self._properties.write_text("\n".join(lines) + "\n")

    def _format_arguments(self) -> list[str]:
        users = []
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
            users += ["--add-scram", f'{mechanism}=[name="{USER}",password="{PASSWORD}"]']
        return users


class SecuredMongod:
    """A `mongod` that accepts only TLS, with a user who may do what a service needs, and create users."""

    def __init__(self, binary: str | Path, directory: Path, made: Certificates) -> None:
        self._directory = directory
        self._made = made
        self.port = free_port()
        key = directory / "key"
        argv: list[str | Path] = [binary, "--replSet", "rs0", "--bind_ip", "127.0.0.1", "--port", str(self.port)]
        argv += ["--dbpath", directory / "data", "--nounixsocket", "--wiredTigerCacheSizeGB", "0.25"]
        argv += ["--tlsMode", "requireTLS", "--tlsCertificateKeyFile", made.server, "--tlsCAFile", made.authority]
        argv += ["--tlsAllowConnectionsWithoutCertificates", "--keyFile", key, "--auth"]
        (directory / "data").mkdir(parents=True)
        key.write_text("a key of the members of this replica set\n".replace(" ", "x"))
        key.chmod(0o600)
        self.child = Child("secured MongoDB", argv, directory / "mongod.log")

    def uri(self, user: str = USER, password: str = ENCODED) -> str:
        options = f"replicaSet=rs0&authSource=admin&tls=true&tlsCAFile={self._made.authority}"
        return f"mongodb://{user}:{password}@127.0.0.1:{self.port}/?{options}"

    def uri_of_certificate(self, certificate: Path | None) -> str:
        options = f"replicaSet=rs0&authMechanism=MONGODB-X509&tls=true&tlsCAFile={self._made.authority}"
        given = f"&tlsCertificateKeyFile={certificate}" if certificate else ""
        return f"mongodb://127.0.0.1:{self.port}/?{options}{given}"

    async def start(self) -> None:
        self.child.start()
        await until(lambda: asyncio.to_thread(self._prepared), self.child, 60, "secured MongoDB")

    async def stop(self) -> None:
        await self.child.stop(30)

    def _prepared(self) -> bool:
        """Initiate the replica set and create the first user, which a client on this machine may do without a user."""
        client: MongoClient[dict[str, Any]] = MongoClient(
            "127.0.0.1",
            self.port,
            directConnection=True,
            tls=True,
            tlsCAFile=str(self._made.authority),
            serverSelectionTimeoutMS=500,
        )
        with client:
            try:
                if not client.admin.command("hello").get("isWritablePrimary"):
                    members = [{"_id": 0, "host": f"127.0.0.1:{self.port}"}]
                    _quietly(lambda: client.admin.command("replSetInitiate", {"_id": "rs0", "members": members}))
                    return False
                client.admin.command(
                    "createUser", USER, pwd=PASSWORD, roles=["readWriteAnyDatabase", "userAdminAnyDatabase"]
                )
            except PyMongoError:
                return False
            return True


def _quietly(asking: Callable[[], object]) -> None:
    try:
        asking()
    except OperationFailure:  # it has begun already
        return
