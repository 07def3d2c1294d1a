"""xAPI (IEEE 9274.1.1): statements, and the tenant's mapping of activities to skills."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from services.assessment.api.context import context_of
from services.assessment.xapi.mapping import PutXapiMapping, XapiMapping, check_mapping
from services.assessment.xapi.statements import MOST_STATEMENTS, VERSIONS, XAPI_VERSION, Statement
from shared.auth import ADMINS, PLATFORMS, PUBLIC
from shared.decoding import decode
from shared.errors import Malformed, NotFound, TooLarge, Unsupported
from shared.routes import (
    Header,
    Route,
    json_response,
    no_content,
    principal,
    read_body,
    read_query,
    read_raw,
    trace_of,
)

_VERSION = "X-Experience-API-Version"
_LIMIT = 16 * 1024 * 1024


class NamedStatement(Struct, frozen=True, forbid_unknown_fields=True):
    """The query that names a statement by its id."""

    statementId: str  # noqa: N815 - as xAPI spells it


class XapiAbout(Struct, frozen=True):
    """The supported versions of xAPI."""

    version: list[str]


async def show_about(_: web.Request) -> web.StreamResponse:
    """Return the supported versions of xAPI."""
    return json_response(XapiAbout(list(VERSIONS)))


async def post_statements(request: web.Request) -> web.StreamResponse:
    """Store one statement or a list of up to 10,000; returns their ids.

    All are stored or none. A statement with the verb passed, failed, completed or scored is evidence if the tenant's
    mapping contains its activity; other statements are stored and counted. The actor must be an account of the
    mapping's home page, whose name is the officer's id. Repeating an equal statement changes nothing; another one with
    the same id is 409. A voiding statement is 403: accepted evidence is never removed. A request with the content of
    attachments is 415.
    """
    _version(request)
    given = await _given(request)
    several = isinstance(given, list)
    statements = given if isinstance(given, list) else [given]
    if not statements:
        raise Malformed("needs a statement")
    if len(statements) > MOST_STATEMENTS:
        raise TooLarge(f"a request may hold {MOST_STATEMENTS} statements")
    tenant, trace = principal(request).tenant, trace_of(request)
    ids = await context_of(request).receiver.take(tenant, statements, trace, several=several)
    return json_response(ids)


async def put_statement(request: web.Request) -> web.StreamResponse:
    """Store one statement under the id in the query, by the same rules as `POST`."""
    _version(request)
    wanted = read_query(request, NamedStatement)
    given = await _given(request)
    if not isinstance(given, dict):
        raise Malformed("needs one statement")
    named = _uuid(wanted.statementId, "statementId")
    if _uuid(given.setdefault("id", named), "id") != named:
        raise Malformed("is not the statementId of the request", "id")
    await context_of(request).receiver.take(principal(request).tenant, [given], trace_of(request), several=False)
    return no_content()


async def get_statement(request: web.Request) -> web.StreamResponse:
    """Return one statement by its id, 404 if there is none. Statements cannot be searched."""
    version, wanted = _version(request), read_query(request, NamedStatement)
    tenant = principal(request).tenant
    found = await context_of(request).statements.find(tenant, _uuid(wanted.statementId, "statementId"))
    if found is None:
        raise NotFound("no such statement", "statementId")
    stored = found["stored"].isoformat()
    content = {"timestamp": stored, "version": version, **msgspec.json.decode(found["content"])}
    authority = {"objectType": "Agent", "account": {"homePage": "urn:tenant", "name": tenant}}
    return json_response({**content, "stored": stored, "authority": authority})


async def put_mapping(request: web.Request) -> web.StreamResponse:
    """Replace the tenant's mapping of activities to skills.

    The mapping applies to new statements and to grade exports. A stored statement that was not evidence is mapped again
    when it is sent again. 422 names the field of a rule whose framework, skill, level or `sd` is not valid.
    """
    body = await read_body(request, PutXapiMapping)
    tenant, index = principal(request).tenant, context_of(request).index
    check_mapping(body, {rule.framework: index.find(tenant, rule.framework) for rule in body.rules if rule.framework})
    await context_of(request).statements.put_mapping(tenant, body)
    return json_response(await context_of(request).statements.shown_mapping(tenant))


async def show_mapping(request: web.Request) -> web.StreamResponse:
    """Return the tenant's mapping, the counts of mapped and unmapped statements, and the latest unmapped ones."""
    return json_response(await context_of(request).statements.shown_mapping(principal(request).tenant))


