"""Sign-in with OpenID Connect, against a provider with real signatures."""

import base64
import hashlib
import hmac
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from typing import Any, Self

import aiohttp
import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey
from yarl import URL

from shared.mongo import KeyStore, connect
from shared.settings import PortalSettings
from tests.support.openid_provider import CLIENT_ID, CLIENT_SECRET, Provider, openid_provider
from tests.support.portal import Owner, Portal, path, running_portal

HERE = "http://portal.test"


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with openid_provider() as provider:
        yield provider


@pytest.fixture
async def portal(stage: tuple[PortalSettings, Owner], provider: Provider) -> AsyncIterator[Portal]:
    settings, owner = stage
    wanted = replace(
        settings,
        portal_url=HERE,
        openid_issuer=provider.url,
        openid_client_id=CLIENT_ID,
        openid_client_secret=CLIENT_SECRET,
        openid_tenant="agency",
        openid_role_claim="realm_access.roles",
        openid_roles=(("lp-admin", "admin"), ("lp-head", "supervisor"), ("lp-hr", "analyst")),
    )
    async with running_portal(wanted, owner) as portal:
        yield portal


class Browser:
    """Follows redirects between portal and provider by hand, so that each can be looked at and changed."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal
        self.person = ""
        """The digest of who is signed in, of the last answer."""
        self.session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    async def go(self, place: str) -> tuple[int, str, SimpleCookie]:
        """Ask for an address; return the status, where it sends the browser, and the cookies that it sets."""
        address = place.replace(HERE, self.portal.url) if place.startswith("http") else self.portal.url + place
        async with self.session.get(URL(address, encoded=True), allow_redirects=False) as answer:
            return answer.status, answer.headers.get("Location", ""), answer.cookies

    async def to_provider(self, to: str = "/") -> str:
        """Go to the provider and return the address that it sends the browser back to."""
        status, place, cookies = await self.go(f"/session/openid?to={to}")
        assert status == 303
        waiting = cookies["learning-path-openid"]
        assert (waiting["httponly"], waiting["samesite"], waiting["max-age"]) == (True, "Lax", "600")
        status, place, _ = await self.go(place)
        assert status == 302
        return place

    async def sign_in(self, to: str = "/") -> str:
        """Sign in and return where the browser is sent at the end."""
        status, place, _ = await self.go(await self.to_provider(to))
        assert status == 303
        return place

    async def who(self) -> dict[str, str | None] | None:
        async with self.session.get(f"{self.portal.url}/session") as answer:
            if answer.status != 200:
                return None
            session: dict[str, str | None] = await answer.json()
            self.person = session.pop("person") or ""
            return session


async def test_an_officer_signs_in_with_the_provider_and_reads_the_own_path_only(
    portal: Portal, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "access")
    portal.owner.stored["officer-1"] = path("officer-1", 1)
    async with Browser(portal) as browser:
        status, _, cookies = await browser.go(await browser.to_provider("/?lang=th"))
        assert status == 303
        cookie = cookies["learning-path"]
        line = vars([record for record in caplog.records if record.name == "access"][-1])["fields"]
        assert (line["key_id"], line["tenant"]) == (cookie.value.partition(".")[0], "agency")
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/")
        assert await browser.who() == {"tenant": "agency", "role": "officer", "officer": "officer-1", "agency": None}
        async with browser.session.get(f"{portal.url}/v1/officers/officer-1/live") as answer:
            assert answer.content_type == "text/event-stream"
        async with browser.session.get(f"{portal.url}/v1/officers/officer-2/live") as answer:
            assert answer.status == 404


async def test_a_page_learns_whether_there_is_a_provider(portal: Portal, stage: tuple[PortalSettings, Owner]) -> None:
    async with portal.session.get(f"{portal.url}/session/start") as answer:
        assert await answer.json() == {"openid": True, "session": None}
    async with running_portal(*stage) as without:
        async with without.session.get(f"{without.url}/session/start") as answer:
            assert await answer.json() == {"openid": False, "session": None}
        async with without.session.get(f"{without.url}/session/openid") as answer:
            assert answer.status == 404


IDENTITIES: list[tuple[dict[str, Any], dict[str, str | None]]] = [
    ({"realm_access": {"roles": ["lp-admin", "lp-head"]}}, {"role": "admin", "officer": None, "agency": None}),
    (
        {"realm_access": {"roles": ["lp-head"]}, "agency": "finance"},
        {"role": "supervisor", "officer": None, "agency": "finance"},
    ),
    (
        {"realm_access": {"roles": ["lp-hr"]}, "agency": "finance"},
        {"role": "analyst", "officer": None, "agency": "finance"},
    ),
    ({"realm_access": {"roles": ["lp-hr"]}, "agency": "*"}, {"role": "analyst", "officer": None, "agency": None}),
    ({"realm_access": {"roles": ["other"]}}, {"role": "officer", "officer": "officer-1", "agency": None}),
    ({"realm_access": "lp-admin"}, {"role": "officer", "officer": "officer-1", "agency": None}),
    ({"realm_access.roles": "x lp-admin"}, {"role": "admin", "officer": None, "agency": None}),
]


async def test_the_claims_identify_the_person(portal: Portal, provider: Provider) -> None:
    for claims, who in IDENTITIES:
        provider.changed_claims = claims
        async with Browser(portal) as browser:
            assert await browser.sign_in() == "/", claims
            assert await browser.who() == {"tenant": "agency", **who}, claims


async def test_a_person_is_the_same_after_another_sign_in(portal: Portal, provider: Provider) -> None:
    found = []
    for subject in ("s-1", "s-1", "s-2"):
        provider.changed_claims = {"realm_access": {"roles": ["lp-admin", "lp-head"]}, "sub": subject}
        async with Browser(portal) as browser:
            await browser.sign_in()
            assert await browser.who()
            found.append(browser.person)
    assert found[0] == found[1] != found[2]


WRONG_TOKENS: list[tuple[dict[str, Any], dict[str, str], str]] = [
    ({"iss": "https://elsewhere.example"}, {}, "refused"),
    ({"aud": "another client"}, {}, "refused"),
    ({"aud": [CLIENT_ID, "another"], "azp": "another"}, {}, "refused"),
    ({"aud": [CLIENT_ID, "another"]}, {}, "refused"),
    ({"exp": 1_000_000_000}, {}, "refused"),
    ({"exp": None}, {}, "refused"),
    ({"nbf": 4_000_000_000}, {}, "refused"),
    ({"nonce": "another sign-in"}, {}, "refused"),
    ({"nonce": None}, {}, "refused"),
    ({"sub": None}, {}, "refused"),
    ({}, {"kid": "unknown"}, "refused"),
    ({}, {"jku": "https://elsewhere.example/keys"}, "refused"),
    ({"preferred_username": None}, {}, "unknown"),
    ({"preferred_username": "a/b"}, {}, "unknown"),
    ({"realm_access": {"roles": ["lp-head"]}, "agency": "*"}, {}, "unknown"),
    ({"realm_access": {"roles": ["lp-hr"]}}, {}, "unknown"),
    ({"realm_access": {"roles": ["lp-hr"]}, "agency": ["*"]}, {}, "unknown"),
    ({"realm_access": {"roles": ["lp-hr"]}, "agency": ""}, {}, "unknown"),
    ({"preferred_username": {"$gt": ""}}, {}, "unknown"),
    ({"realm_access": {"roles": ["lp-head"]}}, {}, "unknown"),
]


async def test_a_token_that_is_not_for_this_sign_in_signs_nobody_in(portal: Portal, provider: Provider) -> None:
    for claims, header, result in WRONG_TOKENS:
        provider.changed_claims, provider.changed_header = claims, header
        async with Browser(portal) as browser:
            assert await browser.sign_in() == f"/?sign-in={result}", (claims, header)
            assert await browser.who() is None


async def test_a_token_signed_with_a_foreign_key_signs_nobody_in(portal: Portal, provider: Provider) -> None:
    known = provider.key
    provider.listed = [known.as_dict(private=False)]
    for key in (ECKey.generate_key("P-256", {"kid": "one"}), RSAKey.generate_key(2048, {"kid": "one"})):
        provider.key = key
        async with Browser(portal) as browser:
            assert await browser.sign_in() == "/?sign-in=refused"


def forged(algorithm: str, provider: Provider, claims: dict[str, object]) -> str:
    """Return a token that nobody with the provider's private key has signed."""
    if algorithm == "none":
        parts = ({"alg": "none", "kid": "one"}, claims)
        return ".".join([*(_part(json.dumps(part).encode()) for part in parts), ""])
    secret = CLIENT_SECRET if algorithm == "secret" else provider.key.as_pem(private=False)
    header = {"alg": "HS256", "kid": "one"}
    signed = ".".join(_part(json.dumps(part).encode()) for part in (header, claims))
    key = secret.encode() if isinstance(secret, str) else secret
    return f"{signed}.{_part(hmac.digest(key, signed.encode(), hashlib.sha256))}"


