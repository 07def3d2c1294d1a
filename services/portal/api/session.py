"""The routes that sign people in and out.

The API key of a signed-in browser is in an HttpOnly cookie, because EventSource cannot send headers. Browsers send
cookies automatically, so a request that changes something must come from the portal's own pages: the cookie is
SameSite=Strict, and `Sec-Fetch-Site` or `Origin` is checked.

A person who signs in with OpenID Connect gets an API key for the session, so that every service checks the same kind of
credential. While the person is at the provider, a signed cookie holds the data of the sign-in.
"""

import base64
import hashlib
import hmac
import logging
import secrets
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from aiohttp import hdrs, web
from msgspec import Meta, Struct

from services.portal.openid import ClaimNames, Identity, OpenIdProvider, identity_of
from shared.auth import Authenticator, GivenRole, Principal, issue
from shared.errors import Forbidden, Malformed, NotFound, Problem, Unauthorized, Unavailable
from shared.middleware import bearer
from shared.mongo import KeyStore
from shared.routes import PRINCIPAL, json_response, no_content, principal, read_body, read_query

PLAIN_COOKIE = "learning-path"
SECURE_COOKIE = f"__Host-{PLAIN_COOKIE}"
COOKIE: web.AppKey[str] = web.AppKey("cookie", str)
"""The name of the session cookie. With HTTPS it has the prefix `__Host-`, so that no other host can set it."""

CALLBACK = "/session/openid/callback"

_SAFE = {"GET", "HEAD", "OPTIONS"}
_PENDING_SECONDS = 600
_RESULTS: dict[type[Problem], str] = {Forbidden: "unknown", Unauthorized: "refused"}

log = logging.getLogger(__name__)


class SignIn(Struct, frozen=True, forbid_unknown_fields=True):
    """A request to sign in with an API key, `id.secret`."""

    key: Annotated[str, Meta(min_length=1, max_length=300)]


class Session(Struct, frozen=True):
    """The signed-in person.

    `officer` is null unless the role is `officer`. `agency` is null unless the role is `supervisor`, or `analyst` of
    one agency. `person` tells people of one role apart: it is a digest of the person's identity at the OpenID Connect
    provider, or of the id of the key with which the person signed in.
    """

    tenant: str
    role: GivenRole
    officer: str | None
    agency: str | None
    person: str


class Start(Struct, frozen=True):
    """What a page needs to know first.

    `openid`: whether people can sign in with the OpenID Connect provider of their organisation. `session`: the
    signed-in person, null if nobody is signed in.
    """

    openid: bool
    session: Session | None


class AskOpenId(Struct, frozen=True, forbid_unknown_fields=True):
    """A request to sign in at the provider. `to`: the path of this portal that the browser opens afterwards."""

    to: Annotated[str, Meta(max_length=500)] = "/"


class AskSignOut(Struct, frozen=True, forbid_unknown_fields=True):
    """A request to sign out; with `everywhere`, on every device of the same person."""

    everywhere: bool = False


class PendingSignIn(Struct, frozen=True, array_like=True):
    """The data of a sign-in while the person is at the provider.

    `state`, `nonce` and `verifier` are the secrets of OpenID Connect. `to`: the path to open afterwards. `until`: the
    Unix time, in seconds, after which the sign-in has expired.
    """

    state: str
    nonce: str
    verifier: str
    to: str
    until: float


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """How long a session lasts: `lasts` in all, `idle` without a request (only after OpenID Connect)."""

    lasts: timedelta
    idle: timedelta


def check_origin(request: web.Request) -> None:
    """Raise Forbidden if a browser sent the request from a page of another origin."""
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get(hdrs.ORIGIN)
    if site is None and origin is not None:  # browsers leave Sec-Fetch-Site out without HTTPS
        site = "same-origin" if _host_of(origin) == request.host else "cross-site"
    if site not in (None, "same-origin"):
        raise Forbidden("this request must come from the officers' page itself")


def cookie_of(request: web.Request, name: str) -> str:
    """Return the value of a cookie; an empty text without it, or if there are several of this name.

    A browser does not accept a cookie with the prefix `__Host-` from another host of the domain. It does accept cookies
    that a lenient parser reads as this one, because the name begins with a space that only Unicode knows, or because
    the value contains a space and then the name. So only a semicolon ends a cookie, and its name is compared exactly.
    """
    pairs = [pair.partition("=") for header in request.headers.getall(hdrs.COOKIE, []) for pair in header.split(";")]
    values = [value.strip(' \t"') for given, _, value in pairs if given.strip(" \t") == name]
    return values[0] if len(values) == 1 else ""


def _host_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc or None
    except ValueError:  # no address at all
        return None


