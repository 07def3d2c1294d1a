"""What is fetched of an OpenID provider that is slow or away, and how often."""

import asyncio

import pytest
from aiohttp import ClientSession, web

from services.portal.openid import OpenIdClient, OpenIdProvider
from shared.errors import Unavailable
from tests.support.openid_provider import Provider, openid_provider

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
