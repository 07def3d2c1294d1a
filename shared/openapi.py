"""The OpenAPI 3.1 document of a service, generated from its routes.

document("Catalog", "What it does.", ROUTES)     -> the document, ready for JSON
"""

import inspect
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, get_type_hints

import msgspec

from shared.domain import Identifier
from shared.errors import TITLES, Problem, ProblemType, type_of
from shared.routes import ACCEPT_LANGUAGE, Header, Route
from shared.value_checks import types_within

_CONTINUED = re.compile(r"\n +")
_ROW = re.compile(r"^(\w+) +", re.MULTILINE)
_BASIC = {"type": "http", "scheme": "basic", "description": "The API key as the password; any user name."}
_SCHEMAS = "#/components/schemas/{name}"
_REQUEST_ID = {
    "name": "X-Request-Id",
    "in": "header",
    "required": False,
    "description": "Returned in the answer and written to the log; generated if it is missing.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
}
_ETAG = Header("ETag", "Names this representation, for `If-None-Match` and `If-Match`.", required=True)
_ETAG_OF_POST = Header("ETag", "Names what was stored, for `If-Match`; absent if nothing was stored.")
_LANGUAGE = Header("Content-Language", "The languages of the sentences.")
_LOCATION = Header("Location", "The address to continue at.", required=True)
_RETRY_AFTER = Header("Retry-After", "After how many seconds the request may be sent again.", required=True)
_RATE_LIMIT = [
    Header(
        "RateLimit-Policy", "How many requests at once are accepted (q), and in how many seconds as many again (w)."
    ),
    Header("RateLimit", "How many requests are left (r), and in how many seconds all are there again (t)."),
]
_ALWAYS = {
    303: [_LOCATION],
    401: [Header("WWW-Authenticate", "How to send a key.", required=True)],
    415: [Header("Accept-Encoding", "How a body may be compressed.", required=True)],
    429: [_RETRY_AFTER, *_RATE_LIMIT],
    503: [_RETRY_AFTER],
}
"""The headers of answers of a status."""
_PRECONDITIONS = {"If-Match", "If-None-Match"}
_NO_CONTENT = 204
_ERRORS = 400
_DONE = {303: "See other", 304: "Not modified"}
_PARAMETERS = {
    "officer_id": ("The agency's own pseudonym of an officer.", "officer-014"),
    "course_id": ("The id of a course.", "ocsc-digital-101"),
    "framework_id": ("The id of a framework.", "th-digital-2018"),
    "bank_id": ("The id of an item bank.", "th-digital-2018"),
    "session_id": ("The id of an adaptive session, from its start.", "0863a71a4aabcd6892d85b93"),
    "agency_id": ("The id of an agency of the tenant.", "dept-a"),
    "framework": ("The id of a framework.", "th-digital-2018"),
    "skill": ("The id of a skill of the framework.", "dlit-safety"),
    "language": ("Courses held in this language.", "th"),
    "statementId": ("The id of an xAPI statement.", "e577a50a-da92-4074-b390-ca6afc202baa"),
    "at": ("The time to report on, with its time zone; by default now.", "2026-11-20T09:00:00+07:00"),
    "after": ("The `next` of the previous page; by default the first page.", None),
    "limit": ("The maximum number of items in the answer.", 50),
    "catalog_revision": ("The catalog at this revision; by default the current one.", 1200),
    "first": ("Job groups to list first, separated by commas; `name*` for all whose name begins so.", "service,exec*"),
    "deadline": ("The day until which officers study; needs `weekly_hours`.", "2027-09-30"),
    "weekly_hours": ("Hours of study a week; needs `deadline`.", 2),
    "officer": ("Leave out the courses of this officer's path.", "officer-014"),
    "name": ("The name of a file.", None),
    "lang": (
        "The languages of sentences: `th`, `en` or `th,en`. Without it `Accept-Language` decides, without that both.",
        "th",
    ),
    "status": ("Whether people have confirmed, corrected or rejected the match.", "proposed"),
    "q": ("Words to search for, Thai or English; an empty one means every course.", "วิเคราะห์ข้อมูล"),
    "level": (
        "A level that courses lead to, or whom they are for: `beginner`, `intermediate`, `advanced` or `mixed`.",
        2,
    ),
    "provider": ("Courses of this provider, by its whole name in Thai or English.", "Thai MOOC"),
    "max_hours": ("Courses of at most this many hours.", 10),
    "job_group": ("Courses that teach a skill which this job group requires.", "technology"),
    "import_id": (
        "The id of an import, from its report; for a new one, a UUID that you choose.",
        "0f3c2d1b-4a59-4877-8695-a4b3c2d1e0f0",
    ),
    "verdict": ("Rows with this result.", "refused"),
    "map": (
        "For a table: `name=column` items, separated by commas; for courses and grade exports also `guess`.",
        "title=Name,tags=Skills",
    ),
    "default": ("What the file does not state: `fact=value` items.", "provider=Thai MOOC,hours=6"),
    "encoding": ("The encoding of a text; by default detected from the bytes.", "tis-620"),
    "sheet": ("The name of a workbook's sheet; by default the first one that lists courses.", "Courses"),
    "header": ("Whether the first row of a table names the columns.", True),
    "dry_run": ("Report what would happen, and write nothing.", False),
    "full": ("List the courses of the file's providers that it no longer holds.", False),
    "withdraw": ("Withdraw them.", False),
    "least": ("Matches of at least this confidence, from 0 to 1.", 0.5),
    "most": ("Matches of at most this confidence, from 0 to 1.", 0.8),
}
"""The meaning of each path or query parameter, and an example."""


class ProblemDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error answer (RFC 9457). `type` says what kind of problem it is; `field` names the wrong part of the request.

    `texts`: the message in Thai and English, {language: sentence}, if a person is to read it.
    """

    type: ProblemType
    title: str
    status: int
    detail: str
    request_id: str
    field: str | None = None
    texts: dict[str, str] | None = None


def details_of(problem: Problem, request_id: str) -> ProblemDetails:
    """Return the body of the answer for a problem, without the unpaired surrogates that a text may hold."""
    detail, field = _whole(problem.detail), None if problem.field is None else _whole(problem.field)
    kind, title, status = type_of(problem.kind), problem.title, problem.status
    return ProblemDetails(kind, title, status, detail, request_id, field, problem.texts)


def _whole(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _described(card: str) -> str:
    """Return a service's card as Markdown: what it owns, reads, announces and serves as a list.

    What follows is about the code and left out.
    """
    first, _, rest = inspect.cleandoc(card).partition("\n\n")
    rows = _CONTINUED.sub(" ", rest.partition("\n\n")[0])
    return "\n\n".join(filter(None, [first, _ROW.sub(r"- **\1**: ", rows)]))


def document(title: str, card: str, routes: Sequence[Route]) -> dict[str, Any]:
    """Return the OpenAPI document of the routes that are not hidden, as builtins ready for JSON.

    `card`: what the service is and has, as in its docstring.
    """
    shown = [route for route in routes if not route.hidden]
    schemas = _Schemas(shown)
    paths: dict[str, dict[str, Any]] = {}
    named: Counter[str] = Counter()
    for route in shown:
        operation = _operation(route, schemas)
        named[name := operation["operationId"]] += 1
        if named[name] > 1:
            operation["operationId"] = f"{name}_{named[name]}"
        paths.setdefault(re.sub(r"{(\w+):[^}]*}", r"{\1}", route.path), {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": "1", "description": _described(card)},
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key, `id.secret`."},
                **({"basic": _BASIC} if any(route.basic for route in routes) else {}),
            },
        },
    }


class _Schemas:
    """The schemas of all structs that the routes use."""

    def __init__(self, routes: Sequence[Route]) -> None:
        shapes: list[Any] = [ProblemDetails]
        for route in routes:
            shapes += [shape for shape in (route.body, *_shapes(route)) if shape is not None]
            if route.query:
                shapes += get_type_hints(route.query, include_extras=True).values()
        found, self.components = msgspec.json.schema_components(shapes, ref_template=_SCHEMAS)
        bodies = {cls.__name__ for cls in _structs(route.body for route in routes if route.body is not None)}
        for cls in _structs(shapes):
            if cls.__name__ in self.components:
                always = cls.__name__ not in bodies and not cls.__struct_config__.omit_defaults
                _without_defaults(self.components[cls.__name__], _left_out(cls) if always else None)
        _close_tuples(self.components)
        self._found = [(shape, schema) for shape, schema in zip(shapes, found, strict=True)]

    def __getitem__(self, shape: Any) -> dict[str, Any]:
        if isinstance(shape, tuple):
            return {"anyOf": [self[one] for one in shape]}
        return next(schema for known, schema in self._found if known is shape or known == shape)


def _shapes(route: Route) -> Iterator[Any]:
    """Yield the shapes of the answers of a route."""
    for shape in route.answers.values():
        yield from shape if isinstance(shape, tuple) else [shape]


def _structs(shapes: Iterable[Any]) -> set[type[msgspec.Struct]]:
    """Return the structs in some shapes, at any depth."""
    return {one.cls for one in types_within(shapes) if isinstance(one, msgspec.inspect.StructType)}


def _left_out(cls: type[msgspec.Struct]) -> set[str]:
    """Return the fields that an answer leaves out while they are unset."""
    return {field.encode_name for field in msgspec.structs.fields(cls) if field.default is msgspec.UNSET}


def _close_tuples(schema: Any) -> None:
    """Remove `items: false` from tuples: some client generators refuse it, and `maxItems` says the same."""
    if isinstance(schema, dict):
        if "prefixItems" in schema and schema.get("items") is False:
            del schema["items"]
        for inner in schema.values():
            _close_tuples(inner)
    elif isinstance(schema, list):
        for inner in schema:
            _close_tuples(inner)


def _without_defaults(schema: dict[str, Any], left_out: set[str] | None) -> None:
    """Describe defaults in the text, and require all fields but those in `left_out`; None: require no further field.

    Client generators treat a property with a `default` as always present, in requests too.
    """
    properties = schema.get("properties", {})
    for name, one in properties.items():
        default = one.pop("default", None)
        if default not in (None, [], {}):
            one["description"] = " ".join([one.get("description", ""), f"Without it: {default}."]).strip()
        properties[name] = one
    if left_out is not None and properties:
        schema["required"] = [name for name in properties if name not in left_out]


def _operation(route: Route, schemas: _Schemas) -> dict[str, Any]:
    summary, _, description = (inspect.getdoc(route.handler) or "").partition("\n")
    operation: dict[str, Any] = {
        "operationId": getattr(route.handler, "__name__", route.path),
        "summary": summary.rstrip("."),
        "parameters": [*_parameters(route, schemas), _REQUEST_ID],
        "responses": _responses(route, schemas),
    }
    if text := " ".join(description.split()):
        operation["description"] = text
    if route.policy and route.policy.public:
        operation["security"] = []
    elif route.policy:
        operation["x-roles"] = sorted(route.policy.roles)
        if route.basic:
            operation["security"] = [{"key": []}, {"basic": []}]
    if route.body is not None:
        content = {"schema": schemas[route.body]}
        if route.example is not None:
            content["example"] = route.example
        operation["requestBody"] = {"required": True, "content": {route.accepts: content}}
    return operation


def _parameters(route: Route, schemas: _Schemas) -> list[dict[str, Any]]:
    found = [
        _parameter(name, "path", msgspec.json.schema(Identifier), required=True)
        for name in re.findall(r"{(\w+)[^}]*}", route.path)
    ]
    if route.query:
        hints = get_type_hints(route.query, include_extras=True)
        for one in msgspec.structs.fields(route.query):
            parameter = _parameter(one.encode_name, "query", schemas[hints[one.name]], required=one.required)
            if one.default not in (msgspec.NODEFAULT, None, ""):
                parameter["description"] += f" Without it: {one.default}."
            found.append(parameter)
    found += [
        {
            "name": header.name,
            "in": "header",
            "required": header.required,
            "description": header.description,
            "schema": {"type": "string"},
        }
        for header in route.headers
    ]
    return found


def _parameter(name: str, place: str, schema: dict[str, Any], *, required: bool) -> dict[str, Any]:
    description, example = _PARAMETERS.get(name, (schema.get("description", ""), None))
    # A parameter that is left out is not null: there is no null in a path or a query.
    some = [one for one in schema.get("anyOf", [schema]) if one != {"type": "null"}]
    parameter = {"name": name, "in": place, "required": required, "description": description}
    parameter["schema"] = some[0] if len(some) == 1 else {**schema, "anyOf": some}
    if example is not None:
        parameter["example"] = example
    return parameter


def _responses(route: Route, schemas: _Schemas) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    media = [route.produces] if isinstance(route.produces, str) else route.produces
    for status, shape in route.answers.items():
        responses[str(status)] = _response(_DONE.get(status, "Done"), _set_by(route, status))
        if shape is not None:
            responses[str(status)]["content"] = {media[0]: {"schema": schemas[shape]}, **{one: {} for one in media[1:]}}
        elif len(media) > 1:
            responses[str(status)]["content"] = {one: {} for one in media}
    for status in sorted(problems_of(route)):
        shape = route.answers.get(status, ProblemDetails)
        always = [*_ALWAYS.get(status, ()), *(header for header in route.sets if header.always)]
        responses[str(status)] = _response(TITLES[status], always)
        responses[str(status)]["content"] = {"application/problem+json": {"schema": schemas[shape]}}
    return responses


def _response(description: str, headers: Iterable[Header]) -> dict[str, Any]:
    described = {
        one.name: {"description": one.description, "required": one.required, "schema": {"type": "string"}}
        for one in headers
    }
    return {"description": description} | ({"headers": described} if described else {})


def _set_by(route: Route, status: int) -> list[Header]:
    """Return the headers that an answer of a route with this status has."""
    if status >= _ERRORS:
        return []
    read = {header.name for header in route.headers}
    found = [*_ALWAYS.get(status, ()), *route.sets]
    if read & _PRECONDITIONS and status != _NO_CONTENT:
        found.append(_ETAG_OF_POST if route.method == "POST" else _ETAG)
    if ACCEPT_LANGUAGE.name in read:
        found.append(_LANGUAGE)
    return found


def problems_of(route: Route) -> set[int]:
    """Return the error statuses that this route can answer.

    Includes 400 for every route: an unreadable request line or header is rejected before routing. A route that is not
    public rejects a parameter that it does not have (422). Every route but probes has a rate limit (429) and counts as
    an active request, whose number is limited (503).
    """
    found = {400, *route.problems}
    if route.policy and not route.quiet:
        found |= {429, 503}
    if route.policy and not route.policy.public:
        found |= {401, 403, route.wrong_query.status}
    if "{" in route.path:
        found.add(404)
    if any(header.name in _PRECONDITIONS for header in route.headers):
        found.add(412)
    if route.body is not None:
        found |= {408, 415} if route.streams else {408, 413, 415, 422}
    if route.query:
        found.add(route.wrong_query.status)
    return found
