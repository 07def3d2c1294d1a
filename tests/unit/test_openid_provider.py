"""What is fetched of an OpenID provider that is slow or away, and how often."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import ClientSession, web
from joserfc import jwt
from joserfc.jwk import RSAKey

from services.portal.openid import Claims, OpenIdClient, OpenIdProvider
from shared.errors import Unauthorized, Unavailable
from tests.support.openid_provider import CLIENT_ID, CLIENT_SECRET, Provider, openid_provider

PEOPLE = 5


class PackingProvider(Provider):
    """It compresses its answers unless the request excludes it, as HTTP allows."""

    async def configuration(self, request: web.Request) -> web.Response:
        found = await super().configuration(request)
        if request.headers.get("Accept-Encoding") != "identity":
            found.enable_compression(web.ContentCoding.gzip)
        return found


async def test_requests_to_the_provider_accept_only_uncompressed_answers() -> None:
    plain = ClientSession(auto_decompress=False, skip_auto_headers=("Accept-Encoding",))  # as the portal's is
    async with openid_provider(provider := PackingProvider()), plain as session:
        client = OpenIdProvider(session, OpenIdClient(provider.url, "c", "", "http://here/back", "openid"))
        assert (await client.authorization_address("s", "n", "v")).startswith(f"{provider.url}/authorize?")


class SlowProvider(Provider):
    """A provider that answers for its configuration once the gate opens."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.gate = asyncio.Event(), asyncio.Event()

    async def configuration(self, request: web.Request) -> web.Response:
        self.entered.set()
        await self.gate.wait()
        if self.away:
            raise web.HTTPBadGateway
        return await super().configuration(request)


async def signing_in(provider: SlowProvider, client: OpenIdProvider) -> list["asyncio.Task[str]"]:
    """Return several people's sign-ins, all of which wait for the configuration."""
    people = [asyncio.create_task(client.authorization_address("s", "n", "v")) for _ in range(PEOPLE)]
    await provider.entered.wait()
    return people


@pytest.mark.parametrize("away", [False, True])
async def test_concurrent_sign_ins_share_one_request_to_the_provider(away: bool) -> None:
    async with openid_provider(provider := SlowProvider()), ClientSession() as session:
        client = OpenIdProvider(session, OpenIdClient(provider.url, "c", "", "http://here/back", "openid"))
        people = await signing_in(provider, client)
        provider.away = away
        provider.gate.set()
        found = await asyncio.gather(*people, return_exceptions=True)
        assert all(isinstance(one, Unavailable if away else str) for one in found)
        assert provider.request_counts["/.well-known/openid-configuration"] == 1
        provider.away = False
        assert (await client.authorization_address("s", "n", "v")).startswith(f"{provider.url}/authorize?")
        assert provider.request_counts["/.well-known/openid-configuration"] == 1 + away


async def test_cancelling_one_sign_in_does_not_cancel_the_shared_request() -> None:
    async with openid_provider(provider := SlowProvider()), ClientSession() as session:
        client = OpenIdProvider(session, OpenIdClient(provider.url, "c", "", "http://here/back", "openid"))
        people = await signing_in(provider, client)
        people[0].cancel()
        provider.gate.set()
        found = await asyncio.gather(*people, return_exceptions=True)
        assert isinstance(found[0], asyncio.CancelledError)
        assert all(isinstance(one, str) for one in found[1:])
        assert provider.request_counts["/.well-known/openid-configuration"] == 1


