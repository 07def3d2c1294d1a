"""Kafka with TLS and SCRAM, MongoDB with TLS and SCRAM: reached with the settings, and with no others."""

import asyncio
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from deploy.local.kafka_jars import find_jars, find_java
from deploy.local.processes import ROOT, CannotStart
from deploy.local.servers import Mongod, find_mongodb
from deploy.topics import ensure_topics
from services.assessment.__main__ import build
from shared.auth import issue
from shared.errors import Rejected, Unavailable
from shared.events import PROFILES_TOPIC, OfficerErased, new_event
from shared.kafka import ConsumedEvent, Follower, GroupConsumer, Publisher, TopicSpec, create_topics, reachable, replay
from shared.kafka.client import connection
from shared.mongo import Client, KeyStore, connect
from shared.mongo import reachable as mongo_reachable
from shared.settings import AssessmentSettings, KafkaSettings, StoreSettings, read
from tests.support.secured_servers import (
    ENCODED,
    PASSWORD,
    USER,
    Certificates,
    SecuredKafka,
    SecuredMongod,
    certificates,
)
from tests.support.servers import missing
from tests.support.services import Started, followed, started
from tests.support.waiting import until

PEPPER = "pepper of the secured tests"


@pytest.fixture(scope="module")
def made(server_directory: Path) -> Certificates:
    return certificates(server_directory / "certificates")


@pytest.fixture(scope="module")
async def kafka(server_directory: Path, made: Certificates) -> AsyncIterator[SecuredKafka]:
    try:
        server = SecuredKafka(find_java(), find_jars(print), server_directory / "secured-kafka", made)
    except CannotStart as error:
        missing(str(error))
    try:
        await server.start()
        yield server
    finally:
        await server.stop()


@pytest.fixture(scope="module")
async def mongod(server_directory: Path, made: Certificates) -> AsyncIterator[SecuredMongod]:
    try:
        found = find_mongodb(server_directory / "unused")
    except CannotStart as error:
        missing(str(error))
    if not isinstance(found, Mongod):
        missing("there is no mongod of our own to start with TLS")
    server = SecuredMongod(found.binary, server_directory / "secured-mongodb", made)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()


@pytest.fixture(scope="module")
def secured(kafka: SecuredKafka, made: Certificates) -> dict[str, str]:
    return {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.clients,
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_TLS_CA_FILE": str(made.authority),
        "KAFKA_SASL_USERNAME": USER,
        "KAFKA_SASL_PASSWORD": PASSWORD,
    }


def event(number: int) -> OfficerErased:
    return OfficerErased("agency", f"officer-{number}")


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "SCRAM-SHA-256"])
async def test_every_kafka_client_uses_tls_and_scram(secured: dict[str, str], namespace: str, mechanism: str) -> None:
    brokers = read(KafkaSettings, secured | {"KAFKA_SASL_MECHANISM": mechanism})
    topic = f"{namespace}things"
    async with asyncio.timeout(90):
        while await reachable(brokers) is not None:  # a handshake on a busy machine takes longer than a probe waits
            await asyncio.sleep(0.2)
    assert await create_topics(brokers, [TopicSpec(topic, 2, 1, {}), TopicSpec(f"{topic}.dead", 1, 1, {})])
    seen: asyncio.Queue[int] = asyncio.Queue()

    async def take(batch: Sequence[ConsumedEvent]) -> None:
        for item in batch:
            await seen.put(item.event.sequence)

    refusing = True

    async def refuse(batch: Sequence[ConsumedEvent]) -> None:
        if refusing:
            raise Rejected("not yet")
        await take(batch)

    async with Publisher(brokers) as publisher:
        follower = Follower(brokers, topic, take)
        consumer = GroupConsumer(brokers, topic, f"{topic}.g", refuse, publisher=publisher)
        tasks = [asyncio.create_task(follower.run()), asyncio.create_task(consumer.run())]
        try:
            await publisher.send(topic, [new_event("/test", "agency/officer-1", 1, event(1))])
            async with asyncio.timeout(90):
                assert await seen.get() == 1
                while not consumer.dead_lettered:
                    await asyncio.sleep(0.05)
                refusing = False
                assert await replay(brokers, topic, f"{topic}.g") == 1
                assert [await seen.get(), await seen.get()] == [1, 1]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


