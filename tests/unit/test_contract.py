"""The check that every answer of the service tests passes: it finds what the OpenAPI document does not say."""

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from shared.app import build_app
from shared.auth import PUBLIC, Authenticator
from shared.routes import Header, Route, json_response
from tests.support.contract import answers_of
from tests.support.sample_service import PEPPER, KeysInMemory


class Thing(msgspec.Struct):
    """What is documented."""

    name: str


PLACE = Header("Location", "Where it is.", required=True)


async def ask(answer: web.Response, path: str = "/v1/thing") -> str:
    """Return the text of an answer of a route that documents a `Thing` with its `Location`. Raises AssertionError."""

    async def handler(_: web.Request) -> web.StreamResponse:
        """Answer."""
        return answer

    route = Route("GET", "/v1/thing", handler, PUBLIC, answers={200: Thing}, sets=[PLACE])
    hidden = Route("GET", "/v1/hidden/{name}", handler, PUBLIC, hidden=True)
    app = build_app("Shelf", [route, hidden], Authenticator(KeysInMemory(), PEPPER))
    async with TestClient(TestServer(app), response_class=answers_of(app)) as client:
        return await (await client.get(path)).text()


def answer(content: object, status: int = 200, *more: str) -> web.Response:
    found = json_response(content, status)
    found.headers.update(dict.fromkeys([PLACE.name, *more], "/v1/thing"))
    return found


async def test_an_answer_as_documented_passes() -> None:
    assert await ask(answer({"name": "a"})) == '{"name":"a"}'


async def test_what_is_hidden_or_has_no_route_is_not_described() -> None:
    assert await ask(answer({"other": 1}), "/v1/hidden/a")
    assert "no such path" in await ask(answer({}), "/v1/nothing")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (answer({"name": "a", "more": 1}), "more"),
        (answer({}), "'name' is a required property"),
        (answer({"name": 1}), r"\$\.name"),
        (answer({"name": "a"}, 201), "no such status"),
        (answer({"name": "a"}, 200, "X-Other"), "no header X-Other"),
        (json_response({"name": "a"}), "no location"),
        (web.Response(text="a", headers={"Location": "/"}), "no text/plain"),
    ],
)
async def test_what_is_not_documented_fails(given: web.Response, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        await ask(given)
