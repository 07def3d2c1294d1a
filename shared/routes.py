"""Routes, and what a handler reads of a request.

One table of `Route`s defines both the service and its OpenAPI document.

    ROUTES = [
        Route("PUT", "/v1/things/{thing_id}", put_thing, PLATFORMS, body=Thing, answers={200: Put, 201: Put},
              headers=[IF_MATCH], problems=[409]),
        Route("GET", "/v1/things", list_things, EVERYONE, query=ListThings, answers={200: Things}),
        Route("POST", "/v1/things:import", import_things, ADMINS, streams=True, accepts="application/x-ndjson", ...),
    ]

    async def put_thing(request: web.Request) -> web.StreamResponse:
        '''First line: the summary. The rest: the description.'''
        thing = await read_body(request, Thing)          # 400, 413, 422 naming the field
        query = read_query(request, ListThings)          # 422 naming the field
        patched(thing, await read_patch(request), limit)  # a merge patch; 400, 413, 415, 422 naming the field
        principal(request).tenant                        # the caller
        preconditions(request).check(Tag("7"))           # 412 if If-Match or If-None-Match fail; 400
        trace_of(request), request[REQUEST_ID]           # for events and answers
        async for piece in pieces(request): ...          # a streaming route's body (shared.bodies), decompressed
        not_modified(request, Tag("7"))                  # 304 if the client holds this tag, else None
        return json_response(Put(...), 201, tag=Tag("7"))       # JSON with ETag "7"
        return await open_stream(request, "application/x-ndjson")   # streaming routes only

Raise shared.errors for everything else; the middleware turns them into problem+json. A path's `{officer_id}` is
compared with the officer of an officer's key before the handler runs. A route that changes something and does not
stream finishes its work even if the client disconnects.
"""

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any, TypeVar

import msgspec
from aiohttp import web
from msgspec import Meta

from shared.auth import Policy, Principal
from shared.bodies import READING, pieces
from shared.connections import STREAM
from shared.decoder_messages import UNKNOWN
from shared.decoding import convert, decode, decode_patch
from shared.errors import InvalidInput, Malformed, Problem, TooLarge, Unsupported
from shared.preconditions import Preconditions, Tag
from shared.templates import LANGUAGES, Language

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
T = TypeVar("T")
K = TypeVar("K")


class AskLanguages(msgspec.Struct, frozen=True):
    """The languages in which sentences are rendered.

    `lang`: `th`, `en`, or both separated by a comma; by default `Accept-Language` decides, and without that both are
    given.
    """

    lang: str = ""


BODY_LIMIT = 256 * 1024
MERGE_PATCH = "application/merge-patch+json"
MergePatch = Annotated[
    dict[str, Any],
    Meta(
        description="RFC 7396: fields that are left out stay as they are, null takes a field away, a list is replaced"
    ),
]
REQUEST_ID: web.RequestKey[str] = web.RequestKey("request_id", str)
PRINCIPAL: web.RequestKey[Principal] = web.RequestKey("principal", Principal)


@dataclass(frozen=True)
class Header:
    """A header that a route reads, besides the credential and the request id, or that its answers have.

    `always`: refusals have it too.
    """

    name: str
    description: str
    required: bool = False
    always: bool = False


IF_MATCH = Header("If-Match", "Change only what has one of these ETags, or with `*` only what is there; 412 otherwise.")
IF_NONE_MATCH = Header("If-None-Match", "The ETags that are held already; 304 where one of them is the present one.")
IDEMPOTENCY_KEY = Header(
    "Idempotency-Key",
    "Your own name of this submission: sent again with the same body, it changes nothing.",
    required=True,
)
IMPORT_KEY = Header(
    "Idempotency-Key",
    "Your own name of this import: sent again with the same file, each row gets the result of the first request.",
)
ACCEPT_LANGUAGE = Header("Accept-Language", "The languages that sentences are wanted in, where `lang` does not say.")
IF_ABSENT = Header("If-None-Match", "With `*`: add only what is not there yet; 412 otherwise.")
FILE_NAME = Header("Content-Disposition", "A name for the file.", required=True)


