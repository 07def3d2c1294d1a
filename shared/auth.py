"""Authentication and authorization.

API keys are `id.secret`; every route declares a policy; access is denied by default.

    authenticator = Authenticator(KeyStore(client, settings), settings.api_key_pepper)
    principal = await authenticator.authenticate("id.secret")   # raises Unauthorized, Unavailable
    authorize(principal, PLATFORMS, officer=None)                # raises Forbidden, NotFound

    PUBLIC     anybody, without a key
    ADMINS     role admin
    EDITORS    roles admin and editor: the courses, imports, matches and drafts of frameworks of their tenant
    PLATFORMS  roles admin and platform
    SIGNED_IN  every role but viewer
    HOLDERS    every role
    EVERYONE   roles admin, platform and officer; an officer's key opens only paths of its own officer
    ASSESSORS  those of EVERYONE and supervisor; a supervisor's key is for officers of its own agency (`check_agency`)
    READERS    those of ASSESSORS and viewer; a viewer's key reads only the learning path of its own officer
    OFFICERS   role officer
    OVERSEERS  roles admin, platform and supervisor
    ANALYSTS   roles admin, platform and analyst: figures of groups; an analyst's key may be for one agency

    python -m shared.keys create | revoke | list                 the operator's command

A key's secret is 32 random bytes. Only its HMAC-SHA256 under the pepper is stored, and it is compared in constant time.
Valid keys are cached for 30 s (those of officers and viewers for 2 s) and unknown ones for 5 s, so a revoked key may
work for 30 s more. An erasure revokes the officer's keys. `FORGOTTEN_SECONDS` later no process has one in its cache,
and only then may the id be registered again.
"""

import hashlib
import hmac
import ipaddress
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol, get_args
from urllib.parse import urlsplit

import msgspec

from shared.domain import Identifier
from shared.errors import Forbidden, NotFound, Unauthorized, Unavailable

GivenRole = Literal["admin", "editor", "platform", "officer", "supervisor", "analyst"]
"""The roles of keys that operators create and of people who sign in; an officer creates the key of a viewer."""

Role = GivenRole | Literal["viewer"]
ROLES: tuple[Role, ...] = (*get_args(GivenRole), "viewer")
GIVEN_ROLES: tuple[GivenRole, ...] = get_args(GivenRole)

PEOPLE: tuple[Role, ...] = ("officer", "supervisor", "analyst", "viewer")
"""The roles whose keys are held by one person each."""

FORGOTTEN_SECONDS = 4.0
"""How long after its revocation an officer's key may still be in use somewhere, with a margin for an active request."""

_OF_OFFICERS = ("officer", "viewer")
_OF_AGENCIES = ("supervisor", "analyst")
_CACHED_SECONDS = 30.0
_OFFICER_SECONDS = 2.0
_USED_SECONDS = 300.0
_REFUSED_SECONDS = 5.0
_CACHED_KEYS = 10_000
_LABEL_LENGTH = 100


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller of a request: a key of a tenant in a role.

    `officer` is set for officers and viewers, `agency` for supervisors and for analysts of one agency. `subject`: the
    signed-in person, as the OpenID provider identifies them.
    """

    key_id: str
    tenant: str
    role: Role
    officer: str | None = None
    agency: str | None = None
    subject: str | None = None

    @property
    def is_person(self) -> bool:
        """Whether the key belongs to one person rather than to a system."""
        return self.role in PEOPLE

    def sees_agency(self, agency: str) -> bool:
        """Whether the key reads this agency: a supervisor's key reads only its own, an analyst's key its own or all."""
        return self.agency == agency or (self.agency is None and self.role != "supervisor")


@dataclass(frozen=True, slots=True)
class Policy:
    """The roles that may use a route. Without roles the route is public and needs no key."""

    roles: frozenset[Role]

    @property
    def public(self) -> bool:
        """Whether the route is open to anybody."""
        return not self.roles


PUBLIC = Policy(frozenset())
ADMINS = Policy(frozenset({"admin"}))
EDITORS = Policy(frozenset({"admin", "editor"}))
PLATFORMS = Policy(frozenset({"admin", "platform"}))
EVERYONE = Policy(frozenset({"admin", "platform", "officer"}))
SIGNED_IN = Policy(frozenset(GIVEN_ROLES))
HOLDERS = Policy(frozenset(ROLES))
ASSESSORS = Policy(frozenset({"admin", "platform", "officer", "supervisor"}))
READERS = Policy(frozenset({"admin", "platform", "officer", "supervisor", "viewer"}))
OFFICERS = Policy(frozenset({"officer"}))
OVERSEERS = Policy(frozenset({"admin", "platform", "supervisor"}))
ANALYSTS = Policy(frozenset({"admin", "platform", "analyst"}))


def authorize(principal: Principal, policy: Policy, officer: str | None = None) -> None:
    """Check that the policy allows the principal to act on this officer (None: the route concerns no officer).

    Raises Forbidden for a wrong role, and NotFound for another officer, so that existing and missing officers look
    alike.
    """
    if principal.role not in policy.roles:
        raise Forbidden(f"a key of role {principal.role} may not do this")
    if principal.role in _OF_OFFICERS and officer is not None and officer != principal.officer:
        raise NotFound("no such officer")


def check_agency(principal: Principal, agency: str) -> None:
    """Check that the key may read an officer of this agency; a supervisor's key reads only officers of its own agency.

    Raises NotFound, as for an officer that does not exist. Called by handlers of routes under `ASSESSORS` and
    `READERS`, because only the stored officer tells the agency.
    """
    if not principal.sees_agency(agency):
        raise NotFound("no such officer")


# --- keys ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StoredKey:
    """An API key as it is stored, with the digest of its secret."""

    key_id: str
    digest: str
    tenant: str
    role: Role
    officer: str | None = None
    expires_at: datetime | None = None
    label: str = ""
    created_at: datetime | None = None
    used_at: datetime | None = None
    subject: str | None = None
    """The person who signed in, by the provider's name; such a key ends `idle_seconds` after its last use."""
    idle_seconds: int | None = None
    agency: str | None = None