def _part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.mark.parametrize("algorithm", ["none", "secret", "public key"])
async def test_a_token_without_a_signature_of_the_provider_is_rejected(
    portal: Portal, provider: Provider, algorithm: str
) -> None:
    secret = OctKey.import_key(CLIENT_SECRET, {"kid": "one"})
    provider.listed = [secret.as_dict(private=True), provider.key.as_dict(private=False)]
    provider.token_of = lambda claims: forged(algorithm, provider, claims)
    async with Browser(portal) as browser:
        assert await browser.sign_in() == "/?sign-in=refused"
        assert await browser.who() is None


MALFORMED_TOKENS = [
    "",
    "..",
    "é.é.é",
    *(
        f"{_part(header)}.{_part(b'{}')}.x"
        for header in (b"[1]", b'{"alg":"ES256","kid":"one","crit":5}', b'{"a":' * 5_000 + b"1" + b"}" * 5_000)
    ),
]


async def test_a_token_that_is_none_is_rejected(portal: Portal, provider: Provider) -> None:
    for token in MALFORMED_TOKENS:
        provider.token_of = lambda _, token=token: token
        async with Browser(portal) as browser:
            assert await browser.sign_in() == "/?sign-in=refused", token[:40]


async def test_a_changed_key_is_not_fetched_twice_within_half_a_minute(portal: Portal, provider: Provider) -> None:
    async with Browser(portal) as browser:
        assert await browser.sign_in() == "/"
    provider.key = RSAKey.generate_key(2048, {"kid": "two", "use": "sig"})
    async with Browser(portal) as browser:
        assert await browser.sign_in() == "/?sign-in=refused"
    assert provider.request_counts["/keys"] == 1


