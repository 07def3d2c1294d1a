"""The settings of each service and command: names, sentences, parsers and defaults."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.auth import Role
from shared.limits import Limits, networks
from shared.settings import parsers
from shared.settings.parsers import Parser


def setting(sentence: str, parse: Parser, default: str | None = None, *, secret: bool = False) -> Any:
    """Declare a setting, whose name is that of the field in capitals. `default`: its text; None: it must be set.

    `sentence`: what the setting means. `secret`: it may be read from a file, and is not shown.
    """
    about = {"sentence": sentence, "parse": parse, "default": default, "secret": secret}
    if default is None:
        return field(metadata=about, repr=not secret)
    return field(default_factory=lambda: parse(default), metadata=about, repr=not secret)


@dataclass(frozen=True, kw_only=True)
class NamedSettings:
    """The names of databases, topics and groups of one installation; several installations may share servers."""

    namespace: str = setting("A prefix of every database, topic and consumer group.", parsers.namespace, "")

    def topic(self, name: str) -> str:
        """Return the topic's name on the broker."""
        return self.namespace + name

    def group(self, name: str) -> str:
        """Return the consumer group's name on the broker."""
        return self.namespace + name

    def database(self, name: str) -> str:
        """Return the database's name; MongoDB does not allow dots in it."""
        return (self.namespace + name).replace(".", "_")

    @classmethod
    def disagreements(cls, values: Mapping[str, Any]) -> Iterator[str]:  # noqa: ARG003 - for those that have some
        """Yield conflicts between settings that are valid individually. `values`: the valid ones, by field."""
        yield from ()


@dataclass(frozen=True, kw_only=True)
class StoreSettings(NamedSettings):
    """Settings for MongoDB and for checking API keys; `python -m shared.keys` reads only these."""

    mongodb_uri: str = setting(
        "MongoDB's connection string; it must be a replica set. It holds user, password and TLS.",
        parsers.mongodb,
        "mongodb://127.0.0.1:27017/?replicaSet=rs0",
        secret=True,
    )
    api_key_pepper: bytes = setting(
        "The secret that API keys are hashed with; the same in every service, at least 16 random characters.",
        parsers.pepper,
        secret=True,
    )


