"""Creates missing topics of deploy/topics.yaml: `python -m deploy.topics`.

With `--recreate` it first deletes all these topics with their records; this is a step of restoring a backup
(docs/operating.md). The settings are in the environment: the address and protocol of Kafka, NAMESPACE and
TOPIC_REPLICATION.
"""

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from shared.console import say
from shared.errors import Unavailable
from shared.events import TopicPlan
from shared.kafka import (
    Brokers,
    TopicSpec,
    UnsupportedBroker,
    create_topics,
    delete_topics,
    describe_topics,
    deviations,
)
from shared.settings import TopicsSettings, load

_LIST = Path(__file__).with_name("topics.yaml")
_SAFE_REPLICATION = 3
_TRIES = 30
_HOST = "HOST:PORT"


def read_topics(namespace: str = "", replication: int = 1) -> list[TopicSpec]:
    """Return the specification of every topic in topics.yaml.

    `namespace`: a prefix for the names. `replication`: the replicas of each partition; from three on, a record is
    accepted only if two of them are in sync.
    """
    safe = {"min.insync.replicas": "2"} if replication >= _SAFE_REPLICATION else {}
    return [
        TopicSpec(
            name=namespace + topic["name"],
            partitions=topic["partitions"],
            replication_factor=replication,
            config={name: str(value) for name, value in topic["config"].items()} | safe,
        )
        for topic in yaml.safe_load(_LIST.read_text(encoding="utf-8"))["topics"]
    ]


async def ensure_topics(brokers: Brokers, namespace: str = "", replication: int = 1) -> list[str]:
    """Create the topics of topics.yaml that do not exist, and return their names.

    Tries for about 30 s if the broker is still starting. Raises Unavailable.
    """
    for attempt in range(_TRIES):
        try:
            return await create_topics(brokers, read_topics(namespace, replication))
        except Unavailable:
            if attempt == _TRIES - 1:
                raise
            await asyncio.sleep(1)
    return []


async def recreate_topics(brokers: Brokers, namespace: str = "", replication: int = 1) -> list[str]:
    """Delete the topics of topics.yaml with all records, create them again, and return their names.

    Raises Unavailable.
    """
    await delete_topics(brokers, [topic.name for topic in read_topics(namespace)])
    return await ensure_topics(brokers, namespace, replication)


async def check_topics(brokers: Brokers, topics: Sequence[TopicSpec]) -> list[str]:
    """Return a sentence for each topic that the broker lacks, or has otherwise than planned.

    Where Kafka's own command can change a topic, the sentence contains it. Raises Unavailable, UnsupportedBroker.
    """
    planned = {topic.name: TopicPlan(topic.partitions, topic.config["cleanup.policy"]) for topic in topics}
    found = await describe_topics(brokers, planned, configs=True)
    texts = deviations(planned, found)
    for topic in topics:
        reported = found[topic.name].config if topic.name in found else {}
        other = {name: value for name, value in topic.config.items() if not _is_same(reported.get(name, value), value)}
        if other:
            was = ", ".join(f"{name}={reported[name]}" for name in other)
            texts.append(
                f"{topic.name} has {was}: kafka-configs.sh --bootstrap-server {_HOST} {_change(topic.name, other)}"
            )
    return texts


def _is_same(one: str, other: str) -> bool:
    return set(one.split(",")) == set(other.split(","))


def _change(name: str, config: Mapping[str, str]) -> str:
    """Return the options of `kafka-configs.sh` that change a topic; a value with a comma is in brackets there."""
    values = ",".join(f"{key}=[{value}]" if "," in value else f"{key}={value}" for key, value in config.items())
    return f'--alter --entity-type topics --entity-name {name} --add-config "{values}"'


def main() -> int:
    """Run the command; return 0 if every topic exists, otherwise 1. Invalid settings end the process with 2.

    A topic that is otherwise than planned is reported only: services work with it, and their start may wait for this
    command.
    """
    parser = argparse.ArgumentParser(prog="python -m deploy.topics", description=__doc__)
    parser.add_argument("--recreate", action="store_true", help="delete all topics with their records first")
    make = recreate_topics if parser.parse_args().recreate else ensure_topics
    settings = load(TopicsSettings)
    try:
        created = asyncio.run(make(settings, settings.namespace, settings.topic_replication))
        wrong = asyncio.run(check_topics(settings, read_topics(settings.namespace)))
    except Unavailable as error:
        print(f"The topics were not created: {error}", file=sys.stderr)  # noqa: T201 - the output of a command
        return 1
    except UnsupportedBroker as error:
        print(f"The topics cannot be used: {error}", file=sys.stderr)  # noqa: T201 - the output of a command
        return 1
    say(f"topics created: {', '.join(created)}" if created else "every topic is there")
    for text in wrong:
        print(f"not as planned: {text}", file=sys.stderr)  # noqa: T201 - the output of a command
    return 0


if __name__ == "__main__":
    sys.exit(main())