async def test_a_code_works_only_with_the_verifier_of_its_own_sign_in(portal: Portal, provider: Provider) -> None:
    async with Browser(portal) as victim, Browser(portal) as attacker:
        stolen = URL(await victim.to_provider()).query["code"]
        place = URL(await attacker.to_provider())
        _, location, _ = await attacker.go(str(place.update_query(code=stolen)))
        assert location == "/?sign-in=refused"
        assert await attacker.who() is None
    assert provider.request_counts["/token"] == 1


async def test_a_sign_in_replaces_the_key_that_the_browser_held(portal: Portal) -> None:
    planted = await portal.key("officer", "somebody-else")
    async with Browser(portal) as browser:
        browser.session.cookie_jar.update_cookies({"learning-path": planted}, URL(portal.url))
        assert await browser.sign_in() == "/"
        assert key_of(browser) != planted
        assert (await browser.who() or {})["officer"] == "officer-1"


async def test_code_state_and_cookie_work_once_in_their_own_browser(portal: Portal, provider: Provider) -> None:
    async with Browser(portal) as browser, Browser(portal) as other:
        back = await browser.to_provider()
        await other.to_provider()
        _, place, _ = await other.go(back)  # a sign-in that another browser began
        assert place == "/?sign-in=expired"
        assert await other.who() is None
        _, place, _ = await browser.go(back)
        assert place == "/"
        _, place, _ = await browser.go(back)  # its cookie is gone
        assert place == "/?sign-in=expired"
    async with Browser(portal) as browser:
        place = await browser.to_provider()
        _, location, _ = await browser.go(str(URL(place).update_query(code="a guess")))
        assert location == "/?sign-in=refused"
    async with Browser(portal) as browser:
        place = await browser.to_provider()
        _, location, _ = await browser.go(
            str(URL(place).with_query(error="access_denied", state=URL(place).query["state"]))
        )
        assert location == "/?sign-in=refused"


async def test_a_forged_cookie_is_rejected(portal: Portal) -> None:
    for cookie in ("x", "x.y", "é.x", "W10=." + "0" * 64, "." * 50):
        headers = {"Cookie": f"learning-path-openid={cookie}"}
        async with portal.session.get(
            f"{portal.url}/session/openid/callback?code=c&state=s", headers=headers, allow_redirects=False
        ) as answer:
            assert (answer.status, answer.headers.get("Location")) in ((303, "/?sign-in=expired"), (400, None))


async def test_the_sign_in_redirects_only_within_the_portal(portal: Portal) -> None:
    async with Browser(portal) as browser:
        for to in ("https://elsewhere.example", "//elsewhere.example", "/%5Celsewhere.example", "else", "/a%0d%0ab"):
            status, _, _ = await browser.go(f"/session/openid?to={to}")
            assert status == 400, to


