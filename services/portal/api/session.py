"""Sessions: the API key is kept in an HttpOnly cookie, because EventSource cannot send headers.

Browsers send cookies automatically, so a request that changes something must come from the same origin: by
SameSite=Strict in the browser, and checked here by `Sec-Fetch-Site` or `Origin`.
"""

from typing import Annotated
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from msgspec import Meta, Struct

from shared.auth import Authenticator, Principal, Role
from shared.errors import Forbidden
from shared.middleware import ADDRESS, bearer
from shared.routes import json_response, no_content, principal, read_body

LASTS_SECONDS = 12 * 3600
PLAIN_COOKIE = "learning-path"
SECURE_COOKIE = f"__Host-{PLAIN_COOKIE}"
COOKIE: web.AppKey[str] = web.AppKey("cookie", str)
"""The name of the one cookie that this portal takes. With HTTPS no other page can have set one of the prefix."""

_SAFE = {"GET", "HEAD", "OPTIONS"}


class SignIn(Struct, frozen=True, forbid_unknown_fields=True):
    """The API key, as it was given out: `id.secret`."""

    key: Annotated[str, Meta(min_length=1, max_length=300)]


class Session(Struct, frozen=True):
    """Who is signed in; `officer` in the role `officer` only."""

    tenant: str
    role: Role
    officer: str | None


def check_origin(request: web.Request) -> None:
    """Raise Forbidden if a browser sent the request from another origin."""
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get(hdrs.ORIGIN)
    if site is None and origin is not None:  # browsers leave Sec-Fetch-Site out where there is no HTTPS
        site = "same-origin" if _host_of(origin) == request.host else "cross-site"
    if site not in (None, "same-origin"):
        raise Forbidden("this may only be asked from the officers' page itself")


def _host_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc or None
    except ValueError:  # no address at all
        return None


def credential_of(request: web.Request) -> str | None:
    """Return the key of a request, of its header or else of its cookie; None without one.

    Raises Forbidden where a cookie comes with a change that another origin asks for.
    """
    if hdrs.AUTHORIZATION in request.headers:
        return bearer(request)
    key = request.cookies.get(request.app[COOKIE])
    if key and request.method not in _SAFE:
        check_origin(request)
    return key or None


class Sessions:
    """Signs in and out. `secure`: the cookie travels over HTTPS only, under the name that only HTTPS can set."""

    def __init__(self, authenticator: Authenticator, *, secure: bool) -> None:
        self._authenticator = authenticator
        self._secure = secure

    async def sign_in(self, request: web.Request) -> web.Response:
        """Sign in with an API key.

        The key is set as a cookie (HttpOnly, SameSite=Strict) and never told again. 401 for a key that does not work.
        """
        check_origin(request)
        key = (await read_body(request, SignIn)).key.strip()
        response = json_response(_session(await self._authenticator.authenticate(key, request[ADDRESS])))
        response.set_cookie(
            request.app[COOKIE],
            key,
            max_age=LASTS_SECONDS,
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="Strict",
        )
        return response

    async def get_session(self, request: web.Request) -> web.Response:
        """Return who is signed in."""
        return json_response(_session(principal(request)))

    async def sign_out(self, request: web.Request) -> web.Response:
        """Sign out: the cookie is forgotten."""
        check_origin(request)
        response = no_content()
        response.del_cookie(request.app[COOKIE], path="/", secure=self._secure, httponly=True, samesite="Strict")
        return response


def _session(who: Principal) -> Session:
    return Session(who.tenant, who.role, who.officer)
