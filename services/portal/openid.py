"""Signs people in with OpenID Connect, by the authorization code flow with PKCE, at one provider.

    provider = OpenIdProvider(session, client)
    address = await provider.authorization_address(state, nonce, verifier)   # the browser is sent there
    claims = await provider.claims_of(code, nonce, verifier)                 # of the person who comes back with a code
    identity = identity_of(claims, names)                                    # tenant, role, and officer or agency

Sources: OpenID Connect Core 1.0 (section 3.1), OpenID Connect Discovery 1.0, RFC 7636 (PKCE), RFC 8725 (tokens).
"""

import asyncio
import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Annotated, Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout, hdrs
from joserfc import jwk, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from msgspec import Meta, Struct

from shared.auth import Role
from shared.domain import Identifier
from shared.errors import Forbidden, Unauthorized, Unavailable

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""The accepted signature algorithms. All have a public key; with a shared secret, whoever has it could sign."""

_KEYS_SECONDS = 600.0
_KEYS_STALE_SECONDS = 24 * 3600.0
_KEYS_AGAIN_SECONDS = 30.0
_LEEWAY_SECONDS = 60
_ANSWER_BYTES = 1_000_000
_TIMEOUT = ClientTimeout(total=10)
_PLAIN: dict[str, str] = {hdrs.ACCEPT_ENCODING: "identity"}
"""The portal's client does not decompress; without this header a server may compress its answer."""

_KEYS_IN_HEADER = {"jku", "jwk", "x5u", "x5c"}

Claims = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OpenIdClient:
    """How this portal is registered with the provider.

    `issuer`: the address of the provider. `secret`: empty for a public client. `redirect_address`: where browsers
    return. `scopes`: what the portal asks for, separated by spaces.
    """

    issuer: str
    client_id: str
    secret: str
    redirect_address: str
    scopes: str


class ProviderMetadata(Struct, frozen=True):
    """The used fields of the provider's `/.well-known/openid-configuration`."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class TokenAnswer(Struct, frozen=True):
    """The used fields of an answer of the provider's token endpoint."""

    id_token: Annotated[str, Meta(max_length=100_000)]


