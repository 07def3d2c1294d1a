"""Kafka: publish, consume as a group, follow a whole topic. The only package that imports aiokafka.

`Publisher`      sends events and returns, per event, where it landed or what went wrong. A time-out means "unknown":
                 the record may still land, so send again and let readers drop the duplicate. `is_permanent` finds
                 errors that no retry solves, such as a record that is too large.
`GroupConsumer`  at least once. The uncommitted offset is the retry marker: a batch is delivered until it is taken,
                 then committed. `Unavailable` is retried in place; `Rejected`, and whatever fails three times, goes to
                 the dead-letter topic with its reason and original headers, cut where it does not fit, and the flow
                 goes on.
`Follower`       every replica sees every record; nothing is committed. Records that cannot be read or taken are
                 skipped, counted and logged.

`held_seconds` of each reader: how long it has had the same records in hand; readiness reads it by `overdue`.

Both readers begin again when their topic was deleted and created again, or is shorter than what they have read.
They end by raising when Kafka answers with an error that no retry solves; the process then ends too.
"""

from shared.kafka.client import Brokers
from shared.kafka.consumer import GroupConsumer
from shared.kafka.delivery import overdue
from shared.kafka.follower import Follower
from shared.kafka.lag import GroupLag
from shared.kafka.operations import create_topics, reachable, replay
from shared.kafka.publisher import Publisher, is_permanent
from shared.kafka.records import ConsumedEvent, OnEvents, Record, RecordMetadata, TopicSpec
from shared.kafka.topics import TopicState, TopicWarning, describe_topics, deviations

__all__ = [
    "Brokers",
    "ConsumedEvent",
    "Follower",
    "GroupConsumer",
    "GroupLag",
    "OnEvents",
    "Publisher",
    "Record",
    "RecordMetadata",
    "TopicSpec",
    "TopicState",
    "TopicWarning",
    "create_topics",
    "describe_topics",
    "deviations",
    "is_permanent",
    "overdue",
    "reachable",
    "replay",
]