@dataclass(frozen=True, kw_only=True)
class KafkaSettings(NamedSettings):
    """Settings for the connection to Kafka; `python -m deploy.topics` reads them too."""

    kafka_bootstrap_servers: str = setting(
        "The Kafka brokers, host:port, several separated by commas.", parsers.servers, "127.0.0.1:9092"
    )
    kafka_security_protocol: str = setting(
        "The protocol to Kafka: PLAINTEXT, SSL (TLS), SASL_PLAINTEXT (a user, no TLS) or SASL_SSL (a user, TLS).",
        parsers.one_of("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
        "PLAINTEXT",
    )
    kafka_tls_ca_file: str = setting(
        "The PEM file of the authorities that sign the brokers' certificates; empty: the system's.", parsers.ca_file, ""
    )
    kafka_sasl_mechanism: str = setting(
        "The SASL mechanism that authenticates the user: SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN.",
        parsers.one_of("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"),
        "SCRAM-SHA-512",
    )
    kafka_sasl_username: str = setting("The user of Kafka, with SASL.", parsers.filled_if_set, "")
    kafka_sasl_password: str = setting("The password of the user of Kafka.", parsers.filled_if_set, "", secret=True)

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

    topic_replication: int = setting(
        "How many brokers keep each topic; with 3 or more, two of them must have a record before it is acknowledged.",
        parsers.whole_number(1, 100),
        "1",
    )


@dataclass(frozen=True, kw_only=True)
class Settings(StoreSettings, KafkaSettings):
    """Settings that every service has."""

    http_host: str = setting("The address the service listens on.", parsers.filled, "127.0.0.1")
    http_port: int = setting("The port the service listens on; 0 takes a free one.", parsers.port, "8100")
    log_level: str = setting(
        "The least level that is logged: DEBUG, INFO, WARNING or ERROR.",
        parsers.one_of("DEBUG", "INFO", "WARNING", "ERROR"),
        "INFO",
    )
    drain_seconds: float = setting(
        "How long a stopping service stays up and reports not ready, so that balancers stop sending requests to it.",
        parsers.seconds,
        "5",
    )
    stall_seconds: float = setting(
        "How long a reader of Kafka may work on the same records before its service reports that it is not ready.",
        parsers.seconds,
        "60",
    )
    concurrent_requests: int = setting(
        "How many requests are handled at the same time; further ones are answered 503 at once.",
        parsers.whole_number(1, 100_000),
        "64",
    )
    body_seconds: float = setting(
        "How long the body of a request may take to arrive; of a stream of rows, each piece.",
        parsers.seconds,
        "20",
    )
    connections_per_address: int = setting(
        "How many connections one address may have; many officers may share one.",
        parsers.whole_number(1, 1_000_000),
        "2000",
    )
    rate_per_key: int = setting(
        "How many requests a second the key of an admin or a platform may make, five times as many at once.",
        parsers.whole_number(1, 1_000_000),
        "1000",
    )
    rate_per_officer: int = setting(
        "How many requests a second an officer's key may make, five times as many at once.",
        parsers.whole_number(1, 1_000_000),
        "20",
    )
    rate_per_address: int = setting(
        "How many requests a second one address may make without a key that works, five times as many at once.",
        parsers.whole_number(1, 1_000_000),
        "100",
    )
    trusted_proxies: str = setting(
        "Addresses or networks, separated by commas, whose X-Forwarded-For names the client: balancers, the portal.",
        parsers.networks,
        "",
    )

    @property
    def limits(self) -> Limits:
        """The limits on requests and connections."""
        return Limits(
            concurrent_requests=self.concurrent_requests,
            body_seconds=self.body_seconds,
            connections_per_address=self.connections_per_address,
            rate_per_key=self.rate_per_key,
            rate_per_officer=self.rate_per_officer,
            rate_per_address=self.rate_per_address,
            trusted_proxies=networks(self.trusted_proxies),
        )


_PORT_SENTENCE = "The port the service listens on; 0 takes a free one."


@dataclass(frozen=True, kw_only=True)
class AssessmentSettings(Settings):
    http_port: int = setting(_PORT_SENTENCE, parsers.port, "8101")
    default_framework: str = setting(
        "The framework of an officer who is registered without one.", parsers.identifier, "th-digital-2018"
    )
    session_idle_minutes: int = setting(
        "How long an adaptive session waits for the next answer; then it ends, and what it measured counts.",
        parsers.whole_number(1, 100_000),
        "120",
    )
    bulk_officers_per_second: int = setting(
        "How many officers a second an import announces; more than the recommenders can plan delays single changes.",
        parsers.whole_number(1, 100_000),
        "100",
    )


@dataclass(frozen=True, kw_only=True)
class CatalogSettings(Settings):
    http_port: int = setting(_PORT_SENTENCE, parsers.port, "8102")
    matching_calibration: str = setting(
        "A file that `python -m services.catalog calibrate` has written; empty: the included calibration.",
        parsers.filled_if_set,
        "",
    )
    assessment_url: tuple[str, ...] = setting(
        "The address of the assessment service, which counts the officers that a change of a framework affects.",
        parsers.urls,
        "http://127.0.0.1:8101",
    )
    sole_editor_tenants: tuple[str, ...] = setting(
        "Tenants, separated by commas, in which one person may propose, review and approve a draft of a framework. "
        "Elsewhere three different people do.",
        parsers.identifiers,
        "",
    )


@dataclass(frozen=True, kw_only=True)
class RecommenderSettings(Settings):
    http_port: int = setting(_PORT_SENTENCE, parsers.port, "8103")
    time_zone: str = setting(
        "Where the officers are: the zone in which the date that a path counts from is read.",
        parsers.zone,
        "Asia/Bangkok",
    )
    planning_threads: int = setting(
        "How many officers are planned side by side; 0: as many as there are processors.",
        parsers.whole_number(0, 256),
        "0",
    )
    min_group_size: int = setting(
        "Figures of an agency about fewer officers than this are withheld.", parsers.whole_number(1, 1000), "5"
    )
    smallest_gap: float = setting(
        "Levels, on a scale from 0 to 4: a smaller gap cannot be measured, and no course is recommended for it.",
        parsers.number(0, 1),
        "0.25",
    )
    first_job_groups: str = setting(
        "The job groups that an agency sees first, separated by commas; `name*`: all that begin so.",
        parsers.filled,
        "technology,it-*",
    )
    catalog_url: tuple[str, ...] = setting(
        "The address of the catalog; only the command `recompute` uses it, the first of several addresses.",
        parsers.urls,
        "http://127.0.0.1:8102",
    )


@dataclass(frozen=True, kw_only=True)
class PortalSettings(Settings):
    http_port: int = setting(_PORT_SENTENCE, parsers.port, "8100")
    assessment_url: tuple[str, ...] = setting(
        "Where the assessment service answers; several replicas separated by commas.",
        parsers.urls,
        "http://127.0.0.1:8101",
    )
    catalog_url: tuple[str, ...] = setting(
        "Where the catalog answers; several replicas separated by commas.", parsers.urls, "http://127.0.0.1:8102"
    )
    recommender_url: tuple[str, ...] = setting(
        "Where the recommender answers; several replicas separated by commas.", parsers.urls, "http://127.0.0.1:8103"
    )
    cookie_secure: bool = setting(
        "Whether the sign-in cookie is sent over HTTPS only; false is for one machine.", parsers.flag, "true"
    )
    sign_in_hours: int = setting("How long a sign-in lasts at most.", parsers.whole_number(1, 168), "12")
    sign_in_idle_minutes: int = setting(
        "After how long without a request a sign-in with OpenID Connect ends.", parsers.whole_number(10, 10_080), "60"
    )
    portal_url: str = setting(
        "The portal's own address, as browsers see it: where the OpenID provider sends them back to.",
        parsers.url_or_nothing,
        "",
    )
    openid_issuer: str = setting(
        "The issuer of the OpenID provider that people sign in with; empty: they sign in with keys only.",
        parsers.url_or_nothing,
        "",
    )
    openid_client_id: str = setting("The client id of the portal at the provider.", parsers.filled_if_set, "")
    openid_client_secret: str = setting(
        "The client secret that the provider issued to the portal; empty for a public client.",
        parsers.filled_if_set,
        "",
        secret=True,
    )
    openid_scopes: str = setting("The scopes that are requested from the provider.", parsers.filled, "openid profile")
    openid_tenant: str = setting(
        "The tenant of everybody who signs in with the provider; empty: OPENID_TENANT_CLAIM names it.",
        parsers.filled_if_set,
        "",
    )
    openid_tenant_claim: str = setting("The claim that names the tenant.", parsers.filled_if_set, "")
    openid_role_claim: str = setting(
        "The claim that holds roles, a list or words; it may be a path.", parsers.filled, "realm_access.roles"
    )
    openid_roles: tuple[tuple[str, Role], ...] = setting(
        "Which value of the role claim means which role, value=role, separated by commas, the strongest first; whoever "
        "has none of them is an officer.",
        parsers.roles,
        "",
    )
    openid_officer_claim: str = setting(
        "The claim that holds an officer's id, as the platform registered it.", parsers.filled, "preferred_username"
    )
    openid_agency_claim: str = setting(
        "The claim that names the agency of a supervisor or an analyst; `*` there makes an analyst one of every agency "
        "of the tenant.",
        parsers.filled,
        "agency",
    )

    @classmethod
    def disagreements(cls, values: Mapping[str, Any]) -> Iterator[str]:
        """Yield missing settings of the OpenID Connect sign-in, and conflicts of the Kafka settings."""
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


BY_SERVICE: dict[str, type[Settings]] = {
    "assessment": AssessmentSettings,
    "catalog": CatalogSettings,
    "recommender": RecommenderSettings,
    "portal": PortalSettings,
}

EVERY: tuple[type[NamedSettings], ...] = (*BY_SERVICE.values(), TopicsSettings)
"""The settings of all services and commands: they often share one environment, so settings of others are accepted."""
