"""Forwards the requests of the pages (`/api/*`) to the service that owns the path, with the caller's credential."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from http import HTTPStatus
from time import monotonic

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ConnectionTimeoutError,
    hdrs,
    web,
)
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from services.portal.api.session import credential_of
from services.portal.compression import accepts_gzip, gzip_tag, is_compressible, owners_tags, vary_by_coding
from services.portal.replicas import Replicas
from shared.bodies import READING, asks_to_continue, received
from shared.connections import STREAM
from shared.errors import Problem, Unavailable, UnknownRoute
from shared.middleware import ADDRESS
from shared.routes import BODY_LIMIT, REQUEST_ID, no_content

PREFIX = "/api"

_OFFICER = r"/v1/officers/[^/]+"
_SESSIONS = rf"{_OFFICER}/sessions(/[^/]+(/answers)?)?"
_OWNERS: list[tuple[re.Pattern[str], str]] = [
    (re.compile(pattern), owner)
    for pattern, owner in [
        (rf"{_OFFICER}/(paths?|path/why-not/[^/]+|feedback)", "recommender"),
        (r"/v1/(recommendations|rules|messages|supervision|open-skills|courses/[^/]+/similar)", "recommender"),
        (r"/v1/agencies(/[^/]+/(gaps|paths))?", "recommender"),
        (rf"{_OFFICER}(/assessments|/profile|/self-assessment|/shares(/[^/]+)?)?", "assessment"),
        (_SESSIONS, "assessment"),
        (r"/v1/(assessments|officers):import|/v1/assessments/imports(/[^/]+(/rows)?)?", "assessment"),
        (r"/v1/(courses|frameworks)(/[^/]+)?", "catalog"),
        (r"/v1/frameworks/[^/]+/(versions|draft(:(review|approve|comment|publish))?)", "catalog"),
        (r"/v1/(courses/[^/]+/)?matches(:(confirm|reject|correct))?|/v1/catalog/health", "catalog"),
        (r"/v1/courses:import|/v1/imports(/[^/]+(/rows)?)?", "catalog"),
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


_PATIENCE_SECONDS = 10.0
"""The longest time to wait for an answer while another replica can be tried."""

_LAST_PATIENCE_SECONDS = 60.0
"""The longest time to wait for the answer to a small request if no other replica can be tried. A what-if waits in its
queue for less than this. There is no limit for an import, whose body is streamed."""

_AWAY = 503


def owner_of(path: str) -> str | None:
    """Return the service that owns a path; None for a path that is not forwarded.

    `path` is as in the request, not decoded, and without the prefix `/api`.
    """
    return next((owner for pattern, owner in _OWNERS if pattern.fullmatch(path)), None)


def end_to_end(headers: CIMultiDictProxy[str], dropped: Iterable[str]) -> CIMultiDict[str]:
    """Return the headers that belong to the message: without `dropped`, and without those that `Connection` names.

    `dropped`: names in lower case.
    """
    named = {name.strip().lower() for value in headers.getall(hdrs.CONNECTION, []) for name in value.split(",")}
    kept = [(name, value) for name, value in headers.items() if name.lower() not in named | set(dropped)]
    return CIMultiDict(kept)


def is_repeatable(method: str, path: str, headers: Mapping[str, str]) -> bool:
    """Return whether a request may be sent again if it is not known whether it has taken effect already.

    `path` is without the prefix `/api`.
    """
    if method in ("GET", "HEAD", "OPTIONS"):
        return True
    if method == "POST":  # a recommendation is not stored; a submission with a key and an answer to an item count once
        named = "Idempotency-Key" in headers or re.fullmatch(_SESSIONS, path) is not None
        return named or path == "/v1/recommendations"
    return method in ("PUT", "DELETE") and not {"If-Match", "If-None-Match"} & set(headers)


class Forwarder:
    """Forwards requests to the owning service and its answers to the client, as streams.

    A replica that cannot be reached is skipped. If a replica breaks the connection, answers 503 or takes too long
    before its answer begins, a request that `is_repeatable` is sent to the next replica. If no other replica can be
    tried, a request without a large body fails after a minute. Limits and errors are those of the owning service, but a
    DELETE that was sent again is answered 204 instead of 404: the first replica may have deleted what is not there now.
    """

    def __init__(self, client: ClientSession, owners: Mapping[str, Replicas]) -> None:
        self._client = client
        self._owners = owners

    async def forward(self, request: web.Request) -> web.StreamResponse:
        """Forward a request and return the answer of the owning service.

        Every caller with a key may call this; the owning service checks the role. Raises NotFound for a path that no
        service owns, Unavailable if no replica answers.
        """
        path = request.rel_url.raw_path.removeprefix(PREFIX)
        owner = owner_of(path)
        if owner is None:
            raise UnknownRoute("there is no such path")
        query = f"?{request.rel_url.raw_query_string}" if request.rel_url.raw_query_string else ""
        repeatable = is_repeatable(request.method, path, request.headers)
        body = _Body(request)
        repeatable = repeatable and await body.hold()
        replicas = self._owners[owner]
        left, may_be_done = replicas.in_order(), False
        while left:
            address = left.pop(0)
            patience = _PATIENCE_SECONDS if left and repeatable else body.last_patience
            try:
                found = await self._begin(request, address, path + query, body, patience, replicas)
            except (ClientConnectorError, ConnectionTimeoutError):  # nothing was sent
                continue
            except (ClientError, TimeoutError) as error:
                if body.failure is not None:  # reading the client's body failed, not the owner
                    raise body.failure from None
                if repeatable:
                    may_be_done = True
                    continue
                raise _away(owner) from error
            async with found:
                if found.status == _AWAY:
                    replicas.failed(address)
                    if left and repeatable:
                        may_be_done = True
                        continue
                else:
                    replicas.answered(address)
                try:
                    return await _passed_on(request, found, may_be_done)
                except (ClientError, TimeoutError) as error:
                    raise body.failure or _away(owner) from error
        raise _away(owner)

    async def _begin(  # noqa: PLR0913, PLR0917 - one request to one replica
        self,
        request: web.Request,
        address: str,
        target: str,
        body: "_Body",
        patience: float | None,
        replicas: Replicas,
    ) -> ClientResponse:
        """Return the beginning of a replica's response; record a replica that fails, or hangs until the client goes.

        Raises ClientError, TimeoutError.
        """
        begun = monotonic()
        try:
            async with asyncio.timeout(patience):
                return await self._client.request(
                    request.method,
                    URL(address + target, encoded=True),
                    headers=_asked(request),
                    data=body.data,
                    expect100=body.waits,
                    allow_redirects=False,
                )
        except asyncio.CancelledError:
            if monotonic() - begun >= _PATIENCE_SECONDS:
                replicas.failed(address)
            raise
        except (ClientError, TimeoutError):
            if body.failure is None:
                replicas.failed(address)
            raise


def _away(owner: str) -> Unavailable:
    return Unavailable(f"the {owner} service does not answer; try again soon")


class _Body:
    """The body as it is forwarded, compressed or not; `failure`: why it could not be read to its end."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self._held: bytes | None = None
        self.failure: Problem | ConnectionError | None = None

    @property
    def last_patience(self) -> float | None:
        """The seconds to wait for the answer of the last replica; None, no limit, for a body that is streamed."""
        return _LAST_PATIENCE_SECONDS if self._is_small() else None

    def _is_small(self) -> bool:
        length = self._request.content_length
        return not self._request.body_exists or (length is not None and length <= BODY_LIMIT)

    async def hold(self) -> bool:
        """Buffer the whole body if it is small, so that it can be sent again; return whether it is buffered."""
        if not self._is_small():
            return False
        if self._request.body_exists:
            self._request[READING].slot.hold(self._request.content_length or 0)
            self._held = b"".join([piece async for piece in received(self._request, whole=True)])
        return True

    @property
    def waits(self) -> bool:
        """Whether the client sends the body only after `100 Continue`; then the portal waits for the owner's too."""
        return self._held is None and self._request.body_exists and asks_to_continue(self._request)

    @property
    def data(self) -> bytes | AsyncIterator[bytes] | None:
        """The body to send: the bytes, or an iterator over them; None without a body."""
        if self._held is not None or not self._request.body_exists:
            return self._held
        return self._pieces()

    async def _pieces(self) -> AsyncIterator[bytes]:
        try:
            async for piece in received(self._request):
                yield piece
        except (Problem, ConnectionError) as error:
            self.failure = error
            raise


