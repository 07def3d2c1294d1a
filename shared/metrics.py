"""The metrics that every service exposes about its relay and its readers, under the same names.

`docs/operating.md` explains each metric; a test compares the document with the code.
"""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from shared.kafka import Follower, GroupConsumer
from shared.relay import Relay
from shared.work_queue import WorkQueue

NAMESPACE = "learning_path"
"""The prefix of every metric name."""


class _Count(Collector):
    """A counter that reads its value when it is scraped."""

    def __init__(self, name: str, sentence: str, value: Callable[[], float], labels: dict[str, str]) -> None:
        self._name, self._sentence, self._value, self._labels = name, sentence, value, labels

    def collect(self) -> list[CounterMetricFamily]:
        family = CounterMetricFamily(self._name, self._sentence, labels=list(self._labels))
        family.add_metric(list(self._labels.values()), self._value())
        return [family]


def count(registry: CollectorRegistry, name: str, sentence: str, value: Callable[[], float], **labels: str) -> None:
    """Expose a counter as `learning_path_NAME_total`. `sentence`: its description; `value`: returns the count."""
    registry.register(_Count(f"{NAMESPACE}_{name}", sentence, value, labels))


def gauge(registry: CollectorRegistry, name: str, sentence: str, value: Callable[[], float]) -> None:
    """Expose a gauge as `learning_path_NAME`. `sentence`: its description; `value`: returns the present number."""
    Gauge(name, sentence, namespace=NAMESPACE, registry=registry).set_function(value)


def watch_relay(registry: CollectorRegistry, relay: Relay) -> None:
    """Expose the relay's pending and unsendable documents, its lease, its sent events and topic replacements."""
    gauge(
        registry,
        "outbox_pending_documents",
        "Documents with events that no broker acknowledged.",
        lambda: relay.pending,
    )
    gauge(
        registry,
        "relay_unsendable_documents",
        "Documents with an event that no broker takes.",
        lambda: relay.unsendable,
    )
    gauge(
        registry,
        "relay_holds_lease",
        "1 where this replica is the one that sends.",
        lambda: relay.holds_lease,
    )
    count(registry, "relay_sent_events", "Events that this replica's relay sent.", lambda: relay.sent)
    count(
        registry,
        "relay_topic_replacements",
        "Times that everything was announced again because the topic was another one, or shorter.",
        lambda: relay.replaced,
    )
    count(
        registry,
        "relay_newer_records",
        "Records of the topic that are newer than their documents.",
        lambda: relay.newer,
    )


def watch_consumer(registry: CollectorRegistry, consumer: GroupConsumer) -> None:
    """Expose a consumer's lag, partitions, dead letters, topic replacements, and how long it holds the same records."""
    gauge(
        registry,
        "consumer_lag_records",
        "Records of the owned partitions not read yet.",
        lambda: consumer.lag,
    )
    gauge(
        registry,
        "consumer_owned_partitions",
        "Partitions that this replica owns.",
        lambda: len(consumer.partitions),
    )
    gauge(
        registry,
        "consumer_stalled_seconds",
        "How long the same records have been worked on.",
        lambda: consumer.stalled_seconds,
    )
    count(
        registry,
        "consumer_topic_replacements",
        "Times that the topic was another one, or shorter.",
        lambda: consumer.replaced,
    )
    count(
        registry,
        "consumer_dead_lettered_events",
        "Events sent to the dead-letter topic.",
        lambda: consumer.dead_lettered,
    )


def watch_follower(registry: CollectorRegistry, follower: Follower) -> None:
    """Expose a follower's lag, skipped records, topic replacements, and how long it holds the same records."""
    gauge(
        registry,
        "follower_lag_records",
        "Records of the followed topic not read yet.",
        lambda: follower.lag,
    )
    gauge(
        registry,
        "follower_stalled_seconds",
        "How long the same records have been worked on.",
        lambda: follower.stalled_seconds,
    )
    count(
        registry,
        "follower_topic_replacements",
        "Times that the topic was another one, or shorter.",
        lambda: follower.replaced,
    )
    count(
        registry,
        "follower_skipped_records",
        "Records that could not be read or taken.",
        lambda: follower.skipped,
    )


def watch_work(registry: CollectorRegistry, work: WorkQueue) -> None:
    """Expose how many requests' tasks wait or run in the queue, and how many were rejected or abandoned."""
    gauge(registry, "work_queue_tasks", "Work of requests that waits or runs.", lambda: work.tasks)
    count(
        registry,
        "work_queue_rejected_tasks",
        "Work of requests beyond the limits: 429 or 503.",
        lambda: work.refused,
    )
    count(
        registry,
        "work_queue_abandoned_tasks",
        "Work whose client went away before its turn.",
        lambda: work.dropped,
    )


def watch_assembly(registry: CollectorRegistry, missing: Callable[[], int]) -> None:
    """Expose the number of missing or wrong parts of announced frameworks, which `missing` returns."""
    gauge(registry, "framework_parts_missing", "Parts of announced frameworks that are missing or wrong.", missing)