async def _tells(brokers: KafkaSettings, cause: str) -> bool:
    return cause in (await reachable(brokers) or "")


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({"KAFKA_SASL_PASSWORD": "wrong-secret"}, "refuses the user of KAFKA_SASL_USERNAME"),
        ({"KAFKA_SASL_USERNAME": "nobody"}, "refuses the user of KAFKA_SASL_USERNAME"),
        ({"KAFKA_TLS_CA_FILE": ""}, "is refused: unable to get local issuer certificate"),
        ({"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SASL_USERNAME": "", "KAFKA_SASL_PASSWORD": ""}, "no broker answers"),
        (
            {
                "KAFKA_SECURITY_PROTOCOL": "PLAINTEXT",
                "KAFKA_SASL_USERNAME": "",
                "KAFKA_SASL_PASSWORD": "",
                "KAFKA_TLS_CA_FILE": "",
            },
            "no broker answers",
        ),
    ],
    ids=["password", "user", "authority", "no user", "plain text"],
)
async def test_wrong_kafka_settings_fail_without_revealing_secrets(
    secured: dict[str, str], changed: dict[str, str], cause: str, caplog: pytest.LogCaptureFixture
) -> None:
    brokers = read(KafkaSettings, secured | changed)
    await until(lambda: _tells(brokers, cause))  # a handshake on a busy machine takes longer than a probe waits
    with pytest.raises(Unavailable) as caught:
        async with asyncio.timeout(90), Publisher(brokers):
            pass
    for secret in (PASSWORD, "wrong-secret"):
        assert secret not in f"{caught.value} {brokers!r} {caplog.text}"


async def test_readiness_tells_that_kafka_asks_for_a_certificate_of_the_client(
    made: Certificates, secured: dict[str, str], tmp_path: Path
) -> None:
    server = SecuredKafka(find_java(), find_jars(print), tmp_path / "kafka", made, client_auth="required")
    try:
        await server.start()
        brokers = read(KafkaSettings, secured | {"KAFKA_BOOTSTRAP_SERVERS": server.clients})
        await until(lambda: _tells(brokers, f"{server.clients} asks for a certificate of the client"))
    finally:
        await server.stop()


