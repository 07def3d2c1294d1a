"""Settings: read once, all problems at once, secrets from files, one namespace before every name."""

import os
import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.settings import (
    BY_SERVICE,
    AssessmentSettings,
    BadSettings,
    KafkaSettings,
    NamedSettings,
    PortalSettings,
    RecommenderSettings,
    StoreSettings,
    described,
    read,
)

PEPPER = "sixteen characters"


def test_only_the_pepper_must_be_set() -> None:
    settings = read(AssessmentSettings, {"API_KEY_PEPPER": PEPPER})
    assert (settings.http_host, settings.http_port) == ("127.0.0.1", 8101)
    assert settings.default_framework == "th-digital-2018"
    assert settings.api_key_pepper == PEPPER.encode()


def test_every_problem_is_reported_at_once() -> None:
    wrong = {
        "HTTP_PORT": "eighty",
        "MONGODB_URI": "postgres://x",
        "KAFKA_BOOTSTRAP_SERVERS": "localhost",
        "NAMESPACE": "with space",
        "LOG_LEVEL": "chatty",
        "DRAIN_SECONDS": "-1",
        "ASSESSMENT_URL": "assessment:8101",
        "COOKIE_SECURE": "maybe",
    }
    with pytest.raises(BadSettings) as caught:
        read(PortalSettings, wrong)
    for name in [*wrong, "API_KEY_PEPPER"]:
        assert sum(problem.startswith(name) for problem in caught.value.problems) == 1, name
    assert len(caught.value.problems) == len(wrong) + 1


def test_an_unknown_time_zone_is_rejected() -> None:
    with pytest.raises(BadSettings, match="TIME_ZONE"):
        read(RecommenderSettings, {"API_KEY_PEPPER": PEPPER, "TIME_ZONE": "Bangkok"})


def test_a_secret_may_be_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "pepper"
    file.write_text(f"{PEPPER}\n")
    assert read(StoreSettings, {"API_KEY_PEPPER_FILE": str(file)}).api_key_pepper == PEPPER.encode()
    with pytest.raises(BadSettings, match="both set"):
        read(StoreSettings, {"API_KEY_PEPPER_FILE": str(file), "API_KEY_PEPPER": PEPPER})
    with pytest.raises(BadSettings, match="API_KEY_PEPPER_FILE cannot be read"):
        read(StoreSettings, {"API_KEY_PEPPER_FILE": str(tmp_path / "missing")})
    file.write_text("short-secret")
    with pytest.raises(BadSettings, match="API_KEY_PEPPER_FILE must hold at least 16 characters"):
        read(StoreSettings, {"API_KEY_PEPPER_FILE": str(file)})


def test_a_short_pepper_is_rejected_and_never_shown() -> None:
    with pytest.raises(BadSettings) as caught:
        read(StoreSettings, {"API_KEY_PEPPER": "short-secret"})
    assert "short-secret" not in str(caught.value)
    assert PEPPER not in repr(read(StoreSettings, {"API_KEY_PEPPER": PEPPER}))


SECURED = {
    "API_KEY_PEPPER": PEPPER,
    "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "KAFKA_SASL_USERNAME": "learning",
    "KAFKA_SASL_PASSWORD": "secret-of-kafka",
    "OPENID_CLIENT_SECRET": "secret-of-the-portal",
}


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        *(("HTTP_PORT", text, "must be a port number") for text in ("²", "٨١", "9" * 5000, "-1", "65536", "8 1")),
        *(("RATE_PER_KEY", text, "must be a whole number between") for text in ("³", "๕", "9" * 5000, "1e3")),
        *(
            ("KAFKA_BOOTSTRAP_SERVERS", f"kafka:{port}", "must be host:port")
            for port in ("٣", "0", "65536", "9" * 5000)
        ),
    ],
)
def test_numbers_are_ascii_digits_within_their_range(name: str, text: str, expected: str) -> None:
    with pytest.raises(BadSettings) as caught:
        read(AssessmentSettings, SECURED | {name: text})
    [problem] = caught.value.problems
    assert problem.startswith(f"{name} {expected}")