async def _given(request: web.Request) -> Any:
    """Return the JSON of a request. Raises Malformed, TooLarge; Unsupported for a request with attachments."""
    if request.content_type.startswith("multipart/"):
        raise Unsupported(
            "the content of attachments is not stored: send the statements as application/json", "Content-Type"
        )
    return decode(await read_raw(request), Any)


def _uuid(given: object, field: str) -> str:
    """Return an id in its canonical form, from any form of a UUID. Raises Malformed naming the field."""
    try:
        return str(msgspec.convert(given, UUID))
    except msgspec.ValidationError as error:
        raise Malformed("is no UUID", field) from error


def _version(request: web.Request) -> str:
    """Return the xAPI version of the answer. Raises Malformed naming the header."""
    named = request.headers.get(_VERSION, "").strip()
    if found := XAPI_VERSION.fullmatch(named):
        return VERSIONS[0] if found["major"] == "1" else VERSIONS[1]
    raise Malformed(f"must name a supported version: {', '.join(VERSIONS)}", _VERSION)


async def name_version(request: web.Request, response: web.StreamResponse) -> None:
    """Name the version of xAPI in an answer under `/xapi/`, also in a refusal: the requested one if it is supported.

    A handler of `on_response_prepare`. Source: xAPI 1.0.3, part three, 3.3.
    """
    if request.path.startswith("/xapi/"):
        try:
            response.headers[_VERSION] = _version(request)
        except Malformed:
            response.headers[_VERSION] = VERSIONS[-1]


_STATEMENT = {
    "actor": {"account": {"homePage": "https://lms.example.org", "name": "officer-014"}},
    "verb": {"id": "http://adlnet.gov/expapi/verbs/passed"},
    "object": {"id": "https://lms.example.org/quiz/safety-1"},
    "result": {"score": {"scaled": 0.8}},
    "timestamp": "2026-11-02T09:00:00+07:00",
}
_MAPPING = {
    "home_page": "https://lms.example.org",
    "rules": [
        {"activity": "https://lms.example.org/quiz/safety-1", "skill": "dlit-safety", "level": 3},
        {"activity": "https://lms.example.org/course/safety/*", "skill": "dlit-safety", "level": 2},
    ],
}
_HEADER = Header(_VERSION, "The version of xAPI: 1.0.3 or 2.0.0.", required=True, always=True)
_StoredStatement = Annotated[
    dict[str, Any],
    Meta(description="The statement as it was sent, with `id`, `timestamp`, `version`, `stored` and `authority`"),
]
XAPI_ROUTES = [
    Route("GET", "/xapi/about", show_about, PUBLIC, answers={200: XapiAbout}, sets=[_HEADER]),
    Route(
        "POST",
        "/xapi/statements",
        post_statements,
        PLATFORMS,
        body=Statement | list[Statement],
        example=[_STATEMENT],
        headers=[_HEADER],
        sets=[_HEADER],
        basic=True,
        wrong_query=Malformed,
        answers={200: list[str]},
        problems=[409],
        limit=_LIMIT,
    ),
    Route(
        "PUT",
        "/xapi/statements",
        put_statement,
        PLATFORMS,
        body=Statement,
        example=_STATEMENT,
        query=NamedStatement,
        headers=[_HEADER],
        sets=[_HEADER],
        basic=True,
        wrong_query=Malformed,
        answers={204: None},
        problems=[409],
    ),
    Route(
        "GET",
        "/xapi/statements",
        get_statement,
        PLATFORMS,
        query=NamedStatement,
        headers=[_HEADER],
        sets=[_HEADER],
        basic=True,
        wrong_query=Malformed,
        answers={200: _StoredStatement},
        problems=[404],
    ),
    Route(
        "PUT",
        "/v1/xapi-mapping",
        put_mapping,
        ADMINS,
        body=PutXapiMapping,
        example=_MAPPING,
        answers={200: XapiMapping},
    ),
    Route("GET", "/v1/xapi-mapping", show_mapping, PLATFORMS, answers={200: XapiMapping}),
]
