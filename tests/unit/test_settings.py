"""Settings: read once, all problems at once, secrets from files, one namespace before every name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared.settings import (
    BY_SERVICE,
    AssessmentSettings,
    BadSettings,
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


def test_every_problem_is_told_at_once() -> None:
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


def test_a_time_zone_that_is_none_is_refused() -> None:
    with pytest.raises(BadSettings, match="TIME_ZONE"):
        read(RecommenderSettings, {"API_KEY_PEPPER": PEPPER, "TIME_ZONE": "Bangkok"})


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "pepper"
    file.write_text(f"{PEPPER}\n")
    assert read(StoreSettings, {"API_KEY_PEPPER_FILE": str(file)}).api_key_pepper == PEPPER.encode()
    with pytest.raises(BadSettings, match="both set"):
        read(StoreSettings, {"API_KEY_PEPPER_FILE": str(file), "API_KEY_PEPPER": PEPPER})
    with pytest.raises(BadSettings, match="cannot be read"):
        read(StoreSettings, {"API_KEY_PEPPER_FILE": str(tmp_path / "missing")})


def test_a_short_pepper_is_refused_and_never_shown() -> None:
    with pytest.raises(BadSettings) as caught:
        read(StoreSettings, {"API_KEY_PEPPER": "short-secret"})
    assert "short-secret" not in str(caught.value)
    assert PEPPER not in repr(read(StoreSettings, {"API_KEY_PEPPER": PEPPER}))


def test_the_namespace_stands_before_every_name() -> None:
    settings = read(StoreSettings, {"API_KEY_PEPPER": PEPPER, "NAMESPACE": "t1."})
    assert settings.topic("catalog.state") == "t1.catalog.state"
    assert settings.group("recommender") == "t1.recommender"
    assert settings.database("access") == "t1_access"


@pytest.mark.parametrize("shape", [StoreSettings, *BY_SERVICE.values()])
def test_every_setting_has_a_sentence(shape: type[StoreSettings]) -> None:
    for setting in described(shape):
        assert setting.sentence.endswith("."), setting.name
        assert setting.secret == (setting.default is None)


def test_a_service_with_wrong_settings_says_so_and_exits_with_2() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("API_KEY")}
    done = subprocess.run(
        [sys.executable, "-m", "services.assessment"],
        env=environment | {"HTTP_PORT": "x"},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "HTTP_PORT must be a port number" in done.stderr
    assert "API_KEY_PEPPER (or API_KEY_PEPPER_FILE) is not set" in done.stderr
