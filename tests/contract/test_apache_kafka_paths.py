"""Apache Kafka starts from directories with spaces and Thai letters, also in the locale C."""

from pathlib import Path

import pytest

from deploy.local.broker import ApacheKafka, answers
from deploy.local.kafka_jars import find_jars, find_java
from deploy.local.processes import CannotStart


async def test_apache_kafka_starts_in_a_directory_with_thai_letters_in_the_locale_c(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        java, jars = find_java(), find_jars(print)
    except CannotStart as error:
        pytest.skip(str(error))
    monkeypatch.setenv("LC_ALL", "C")
    place = tmp_path / "โครงการ ก"
    place.mkdir()
    (place / "libs").symlink_to(jars)
    server = ApacheKafka(java, place / "libs", place / "kafka", "a test")
    try:
        await server.start()
        assert await answers(server.address)
        assert (place / "kafka" / "data" / "meta.properties").exists()
    finally:
        await server.stop()
