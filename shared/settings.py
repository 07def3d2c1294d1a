"""Settings: one frozen object per service, read once from the environment; the only module that reads it.

    settings = load(AssessmentSettings)        # in a __main__: prints every problem at once and exits with 2
    settings = read(AssessmentSettings, {...}) # in tests: raises BadSettings, which lists every problem
    settings.database("assessment"), settings.topic(events.PROFILES_TOPIC), settings.group("recommender")

`described()` lists each setting with its sentence and default; `deploy/env.example` holds the same, tied by a test.
A secret NAME may be read from a file: NAME_FILE holds its path. A variable that resembles a setting but is none is a
problem too: one with a prefix of ours (KAFKA_, MONGODB_, API_KEY_, HTTP_, OPENID_), or nearly the name of a setting.
"""

import difflib
import os
import re
import ssl
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol, TypeVar
from zoneinfo import available_timezones

from shared.auth import GIVEN_ROLES, Role
from shared.limits import Limits, networks

SERVICES = ("assessment", "catalog", "recommender", "portal")


class BadSettings(Exception):
    """The settings in the environment are invalid; `problems` lists all faults."""

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
    if not text.strip().startswith(("mongodb://", "mongodb+srv://")):
        raise ValueError("must begin with mongodb:// or mongodb+srv://")
    return text.strip()


def _servers(text: str) -> str:
    for server in text.split(","):
        host, _, port = server.strip().rpartition(":")
        if not host or not port.isdigit():
            raise ValueError("must be host:port, several separated by commas")
    return text


def _one_of(*allowed: str) -> _Parse:
    def parse(text: str) -> str:
        if text.upper() not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return text.upper()

    return parse


def _ca_file(path: str) -> str:
    if path:
        try:
            ssl.create_default_context(cafile=path)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise ValueError(f"must be a readable file of PEM certificates: {error}") from error
    return path


def _urls(text: str) -> tuple[str, ...]:
    urls = [part.strip() for part in text.split(",")]
    for url in urls:
        if not re.fullmatch(r"https?://(\[[0-9A-Fa-f:.]+\]|[^\s/?#@:;\[\]]+)(:\d{1,5})?(/[^\s?#]*)?", url):
            raise ValueError("must be an http:// or https:// address, several separated by commas")
    return tuple(dict.fromkeys(url.rstrip("/") for url in urls))


def _own_url(text: str) -> str:
    return _urls(text)[0] if text.strip() else ""


def _roles(text: str) -> tuple[tuple[str, Role], ...]:
    pairs: list[tuple[str, Role]] = []
    known: dict[str, Role] = {role: role for role in GIVEN_ROLES}
    for part in filter(None, (one.strip() for one in text.split(","))):
        value, _, role = (one.strip() for one in part.rpartition("="))
        if not value or role not in known:
            raise ValueError(f"must be value=role, separated by commas; a role is one of {', '.join(GIVEN_ROLES)}")
        pairs.append((value, known[role]))
    return tuple(pairs)


def _number(least: int, most: int) -> _Parse:
    def parse(text: str) -> int:
        if not text.isdigit() or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number between {least} and {most}")
        return int(text)

    return parse


def _share(least: float, most: float) -> _Parse:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = most + 1
        if not least <= value <= most:
            raise ValueError(f"must be a number between {least:g} and {most:g}")
        return value

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