class Keys(Protocol):
    """A store of keys: shared.mongo.KeyStore, or a dictionary in a unit test."""

    async def find(self, key_id: str) -> StoredKey | None:
        """Return a stored key, None if it is unknown or was revoked. Raises Unavailable."""

    async def create(self, key: StoredKey) -> None:
        """Store a new key. Raises Unavailable."""

    async def note_use(self, key_id: str) -> None:
        """Record that a key is used now. Raises Unavailable."""


def digest_of(secret: str, pepper: bytes) -> str:
    """Return the HMAC-SHA256 of a secret under the pepper, in hexadecimal."""
    return hmac.new(pepper, secret.encode(), hashlib.sha256).hexdigest()


def issue(  # noqa: PLR0913 - each is a part of the key
    pepper: bytes,
    tenant: str,
    role: Role,
    officer: str | None = None,
    expires_at: datetime | None = None,
    *,
    label: str = "",
    agency: str | None = None,
) -> tuple[str, StoredKey]:
    """Return a new credential `id.secret`, to be shown once, and the key as it is stored.

    Raises ValueError if role, officer, agency, expiry or label do not fit together or cannot be used.
    """
    if role not in ROLES:
        raise ValueError(f"role {role!r} is none of {', '.join(ROLES)}")
    if (role in _OF_OFFICERS) != (officer is not None):
        raise ValueError("a key of role officer or viewer names its officer, and no other key does")
    if role == "viewer" and expires_at is None:
        raise ValueError("a key of role viewer expires")
    if (role == "supervisor" and agency is None) or (role not in _OF_AGENCIES and agency is not None):
        raise ValueError("a key of role supervisor names its agency, one of role analyst may, and no other key does")
    for name, what in (("tenant", tenant), ("officer", officer), ("agency", agency)):
        try:
            msgspec.convert(what, Identifier | None)
        except msgspec.ValidationError as error:
            raise ValueError(f"the {name} is no identifier: letters, digits, dots, dashes, underscores") from error
    if len(label) > _LABEL_LENGTH or not label.isprintable():
        raise ValueError(f"a label may hold up to {_LABEL_LENGTH} characters that can be printed in one line")
    key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    stored = StoredKey(key_id, digest_of(secret, pepper), tenant, role, officer, expires_at, label, agency=agency)
    return f"{key_id}.{secret}", stored


