"""The OpenAPI 3.1 document of a service, generated from its routes, and a page that shows it without internet access.

document("Catalog", "What it does.", ROUTES)     -> the document, ready for JSON
document_route(document)                         -> the route /openapi.json, served by shared.app
page_routes("Catalog")                           -> the routes of /docs
"""

import functools
import html
import importlib.util
import inspect
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
from aiohttp import web

from shared.auth import PUBLIC
from shared.domain import Identifier
from shared.errors import TITLES
from shared.routes import Route

_BASIC = {"type": "http", "scheme": "basic", "description": "The API key as the password; any user name."}
_SCHEMAS = "#/components/schemas/{name}"
_REQUEST_ID = {
    "name": "X-Request-Id",
    "in": "header",
    "required": False,
    "description": "Returned in the answer and written to the log; generated if it is missing.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
}
_ETAG = {"description": "Names this representation, for `If-None-Match` and `If-Match`.", "schema": {"type": "string"}}
_NO_CONTENT = 204
_DONE = {304: "Not modified"}
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
    "at": ("The time of which it is asked, with its time zone; without it: now.", "2026-11-20T09:00:00+07:00"),
    "after": ("The `next` of the page before; without it, the first page.", None),
    "limit": ("How many at most.", 50),
    "catalog_revision": ("The catalog as it was at this revision; without it, as it is.", 1200),
    "first": ("Job groups to put in front, with commas between them; `name*` for all that begin so.", "service,exec*"),
    "deadline": ("Until when there is time; with `weekly_hours`.", "2027-09-30"),
    "weekly_hours": ("Hours of study a week; with `deadline`.", 2),
    "officer": ("For whom: the courses of this officer's path are left out.", "officer-014"),
    "name": ("The name of a file.", None),
    "lang": (
        "The languages of sentences: `th`, `en` or `th,en`. Without it `Accept-Language` decides, without that both.",
        "th",
    ),
    "status": ("What people have made of a match.", "proposed"),
    "q": ("Words to search for, Thai or English; an empty one means every course.", "วิเคราะห์ข้อมูล"),
    "level": (
        "A level that courses lead to, or whom they are for: `beginner`, `intermediate`, `advanced` or `mixed`.",
        2,
    ),
    "provider": ("Courses of this provider, by its whole name in Thai or English.", "Thai MOOC"),
    "max_hours": ("Courses of so many hours at most.", 10),
    "job_group": ("Courses that teach a skill which this job group requires.", "technology"),
    "import_id": ("The id of an import, from its report.", "0f3c2d1b4a5968778695a4b3c2d1e0f0"),
    "verdict": ("Rows of which this became.", "refused"),
    "map": (
        "Of a table: `name=column` items with commas between them; of courses also `guess`.",
        "title=Name,tags=Skills",
    ),
    "default": ("What the file does not state: `fact=value` items.", "provider=Thai MOOC,hours=6"),
    "encoding": ("The encoding of a text; without it, recognised from the bytes.", "tis-620"),
    "header": ("Whether the first row of a table names the columns.", True),
    "dry_run": ("Say what would happen, and write nothing.", False),
    "full": ("List the courses of the file's providers that it no longer holds.", False),
    "withdraw": ("Withdraw them.", False),
    "least": ("Matches of at least this confidence, from 0 to 1.", 0.5),
    "most": ("Matches of at most this confidence, from 0 to 1.", 0.8),
}
"""The meaning of each path or query parameter, and an example."""


class ProblemDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error answer (RFC 9457). `field` names the wrong part of the request.

    `texts`: the message in Thai and English, {language: sentence}, if a person is to read it.
    """

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    field: str | None = None
    texts: dict[str, str] | None = None


def document(title: str, description: str, routes: Sequence[Route], version: str = "1") -> dict[str, Any]:
    """Return the OpenAPI document of the routes that are not hidden."""
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
        "info": {"title": title, "version": version, "description": description},
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
            shapes += [shape for shape in (route.body, *route.answers.values()) if shape is not None]
            if route.query:
                shapes += get_type_hints(route.query, include_extras=True).values()
        found, self.components = msgspec.json.schema_components(shapes, ref_template=_SCHEMAS)
        bodies = {cls.__name__ for cls in _structs(route.body for route in routes if route.body is not None)}
        for cls in _structs(shapes):
            if cls.__name__ in self.components:
                always = cls.__name__ not in bodies and not cls.__struct_config__.omit_defaults
                _without_defaults(self.components[cls.__name__], always=always)
        self._found = [(shape, schema) for shape, schema in zip(shapes, found, strict=True)]

    def __getitem__(self, shape: Any) -> dict[str, Any]:
        return next(schema for known, schema in self._found if known is shape or known == shape)


def _structs(shapes: Iterable[Any]) -> set[type[msgspec.Struct]]:
    """Return the structs in some shapes, at any depth."""
    found: set[type[msgspec.Struct]] = set()
    seen: set[int] = set()
    left: list[Any] = [msgspec.inspect.type_info(shape) for shape in shapes]
    while left:
        one = left.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, msgspec.inspect.StructType):
            found.add(one.cls)
            left += [field.type for field in one.fields]
        left += getattr(one, "types", ())
        left += [inner for name in ("item_type", "value_type", "type") if (inner := getattr(one, name, None))]
    return found


def _without_defaults(schema: dict[str, Any], *, always: bool) -> None:
    """Describe defaults in the text, and require the fields that are `always` sent.

    Client generators treat a property with a `default` as always present, in requests too.
    """
    properties = schema.get("properties", {})
    for name, one in properties.items():
        default = one.pop("default", None)
        if default not in (None, [], {}):
            one["description"] = " ".join([one.get("description", ""), f"Without it: {default}."]).strip()
        properties[name] = one
    if always and properties:
        schema["required"] = list(properties)


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
    for status, shape in route.answers.items():
        responses[str(status)] = {"description": _DONE.get(status, "Done")}
        if any(header.name in ("If-Match", "If-None-Match") for header in route.headers) and status != _NO_CONTENT:
            responses[str(status)]["headers"] = {"ETag": _ETAG}
        if shape is not None:
            responses[str(status)]["content"] = {route.produces: {"schema": schemas[shape]}}
    problem = {"application/problem+json": {"schema": schemas[ProblemDetails]}}
    for status in sorted(problems_of(route)):
        responses[str(status)] = {"description": TITLES[status], "content": problem}
    return responses


def problems_of(route: Route) -> set[int]:
    """Return the error statuses that this route can answer.

    Includes 400 for every route: an unreadable request line or header is rejected before routing. Every route but
    probes has a limit of rate (429) and takes its place among the active requests (503).
    """
    found = {400, *route.problems}
    if route.policy and not route.quiet:
        found |= {429, 503}
    if route.policy and not route.policy.public:
        found |= {401, 403}
    if "{" in route.path:
        found.add(404)
    if route.body is not None:
        found |= {408, 415} if route.streams else {408, 413, 415, 422}
    if route.query:
        found.add(422)
    return found


# --- the page --------------------------------------------------------------------------------------------------------

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><link rel="stylesheet" href="{assets}/swagger-ui.css">
<link rel="stylesheet" href="{assets}/site.css"></head>
<body><a class="skip" id="skip" href="#main">Skip to the content</a>{head}
<main id="main" tabindex="-1"><h1>API: {title}</h1><div id="page" data-document="{address}"></div></main>
<footer>A request that is tried here is a real one: it reads and changes stored data.</footer>
<script src="{assets}/swagger-ui-bundle.js"></script><script src="{assets}/start.js"></script></body></html>
"""
_START = """const allowTryItOutFor = () => (state, path, method) =>
  !state.getIn(["json", "paths", path, method, "x-not-forwarded"]);
// The name of a path stands in a button, which may hold no link.
const DeepLink = (_, { React }) => ({ text }) => React.createElement("span", null, text);
SwaggerUIBundle({
  url: document.getElementById("page").dataset.document,
  dom_id: "#page",
  deepLinking: true,
  syntaxHighlight: false,
  validatorUrl: null,
  plugins: [{ statePlugins: { spec: { wrapSelectors: { allowTryItOutFor } } }, wrapComponents: { DeepLink } }],
});
// What Swagger UI leaves without a name, or calls a landmark that it is not.
const mend = () => {
  for (const one of document.querySelectorAll(".copy-to-clipboard button:empty")) one.ariaLabel = "Copy";
  for (const one of document.querySelectorAll("#servers")) one.ariaLabel = "Server";
  for (const one of document.querySelectorAll("select:not([aria-label], [id])")) one.ariaLabel = "Choice";
  for (const one of document.querySelectorAll("table[role=region]")) one.removeAttribute("role");
};
new MutationObserver(mend).observe(document.getElementById("page"), { childList: true, subtree: true });
"""
_SITE = """body { background: #fff; color: #15272b; color-scheme: light; font-family: sans-serif; margin: 0; }
body > :is(header, footer), main > h1 { padding: 1rem 1.25rem 0; }
main > h1 { font-size: 1.25rem; margin: 0; }
body > footer { padding-bottom: 2rem; }
:focus-visible { outline: 3px solid #b97a06 !important; outline-offset: 2px; }
main:focus { outline: none; }
.skip { background: #15272b; color: #fff; left: .5rem; padding: .5rem 1rem; position: absolute; top: -6rem; }
.skip:focus { top: .5rem; }
header nav a { display: inline-block; margin-inline-end: 1rem; padding: .7rem 0; }
@media print { header, footer, .skip { display: none; } }
@media (prefers-reduced-motion: reduce) { * { animation: none !important; transition: none !important; } }
header nav a[aria-current] { font-weight: 700; }
.swagger-ui select { appearance: auto; max-width: 100%; }
.swagger-ui .opblock.opblock .opblock-summary-method { background: #3b4151; }
.swagger-ui .info .title small.version-stamp { background: #3b4151; }
.swagger-ui .info .title small pre { background: #3b4151; color: #fff; }
.swagger-ui :is(.info .url, .info a, a.link) { color: #0b57a4; }
.swagger-ui .btn.authorize, .swagger-ui .btn.authorize span { border-color: #146c43; color: #146c43; }
.swagger-ui .btn.execute { background: #0b57a4; border-color: #0b57a4; }
.swagger-ui .btn.cancel { border-color: #b3261e; color: #b3261e; }
.swagger-ui :is(.parameter__in, .parameter__type, .parameter__extension, .prop-format) { color: #3b4151; }
.swagger-ui .parameter__name.required::after, .swagger-ui .parameter__name.required span { color: #b3261e; }
.swagger-ui .opblock-body pre.microlight { background: #333; color: #fff; padding: .5rem .5rem 2.75rem; }
.swagger-ui .opblock-body :is(pre, pre.microlight), .swagger-ui .highlight-code > .microlight {
  max-height: none; overflow: visible; overflow-wrap: anywhere; white-space: pre-wrap;
}
.swagger-ui :is(.highlight-code, .curl-command) .copy-to-clipboard { background: #3b4151; width: auto; }
.swagger-ui :is(.highlight-code, .curl-command) .copy-to-clipboard button { width: auto; }
.swagger-ui .copy-to-clipboard button::after { color: #fff; content: "Copy"; }
.swagger-ui .download-contents { background: #3b4151; width: auto; }
.swagger-ui .response-col_links { display: none; }
.swagger-ui :is(.opblock-summary-path, .opblock-summary-path *, .renderedMarkdown, .info *, code) {
  overflow-wrap: anywhere;
}
@media (max-width: 640px) {
  .swagger-ui :is(table, tbody, tr, td) { display: block; max-width: 100%; min-width: 0; width: auto; }
  .swagger-ui thead { display: none; }
  .swagger-ui :is(input, textarea)[type], .swagger-ui textarea { max-width: 100%; min-width: 0; width: 100%; }
}
"""
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_EMBEDDED = re.compile(rb"""url\((["']?)data:.*?\1\)""")