class OpenIdProvider:
    """One OpenID Connect provider, with a cache of its metadata and keys.

    They are fetched on first use, and again after ten minutes. If the provider does not answer then, they are used for
    up to a day. A token with an unknown key makes the portal fetch the keys again, at most every 30 seconds, so that a
    provider may change its keys at any time. Callers that need them at the same time share one request.
    """

    def __init__(self, session: ClientSession, client: OpenIdClient, *, clock: Callable[[], float] = monotonic) -> None:
        self._session = session
        self._client = client
        self._clock = clock
        self._found: tuple[ProviderMetadata, KeySet] | None = None
        self._fetching: asyncio.Future[tuple[ProviderMetadata, KeySet]] | None = None
        self._fetched_at = float("-inf")

    async def authorization_address(self, state: str, nonce: str, verifier: str) -> str:
        """Return the URL of the provider at which a person signs in. Raises Unavailable.

        `state`, `nonce` and `verifier` are new secrets of this sign-in.
        """
        metadata, _ = await self._known()
        challenge = _base64url(hashlib.sha256(verifier.encode()).digest())
        parameters = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": self._client.redirect_address,
            "scope": self._client.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in metadata.authorization_endpoint else "?"
        return metadata.authorization_endpoint + joint + urlencode(parameters, quote_via=quote)

    async def claims_of(self, code: str, nonce: str, verifier: str) -> Claims:
        """Exchange the code that the browser brings for an ID token, verify the token, and return its claims.

        `nonce` and `verifier` are those of `authorization_address`. Raises Unauthorized for an invalid code or token,
        Unavailable if the provider does not answer.
        """
        metadata, _ = await self._known()
        client = self._client
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": client.redirect_address,
            "code_verifier": verifier,
        }
        headers: dict[str, str] = {hdrs.ACCEPT: "application/json"}
        if client.secret and "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
            pair = f"{quote(client.client_id, safe='')}:{quote(client.secret, safe='')}"
            headers[hdrs.AUTHORIZATION] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form |= {"client_id": client.client_id} | ({"client_secret": client.secret} if client.secret else {})
        status, answer = await self._ask(hdrs.METH_POST, metadata.token_endpoint, data=form, headers=headers)
        if 400 <= status < 500:  # noqa: PLR2004 - the provider's refusal: RFC 6749, section 5.2
            raise Unauthorized("the provider rejects the code")
        return await self._verified(_read(answer, TokenAnswer, "token").id_token, nonce)

    async def _verified(self, token: str, nonce: str) -> Claims:
        found = await self._decoded(token)
        registry = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": self._client.issuer},
            aud={"essential": True, "value": self._client.client_id},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            registry.validate(found.claims)
        except JoseError as error:
            raise Unauthorized("the token was not made for this sign-in, or has expired") from error
        if found.claims["nonce"] != nonce:  # the registry accepts a list that contains it
            raise Unauthorized("the token was not made for this sign-in, or has expired")
        audience = found.claims["aud"]
        alone = isinstance(audience, str) or len(audience) == 1
        if found.claims.get("azp", self._client.client_id if alone else None) != self._client.client_id:
            raise Unauthorized("the token was made for another client")
        return found.claims

    async def _decoded(self, token: str) -> jwt.Token:
        for again in (False, True):
            _, keys = await self._known(again=again)
            try:
                return jwt.decode(token, _with_id(keys), algorithms=ALGORITHMS)
            except _UnknownKey:
                continue
            except (JoseError, ValueError, TypeError, RecursionError) as error:
                raise Unauthorized("the token cannot be verified") from error
        raise Unauthorized("the token is signed with an unknown key")

    # --- the provider ------------------------------------------------------------------------------------------------

    async def _known(self, *, again: bool = False) -> tuple[ProviderMetadata, KeySet]:
        """Return metadata and keys; fetch them if they are older than ten minutes, or with `again` than 30 seconds."""
        age = self._clock() - self._fetched_at
        if self._found is None or age >= (_KEYS_AGAIN_SECONDS if again else _KEYS_SECONDS):
            if self._fetching is None:
                self._fetching = asyncio.ensure_future(self._fetch())
                self._fetching.add_done_callback(self._fetched)
            try:
                return await asyncio.shield(self._fetching)
            except Unavailable:
                if self._found is None or age > _KEYS_STALE_SECONDS:
                    raise
        return self._found

    def _fetched(self, fetching: "asyncio.Future[tuple[ProviderMetadata, KeySet]]") -> None:
        self._fetching = None
        if not fetching.cancelled() and fetching.exception() is None:
            self._found, self._fetched_at = fetching.result(), self._clock()

    async def _fetch(self) -> tuple[ProviderMetadata, KeySet]:
        place = f"{self._client.issuer.rstrip('/')}/.well-known/openid-configuration"
        _, answer = await self._ask(hdrs.METH_GET, place)
        metadata = _read(answer, ProviderMetadata, "configuration")
        if metadata.issuer != self._client.issuer:
            raise Unavailable("the provider names another issuer than OPENID_ISSUER")
        _, answer = await self._ask(hdrs.METH_GET, metadata.jwks_uri)
        return metadata, _keys_of(_read(answer, dict[str, Any], "list of keys"))

    async def _ask(
        self, method: str, address: str, headers: dict[str, str] = _PLAIN, **request: Any
    ) -> tuple[int, bytes]:
        try:
            async with self._session.request(
                method, address, timeout=_TIMEOUT, allow_redirects=False, headers=_PLAIN | headers, **request
            ) as answer:
                body = b""
                async for piece in answer.content.iter_chunked(65_536):
                    body += piece
                    if len(body) > _ANSWER_BYTES:
                        raise Unavailable("the provider answers too much")
        except (ClientError, TimeoutError) as error:
            raise Unavailable("the provider does not answer; try again soon") from error
        if answer.status >= 500 or (method == hdrs.METH_GET and answer.status != 200):  # noqa: PLR2004 - HTTP
            raise Unavailable(f"the provider answers {answer.status}; try again soon")
        return answer.status, body