def _identifier(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", text):
        raise ValueError("must be an identifier: up to 64 letters, digits, dots, dashes and underscores")
    return text


def _zone(text: str) -> str:
    if text not in available_timezones():
        raise ValueError("must be a time zone such as Asia/Bangkok")
    return text


def _pepper(text: str) -> bytes:
    text = text.strip()
    if len(text) < 16:  # noqa: PLR2004 - fewer could be guessed
        raise ValueError("must hold at least 16 characters")
    steps = {ord(second) - ord(first) for first, second in pairwise(text)}
    if len(set(text)) < 8 or len(steps) < 6 or text in (text + text)[1:-1]:  # noqa: PLR2004 - nor by a pattern
        raise ValueError("must be random: it repeats itself, or holds too few different characters")
    return text.encode()


def _setting(sentence: str, parse: _Parse, default: str | None = None, *, secret: bool = False) -> Any:
    """Declare a setting. Its name is the field's in capitals; `default` None makes it required."""
    about = {"sentence": sentence, "parse": parse, "default": default, "secret": secret}
    if default is None:
        return field(metadata=about, repr=not secret)
    return field(default_factory=lambda: parse(default), metadata=about, repr=not secret)


@dataclass(frozen=True, kw_only=True)
class NamedSettings:
    """The names of one installation, where several share servers."""

    namespace: str = _setting("A prefix of every database, topic and consumer group.", _namespace, "")

    def topic(self, name: str) -> str:
        """Return the topic's name on the broker."""
        return self.namespace + name

    def group(self, name: str) -> str:
        """Return the consumer group's name on the broker."""
        return self.namespace + name

    def database(self, name: str) -> str:
        """Return the database's name; MongoDB allows no dots there."""
        return (self.namespace + name).replace(".", "_")

    @classmethod
    def disagreements(cls, values: Mapping[str, Any]) -> Iterator[str]:  # noqa: ARG003 - for those that have some
        """Yield conflicts between settings that are valid alone. `values`: the valid ones, by field."""
        yield from ()


@dataclass(frozen=True, kw_only=True)
class StoreSettings(NamedSettings):
    """Settings for MongoDB and for checking API keys; `python -m shared.keys` reads these alone."""

    mongodb_uri: str = _setting(
        "MongoDB's connection string; it must be a replica set. User, password and TLS stand in it.",
        _mongodb,
        "mongodb://127.0.0.1:27017/?replicaSet=rs0",
        secret=True,
    )
    api_key_pepper: bytes = _setting(
        "The secret that API keys are hashed with; the same in every service, at least 16 random characters.",
        _pepper,
        secret=True,
    )


@dataclass(frozen=True, kw_only=True)
class KafkaSettings(NamedSettings):
    """Settings for the connection to Kafka; `python -m deploy.topics` reads them too."""

    kafka_bootstrap_servers: str = _setting(
        "The Kafka brokers, host:port, several separated by commas.", _servers, "127.0.0.1:9092"
    )
    kafka_security_protocol: str = _setting(
        "How Kafka is spoken to: PLAINTEXT, SSL (TLS), SASL_PLAINTEXT (a user, no TLS) or SASL_SSL (a user, TLS).",
        _one_of("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
        "PLAINTEXT",
    )
    kafka_tls_ca_file: str = _setting(
        "The PEM file of the authorities that sign the brokers' certificates; empty: the system's.", _ca_file, ""
    )
    kafka_sasl_mechanism: str = _setting(
        "How the user is proved with SASL: SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN.",
        _one_of("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"),
        "SCRAM-SHA-512",
    )
    kafka_sasl_username: str = _setting("The user of Kafka, with SASL.", str, "")
    kafka_sasl_password: str = _setting("The password of the user of Kafka.", str, "", secret=True)

    @classmethod
    def disagreements(cls, values: Mapping[str, Any]) -> Iterator[str]:
        """Yield conflicts between the security protocol, the user and the certificate authorities."""
        protocol = values.get("kafka_security_protocol", "PLAINTEXT")
        for name in ("kafka_sasl_username", "kafka_sasl_password"):
            if protocol.startswith("SASL_") and not values.get(name):
                yield f"{name.upper()} is not set, and KAFKA_SECURITY_PROTOCOL={protocol} needs it"
            elif not protocol.startswith("SASL_") and values.get(name):
                yield f"{name.upper()} is set, and KAFKA_SECURITY_PROTOCOL={protocol} does not use it"
        if values.get("kafka_tls_ca_file") and not protocol.endswith("SSL"):
            yield f"KAFKA_TLS_CA_FILE is set, and KAFKA_SECURITY_PROTOCOL={protocol} does not use it"


@dataclass(frozen=True, kw_only=True)
class TopicsSettings(KafkaSettings):
    """The settings of `python -m deploy.topics`."""

    topic_replication: int = _setting(
        "How many brokers keep each topic; with 3 or more, two of them must have a record before it is acknowledged.",
        _number(1, 100),
        "1",
    )


@dataclass(frozen=True, kw_only=True)
class Settings(StoreSettings, KafkaSettings):
    """Settings that every service has."""

    http_host: str = _setting("The address the service listens on.", _text, "127.0.0.1")
    http_port: int = _setting("The port the service listens on; 0 takes a free one.", _port, "8100")
    log_level: str = _setting(
        "The least level that is logged: DEBUG, INFO, WARNING or ERROR.",
        _one_of("DEBUG", "INFO", "WARNING", "ERROR"),
        "INFO",
    )
    drain_seconds: float = _setting(
        "How long a stopping service stays up, saying not ready, so that balancers turn away from it.", _seconds, "5"
    )
    held_seconds: float = _setting(
        "How long a reader of Kafka may have the same records in hand before its service says that it is not ready.",
        _seconds,
        "60",
    )
    requests_in_hand: int = _setting(
        "How many requests are worked on at the same time; one more is answered 503 at once.",
        _number(1, 100_000),
        "64",
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
        """The limits on requests and connections."""
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
    session_idle_minutes: int = _setting(
        "How long an adaptive session waits for the next answer; then it ends, and what it measured counts.",
        _number(1, 100_000),
        "120",
    )
    bulk_officers_per_second: int = _setting(
        "How many officers a second a bulk announces; more than the recommenders plan makes single changes wait.",
        _number(1, 100_000),
        "100",
    )


@dataclass(frozen=True, kw_only=True)
class CatalogSettings(Settings):
    http_port: int = _setting(_PORT_SENTENCE, _port, "8102")
    matching_calibration: str = _setting(
        "A file that `python -m services.catalog calibrate` has written; empty: the calibration that ships.", str, ""
    )
    assessment_url: tuple[str, ...] = _setting(
        "Where the assessment service answers; it is asked how many officers a change of a framework concerns.",
        _urls,
        "http://127.0.0.1:8101",
    )


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
    smallest_gap: float = _setting(
        "Levels, of a scale from 0 to 4: what an officer is short by less than this, an assessment could not tell; no "
        "course is recommended for it.",
        _share(0, 1),
        "0.25",
    )
    first_job_groups: str = _setting(
        "The job groups that an agency sees first, separated by commas; `name*`: all that begin so.",
        _text,
        "technology,it-*",
    )
    catalog_url: tuple[str, ...] = _setting(
        "Where the catalog answers; only the command `recompute` asks it, at the first of several addresses.",
        _urls,
        "http://127.0.0.1:8102",
    )


@dataclass(frozen=True, kw_only=True)
class PortalSettings(Settings):
    http_port: int = _setting(_PORT_SENTENCE, _port, "8100")
    assessment_url: tuple[str, ...] = _setting(
        "Where the assessment service answers; several replicas separated by commas.", _urls, "http://127.0.0.1:8101"
    )
    catalog_url: tuple[str, ...] = _setting(
        "Where the catalog answers; several replicas separated by commas.", _urls, "http://127.0.0.1:8102"
    )
    recommender_url: tuple[str, ...] = _setting(
        "Where the recommender answers; several replicas separated by commas.", _urls, "http://127.0.0.1:8103"
    )
    cookie_secure: bool = _setting(
        "Whether the sign-in cookie travels over HTTPS only; false is for one machine.", _flag, "true"
    )
    sign_in_hours: int = _setting("How long a sign-in lasts at most.", _number(1, 168), "12")
    sign_in_idle_minutes: int = _setting(
        "After how long without a request a sign-in with OpenID Connect ends.", _number(10, 10_080), "60"
    )
    portal_url: str = _setting(
        "The portal's own address, as browsers see it: where the OpenID provider sends them back to.", _own_url, ""
    )
    openid_issuer: str = _setting(
        "The issuer of the OpenID provider that people sign in with; empty: they sign in with keys only.", _own_url, ""
    )
    openid_client_id: str = _setting("The name under which the provider knows the portal.", str, "")
    openid_client_secret: str = _setting(
        "The secret that the provider gave to the portal; empty for a public client.", str, "", secret=True
    )
    openid_scopes: str = _setting("What the provider is asked for.", _text, "openid profile")
    openid_tenant: str = _setting(
        "The tenant of everybody who signs in with the provider; empty: OPENID_TENANT_CLAIM says it.", str, ""
    )
    openid_tenant_claim: str = _setting("The claim that names the tenant.", str, "")
    openid_role_claim: str = _setting(
        "The claim that holds roles, a list or words; it may be a path.", _text, "realm_access.roles"
    )
    openid_roles: tuple[tuple[str, Role], ...] = _setting(
        "Which value of the role claim means which role, value=role, separated by commas, the strongest first; whoever "
        "has none of them is an officer.",
        _roles,
        "",
    )
    openid_officer_claim: str = _setting(
        "The claim that holds an officer's id, as the platform registered it.", _text, "preferred_username"
    )
    openid_agency_claim: str = _setting("The claim that names a supervisor's agency.", _text, "agency")

    @classmethod
    def disagreements(cls, values: Mapping[str, Any]) -> Iterator[str]:
        """Yield what sign-in with OpenID Connect lacks, besides what disagrees of Kafka."""
        yield from super().disagreements(values)
        if not values.get("openid_issuer"):
            return
        for name in ("portal_url", "openid_client_id"):
            if not values.get(name):
                yield f"{name.upper()} is not set, and OPENID_ISSUER needs it"
        if bool(values.get("openid_tenant")) == bool(values.get("openid_tenant_claim")):
            yield "one of OPENID_TENANT and OPENID_TENANT_CLAIM is to be set with OPENID_ISSUER"
        for name in ("portal_url", "openid_issuer"):
            if values.get("cookie_secure", True) and values.get(name, "").startswith("http://"):
                yield f"{name.upper()} must begin with https://, except with COOKIE_SECURE=false on one machine"


BY_SERVICE: dict[str, type[Settings]] = dict(
    zip(SERVICES, (AssessmentSettings, CatalogSettings, RecommenderSettings, PortalSettings), strict=True)
)

# All services are often given one environment, so what another of them reads is no mistake.
_EVERY: tuple[type[NamedSettings], ...] = (*BY_SERVICE.values(), TopicsSettings)
_OURS = ("KAFKA_", "MONGODB_", "API_KEY_", "HTTP_", "OPENID_")
# Of Kafka's own programs, of proxies, and of Kubernetes, which names every service of its namespace to every process.
_FOREIGN = re.compile(
    r"KAFKA_(HOME|\w*OPTS|VERSION)|MONGODB_VERSION|HTTP_PROXY|\w+_SERVICE_(HOST|PORT)\w*|\w+_PORT_\d+_\w+|"
    r"\w+_PATH"  # of deploy/compose.yaml: files on the host
)
_NEAR = 0.87  # HTTP_PROT is near HTTP_PORT, POD_NAMESPACE is not near NAMESPACE


@dataclass(frozen=True)
class SettingDescription:
    """One setting as documented; `default` None means that it must be set."""

    name: str
    sentence: str
    default: str | None
    secret: bool


def described(shape: type[NamedSettings]) -> list[SettingDescription]:
    """Return the settings of a service, in order."""
    return [
        SettingDescription(name, one.metadata["sentence"], one.metadata["default"], one.metadata["secret"])
        for name, one in _named(shape)
    ]


def _named(shape: type[NamedSettings]) -> Iterator[tuple[str, Field[Any]]]:
    for one in fields(shape):
        yield one.name.upper(), one


S = TypeVar("S", bound=NamedSettings)


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
    problems += shape.disagreements(values)
    problems += _unknown(name for name, text in environment.items() if text and not text.startswith("tcp://"))
    if problems:
        raise BadSettings(problems)
    return shape(**values)


def _unknown(names: Iterable[str]) -> Iterator[str]:
    """Yield a problem for each variable that looks like a setting of ours and is none."""
    known = dict.fromkeys(
        name
        for shape in _EVERY
        for one in described(shape)
        for name in ([one.name, f"{one.name}_FILE"] if one.secret else [one.name])
    )
    for name in names:
        near = difflib.get_close_matches(name, known, 1, _NEAR)
        if name in known or not (near or name.startswith(_OURS)) or _FOREIGN.fullmatch(name):
            continue
        nearest = near or difflib.get_close_matches(name, known, 1, 0)
        yield f"{name} is no setting; the nearest is {nearest[0]}"


def _look_up(name: str, environment: Mapping[str, str], *, secret: bool) -> str | None:
    text = environment.get(name) or None
    path = environment.get(f"{name}_FILE") if secret else None
    if not path:
        return text
    if text:
        raise ValueError(f"and {name}_FILE are both set; set one")
    try:
        text = Path(path).read_text(encoding="utf-8-sig").rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"cannot be read from the file of {name}_FILE: {error}") from error
    except UnicodeDecodeError as error:  # its own words would show bytes of the secret
        raise ValueError(f"cannot be read from the file of {name}_FILE: it is not UTF-8") from error
    if not text.strip():
        raise ValueError(f"cannot be read from the file of {name}_FILE: it is empty")
    return text


def load(shape: type[S]) -> S:
    """Return the settings of a service from the environment; print every problem and exit with 2 where there is one."""
    try:
        return read(shape, os.environ)
    except BadSettings as error:
        print(error, file=sys.stderr)  # noqa: T201 - logging is not set up yet
        raise SystemExit(2) from None
