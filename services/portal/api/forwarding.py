"""`/api/*`: the page's requests go to the service that owns the path, with the reader's own credential."""

import re
from collections.abc import AsyncIterator, Iterable, Mapping

from aiohttp import ClientError, ClientResponse, ClientSession, hdrs, web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from services.portal.api.session import credential_of
from shared.bodies import received
from shared.errors import NotFound, Problem, Unavailable
from shared.routes import REQUEST_ID, STREAM
from shared.shell import ADDRESS

PREFIX = "/api"

_OFFICER = r"/v1/officers/[^/]+"
_OWNERS: list[tuple[re.Pattern[str], str]] = [
    (re.compile(pattern), owner)
    for pattern, owner in [
        (rf"{_OFFICER}/(path(/why-not/[^/]+)?|feedback)", "recommender"),
        (r"/v1/(recommendations|rules|courses/[^/]+/similar|agencies/[^/]+/gaps)", "recommender"),
        (rf"{_OFFICER}(/assessments)?", "assessment"),
        (r"/v1/(courses|frameworks)(/[^/]+)?", "catalog"),
        (r"/v1/courses:import", "catalog"),
    ]
]

# RFC 9110, 7.6.1: these speak of one connection, not of the message.
_HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
_NOT_SENT = _HOP_BY_HOP | {"host", "cookie", "authorization", "expect", "origin", "x-request-id", "x-forwarded-for"}
_NOT_ANSWERED = _HOP_BY_HOP | {"set-cookie", "date", "server", "x-request-id"}


def owner_of(path: str) -> str | None:
    """Return the service that owns a raw path (without the prefix), or None: nothing else is forwarded."""
    return next((owner for pattern, owner in _OWNERS if pattern.fullmatch(path)), None)


def end_to_end(headers: CIMultiDictProxy[str], dropped: Iterable[str]) -> CIMultiDict[str]:
    """Return the headers without those dropped and those that `Connection` names."""
    named = {name.strip().lower() for value in headers.getall(hdrs.CONNECTION, []) for name in value.split(",")}
    kept = [(name, value) for name, value in headers.items() if name.lower() not in named | set(dropped)]
    return CIMultiDict(kept)


class Forwarder:
    """Passes requests on, streaming both ways; the limits and refusals of the owning service stand."""

    def __init__(self, client: ClientSession, addresses: Mapping[str, str]) -> None:
        self._client = client
        self._addresses = addresses

    async def forward(self, request: web.Request) -> web.StreamResponse:
        """Return the owner's answer. Raises NotFound for a path nobody owns, Unavailable where the owner is away."""
        path = request.rel_url.raw_path.removeprefix(PREFIX)
        owner = owner_of(path)
        if owner is None:
            raise NotFound("there is no such path")
        query = f"?{request.rel_url.raw_query_string}" if request.rel_url.raw_query_string else ""
        url = URL(self._addresses[owner] + path + query, encoded=True)
        body = _Body(request)
        data = body.pieces() if request.body_exists else None
        try:
            async with self._client.request(
                request.method, url, headers=_asked(request), data=data, allow_redirects=False
            ) as found:
                return await _passed_on(request, found)
        except (ClientError, TimeoutError) as error:
            if body.failure is not None:  # it was not the owner that failed
                raise body.failure from None
            raise Unavailable(f"the {owner} service is away; try again soon") from error


class _Body:
    """The body that is passed on as it comes, packed or not, and why it could not be read to its end."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self.failure: Problem | ConnectionError | None = None

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body."""
        try:
            async for piece in received(self._request):
                yield piece
        except (Problem, ConnectionError) as error:
            self.failure = error
            raise


def _asked(request: web.Request) -> CIMultiDict[str]:
    """Return the headers that the owner is sent: with the credential of header or cookie, the request id, who asks."""
    headers = end_to_end(request.headers, _NOT_SENT)
    headers[hdrs.AUTHORIZATION] = f"Bearer {credential_of(request)}"
    headers["X-Request-Id"] = request[REQUEST_ID]
    headers[hdrs.X_FORWARDED_FOR] = request[ADDRESS]
    return headers


async def _passed_on(request: web.Request, found: ClientResponse) -> web.StreamResponse:
    headers = end_to_end(found.headers, _NOT_ANSWERED)
    headers["X-Request-Id"] = request[REQUEST_ID]
    answer = web.StreamResponse(status=found.status, reason=found.reason, headers=headers)
    request[STREAM] = answer
    await answer.prepare(request)
    async for chunk in found.content.iter_any():
        await answer.write(chunk)
    await answer.write_eof()
    return answer
