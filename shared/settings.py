"""Settings: one frozen object per service, read once from the environment; the only module that reads it.

    settings = load(AssessmentSettings)        # in a __main__: prints every problem at once and exits with 2
    settings = read(AssessmentSettings, {...}) # in tests: raises BadSettings, which lists every problem
    settings.database("assessment"), settings.topic(events.PROFILES_TOPIC), settings.group("recommender")

`described()` lists each setting with its sentence and default; `deploy/env.example` holds the same, tied by a test.
A secret NAME may stand in a file instead: NAME_FILE holds the file's path.
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from shared.limits import Limits, networks

SERVICES = ("assessment", "catalog", "recommender", "portal")


class BadSettings(Exception):
    """The environment cannot be used; `problems` says all that is wrong with it."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(["The settings cannot be used:", *(f"  - {problem}" for problem in problems)]))
        self.problems = problems


class _Parse(Protocol):
    def __call__(self, text: str, /) -> Any: ...


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text.strip()


def _namespace(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{0,30}", text):
        raise ValueError("may hold up to 30 letters, digits, dots, dashes and underscores")
    return text


def _port(text: str) -> int:
    if not text.isdigit() or not 0 <= int(text) <= 65535:  # noqa: PLR2004 - the largest port
        raise ValueError("must be a port number (0 takes a free one)")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= 3600:  # noqa: PLR2004 - an hour
        raise ValueError("must be a number of seconds between 0 and 3600")
    return seconds


def _mongodb(text: str) -> str:
    if not text.startswith(("mongodb://", "mongodb+srv://")):
        raise ValueError("must begin with mongodb:// or mongodb+srv://")
    return text


def _servers(text: str) -> str:
    for server in text.split(","):
        host, _, port = server.strip().rpartition(":")
        if not host or not port.isdigit():
            raise ValueError("must be host:port, several separated by commas")
    return text


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError("must be an http:// or https:// address")
    return text.rstrip("/")


def _number(least: int, most: int) -> _Parse:
    def parse(text: str) -> int:
        if not text.isdigit() or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number between {least} and {most}")
        return int(text)

    return parse


def _networks(text: str) -> str:
    try:
        networks(text)
    except ValueError as error:
        raise ValueError("must be addresses or networks, 10.0.0.0/8, several separated by commas") from error
    return text


def _flag(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0", "yes", "no"):
        raise ValueError("must be true or false")
    return text.lower() in ("true", "1", "yes")


def _log_level(text: str) -> str:
    if text.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ValueError("must be DEBUG, INFO, WARNING or ERROR")
    return text.upper()


def _identifier(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", text):
        raise ValueError("must be an identifier: up to 64 letters, digits, dots, dashes and underscores")
    return text


def _zone(text: str) -> str:
    if text not in available_timezones():
        raise ValueError("must be a time zone such as Asia/Bangkok")
    return text


def _pepper(text: str) -> bytes:
    if len(text.strip()) < 16:  # noqa: PLR2004 - fewer could be guessed
        raise ValueError("must hold at least 16 characters")
    return text.strip().encode()


def _setting(sentence: str, parse: _Parse, default: str | None = None, *, secret: bool = False) -> Any:
    """Declare one setting: its name is the field's in capitals; `default` None makes it required."""
    about = {"sentence": sentence, "parse": parse, "default": default, "secret": secret}
    if default is None:
        return field(metadata=about, repr=not secret)
    return field(default_factory=lambda: parse(default), metadata=about, repr=not secret)


@dataclass(frozen=True, kw_only=True)
class StoreSettings:
    """What is needed to reach MongoDB and to check keys: also what `python -m shared.keys` reads."""

    mongodb_uri: str = _setting(
        "MongoDB's connection string; it must be a replica set.",
        _mongodb,
        "mongodb://127.0.0.1:27017/?replicaSet=rs0",
    )
    namespace: str = _setting("A prefix of every database, topic and consumer group.", _namespace, "")
    api_key_pepper: bytes = _setting(
        "The secret that API keys are hashed with; the same in every service, at least 16 characters.",
        _pepper,
        secret=True,
    )

    def topic(self, name: str) -> str:
        """Return the topic's name on the broker."""
        return self.namespace + name

    def group(self, name: str) -> str:
        """Return the consumer group's name on the broker."""
        return self.namespace + name

    def database(self, name: str) -> str:
        """Return the database's name; MongoDB allows no dots there."""
        return (self.namespace + name).replace(".", "_")


@dataclass(frozen=True, kw_only=True)
class Settings(StoreSettings):
    """What every service is told."""

    http_host: str = _setting("The address the service listens on.", _text, "127.0.0.1")
    http_port: int = _setting("The port the service listens on; 0 takes a free one.", _port, "8100")
    kafka_bootstrap_servers: str = _setting(
        "The Kafka brokers, host:port, several separated by commas.", _servers, "127.0.0.1:9092"
    )
    log_level: str = _setting("The least level that is logged: DEBUG, INFO, WARNING or ERROR.", _log_level, "INFO")
    drain_seconds: float = _setting(
        "How long a stopping service stays up, saying not ready, so that balancers turn away from it.", _seconds, "5"
    )
    requests_in_hand: int = _setting(
        "How many requests are worked on at the same time; one more is answered 503 at once. What is in hand divided "
        "by what is done in a second is the longest wait.",
        _number(1, 100_000),
        "128",
    )
    body_seconds: float = _setting(
        "How long the body of a request may take to come; where rows are streamed, each piece of it.", _seconds, "20"
    )
    connections_per_address: int = _setting(
        "How many connections one address may have; many officers may stand behind one.", _number(1, 1_000_000), "2000"
    )
    rate_per_key: int = _setting(
        "How many requests a second the key of an admin or a platform may make, five times as many at once.",
        _number(1, 1_000_000),
        "1000",
    )
    rate_per_officer: int = _setting(
        "How many requests a second an officer's key may make, five times as many at once.",
        _number(1, 1_000_000),
        "20",
    )
    rate_per_address: int = _setting(
        "How many requests a second one address may make without a key that works, five times as many at once.",
        _number(1, 1_000_000),
        "100",
    )
    wrong_keys_per_minute: int = _setting(
        "How many wrong keys one address may try in a minute, and at once; for one key id a sixth of that.",
        _number(1, 1_000_000),
        "60",
    )
    trusted_proxies: str = _setting(
        "The addresses or networks, separated by commas, whose X-Forwarded-For tells who asks: balancers, the portal.",
        _networks,
        "",
    )

    @property
    def limits(self) -> Limits:
        """What the service takes on."""
        return Limits(
            requests_in_hand=self.requests_in_hand,
            body_seconds=self.body_seconds,
            connections_per_address=self.connections_per_address,
            rate_per_key=self.rate_per_key,
            rate_per_officer=self.rate_per_officer,
            rate_per_address=self.rate_per_address,
            wrong_keys_per_minute=self.wrong_keys_per_minute,
            trusted_proxies=networks(self.trusted_proxies),
        )


_PORT_SENTENCE = "The port the service listens on; 0 takes a free one."


@dataclass(frozen=True, kw_only=True)
class AssessmentSettings(Settings):
    http_port: int = _setting(_PORT_SENTENCE, _port, "8101")
    default_framework: str = _setting(
        "The framework of an officer who is registered without one.", _identifier, "th-digital-2018"
    )


@dataclass(frozen=True, kw_only=True)
class CatalogSettings(Settings):
    http_port: int = _setting(_PORT_SENTENCE, _port, "8102")


@dataclass(frozen=True, kw_only=True)
class RecommenderSettings(Settings):
    http_port: int = _setting(_PORT_SENTENCE, _port, "8103")
    time_zone: str = _setting(
        "Where the officers are: the zone in which the date that a path counts from is read.", _zone, "Asia/Bangkok"
    )
    planning_threads: int = _setting(
        "How many officers are planned side by side; 0: as many as there are processors.", _number(0, 256), "0"
    )
    min_group_size: int = _setting(
        "Figures of an agency about fewer officers than this are withheld.", _number(1, 1000), "5"
    )
    first_job_groups: str = _setting(
        "The job groups that an agency sees first, separated by commas; `name*`: all that begin so.",
        _text,
        "technology,it-*",
    )
    catalog_url: str = _setting(
        "Where the catalogue answers; only the command `recompute` asks it.", _url, "http://127.0.0.1:8102"
    )


@dataclass(frozen=True, kw_only=True)
class PortalSettings(Settings):
    http_port: int = _setting(_PORT_SENTENCE, _port, "8100")
    assessment_url: str = _setting("Where the assessment service answers.", _url, "http://127.0.0.1:8101")
    catalog_url: str = _setting("Where the catalogue answers.", _url, "http://127.0.0.1:8102")
    recommender_url: str = _setting("Where the recommender answers.", _url, "http://127.0.0.1:8103")
    cookie_secure: bool = _setting(
        "Whether the sign-in cookie travels over HTTPS only; false is for one machine.", _flag, "true"
    )


BY_SERVICE: dict[str, type[Settings]] = dict(
    zip(SERVICES, (AssessmentSettings, CatalogSettings, RecommenderSettings, PortalSettings), strict=True)
)


@dataclass(frozen=True)
class Described:
    """One setting as documented; `default` None means that it must be set."""

    name: str
    sentence: str
    default: str | None
    secret: bool


def described(shape: type[StoreSettings]) -> list[Described]:
    """Return the settings of a service, in order."""
    return [
        Described(name, one.metadata["sentence"], one.metadata["default"], one.metadata["secret"])
        for name, one in _named(shape)
    ]


def _named(shape: type[StoreSettings]) -> Iterator[tuple[str, Field[Any]]]:
    for one in fields(shape):
        yield one.name.upper(), one


S = TypeVar("S", bound=StoreSettings)


def read(shape: type[S], environment: Mapping[str, str]) -> S:
    """Return the settings of a service. Raises BadSettings, which lists every problem."""
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, one in _named(shape):
        try:
            text = _look_up(name, environment, secret=one.metadata["secret"])
            if text is not None:
                values[one.name] = one.metadata["parse"](text)
            elif one.default_factory is MISSING:
                secret = f" (or {name}_FILE)" if one.metadata["secret"] else ""
                problems.append(f"{name}{secret} is not set. {one.metadata['sentence']}")
        except ValueError as error:
            problems.append(f"{name} {error}")
    if problems:
        raise BadSettings(problems)
    return shape(**values)


def _look_up(name: str, environment: Mapping[str, str], *, secret: bool) -> str | None:
    text = environment.get(name) or None
    path = environment.get(f"{name}_FILE") if secret else None
    if not path:
        return text
    if text:
        raise ValueError(f"and {name}_FILE are both set; set one")
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"cannot be read from the file of {name}_FILE: {error}") from error


def load(shape: type[S]) -> S:
    """Return the settings of a service from the environment; print every problem and exit with 2 where there is one."""
    try:
        return read(shape, os.environ)
    except BadSettings as error:
        print(error, file=sys.stderr)  # noqa: T201 - logging is not set up yet
        raise SystemExit(2) from None