@pytest.mark.parametrize(
    "pepper",
    [
        "a" * 40,
        "ab" * 20,
        "abcdefgh" * 4,
        "password" * 2,
        "a" * 39 + "b",
        "k9Xq2mZp" * 2 + "k9Xq",
        "k9Xq2mZp-k9Xq2mZp-k9Xq2mZp",
        "k9Xq2mZpW3 k9Xq2",
        "0123456789abcdef",
        "abcdefghijklmnop",
        "กกกกกกกกกกกกกกกกกก",
    ],
)
def test_a_pepper_that_can_be_guessed_is_rejected(pepper: str) -> None:
    with pytest.raises(BadSettings, match="API_KEY_PEPPER must be random") as caught:
        read(StoreSettings, {"API_KEY_PEPPER": pepper})
    assert pepper not in str(caught.value)


@pytest.mark.parametrize("make", [secrets.token_hex, secrets.token_urlsafe, lambda _: "correct horse battery staple"])
def test_a_random_pepper_is_accepted(make: Callable[[int], str]) -> None:
    pepper = make(16)
    assert read(StoreSettings, {"API_KEY_PEPPER": pepper}).api_key_pepper == pepper.encode()


@pytest.mark.parametrize("shape", [StoreSettings, KafkaSettings, *BY_SERVICE.values()])
def test_every_secret_may_be_read_from_a_file_and_none_is_printed(shape: type[NamedSettings], tmp_path: Path) -> None:
    values = SECURED | {"MONGODB_URI": "mongodb://user:secret-of-mongodb@db.example/?replicaSet=rs0"}
    names = [one.name for one in described(shape) if one.secret]
    assert names
    given = dict(values)
    for name in names:
        (tmp_path / name).write_text(f"{given.pop(name)}\r\n")
        given[f"{name}_FILE"] = str(tmp_path / name)
    settings = read(shape, given)
    assert settings == read(shape, values)
    assert not [
        value for value in ("secret-of-kafka", "secret-of-mongodb", PEPPER) if value in f"{settings} {settings!r}"
    ]


def test_a_secret_file_that_is_empty_or_not_utf8_is_rejected_without_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "password"
    for content in (b"", b"\n", b"geheim\xff"):
        file.write_bytes(content)
        given = SECURED | {"KAFKA_SASL_PASSWORD": "", "KAFKA_SASL_PASSWORD_FILE": str(file)}
        with pytest.raises(
            BadSettings, match=r"KAFKA_SASL_PASSWORD_FILE (cannot be read|names an empty file)"
        ) as caught:
            read(KafkaSettings, given)
        assert "geheim" not in str(caught.value)
        assert "xff" not in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "blamed"),
    [
        ({"KAFKA_SASL_PASSWORD": ""}, "KAFKA_SASL_PASSWORD is not set"),
        ({"KAFKA_SASL_USERNAME": ""}, "KAFKA_SASL_USERNAME is not set"),
        ({"KAFKA_SASL_PASSWORD": "  "}, "KAFKA_SASL_PASSWORD must not consist of spaces"),
        ({"KAFKA_SASL_USERNAME": "\t"}, "KAFKA_SASL_USERNAME must not consist of spaces"),
        ({"KAFKA_SECURITY_PROTOCOL": "SSL"}, "KAFKA_SASL_USERNAME is set"),
        ({"KAFKA_SECURITY_PROTOCOL": "TLS"}, "KAFKA_SECURITY_PROTOCOL must be one of"),
        ({"KAFKA_SASL_MECHANISM": "GSSAPI"}, "KAFKA_SASL_MECHANISM must be one of"),
        ({"KAFKA_TLS_CA_FILE": "/nowhere/ca.pem"}, "KAFKA_TLS_CA_FILE must be a readable file"),
        ({"KAFKA_TLS_CA_FILE": __file__}, "KAFKA_TLS_CA_FILE must be a readable file"),
    ],
)
def test_contradictory_kafka_settings_are_rejected(changed: dict[str, str], blamed: str) -> None:
    with pytest.raises(BadSettings, match=blamed) as caught:
        read(PortalSettings, SECURED | changed)
    assert "secret-of-kafka" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("KAFKA_SASL_MECHANIZM", "KAFKA_SASL_MECHANISM"),
        ("KAFKA_SASL_USER", "KAFKA_SASL_USERNAME"),
        ("KAFKA_BOOTSTRAP_SERVER", "KAFKA_BOOTSTRAP_SERVERS"),
        ("MONGODB_URL", "MONGODB_URI"),
        ("MONGODB_URI_FIL", "MONGODB_URI_FILE"),
        ("HTTP_PROT", "HTTP_PORT"),
        ("HTTP_PORT_FILE", "HTTP_PORT"),
        ("API_KEY_PEPER", "API_KEY_PEPPER"),
        ("DRAIN_SECOND", "DRAIN_SECONDS"),
        ("CATALOGS_URL", "CATALOG_URL"),
        ("LOGLEVEL", "LOG_LEVEL"),
    ],
)
def test_an_unknown_setting_is_rejected_and_the_nearest_is_named(name: str, nearest: str) -> None:
    with pytest.raises(BadSettings, match=f"{name} is no setting; the nearest is {nearest}$") as caught:
        read(PortalSettings, {"API_KEY_PEPPER": PEPPER, name: "a-secret-perhaps"})
    assert "a-secret-perhaps" not in str(caught.value)


