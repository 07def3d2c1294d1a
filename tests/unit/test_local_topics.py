"""The one list of topics, and the settings of `make run`."""

import socket

import pytest

from deploy.local.processes import CannotStart
from deploy.local.replicas import fixed_ports, wanted_replicas
from deploy.topics import read_topics
from shared.events import CATALOG_TOPIC, PATHS_TOPIC, PROFILES_TOPIC


def test_every_topic_of_the_events_is_listed_with_its_partitions() -> None:
    partitions = {topic.name: topic.partitions for topic in read_topics()}
    assert partitions == {PROFILES_TOPIC: 24, f"{PROFILES_TOPIC}.dead": 1, CATALOG_TOPIC: 1, PATHS_TOPIC: 24}


def test_state_is_compacted_and_dead_letters_are_kept_thirty_days() -> None:
    topics = {topic.name: topic.config for topic in read_topics()}
    for name in (PROFILES_TOPIC, CATALOG_TOPIC, PATHS_TOPIC):
        assert topics[name]["cleanup.policy"] == "compact"
        assert int(topics[name]["min.compaction.lag.ms"]) == 24 * 3600 * 1000
        assert int(topics[name]["max.compaction.lag.ms"]) > int(topics[name]["min.compaction.lag.ms"])
    assert int(topics[f"{PROFILES_TOPIC}.dead"]["retention.ms"]) == 30 * 24 * 3600 * 1000


def test_production_replicates_and_names_take_the_namespace() -> None:
    topics = read_topics("x-", replication=3)
    assert all(topic.name.startswith("x-") and topic.replication_factor == 3 for topic in topics)
    assert all(topic.config["min.insync.replicas"] == "2" for topic in topics)


def test_a_port_in_use_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    first = 9100
    monkeypatch.setenv("PORT", str(first))
    monkeypatch.setattr("deploy.local.replicas.port_is_free", lambda _port: True)
    assert fixed_ports() == {
        "portal": first,
        "assessment": first + 1,
        "catalog": first + 2,
        "recommender": first + 3,
    }
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        first = taken.getsockname()[1] - 2
        monkeypatch.undo()
        monkeypatch.setenv("PORT", str(first))
        with pytest.raises(CannotStart, match=rf"{first + 2} \(catalog\).* is taken.*\n.*make run PORT=9100"):
            fixed_ports()


def test_the_number_of_replicas_is_set_by_service_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOMMENDER", "2")
    monkeypatch.setenv("PORTAL", "")
    assert wanted_replicas() == {"assessment": 1, "catalog": 1, "recommender": 2, "portal": 1}
    monkeypatch.setenv("PORTAL", "many")
    with pytest.raises(CannotStart, match="PORTAL=many"):
        wanted_replicas()
