"""Kafka: publish, consume as a group, follow a whole topic. The only package that imports aiokafka.

`Publisher`      sends events and returns, per event, its position or the error. A time-out means "unknown": the record
                 may still be written, so send again and let readers drop the duplicate. `is_permanent` finds errors
                 that no retry solves, such as a record that is too large.
`GroupConsumer`  at least once. The uncommitted offset marks what is to be retried: a batch is delivered until the
                 handler accepts it, then committed, several batches together. `Unavailable` is retried in place;
                 `Rejected`, and a record that fails three times, goes to the dead-letter topic with its reason and
                 original headers (truncated if too large), and the consumer continues.
`Follower`       every replica reads every record; nothing is committed. Records that cannot be read or handled are
                 skipped, counted and logged.

`stalled_seconds` of each reader: how long it has been processing the same records. Readiness reads it by `overdue`.

Both readers start from the beginning if their topic was deleted and created again, or is shorter than what they have
read. They raise if Kafka answers with an error that no retry solves; the process then ends too.
"""

from shared.kafka.client import Brokers
from shared.kafka.consumer import GroupConsumer
from shared.kafka.delivery import overdue
from shared.kafka.follower import Follower
from shared.kafka.lag import GroupLag
from shared.kafka.operations import create_topics, delete_topics, reachable, replay
from shared.kafka.publisher import Publisher, is_permanent
from shared.kafka.records import BULK, ConsumedEvent, Headers, OnEvents, Record, RecordMetadata, TopicSpec, is_bulk
from shared.kafka.topics import TopicState, TopicWarning, UnsupportedBroker, describe_topics, deviations

__all__ = [
    "BULK",
    "Brokers",
    "ConsumedEvent",
    "Follower",
    "GroupConsumer",
    "GroupLag",
    "Headers",
    "OnEvents",
    "Publisher",
    "Record",
    "RecordMetadata",
    "TopicSpec",
    "TopicState",
    "TopicWarning",
    "UnsupportedBroker",
    "create_topics",
    "delete_topics",
    "describe_topics",
    "deviations",
    "is_bulk",
    "is_permanent",
    "overdue",
    "reachable",
    "replay",
]