class Clock:
    """A clock that a test sets, in seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


HERE = "http://here/back"


async def signed_in(session: ClientSession, client: OpenIdProvider) -> Claims:
    """Go to the provider and back; return the claims of who comes back."""
    address = await client.authorization_address("state", "nonce", "verifier")
    async with session.get(address, allow_redirects=False) as answer:
        code = answer.headers["Location"].partition("code=")[2].partition("&")[0]
    return await client.claims_of(code, "nonce", "verifier")


async def test_a_changed_key_is_fetched_after_half_a_minute_and_the_former_one_signs_nobody_in() -> None:
    clock = Clock()
    async with openid_provider(provider := Provider()), ClientSession() as session:
        registered = OpenIdClient(provider.url, CLIENT_ID, CLIENT_SECRET, HERE, "openid")
        client = OpenIdProvider(session, registered, clock=clock)
        former = provider.key
        assert (await signed_in(session, client))["sub"] == "1234"
        provider.key = RSAKey.generate_key(2048, {"kid": "two", "use": "sig"})
        clock.now += 29
        with pytest.raises(Unauthorized):
            await signed_in(session, client)
        clock.now += 2
        assert (await signed_in(session, client))["sub"] == "1234"
        assert provider.request_counts["/keys"] == 2

        def signed_with_the_former(claims: dict[str, Any]) -> str:
            return jwt.encode({"alg": "ES256", "kid": "one"}, claims, former, algorithms=["ES256"])

        provider.token_of = signed_with_the_former
        clock.now += 31
        with pytest.raises(Unauthorized):
            await signed_in(session, client)
        assert provider.request_counts["/keys"] == 3


async def test_the_keys_serve_for_a_day_while_the_provider_cannot_list_them() -> None:
    clock = Clock()
    async with openid_provider(provider := Provider()), ClientSession() as session:
        registered = OpenIdClient(provider.url, CLIENT_ID, CLIENT_SECRET, HERE, "openid")
        client = OpenIdProvider(session, registered, clock=clock)
        await client.authorization_address("state", "nonce", "verifier")
        provider.away = True
        clock.now += 24 * 3600 - 1
        assert await client.authorization_address("state", "nonce", "verifier")
        clock.now += 2
        with pytest.raises(Unavailable):
            await client.authorization_address("state", "nonce", "verifier")


@pytest.mark.parametrize("nonce", [["nonce"], "another", "", None])
async def test_the_nonce_is_that_of_the_sign_in_and_no_list_with_it(nonce: object) -> None:
    async with openid_provider(provider := Provider()), ClientSession() as session:
        client = OpenIdProvider(session, OpenIdClient(provider.url, CLIENT_ID, CLIENT_SECRET, HERE, "openid"))
        provider.changed_claims = {"nonce": nonce}
        with pytest.raises(Unauthorized):
            await signed_in(session, client)


class StrangeProvider(Provider):
    """A provider whose configuration or list of keys is not as it should be."""

    def __init__(self, configuration: Callable[[str], dict[str, Any]], moved: str = "") -> None:
        super().__init__()
        self.changed, self.moved = configuration, moved

    async def configuration(self, request: web.Request) -> web.Response:
        if self.moved:
            raise web.HTTPFound(self.moved)
        usual = (await super().configuration(request)).text
        assert usual
        return web.json_response(json.loads(usual) | self.changed(self.url))

    def app(self) -> web.Application:
        app = super().app()
        app.router.add_get("/moved", super().configuration)
        return app


def as_it_is(_: str) -> dict[str, Any]:
    return {}


@pytest.mark.parametrize(
    ("configuration", "moved", "cause"),
    [
        (lambda _: {"issuer": "https://elsewhere.example"}, "", "names another issuer than OPENID_ISSUER"),
        (lambda url: {"issuer": f"{url}/"}, "", "names another issuer than OPENID_ISSUER"),
        (lambda _: {"padding": "x" * 1_000_000}, "", "answers too much"),
        (lambda _: {"token_endpoint": None}, "", "the configuration of the provider cannot be read"),
        (lambda url: {"jwks_uri": f"{url}/nowhere"}, "", "answers 404"),
        (as_it_is, "/moved", "answers 302"),
    ],
)
async def test_a_provider_that_is_not_as_registered_signs_nobody_in(
    configuration: Callable[[str], dict[str, Any]], moved: str, cause: str
) -> None:
    async with openid_provider(provider := StrangeProvider(configuration, moved)), ClientSession() as session:
        client = OpenIdProvider(session, OpenIdClient(provider.url, CLIENT_ID, CLIENT_SECRET, HERE, "openid"))
        with pytest.raises(Unavailable, match=cause):
            await client.authorization_address("state", "nonce", "verifier")


async def test_keys_for_other_uses_and_shared_secrets_verify_no_token() -> None:
    async with openid_provider(provider := Provider()), ClientSession() as session:
        client = OpenIdProvider(session, OpenIdClient(provider.url, CLIENT_ID, CLIENT_SECRET, HERE, "openid"))
        own = provider.key.as_dict(private=False)
        secret = {"kty": "oct", "k": "c2VjcmV0", "kid": "one"}
        provider.listed = [{**own, "use": "enc"}, {**own, "kid": ""}, secret, {"kid": "one"}]
        with pytest.raises(Unavailable, match="no key that can be used"):
            await client.authorization_address("state", "nonce", "verifier")
        provider.listed = [*provider.listed, own]
        assert (await signed_in(session, client))["sub"] == "1234"