@dataclass(frozen=True, eq=False)
class Route:
    """One route of a service.

    `answers`: {status: type of the body}, which is None for no body, a struct, a list or union of structs, or a tuple
    of structs if each line of the body is one of these. `problems` adds error statuses to those derived from the rest.
    `limit`: the most bytes of the body. `streams`: the body is read in pieces, without this limit. `accepts` and
    `produces` name media types other than JSON; if `produces` names several, `answers` describes the first. `sets`:
    headers of a success, besides `ETag` and `Content-Language`.

    `reads`: the route changes nothing with any method, so it is cancelled if the client disconnects. `basic`: HTTP
    Basic is accepted too, with the API key as the password, for clients that support nothing else. `detached`: the
    request waits in a queue with its own limits and does not count as active. `in_memory`: the answer to this public
    route costs no more than a rejection, so a busy service gives it. `example`: a valid body for the OpenAPI
    document. `hidden`: that document leaves the route out. `wrong_query`: the error of a query with a parameter that is
    wrong, unknown or missing.
    """

    method: str
    path: str
    handler: Handler
    policy: Policy | None = None
    body: Any = None
    example: Any = None
    query: type[msgspec.Struct] | None = None
    headers: Sequence[Header] = ()
    answers: Mapping[int, Any] = field(default_factory=lambda: {200: None})
    problems: Sequence[int] = ()
    limit: int = BODY_LIMIT
    streams: bool = False
    reads: bool = False
    detached: bool = False
    in_memory: bool = False
    basic: bool = False
    accepts: str = "application/json"
    produces: str | Sequence[str] = "application/json"
    sets: Sequence[Header] = ()
    hidden: bool = False
    wrong_query: type[Problem] = InvalidInput

    @property
    def quiet(self) -> bool:
        """Whether the route is a probe, whose requests are left out of the access log."""
        return self.path in ("/livez", "/readyz", "/metrics")


ROUTE: web.RequestKey[Route] = web.RequestKey("route", Route)


# --- what a handler reads --------------------------------------------------------------------------------------------


def principal(request: web.Request) -> Principal:
    """Return the caller; every route that is not public has one."""
    return request[PRINCIPAL]


async def read_raw(request: web.Request) -> bytes:
    """Return the decompressed body, of at most the route's `limit`. Raises TooLarge.

    Also raises Malformed if the body breaks off, TooSlow, Unsupported, and Overloaded if all bodies together use too
    much memory.
    """
    most = request[ROUTE].limit
    if (request.content_length or 0) > most:
        raise TooLarge(f"the body may hold {most} bytes")
    parts: list[bytes] = []
    length = 0
    async for part in pieces(request, most):
        length += len(part)
        if length > most:
            raise TooLarge(f"the body may hold {most} bytes")
        request[READING].slot.hold(len(part))
        parts.append(part)
    still_there(request)
    return b"".join(parts)


def still_there(request: web.Request) -> None:
    """Check that the client is still connected. Raises ConnectionResetError otherwise, which ends the request."""
    if request.transport is None or request.transport.is_closing():
        raise ConnectionResetError("the client has gone")


async def read_body(request: web.Request, shape: type[T]) -> T:
    """Return the JSON body as the route's struct. Raises Malformed, TooLarge, InvalidInput naming the field."""
    if request[ROUTE].body is not shape:
        raise TypeError(f"{request[ROUTE].path} declares another body than its handler reads")
    raw = await read_raw(request)
    return await asyncio.to_thread(decode, raw, shape) if len(raw) > _LARGE_BYTES else decode(raw, shape)


async def read_patch(request: web.Request) -> object:
    """Return a JSON merge patch. Raises Malformed, TooLarge, Unsupported for another kind of patch."""
    if request.content_type not in (MERGE_PATCH, "application/json"):
        raise Unsupported(f"the body is to be {MERGE_PATCH}", "Content-Type")
    return decode_patch(await read_raw(request))


def read_query(request: web.Request, shape: type[T]) -> T:
    """Return the query as a struct. Raises the route's `wrong_query` naming the parameter."""
    given = dict(request.query)
    wrong = request[ROUTE].wrong_query
    try:
        found = convert(given, shape, strict=False)
    except InvalidInput as error:
        raise wrong(error.detail, error.field) from error
    for name in given:
        if getattr(found, name) is None:  # `null`, which is read as none for what is no text
            raise wrong("needs a value", name)
    return found


def check_parameters(request: web.Request, shape: type[msgspec.Struct] | None) -> None:
    """Check a query: each name is known and is given once, and each value is UTF-8.

    Raises the route's `wrong_query` naming the parameter.
    """
    known = _names_of(shape) if shape else ()
    wrong = request[ROUTE].wrong_query
    for name in (query := request.query):
        if name not in known:
            raise wrong(UNKNOWN, name)
        if name != "lang" and len(query.getall(name)) > 1:
            raise wrong("is given twice", name)
        if "\ufffd" in query[name]:  # aiohttp reads other bytes so
            raise wrong("is not UTF-8", name)


@lru_cache(maxsize=256)
def _names_of(shape: type[msgspec.Struct]) -> frozenset[str]:
    return frozenset(field.encode_name for field in msgspec.structs.fields(shape))