def _asked(request: web.Request) -> CIMultiDict[str]:
    """Return the headers for the owner: the credential of header or cookie, the request id, the client address."""
    headers = end_to_end(request.headers, _NOT_SENT)
    for name in (hdrs.IF_MATCH, hdrs.IF_NONE_MATCH):
        if name in headers:
            headers[name] = owners_tags(",".join(headers.getall(name)))
    headers[hdrs.AUTHORIZATION] = f"Bearer {credential_of(request)}"
    headers["X-Request-Id"] = request[REQUEST_ID]
    headers[hdrs.X_FORWARDED_FOR] = request[ADDRESS]
    return headers


async def _passed_on(request: web.Request, found: ClientResponse, may_be_done: bool) -> web.StreamResponse:
    """Pass an answer on; `may_be_done`: whether the request had been sent before, perhaps with effect."""
    if may_be_done and (request.method, found.status) == (hdrs.METH_DELETE, HTTPStatus.NOT_FOUND):
        return no_content()
    headers = end_to_end(found.headers, _NOT_ANSWERED)
    headers["X-Request-Id"] = request[REQUEST_ID]
    answer = web.StreamResponse(status=found.status, reason=found.reason, headers=headers)
    _compress(request, answer)
    request[STREAM] = answer
    await answer.prepare(request)
    async for chunk in found.content.iter_any():
        await answer.write(chunk)
    await answer.write_eof()
    return answer


def _compress(request: web.Request, answer: web.StreamResponse) -> None:
    """Compress an answer while it is sent, if this is allowed and the client accepts it, and change its entity tag.

    An answer to HEAD has the headers of the answer to GET, without the length, which only compression determines.
    """
    headers, tag = answer.headers, answer.headers.get(hdrs.ETAG)
    if answer.status == HTTPStatus.NOT_MODIFIED:
        vary_by_coding(headers)
        held = ",".join(request.headers.getall(hdrs.IF_NONE_MATCH, []))
        if tag is not None and gzip_tag(tag) in held:
            headers[hdrs.ETAG] = gzip_tag(tag)
    elif is_compressible(request.method, request.rel_url.raw_path.removeprefix(PREFIX), answer.status, headers):
        vary_by_coding(headers)
        if accepts_gzip(request.headers.getall(hdrs.ACCEPT_ENCODING, [])):
            if request.method == hdrs.METH_HEAD:
                headers[hdrs.CONTENT_ENCODING] = "gzip"
                headers.popall(hdrs.CONTENT_LENGTH)
            else:
                answer.enable_compression(web.ContentCoding.gzip)
            if tag is not None:
                headers[hdrs.ETAG] = gzip_tag(tag)