def test_settings_of_other_services_and_foreign_variables_are_ignored() -> None:
    others = {one.name: "" if one.secret else one.default or "" for s in BY_SERVICE.values() for one in described(s)}
    foreign = {
        "PATH": "/bin",
        "HTTP_PROXY": "http://proxy.example:3128",
        "KAFKA_HOME": "/opt/kafka",
        "KAFKA_HEAP_OPTS": "-Xmx1g",
        "KAFKA_PORT": "tcp://10.0.0.7:9092",
        "KAFKA_PORT_9092_TCP_ADDR": "10.0.0.7",
        "MONGODB_SERVICE_HOST": "10.0.0.8",
        "POD_NAMESPACE": "learning",
        "API_KEY_PEPPER_PATH": "/secrets/pepper",
        "TOPIC_REPLICATION": "3",
        "TZ": "Asia/Bangkok",
    }
    read(AssessmentSettings, others | foreign | {"API_KEY_PEPPER": PEPPER, "HTTP_PORT": "8101"})


def test_several_addresses_of_a_service_are_deduplicated() -> None:
    given = {"API_KEY_PEPPER": PEPPER, "RECOMMENDER_URL": "http://one:8103/, https://two, http://one:8103"}
    assert read(PortalSettings, given).recommender_url == ("http://one:8103", "https://two")
    for wrong in ("http://one,", "http://one;http://two", "ftp://x", "http://", "http://u:p@one", "http://one:port"):
        with pytest.raises(BadSettings, match="RECOMMENDER_URL"):
            read(PortalSettings, given | {"RECOMMENDER_URL": wrong})


def test_the_namespace_prefixes_every_name() -> None:
    settings = read(StoreSettings, {"API_KEY_PEPPER": PEPPER, "NAMESPACE": "t1."})
    assert settings.topic("catalog.state") == "t1.catalog.state"
    assert settings.group("recommender") == "t1.recommender"
    assert settings.database("access") == "t1_access"


@pytest.mark.parametrize("shape", [StoreSettings, *BY_SERVICE.values()])
def test_every_setting_has_a_description(shape: type[StoreSettings]) -> None:
    for setting in described(shape):
        assert setting.sentence.endswith("."), setting.name
        assert setting.secret or setting.default is not None


def test_a_service_with_invalid_settings_reports_them_and_exits_with_2() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("API_KEY")}
    done = subprocess.run(
        [sys.executable, "-m", "services.assessment"],
        env=environment | {"HTTP_PORT": "x"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "HTTP_PORT must be a port number" in done.stderr
    assert "API_KEY_PEPPER (or API_KEY_PEPPER_FILE) is not set" in done.stderr


def test_a_setting_of_two_services_has_one_default() -> None:
    """All services are often given one environment, so a name has one meaning."""
    defaults: dict[str, set[str | None]] = {}
    for shape in BY_SERVICE.values():
        for one in described(shape):
            defaults.setdefault(one.name, set()).add(one.default)
    assert {name for name, found in defaults.items() if len(found) > 1} == {"HTTP_PORT"}