def languages_of(request: web.Request) -> tuple[Language, ...]:
    """Return the languages of the sentences: those of `?lang=`, else of `Accept-Language`, else all.

    Raises Malformed if `lang` names no supported language.
    """
    names: AbstractSet[str]
    if given := request.query.getall("lang", []):
        names = {name.strip().lower() for name in ",".join(given).split(",")}
        if not names <= {*LANGUAGES}:
            raise Malformed("needs `th`, `en`, or both with a comma between them", "lang")
    else:
        names = _accepted(",".join(request.headers.getall("Accept-Language", [])))
    return tuple(language for language in LANGUAGES if language in names) or LANGUAGES


@lru_cache(maxsize=256)
def _accepted(header: str) -> frozenset[str]:
    """Return the supported languages that an `Accept-Language` accepts (RFC 9110, 12.5.4)."""
    weights: dict[str, float] = {}
    for part in header.lower().split(","):
        tag, _, parameter = part.strip().partition(";")
        quality = re.fullmatch(r"\s*q=(0(\.\d{0,3})?|1(\.0{0,3})?)\s*", parameter or "q=1")
        name = tag.strip().partition("-")[0]
        weights[name] = max(float(quality[1]) if quality else 0.0, weights.get(name, 0.0))
    return frozenset(language for language in LANGUAGES if weights.get(language, weights.get("*", 0.0)) > 0)


def preconditions(request: web.Request) -> Preconditions:
    """Return `If-Match` and `If-None-Match`. Raises Malformed naming the header."""
    return Preconditions.of(request.headers.getall("If-Match", []), request.headers.getall("If-None-Match", []))


def idempotency_key(request: web.Request) -> str:
    """Return the client's idempotency key. Raises Malformed if it is missing or has other characters than allowed."""
    key = request.headers.get(IDEMPOTENCY_KEY.name, "").strip()
    if not re.fullmatch(r"[!-~]{1,200}", key):
        raise Malformed("needs 1 to 200 printable ASCII characters without spaces", IDEMPOTENCY_KEY.name)
    return key


def import_key(request: web.Request) -> str | None:
    """Return the client's own name of an import, None if it gives none. Raises Malformed."""
    return idempotency_key(request) if IMPORT_KEY.name in request.headers else None


_LARGE_BYTES = 256 * 1024
"""The size of a body from which on it is decoded in a thread."""
_TRACEPARENT = re.compile(r"^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$")


def trace_of(request: web.Request) -> str:
    """Return the W3C traceparent to pass on: the client's trace continued, or a new one."""
    match = _TRACEPARENT.match(request.headers.get("traceparent", ""))
    if match and match[1].strip("0") and match[2].strip("0"):
        return f"00-{match[1]}-{_random_hex(8)}-{match[3]}"
    return f"00-{_random_hex(16)}-{_random_hex(8)}-01"


def _random_hex(size: int) -> str:
    """Return so many random bytes in hexadecimal; they need not be secret."""
    return f"{random.getrandbits(8 * size):0{2 * size}x}"


# --- what a handler answers ------------------------------------------------------------------------------------------


def json_response(
    content: Any, status: int = 200, *, tag: Tag | None = None, languages: Sequence[Language] = ()
) -> web.Response:
    """Return a JSON response. `content`: an object to encode, or JSON in bytes, which is sent unchanged.

    `tag`: sent as `ETag`. `languages`: those of the sentences, sent as `Content-Language`.
    """
    headers = {} if tag is None else {"ETag": str(tag)}
    if languages:
        headers |= {"Content-Language": ", ".join(languages), "Vary": "Accept-Language"}
    body = content if isinstance(content, bytes) else msgspec.json.encode(content)
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")


def paged(found: list[T], limit: int, place: Callable[[T], K]) -> tuple[list[T], K | None]:
    """Return the first `limit` rows, and the `place` of the last one for the next page; None if there are no more."""
    page = found[:limit]
    return page, place(page[-1]) if len(found) > limit else None


def no_content() -> web.Response:
    """Return a 204 response."""
    return web.Response(status=204)


def not_modified(request: web.Request, tag: Tag) -> web.Response | None:
    """Return 304 if the client holds this tag, else None. Raises Malformed, PreconditionFailed."""
    if IF_NONE_MATCH.name not in request.headers and IF_MATCH.name not in request.headers:  # as in most requests
        return None
    if preconditions(request).unchanged(tag):
        return web.Response(status=304, headers={"ETag": str(tag)})
    return None


async def open_stream(
    request: web.Request, content_type: str, headers: Mapping[str, str] | None = None
) -> web.StreamResponse:
    """Return a prepared streaming response. Later errors can only close the connection."""
    stream = web.StreamResponse(headers={"Content-Type": content_type, "Cache-Control": "no-store", **(headers or {})})
    stream.headers["X-Request-Id"] = request[REQUEST_ID]
    request[STREAM] = stream
    await stream.prepare(request)
    return stream