class _UnknownKey(Exception):
    """Raised if the provider does not have the key that a token names."""


def _with_id(keys: KeySet) -> Callable[[jwk.GuestProtocol], Any]:
    def find(guest: jwk.GuestProtocol) -> Any:
        header = guest.headers()
        if _KEYS_IN_HEADER & set(header):
            raise ValueError("a token may not bring its own key")
        for key in keys.keys:
            if header.get("kid") and key.kid == header["kid"]:
                return key
        raise _UnknownKey

    return find


def _keys_of(listed: Mapping[str, Any]) -> KeySet:
    """Return the signature keys; keys for other uses are left out. Raises Unavailable if there is none."""
    keys = []
    for one in listed.get("keys", []):
        try:
            if one["kty"] != "oct" and one.get("use", "sig") == "sig" and one.get("kid"):
                keys.append(jwk.import_key(one))
        except (JoseError, ValueError, KeyError, TypeError, AttributeError):
            continue
    if not keys:
        raise Unavailable("the provider has no key that can be used")
    return KeySet(keys)


def _read(answer: bytes, shape: type[T], what: str) -> T:
    try:
        return msgspec.json.decode(answer, type=shape)
    except msgspec.DecodeError as error:
        raise Unavailable(f"the {what} of the provider cannot be read") from error


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


# --- who it is -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ClaimNames:
    """The names of the claims that identify a person. A name may be a path such as `realm_access.roles`.

    `tenant`: the tenant of all people; if it is empty, `tenant_claim` names the claim. `roles`: pairs (value of the
    role claim, role); the first that matches counts, and without a match a person is an officer.
    """

    tenant: str
    tenant_claim: str
    role_claim: str
    roles: Sequence[tuple[str, Role]]
    officer_claim: str
    agency_claim: str


ALL_AGENCIES = "*"
"""The value of the agency claim for an analyst of all agencies. An analyst without the claim gets no access."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The person who signs in. `subject`: the issuer and the issuer's identifier of the person, always the same.

    `officer` is None unless the role is `officer`. `agency` is None unless the role is `supervisor`, or `analyst` of
    one agency.
    """

    subject: str
    tenant: str
    role: Role
    officer: str | None = None
    agency: str | None = None


def identity_of(claims: Claims, names: ClaimNames) -> Identity:
    """Return the person whom verified claims identify. Raises Forbidden, which names a missing or invalid claim."""
    held = _texts(_claim(claims, names.role_claim))
    role: Role = next((role for value, role in names.roles if value in held), "officer")
    tenant = names.tenant or _identifier(claims, names.tenant_claim)
    officer = _identifier(claims, names.officer_claim) if role == "officer" else None
    agency = _identifier(claims, names.agency_claim) if _is_of_agency(role, claims, names) else None
    return Identity(f"{claims['iss']} {claims['sub']}", tenant, role, officer, agency)


def _is_of_agency(role: Role, claims: Claims, names: ClaimNames) -> bool:
    """Return whether a person of this role belongs to one agency; an analyst whose claim is `*` reads all agencies."""
    everywhere = role == "analyst" and _claim(claims, names.agency_claim) == ALL_AGENCIES
    return role in ("supervisor", "analyst") and not everywhere


def _claim(claims: Claims, name: str) -> object:
    """Return a claim by its name or path; None if it is missing."""
    if name in claims:
        return claims[name]
    found: object = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _texts(value: object) -> set[str]:
    if isinstance(value, str):
        return set(value.split())
    return {one for one in value if isinstance(one, str)} if isinstance(value, list) else set()


def _identifier(claims: Claims, name: str) -> str:
    try:
        return msgspec.convert(_claim(claims, name), Identifier)
    except msgspec.ValidationError:
        raise Forbidden(f"the provider's claim {name!r} names nobody here", name) from None