@functools.cache
def asset(name: str) -> tuple[bytes, str] | None:
    """Return a file of the page and its content type, None for an unknown name.

    Raises FileNotFoundError if Swagger UI is not installed.
    """
    if name == "start.js":
        return _START.encode(), "text/javascript"
    if name == "site.css":
        return _SITE.encode(), "text/css"
    if name == "swagger-ui-bundle.js":
        return _installed(name), "text/javascript"
    if name == "swagger-ui.css":  # the policy allows no pictures inside a style
        return _EMBEDDED.sub(b"none", _installed(name)), "text/css"
    return None


def _installed(name: str) -> bytes:
    found = importlib.util.find_spec("aiohttp_swagger3")  # its files only: the package itself is never imported
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError("the wheel with Swagger UI, aiohttp-swagger3, is not installed")
    return (Path(found.submodule_search_locations[0]) / "swagger_ui" / name).read_bytes()


def page(title: str, address: str, assets: str, head: str = "") -> str:
    """Return the page that shows the document at `address`; its files are in the folder `assets`; `head` is HTML."""
    return _PAGE.format(title=html.escape(title), address=html.escape(address), assets=html.escape(assets), head=head)


def document_route(described: dict[str, Any]) -> Route:
    """Return the route of the document."""
    return _static("/openapi.json", lambda: (msgspec.json.encode(described), "application/json"))


def page_routes(title: str) -> list[Route]:
    """Return the routes of the page; their addresses are relative, so that a proxy can serve it under another path."""
    names = ("start.js", "site.css", "swagger-ui-bundle.js", "swagger-ui.css")
    return [
        _static("/docs", lambda: (page(title, "openapi.json", "docs").encode(), "text/html")),
        *(_static(f"/docs/{name}", functools.partial(asset, name)) for name in names),
    ]


def _static(path: str, content: Callable[[], tuple[bytes, str] | None]) -> Route:
    async def static(_: web.Request) -> web.StreamResponse:
        body, content_type = content() or (b"", "text/plain")
        return web.Response(
            body=body,
            content_type=content_type,
            charset="utf-8",
            headers={"Content-Security-Policy": _POLICY, "Cache-Control": "max-age=300"},
        )

    return Route("GET", path, static, PUBLIC, hidden=True)
