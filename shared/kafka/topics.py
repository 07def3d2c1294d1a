"""The state of a topic on the broker (id, partitions, configuration), and its deviations from the plan.

Kafka gives a topic an id when it is created. A topic that was deleted and created again keeps its name and gets another
id; offsets of the old topic are invalid in it. aiokafka 0.14 does not read topic ids, so the request that returns them
(Metadata, version 10) is defined here with its protocol types.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from io import BytesIO
from uuid import UUID

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError
from aiokafka.protocol.admin import DescribeConfigsRequest
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from shared.errors import Unavailable
from shared.events import TopicPlan
from shared.kafka.client import Brokers, addresses, connection, within

_TOPIC_RESOURCE = 2
_CLEANUP_POLICY = "cleanup.policy"
_ALL = None  # the embedded broker cannot read a request that names settings, and closes the connection
_ASK_SECONDS = 5.0
_ANSWER_SECONDS = 5.0
_NO_ID = UUID(int=0)


class _Uuid(AbstractType[UUID]):  # type: ignore[misc]  # aiokafka carries no types
    @classmethod
    def encode(cls, value: UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> UUID:
        return UUID(bytes=data.read(16))


_NAME = CompactString("utf-8")


class _MetadataResponse(Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 10
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(("node_id", Int32), ("host", _NAME), ("port", Int32), ("rack", _NAME), ("tags", TaggedFields)),
        ),
        ("cluster_id", _NAME),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", _NAME),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("authorized_operations", Int32),
        ("tags", TaggedFields),
    )


class _MetadataRequestV10(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 10
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("topic", _NAME), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _MetadataRequest(Request[_MetadataRequestV10]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, topics: Iterable[str]) -> None:
        self._topics: list[tuple[UUID, str, dict[int, bytes]]] = [(_NO_ID, topic, {}) for topic in topics]

    def build(self, request_struct_class: type[_MetadataRequestV10]) -> _MetadataRequestV10:
        return request_struct_class(self._topics, False, False, False, {})  # noqa: FBT003 - the order of the schema


class UnsupportedBroker(KafkaError):  # type: ignore[misc]
    """Raised if a broker is older than Kafka 2.8, which has topic ids; no retry helps."""


class TopicReplaced(Exception):
    """Raised if the offsets in use belong to a former topic of the same name."""


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic on the broker. `config`: what the broker reports of its configuration, if it was asked for."""

    id: UUID
    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)


async def describe_topics(brokers: Brokers, names: Collection[str], *, configs: bool = False) -> dict[str, TopicState]:
    """Return {name: state} of the topics with these names that exist; with `configs` also their configurations.

    Raises Unavailable if no broker answers, UnsupportedBroker.
    """
    client = AIOKafkaClient(**connection(brokers))
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            await client.bootstrap()
            node = client.get_random_node()
            if node is None or not await client.ready(node):
                raise Unavailable(f"no broker answers at {addresses(brokers)}")
            metadata = await client.send(node, _MetadataRequest(names))
            found = {
                topic[1]: TopicState(topic[2], len(topic[4]))
                for topic in metadata.topics
                if topic[0] != UnknownTopicOrPartitionError.errno
            }
            reported = await _configs(client, node, found) if configs and found else {}
    except (KafkaError, OSError, TimeoutError) as error:
        raise Unavailable(f"Kafka: {error!r}") from error
    except NotImplementedError as error:  # of a request in a version that the broker does not know
        raise UnsupportedBroker(
            f"the broker at {addresses(brokers)} is older than Kafka 2.8, which is needed"
        ) from error
    finally:
        await within(client.close())  # which itself hides that this task is cancelled meanwhile
    return {name: replace(state, config=reported.get(name, {})) for name, state in found.items()}


async def _configs(client: AIOKafkaClient, node: int, names: Iterable[str]) -> dict[str, dict[str, str]]:
    request = DescribeConfigsRequest([(_TOPIC_RESOURCE, name, _ALL) for name in names])
    answer = await client.send(node, request)
    return {resource[3]: {entry[0]: entry[1] for entry in resource[4]} for resource in answer.resources}


def deviations(planned: Mapping[str, TopicPlan], found: Mapping[str, TopicState]) -> list[str]:
    """Return one sentence per deviation from the plan: missing topics, partition counts, cleanup policies."""
    texts = []
    for name, plan in planned.items():
        state = found.get(name)
        if state is None:
            texts.append(f"there is no topic {name}")
            continue
        if state.partitions != plan.partitions:
            texts.append(f"{name} has {state.partitions} partitions, {plan.partitions} are planned")
        policy = state.config.get(_CLEANUP_POLICY)
        if policy and set(policy.split(",")) != set(plan.cleanup_policy.split(",")):
            texts.append(f"{name} has the cleanup policy {policy!r}, {plan.cleanup_policy!r} is planned")
    return texts


class TopicWarning:
    """A readiness check that compares topics with the plan. Asks the broker at most every five seconds."""

    def __init__(self, brokers: Brokers, planned: Mapping[str, TopicPlan]) -> None:
        self._brokers = brokers
        self._planned = planned
        self._next = 0.0
        self._warning: str | None = None

    async def __call__(self) -> str | None:
        """Return the deviations from the plan, or why they are unknown, as a text; None if there are none."""
        now = asyncio.get_running_loop().time()
        if now >= self._next:
            self._next = now + _ASK_SECONDS
            try:
                found = await describe_topics(self._brokers, self._planned, configs=True)
            except (Unavailable, UnsupportedBroker) as error:
                return str(error)
            self._warning = "; ".join(deviations(self._planned, found)) or None
        return self._warning


class TopicIdentity:
    """Detects that a topic was deleted and created again, which makes all its stored offsets invalid.

    `partitions`: the number of partitions in the broker's last answer; 0 before the first answer about this topic.
    """

    def __init__(self, brokers: Brokers, topic: str, known: UUID | None = None) -> None:
        self.id = known
        self.partitions = 0
        self._brokers = brokers
        self._topic = topic
        self._next = 0.0
        self._waits = True
        self._asking: asyncio.Task[TopicState | None] | None = None

    async def changed(self) -> bool:
        """Return whether the topic's id differs from the last known one; the new id is then the known one.

        Asks the broker at most every five seconds. The first call, and every call while no id is known, waits for the
        answer, so that nobody reads a new topic at the offsets of a former one; later calls do not wait. False while no
        broker answers or the topic does not exist. Raises UnsupportedBroker.
        """
        now = asyncio.get_running_loop().time()
        if self._asking is None:
            if now < self._next:
                return False
            self._next = now + _ASK_SECONDS
            self._asking = asyncio.create_task(self._asked())
            if self.id is None or self._waits:
                self._waits = False
                await asyncio.wait({self._asking})
        if not self._asking.done():
            return False
        found, self._asking = self._asking.result(), None
        if found is None:
            return False
        before, self.id, self.partitions = self.id, found.id, found.partitions
        return before is not None and before != self.id

    def forget(self) -> None:
        """Forget the known id: the next call of `changed` asks at once and accepts the id in the answer as known."""
        self.id, self.partitions, self._next = None, 0, 0.0

    async def stop(self) -> None:
        """Stop asking; the next call of `changed` waits for an answer, unless one came within the last five seconds."""
        asking, self._asking, self._waits = self._asking, None, True
        if asking:
            asking.cancel()
            await asyncio.wait({asking})

    async def _asked(self) -> TopicState | None:
        """Return the topic's present state; None if it is not known."""
        try:
            found = await describe_topics(self._brokers, [self._topic])
        except Unavailable:
            return None
        return found.get(self._topic)
