"""The HTTP layer of every service: policies, limits, problem+json for everything, the document of its routes."""

import re
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientResponse, ClientSession, web
from openapi_spec_validator import validate
from yarl import URL

import shared.middleware
from shared.app import build_app
from shared.auth import Authenticator
from shared.limits import Limits
from shared.routes import (
    Route,
    no_content,
)
from tests.support.sample_service import PEPPER, KeysInMemory, Shelf, bearer, serving


@pytest.fixture
async def shelf() -> Shelf:
    return Shelf()


def test_a_route_without_a_policy_stops_the_service() -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        return no_content()

    with pytest.raises(ValueError, match="GET /v1/forgotten"):
        build_app("X", [Route("GET", "/v1/forgotten", handler)], Authenticator(KeysInMemory(), PEPPER))


@pytest.mark.parametrize(
    ("request_line", "status", "kind", "title"),
    [
        ("GET /nowhere", 404, "no-such-route", "Not found"),
        ("DELETE /v1/away", 405, "method-not-allowed", "Method Not Allowed"),
        ("GET /v1/things/bad%20id", 404, "invalid-id", "Not found"),
        ("GET /v1/things/ok%0A", 404, "invalid-id", "Not found"),
        ("GET /v1/things/ok", 401, "unauthorized", "Not signed in"),
        ("GET /v1/wrong", 500, "internal-error", "Internal error"),
        ("GET /v1/away", 503, "unavailable", "Temporarily unavailable"),
        ("POST /v1/clash", 409, "conflict", "Conflict"),
    ],
)
async def test_every_failure_is_a_problem_document(
    shelf: Shelf, request_line: str, status: int, kind: str, title: str
) -> None:
    method, path = request_line.split()
    async with serving(shelf) as (client, _), ClientSession() as session:
        url = str(client.make_url("/")).rstrip("/") + path
        got = await session.request(method, URL(url, encoded=True), headers={"X-Request-Id": "mine-1"})
        assert got.status == status
        assert got.content_type == "application/problem+json"
        problem = await got.json()
        assert problem["type"] == f"/problems/{kind}"
        assert problem["title"] == title
        assert problem["status"] == status
        assert problem["request_id"] == got.headers["X-Request-Id"] == "mine-1"
        assert "secret of the house" not in problem["detail"]


