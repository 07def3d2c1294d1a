"""An OpenID provider on this machine: discovery, keys, authorization and tokens, with real signatures."""

import base64
import hashlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from yarl import URL

from tests.support.portal import serving

CLIENT_ID, CLIENT_SECRET = "learning-path", "s3cret of the portal"


class Provider:
    """Signs in the person whom `claims` describe, without asking for a password.

    `changed_claims` and `changed_header` are merged into the claims and the header of each token. If `token_of` is set,
    it makes each token from the claims.
    """

    def __init__(self) -> None:
        self.url = ""
        self.claims: dict[str, Any] = {"sub": "1234", "preferred_username": "officer-1"}
        self.changed_claims: dict[str, Any] = {}
        self.changed_header: dict[str, Any] = {}
        self.token_of: Callable[[dict[str, Any]], str] | None = None
        self.key: ECKey | RSAKey = ECKey.generate_key("P-256", {"kid": "one", "use": "sig"})
        self.listed: list[dict[str, Any]] | None = None
        self.request_counts: dict[str, int] = {}
        self.away = False
        self._codes: dict[str, dict[str, str]] = {}

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._count])
        app.router.add_get("/.well-known/openid-configuration", self.configuration)
        app.router.add_get("/keys", self.keys)
        app.router.add_get("/authorize", self.authorize)
        app.router.add_post("/token", self.token)
        return app

    @web.middleware
    async def _count(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.request_counts[request.path] = self.request_counts.get(request.path, 0) + 1
        if self.away:
            raise web.HTTPBadGateway
        found: web.StreamResponse = await handler(request)
        return found

    async def configuration(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
            }
        )

    async def keys(self, _: web.Request) -> web.Response:
        return web.json_response({"keys": self.listed or [self.key.as_dict(private=False)]})

    async def authorize(self, request: web.Request) -> web.Response:
        authorization = dict(request.query)
        assert (authorization["response_type"], authorization["client_id"], authorization["code_challenge_method"]) == (
            "code",
            CLIENT_ID,
            "S256",
        )
        code = f"code-{len(self._codes)}"
        self._codes[code] = authorization
        place = URL(authorization["redirect_uri"]).with_query(code=code, state=authorization["state"])
        raise web.HTTPFound(place)

    async def token(self, request: web.Request) -> web.Response:
        form = await request.post()
        authorization = self._codes.pop(str(form.get("code")), None)  # a code works once
        verifier = str(form.get("code_verifier"))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        pair = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET.replace(' ', '%20')}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {pair}":
            return web.json_response({"error": "invalid_client"}, status=401)
        if (
            authorization is None
            or challenge != authorization["code_challenge"]
            or form["redirect_uri"] != authorization["redirect_uri"]
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": authorization["nonce"]}
        claims |= self.claims | self.changed_claims
        algorithm = "ES256" if isinstance(self.key, ECKey) else "RS256"
        header = {"alg": algorithm, "kid": self.key.kid} | self.changed_header
        claims = {name: value for name, value in claims.items() if value is not None}
        signed = self.token_of or (lambda given: jwt.encode(header, given, self.key, algorithms=[algorithm]))
        token = signed(claims)
        return web.json_response({"id_token": token, "token_type": "Bearer", "access_token": "unused"})


@asynccontextmanager
async def openid_provider(provider: Provider | None = None) -> AsyncIterator[Provider]:
    provider = provider or Provider()
    async with serving(provider.app()) as url:
        provider.url = url
        yield provider