def credential_of(request: web.Request) -> str | None:
    """Return the API key of a request from the header `Authorization`, or else from the cookie; None without one.

    Raises Forbidden if the key is in the cookie, the request may change something, and another origin sent it.
    """
    if hdrs.AUTHORIZATION in request.headers:
        return bearer(request)
    key = cookie_of(request, request.app[COOKIE])
    if key and request.method not in _SAFE:
        check_origin(request)
    return key or None


class Sessions:
    """Signs people in and out.

    `pepper`: the secret with which keys are hashed and cookies are signed. `secure`: whether cookies are sent only over
    HTTPS. `limits`: how long a session lasts. `provider`: None if people sign in with keys only. `claims`: the names of
    the provider's claims.
    """

    def __init__(  # noqa: PLR0913 - made once, by name, in __main__
        self,
        authenticator: Authenticator,
        keys: KeyStore,
        pepper: bytes,
        *,
        secure: bool,
        limits: SessionLimits,
        provider: OpenIdProvider | None,
        claims: ClaimNames,
    ) -> None:
        self._authenticator = authenticator
        self._keys = keys
        self._pepper = pepper
        self._secure = secure
        self._limits = limits
        self._provider = provider
        self._claims = claims

    async def sign_in(self, request: web.Request) -> web.Response:
        """Sign in with an API key; anybody may call this.

        The answer sets the key as a cookie (HttpOnly, SameSite=Strict), and does not contain it. 401 for an invalid
        key, 403 for the key of a share link or a request from another origin.
        """
        check_origin(request)
        key = (await read_body(request, SignIn)).key.strip()
        response = json_response(_session(await self._authenticated(request, key)))
        self._set_key(request, response, key)
        return response

    async def get_start(self, request: web.Request) -> web.Response:
        """Return who is signed in (null if nobody is), and whether people can sign in with a provider.

        Anybody may call this. Unlike `GET /session`, it answers 200 without a valid key too, so that a page can ask
        whether somebody is signed in.
        """
        credential = credential_of(request)
        session = None
        if credential:
            try:
                session = _session(await self._authenticated(request, credential))
            except (Unauthorized, Forbidden):
                session = None
        return json_response(Start(openid=self._provider is not None, session=session))

    async def get_session(self, request: web.Request) -> web.Response:
        """Return the signed-in person: tenant, role, and officer or agency.

        401 if nobody is signed in, 403 for the key of a share link.
        """
        return json_response(_session(principal(request)))

    async def sign_out(self, request: web.Request) -> web.Response:
        """Sign out: delete the cookie, and revoke the key if it comes from a sign-in with OpenID Connect.

        With `everywhere`, the keys of the same person on all devices are revoked. Anybody may call this; without a
        valid key, only the cookie is deleted. 403 for a request from another origin.
        """
        check_origin(request)
        query = read_query(request, AskSignOut)
        credential = cookie_of(request, request.app[COOKIE])
        try:
            key_id = (await self._authenticated(request, credential)).key_id
        except Unauthorized:
            key_id = ""
        stored = await self._keys.find(key_id) if key_id else None
        if stored is not None and stored.subject is not None:
            if query.everywhere:
                await self._keys.revoke_subject(stored.subject)
            else:
                await self._keys.revoke(key_id)
            self._authenticator.forget({key_id})
        response = no_content()
        response.del_cookie(request.app[COOKIE], path="/", secure=self._secure, httponly=True, samesite="Strict")
        return response

    async def _authenticated(self, request: web.Request, credential: str) -> Principal:
        """Return the caller of a public route, whom the access log then names. Raises as `Authenticator`."""
        request[PRINCIPAL] = await self._authenticator.authenticate(credential)
        return request[PRINCIPAL]

    # --- OpenID Connect ----------------------------------------------------------------------------------------------

    async def go_to_provider(self, request: web.Request) -> web.Response:
        """Redirect the browser to the provider, where the person signs in.

        Anybody may call this. Afterwards the browser opens the path `to` of this portal. If the provider does not
        answer, the browser is redirected to `/?sign-in=unavailable`. 400 if `to` is no path of this portal, 404 if no
        provider is set.
        """
        provider = self._known_provider()
        to = read_query(request, AskOpenId).to
        if not _is_own_path(to):
            raise Malformed("is to be a path of this portal", "to")
        until = time.time() + _PENDING_SECONDS
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        pending = PendingSignIn(state, nonce, verifier, to, until)
        try:
            response = _moved(await provider.authorization_address(state, nonce, verifier))
        except Unavailable as problem:
            return _not_signed_in("unavailable", to, problem.detail)
        response.set_cookie(
            self._waiting_cookie(request),
            self._signed(pending),
            max_age=_PENDING_SECONDS,
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="Lax",  # the browser comes back from another site
        )
        return response

    async def come_back(self, request: web.Request) -> web.Response:
        """Sign in the person who comes back from the provider, and redirect the browser to the requested path.

        Anybody may call this. If the sign-in fails, the browser is redirected to `/?sign-in=` with a reason: `refused`,
        `expired`, `unknown` or `unavailable`. The fragment of the requested path is kept, so that another attempt leads
        there. 404 if no provider is set.
        """
        provider = self._known_provider()
        state, code = request.query.get("state", ""), request.query.get("code", "")
        pending = self._unsigned(cookie_of(request, self._waiting_cookie(request)))
        to = pending.to if pending else "/"
        try:
            if pending is None or not hmac.compare_digest(pending.state.encode(), state.encode()):
                response = _not_signed_in("expired", to, "not begun in this browser, or it took too long")
            elif not code:  # but an error: RFC 6749, section 4.1.2.1
                response = _not_signed_in("refused", to, "the provider sends no code")
            else:
                claims = await provider.claims_of(code, pending.nonce, pending.verifier)
                response = _moved(pending.to)
                key, request[PRINCIPAL] = await self._new_key(identity_of(claims, self._claims))
                self._set_key(request, response, key)
        except Problem as problem:
            result = next((name for kind, name in _RESULTS.items() if isinstance(problem, kind)), "unavailable")
            response = _not_signed_in(result, to, problem.detail)
        response.del_cookie(self._waiting_cookie(request), path="/", secure=self._secure, httponly=True, samesite="Lax")
        return response

    def _known_provider(self) -> OpenIdProvider:
        if self._provider is None:
            raise NotFound("people sign in with keys here: no OpenID provider is set")
        return self._provider

    async def _new_key(self, who: Identity) -> tuple[str, Principal]:
        """Return a key for this session of a person, and its principal. Raises Unavailable."""
        ends = datetime.now(UTC) + self._limits.lasts
        key, stored = issue(
            self._pepper, who.tenant, who.role, who.officer, ends, label="OpenID Connect", agency=who.agency
        )
        idle = int(self._limits.idle.total_seconds())
        await self._keys.create(replace(stored, subject=who.subject, idle_seconds=idle))
        return key, Principal(stored.key_id, who.tenant, who.role, who.officer, who.agency, who.subject)

    # --- cookies -----------------------------------------------------------------------------------------------------

    def _set_key(self, request: web.Request, response: web.Response, key: str) -> None:
        response.set_cookie(
            request.app[COOKIE],
            key,
            max_age=int(self._limits.lasts.total_seconds()),
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="Strict",
        )

    def _waiting_cookie(self, request: web.Request) -> str:
        return f"{request.app[COOKIE]}-openid"

    def _signed(self, pending: PendingSignIn) -> str:
        text = base64.urlsafe_b64encode(msgspec.json.encode(pending)).decode()
        return f"{text}.{self._mark(text)}"

    def _unsigned(self, cookie: str) -> PendingSignIn | None:
        """Return the content of a signed cookie; None if the signature is wrong or it has expired."""
        text, _, mark = cookie.partition(".")
        if not cookie.isascii() or not hmac.compare_digest(mark, self._mark(text)):
            return None
        pending = msgspec.json.decode(base64.urlsafe_b64decode(text), type=PendingSignIn)
        return pending if pending.until > time.time() else None

    def _mark(self, text: str) -> str:
        return hmac.new(self._pepper, f"openid {text}".encode(), hashlib.sha256).hexdigest()


def _is_own_path(text: str) -> bool:
    """Return whether a browser resolves this to a path of the same origin."""
    return (
        text.startswith("/")
        and not text.startswith("//")
        and text.isascii()
        and text.isprintable()
        and "\\" not in text
    )


def _moved(place: str) -> web.Response:
    return web.Response(status=303, headers={hdrs.LOCATION: place})


def _not_signed_in(result: str, to: str, reason: str) -> web.Response:
    """Return a redirect to the page with the result of a sign-in that failed; the log gets the reason.

    The fragment of `to` stays.
    """
    log.warning("nobody was signed in: %s", reason)
    _, mark, fragment = to.partition("#")
    return _moved(f"/?sign-in={result}{mark}{fragment}")


def _session(who: Principal) -> Session:
    """Return the signed-in person. Raises Forbidden for a viewer."""
    if who.role == "viewer":
        raise Forbidden("the key of a share link shows one path and signs nobody in")
    person = hashlib.blake2b((who.subject or who.key_id).encode(), digest_size=8).hexdigest()
    return Session(who.tenant, who.role, who.officer, who.agency, person)