async def test_answers_say_how_many_requests_are_left(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(got: ClientResponse) -> tuple[int, str, str]:
        return got.status, got.headers["RateLimit-Policy"], got.headers["RateLimit"]

    monkeypatch.setattr(shared.middleware, "monotonic", lambda: 100.0)
    async with serving(shelf, limits=Limits(rate_per_officer=1, rate_per_address=2)) as (client, keys):
        officer = await bearer(keys, "acme", "officer", "o-1")
        of_key, of_address = '"key";q=5;w=5', '"address";q=10;w=5'
        assert told(await client.get("/v1/officers/o-1", headers=officer)) == (200, of_key, '"key";r=4;t=1')
        assert told(await client.get("/v1/officers/o-2", headers=officer)) == (404, of_key, '"key";r=3;t=2')
        assert told(await client.get("/v1/officers/o-1")) == (401, of_address, '"address";r=9;t=1')
        assert told(await client.get("/nowhere")) == (404, of_address, '"address";r=9;t=1')
        for _ in range(3):
            await client.get("/v1/officers/o-1", headers=officer)
        refused = await client.get("/v1/officers/o-1", headers=officer)
        assert told(refused) == (429, of_key, '"key";r=0;t=5')
        assert refused.headers["Retry-After"] == "1"
        assert "RateLimit" not in (await client.get("/livez")).headers


async def test_error_answers_carry_the_headers_to_continue(shelf: Shelf) -> None:
    async with serving(shelf) as (client, _):
        assert (await client.get("/v1/things/a")).headers["WWW-Authenticate"] == "Bearer"
        assert (await client.get("/v1/away")).headers["Retry-After"] == "2"
        refused = await client.delete("/v1/away")
        assert (refused.status, refused.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")


async def test_head_answers_like_get_without_a_body(shelf: Shelf) -> None:
    async with serving(shelf) as (client, keys):
        headers = await bearer(keys, "a", "platform") | {"X-Request-Id": "mine"}
        for path in ("/v1/things/a", "/v1/things/a?limit=x", "/v1/nowhere", "/v1/wrong", "/livez", "/openapi.json"):
            whole, head = await client.get(path, headers=headers), await client.head(path, headers=headers)
            assert (head.status, await head.read()) == (whole.status, b""), path
            unlike = {name for name in whole.headers if head.headers.get(name) != whole.headers[name]}
            unlike -= {"Date", "RateLimit"}
            assert not unlike, path
        assert (await client.head("/v1/things/a")).status == 401
        assert (await client.head("/v1/things/a", headers=headers | {"If-None-Match": '"7"'})).status == 304


async def test_options_lists_the_methods(shelf: Shelf) -> None:
    async with serving(shelf) as (client, _):
        got = await client.options("/v1/things/a")
        assert (got.status, got.headers["Allow"]) == (204, "DELETE, GET, HEAD, OPTIONS, PUT")
        assert (await client.options("/v1/nowhere")).status == 404
        assert (await client.options("/v1/slow")).headers["Allow"] == "OPTIONS, POST"


async def test_an_invalid_request_id_is_replaced(shelf: Shelf) -> None:
    async with serving(shelf) as (client, _):
        got = await client.get("/v1/trace", headers={"X-Request-Id": "a b\tc"})
        assert re.fullmatch("[0-9a-f]{24}", got.headers["X-Request-Id"])


async def test_invalid_bodies_are_rejected_by_field(shelf: Shelf) -> None:
    async with serving(shelf) as (client, keys):
        headers = await bearer(keys, "a", "admin")
        cases: list[tuple[bytes, int, str | None]] = [
            (b"{", 400, None),
            (b"\xff", 400, None),
            (b"[]", 422, None),
            (b'{"name": 1}', 422, "name"),
            (b"{}", 422, "name"),
            (b'{"name": "a", "colour": 1}', 422, "colour"),
            (b'{"name": "a", "sizes": [1, "b"]}', 422, "sizes[1]"),
            (b'{"name": "' + b"x" * 3000 + b'"}', 413, None),
        ]
        for body, status, field in cases:
            got = await client.put("/v1/things/a", data=body, headers=headers)
            assert (got.status, (await got.json()).get("field")) == (status, field), body

        async def chunked() -> AsyncIterator[bytes]:
            for _ in range(30):
                yield b"x" * 100

        assert (await client.put("/v1/things/a", data=chunked(), headers=headers)).status == 413
        for kind in ("application/octet-stream", "text/plain", "application/x-www-form-urlencoded"):
            typed = headers | {"Content-Type": kind, "If-Match": '"4"'}
            assert (await client.put("/v1/things/a", data=b'{"name": "a"}', headers=typed)).status == 201, kind
        good = await client.put("/v1/things/a", json={"name": "a"}, headers=headers | {"If-Match": '"4"'})
        assert (good.status, good.headers["ETag"]) == (201, '"5"')
        for name, value, status in (
            ("If-Match", '"3"', 412),
            ("If-Match", "4", 400),
            ("If-Match", "\u00ff", 400),
            ("If-None-Match", "*", 412),
        ):
            got = await client.put("/v1/things/a", json={"name": "a"}, headers=headers | {name: value})
            assert (got.status, (await got.json())["field"]) == (status, name), value


async def test_a_change_that_cannot_be_conditional_is_not_made_under_a_condition(shelf: Shelf) -> None:
    async with serving(shelf) as (client, keys):
        headers = await bearer(keys, "a", "admin")
        for name, value in (("If-Match", '"4"'), ("If-Match", "*"), ("If-None-Match", "*")):
            for method, path in (("DELETE", "/v1/things/a"), ("POST", "/v1/things/a:lend")):
                got = await client.request(method, path, headers=headers | {name: value})
                assert (got.status, (await got.json())["field"]) == (400, name)
        assert not shelf.entered.is_set()
        shelf.go_on.set()
        assert (await client.delete("/v1/things/a", headers=headers)).status == 204


async def test_a_parameter_that_a_route_does_not_have_is_not_ignored(shelf: Shelf) -> None:
    async with serving(shelf) as (client, keys):
        headers = await bearer(keys, "a", "admin")
        for method, path in (("DELETE", "/v1/things/a"), ("POST", "/v1/things/a:lend"), ("PUT", "/v1/things/a")):
            got = await client.request(method, f"{path}?dry_run=true", headers=headers, json={"name": "a"})
            assert (got.status, (await got.json())["field"]) == (422, "dry_run")
        assert not shelf.entered.is_set()
        assert (await client.get("/v1/trace?a=1")).status == 200, "what is public may be called with anything"


async def test_what_is_no_identifier_is_no_path_also_before_a_verb(shelf: Shelf) -> None:
    async with serving(shelf) as (client, keys):
        headers = await bearer(keys, "a", "admin")
        for name in ("..", "%E0%B8%81", "%00", "a%2Fb", "a" * 65, "a%0a"):
            for method, path in (("DELETE", f"/v1/things/{name}"), ("POST", f"/v1/things/{name}:lend")):
                got = await client.request(method, URL(path, encoded=True), headers=headers)
                assert (got.status, got.content_type) == (404, "application/problem+json"), path
        assert not shelf.entered.is_set()


async def test_an_empty_body_is_called_empty(shelf: Shelf) -> None:
    async with serving(shelf) as (client, keys):
        headers = await bearer(keys, "a", "admin")
        for body in (b"", b" \n"):
            got = await client.put("/v1/things/a", data=body, headers=headers)
            assert (got.status, (await got.json())["detail"]) == (400, "the body is empty")


async def test_a_condition_by_date_is_ignored_because_nothing_has_a_date_of_modification(shelf: Shelf) -> None:
    dated = {"If-Unmodified-Since": "Sat, 29 Oct 1994 19:43:31 GMT"}
    async with serving(shelf) as (client, keys):
        headers = await bearer(keys, "a", "admin")
        for tag in ({}, {"If-Match": '"4"'}):
            assert (await client.put("/v1/things/a", json={"name": "a"}, headers=headers | dated | tag)).status == 201
        assert (await client.get("/v1/things/a", headers=headers | dated)).status == 200


async def test_invalid_queries_are_rejected_by_parameter(shelf: Shelf) -> None:
    async with serving(shelf) as (client, keys):
        headers = await bearer(keys, "a", "platform")
        queries = {"limit=x": "limit", "size=1": "size", "limit=1&limit=2": "limit", "since=null": "since", "=1": ""}
        for query, field in queries.items():
            got = await client.get(f"/v1/things/a?{query}", headers=headers)
            assert (got.status, (await got.json())["field"]) == (422, field)
        assert await (await client.get("/v1/things/a?limit=3", headers=headers)).json() == {"who": "a", "limit": 3}
        assert (await client.get("/v1/things/a", headers=headers | {"If-None-Match": 'W/"7"'})).status == 304


async def test_policies_are_enforced(shelf: Shelf) -> None:
    async with serving(shelf) as (client, keys):
        mine = await bearer(keys, "a", "officer", "me")
        assert (await client.put("/v1/things/a", json={"name": "a"}, headers=mine)).status == 403
        assert (await client.get("/v1/officers/me", headers=mine)).status == 200
        assert (await client.get("/v1/officers/you", headers=mine)).status == 404
        assert (await client.get("/v1/officers/you", headers={"Authorization": "Bearer a.b"})).status == 401
        assert (await client.get("/v1/officers/you", headers={"Authorization": "Basic a.b"})).status == 401


async def test_a_trace_is_continued_or_started(shelf: Shelf) -> None:
    async with serving(shelf) as (client, _):
        sent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        text = await (await client.get("/v1/trace", headers={"traceparent": sent})).text()
        assert text.startswith("00-0af7651916cd43dd8448eb211c80319c-")
        assert text != sent
        begun = await (
            await client.get("/v1/trace", headers={"traceparent": f"00-{'0' * 32}-b7ad6b7169203331-01"})
        ).text()
        assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", begun)
        assert "0" * 32 not in begun


async def test_the_document_is_valid_and_its_page_needs_no_internet(shelf: Shelf) -> None:
    async with serving(shelf) as (client, _):
        document = await (await client.get("/openapi.json")).json()
        validate(document)
        put = document["paths"]["/v1/things/{thing_id}"]["put"]
        assert put["summary"] == "Store a thing"
        assert put["description"] == "And answer it."
        failures = {400, 401, 403, 404, 408, 412, 413, 415, 422, 429, 503}
        assert {int(status) for status in put["responses"]} == {201} | failures
        assert all("400" in one["responses"] for path in document["paths"].values() for one in path.values())
        probes = {"/livez", "/readyz", "/metrics"}
        for place, path in document["paths"].items():  # public ones too: the rate of an address
            declared = {status for one in path.values() for status in one["responses"]} & {"429"}
            assert declared == (set() if place in probes else {"429"}), place
        page = await client.get("/docs")
        text = await page.text()
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert "http" not in text
        assert "unsafe" not in page.headers["Content-Security-Policy"]
        assert "data:" not in page.headers["Content-Security-Policy"]
        assets = re.findall(r'(?:src|href)="([^"#]+)"', text)
        assert len(assets) == 4
        for asset in assets:
            assert not asset.startswith("/"), "behind a proxy the page stands under another path"
            answer = await client.get(f"/{asset}")
            assert answer.status == 200, asset
            assert "url(data:" not in await answer.text()