class Authenticator:
    """Finds the principal of a credential and caches the result.

    Each cache holds up to `capacity` keys. Wrong ones have their own, so that they remove no valid key from the cache.
    """

    def __init__(
        self,
        keys: Keys,
        pepper: bytes,
        *,
        clock: Callable[[], float] = time.monotonic,
        capacity: int = _CACHED_KEYS,
    ) -> None:
        self._keys = keys
        self._pepper = pepper
        self._clock = clock
        self._capacity = capacity
        self._valid: OrderedDict[bytes, tuple[float, Principal | None]] = OrderedDict()
        self._wrong: OrderedDict[bytes, tuple[float, Principal | None]] = OrderedDict()

    async def authenticate(self, credential: str | None) -> Principal:
        """Return the principal of a credential. Raises Unauthorized; Unavailable if the keys cannot be read."""
        if not credential:
            raise Unauthorized("this needs an API key: Authorization: Bearer <key>")
        mark = _mark(credential)
        until, principal = self._valid.get(mark) or self._wrong.get(mark, (0.0, None))
        if until <= self._clock():
            until, principal = await self._look_up(credential)
            self._remember(mark, until, principal)
        if principal is None:
            raise Unauthorized("the API key is unknown, expired or revoked")
        return principal

    def cached(self, credential: str) -> Principal | None:
        """Return the principal of a credential if the cache holds it as valid; None otherwise."""
        until, principal = self._valid.get(_mark(credential), (0.0, None))
        return principal if until > self._clock() else None

    def forget(self, key_ids: Collection[str]) -> None:
        """Remove these keys from the cache, so that the next request looks them up."""
        gone = [mark for mark, (_, principal) in self._valid.items() if principal and principal.key_id in key_ids]
        for mark in gone:
            del self._valid[mark]

    async def _look_up(self, credential: str) -> tuple[float, Principal | None]:
        """Return until when the answer holds, and the principal, None for a wrong or an expired credential."""
        begun = self._clock()
        key_id, _, secret = credential.partition(".")
        refused = self._clock() + _REFUSED_SECONDS, None
        if not secret or not key_id.isalnum() or not credential.isascii():
            return refused
        key = await self._keys.find(key_id)
        digest = digest_of(secret, self._pepper)
        if not hmac.compare_digest(digest, key.digest if key else "0" * len(digest)) or key is None:
            return refused
        now = datetime.now(UTC)
        longest = _OFFICER_SECONDS if key.role in _OF_OFFICERS else _CACHED_SECONDS
        left = (key.expires_at - now).total_seconds() if key.expires_at else longest
        if key.idle_seconds is not None:
            left = min(left, key.idle_seconds - (now - (key.used_at or key.created_at or now)).total_seconds())
        if left <= 0:
            return refused
        if key.used_at is None or (now - key.used_at).total_seconds() > _USED_SECONDS:
            with suppress(Unavailable):  # the request does not depend on it
                await self._keys.note_use(key_id)
        who = Principal(key.key_id, key.tenant, key.role, key.officer, key.agency, key.subject)
        return begun + min(left, longest), who

    def _remember(self, mark: bytes, until: float, principal: Principal | None) -> None:
        for cache in (self._valid, self._wrong):
            cache.pop(mark, None)
        cache = self._valid if principal else self._wrong
        cache[mark] = until, principal
        if len(cache) > self._capacity:
            cache.popitem(last=False)


def _mark(credential: str) -> bytes:
    """Return the name under which a credential is cached."""
    return hashlib.sha256(credential.encode("utf-8", "surrogateescape")).digest()


# --- keys for one machine --------------------------------------------------------------------------------------------


class NotLoopback(Exception):
    """Raised if a development key is requested for a system that other machines can reach."""


async def development_key(  # noqa: PLR0913 - called once, by name
    keys: Keys,
    pepper: bytes,
    *,
    addresses: Iterable[str],
    tenant: str,
    role: Role,
    officer: str | None = None,
    agency: str | None = None,
) -> str:
    """Return a new key that works for a day. `addresses`: every host, host:port or URI that the system uses.

    Raises NotLoopback if one of them is not on this machine.
    """
    for address in addresses:
        for host in _hosts(address):
            if not _is_loopback(host):
                raise NotLoopback(f"{host} is not this machine: make a key with python -m shared.keys create")
    credential, stored = issue(pepper, tenant, role, officer, datetime.now(UTC) + timedelta(days=1), agency=agency)
    await keys.create(stored)
    return credential


def _hosts(address: str) -> list[str]:
    if "://" in address:
        address = address.split("://", 1)[1].split("/", 1)[0].rsplit("@", 1)[-1]
    return [urlsplit(f"//{part.strip()}").hostname or "" for part in address.split(",")]


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