@pytest.mark.parametrize(
    ("certificate", "cause"),
    [
        ({"days": "-1"}, "certificate has expired"),
        ({"names": "DNS:elsewhere"}, "certificate is not valid for '127.0.0.1'"),
    ],
    ids=["expired", "another name"],
)
async def test_readiness_tells_why_the_certificate_of_a_server_is_refused(
    certificate: dict[str, str], cause: str, tmp_path: Path
) -> None:
    made = certificates(tmp_path, **certificate)
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(made.server)
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=serving) as server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        files = {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_TLS_CA_FILE": str(made.authority)}
        brokers = read(KafkaSettings, {"KAFKA_BOOTSTRAP_SERVERS": address} | files)
        uri = f"mongodb://user:planted@{address}/?tls=true&tlsCAFile={made.authority}"
        client = connect(read(StoreSettings, {"MONGODB_URI": uri, "API_KEY_PEPPER": PEPPER}))

        async def mongo_tells() -> bool:
            found = await mongo_reachable(client) or ""
            assert "planted" not in found
            return cause in found and address in found

        try:
            await until(mongo_tells)
            await until(lambda: _tells(brokers, cause))
        finally:
            client.close()


async def test_running_clients_trust_an_authority_that_is_added_to_the_file(made: Certificates, tmp_path: Path) -> None:
    authorities = tmp_path / "authorities.pem"
    authorities.write_text(made.authority.read_text())
    files = {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_TLS_CA_FILE": str(authorities)}
    brokers = read(KafkaSettings, {"KAFKA_BOOTSTRAP_SERVERS": "localhost:1"} | files)
    running = connection(brokers)["ssl_context"]
    other = certificates(tmp_path / "other")
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(other.server)

    async def handshake() -> None:
        _, writer = await asyncio.open_connection("localhost", port, ssl=running)
        writer.close()

    async with await asyncio.start_server(lambda _, writer: writer.close(), "localhost", 0, ssl=serving) as server:
        port = server.sockets[0].getsockname()[1]
        for content in (None, "", "no certificate", made.authority.read_text()):  # while somebody replaces the file
            authorities.unlink() if content is None else authorities.write_text(content)
            assert connection(brokers)["ssl_context"] is running
            with pytest.raises(ssl.SSLCertVerificationError):
                await handshake()
        authorities.write_text(made.authority.read_text() + other.authority.read_text())
        connection(brokers)  # as every readiness check does
        await handshake()


async def test_mongodb_is_reachable_only_with_tls_and_scram(mongod: SecuredMongod, namespace: str) -> None:
    def settings(uri: str) -> StoreSettings:
        return read(StoreSettings, {"MONGODB_URI": uri, "NAMESPACE": namespace, "API_KEY_PEPPER": PEPPER})

    right = settings(mongod.uri())
    client = connect(right)

    async def answers() -> bool:
        return await mongo_reachable(client) is None

    await until(answers)
    _, stored = issue(right.api_key_pepper, "agency", "platform")
    await KeyStore(client, right).create(stored)
    assert await KeyStore(client, right).find(stored.key_id) is not None
    client.close()
    plain = mongod.uri().partition("&tls=")[0]

    async def is_refused(uri: str) -> None:
        wrong = settings(uri)
        client = connect(wrong)
        assert await mongo_reachable(client)
        with pytest.raises(Unavailable) as caught:
            await KeyStore(client, wrong).find(stored.key_id)
        assert ENCODED not in f"{caught.value} {wrong!r}"
        client.close()

    uris = (mongod.uri(password="wrong"), mongod.uri(user="nobody"), plain)
    await asyncio.gather(*(is_refused(uri) for uri in uris))  # each waits for the time-outs of its client


async def test_readiness_tells_again_and_again_that_mongodb_refuses_the_user(mongod: SecuredMongod) -> None:
    without_certificate = mongod.uri_of_certificate(None)
    for uri in (mongod.uri(password="wrong"), mongod.uri(user="nobody"), without_certificate):
        client = connect(read(StoreSettings, {"MONGODB_URI": uri, "API_KEY_PEPPER": PEPPER}))
        for _ in range(4):  # the client notes the first refusal, and then answers without asking
            await until(partial(_mongo_tells, client, "the user of MONGODB_URI is refused"))
            assert await mongo_reachable(client) in ("the user of MONGODB_URI is refused", "no answer in time")
        client.close()


async def test_a_certificate_is_the_user_of_mongodb(mongod: SecuredMongod, made: Certificates, namespace: str) -> None:
    uri = mongod.uri_of_certificate(made.client)
    settings = read(StoreSettings, {"MONGODB_URI": uri, "NAMESPACE": namespace, "API_KEY_PEPPER": PEPPER})
    client = connect(settings)
    await until(partial(_mongo_tells, client, "the user of MONGODB_URI is refused"))  # nobody has this certificate
    with pytest.raises(Unavailable):
        await KeyStore(client, settings).find("none")
    admin = connect(read(StoreSettings, {"MONGODB_URI": mongod.uri(), "API_KEY_PEPPER": PEPPER}))
    roles = [{"role": "readWriteAnyDatabase", "db": "admin"}]
    await admin["$external"].command("createUser", f"CN={USER},O=tests", roles=roles)
    await until(partial(_mongo_tells, client, None))
    _, stored = issue(settings.api_key_pepper, "agency", "platform")
    await KeyStore(client, settings).create(stored)
    assert await KeyStore(client, settings).find(stored.key_id) is not None
    client.close()
    admin.close()


async def _mongo_tells(client: Client, fault: str | None) -> bool:
    return await mongo_reachable(client) == fault


@pytest.mark.parametrize(
    "uri",
    [
        "mongodb://user:geheim/word@127.0.0.1/?replicaSet=rs0",
        "mongodb://user:geheim@word@127.0.0.1",
        "mongodb://user:1@127.0.0.1:geheim/",
        "mongodb://user:1@127.0.0.1/?geheim",
        "mongodb://user:1@127.0.0.1/?tls=true&tlsCAFile=/nowhere/geheim",
        "mongodb://user:1@127.0.0.1/?authMechanism=geheim",
        "mongodb://user:1@127.0.0.1/?geheim=true",
    ],
)
def test_an_unusable_uri_is_rejected_without_quoting_it(uri: str) -> None:
    with pytest.raises(Unavailable, match="MONGODB_URI cannot be used") as caught:
        connect(read(StoreSettings, {"MONGODB_URI": uri, "API_KEY_PEPPER": PEPPER}))
    assert "geheim" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.fixture
async def service(
    secured: dict[str, str], mongod: SecuredMongod, namespace: str, tmp_path: Path
) -> AsyncIterator[Started]:
    """Return an assessment service whose secrets are all in files."""
    given = {**secured, "MONGODB_URI": mongod.uri(), "API_KEY_PEPPER": PEPPER}
    for name in ("KAFKA_SASL_PASSWORD", "MONGODB_URI", "API_KEY_PEPPER"):
        (tmp_path / name).write_text(given.pop(name) + "\n")
        given[f"{name}_FILE"] = str(tmp_path / name)
    given["NAMESPACE"] = namespace
    settings = read(AssessmentSettings, given)
    await ensure_topics(settings, namespace)
    async with started(build, settings) as service:
        service.environment = given
        yield service


async def test_a_service_and_the_commands_work_on_secured_servers(service: Started) -> None:
    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env=inherited | service.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    topics = await asyncio.to_thread(command, "deploy.topics")
    assert topics.returncode == 0, topics.stderr
    made = await asyncio.to_thread(command, "shared.keys", "create", "--tenant", "agency", "--role", "platform")
    assert made.returncode == 0, made.stderr
    headers = {"Authorization": f"Bearer {made.stdout.strip()}"}
    async with followed(service.settings, PROFILES_TOPIC) as topic:
        database = service.database("assessment")
        await database["officers"].insert_one({"_id": "agency/o", "tenant": "agency", "officer": "o", "sequence": 3})
        assert (await service.client.get("/v1/officers/o", headers=headers)).status == 404
        republished = await asyncio.to_thread(command, "services.assessment", "republish")
        assert republished.returncode == 0, republished.stderr
        assert [event.sequence for event in await topic.of("agency/o", 1)] == [3]