async def test_an_unavailable_provider_is_reported_on_the_page_and_in_the_log(
    portal: Portal, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    to = "/%23officer=officer-1"
    provider.away = True
    async with Browser(portal) as browser:
        status, location, cookies = await browser.go(f"/session/openid?to={to}")
        assert (status, location) == (303, "/?sign-in=unavailable#officer=officer-1")
        assert not cookies
    assert "nobody was signed in: the provider answers 502; try again soon" in caplog.messages
    provider.away = False
    async with Browser(portal) as browser:
        place = await browser.to_provider(to)
        provider.away = True
        _, location, _ = await browser.go(place)
        assert location == "/?sign-in=unavailable#officer=officer-1"


async def test_signing_out_ends_the_session_and_everywhere_those_of_all_devices(portal: Portal) -> None:
    async with Browser(portal) as first, Browser(portal) as second, Browser(portal) as third:
        for browser in (first, second, third):
            assert await browser.sign_in() == "/"
        cookies = [
            browser.session.cookie_jar.filter_cookies(URL(portal.url))["learning-path"].value
            for browser in (first, second)
        ]
        async with first.session.delete(f"{portal.url}/session") as answer:
            assert answer.status == 204
        assert await works(portal, cookies[0]) is False
        assert await second.who() is not None
        async with third.session.delete(f"{portal.url}/session?everywhere=true") as answer:
            assert answer.status == 204
        keys = KeyStore(client := connect(portal.settings), portal.settings)
        assert await keys.find(cookies[1].partition(".")[0]) is None
        client.close()


async def works(portal: Portal, key: str) -> bool:
    headers = {"Authorization": f"Bearer {key}"}
    async with portal.session.get(f"{portal.url}/session", headers=headers) as answer:
        return answer.status == 200


def key_of(browser: Browser) -> str:
    """Return the key in a browser's cookie."""
    return browser.session.cookie_jar.filter_cookies(URL(browser.portal.url))["learning-path"].value


@pytest.mark.parametrize("over", ["idle", "absolute"])
async def test_an_idle_session_ends_and_a_busy_one_ends_at_its_limit(portal: Portal, over: str) -> None:
    async with Browser(portal) as browser:
        assert await browser.sign_in() == "/"
        key = key_of(browser)
        client = connect(portal.settings)
        stored = client[portal.settings.database("access")]["keys"]
        found = await stored.find_one({"_id": key.partition(".")[0]})
        assert found is not None
        assert found["idle_seconds"] == 3600
        assert timedelta(hours=11) < found["expires_at"] - datetime.now(UTC) <= timedelta(hours=12)
        ago = datetime.now(UTC) - timedelta(hours=1)
        now = datetime.now(UTC)
        change = {"created_at": ago, "used_at": ago} if over == "idle" else {"used_at": now, "expires_at": now}
        await stored.update_one({"_id": found["_id"]}, {"$set": change})
        assert await browser.who() is None
        async with browser.session.get(f"{portal.url}/v1/officers/officer-1/live") as answer:
            assert answer.status == 401
        client.close()


async def test_signing_out_everywhere_ends_the_live_streams_of_the_other_devices(
    stage: tuple[PortalSettings, Owner], portal: Portal
) -> None:
    async with running_portal(portal.settings, stage[1], keys_every=0.05) as watchful:
        watchful.owner.stored["officer-1"] = path("officer-1", 1)
        async with Browser(watchful) as phone, Browser(watchful) as desk:
            assert (await phone.sign_in(), await desk.sign_in()) == ("/", "/")
            async with watchful.stream("officer-1", key_of(phone)) as stream:
                await stream.next()
                async with desk.session.delete(f"{watchful.url}/session?everywhere=true") as answer:
                    assert answer.status == 204
                assert await stream.ends()
            assert await works(watchful, key_of(phone)) is False


async def test_no_secret_of_a_sign_in_is_logged(
    portal: Portal, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    provider.changed_claims = {"nonce": "wrong"}
    async with Browser(portal) as browser:
        place = await browser.to_provider()
        await browser.go(place)
    lines = [
        json.dumps(vars(record), default=str) for record in caplog.records if record.name.split(".")[0] != "aiohttp"
    ]
    for secret in (CLIENT_SECRET, URL(place).query["code"] + "&", URL(place).query["state"]):
        assert not [line for line in lines if secret in line]
