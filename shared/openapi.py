"""The OpenAPI 3.1 document of a service, made from its routes, and the page that shows it without the internet.

document("Catalogue", "What it does.", ROUTES)     -> the document, ready for JSON
pages("Catalogue", document)                       -> the routes /openapi.json and /docs, served by shared.app
"""

import functools
import html
import importlib.util
import inspect
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
from aiohttp import web

from shared.auth import PUBLIC
from shared.routes import Route
from shared.skills import Identifier

_SCHEMAS = "#/components/schemas/{name}"
_REQUEST_ID = {
    "name": "X-Request-Id",
    "in": "header",
    "required": False,
    "description": "Comes back in the answer and stands in the log; made up where it is missing.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
}
_TITLES = {
    304: "Not modified",
    400: "Malformed request",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    408: "Body too slow",
    409: "Conflict",
    412: "Stale revision",
    413: "Body too large",
    415: "Unsupported body",
    422: "Invalid input",
    429: "Too many requests",
    503: "Temporarily unavailable",
}


class ProblemDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """What went wrong, after RFC 9457. `field` names the part of the request that is to blame."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    field: str | None = None


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
            },
        },
    }


class _Schemas:
    """The schemas of every shape that the routes name."""

    def __init__(self, routes: Iterable[Route]) -> None:
        shapes: list[Any] = [ProblemDetails]
        for route in routes:
            shapes += [shape for shape in (route.body, *route.answers.values()) if shape is not None]
            if route.query:
                shapes += get_type_hints(route.query, include_extras=True).values()
        found, self.components = msgspec.json.schema_components(shapes, ref_template=_SCHEMAS)
        self._found = [(shape, schema) for shape, schema in zip(shapes, found, strict=True)]

    def __getitem__(self, shape: Any) -> dict[str, Any]:
        return next(schema for known, schema in self._found if known is shape or known == shape)


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
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": {route.accepts: {"schema": schemas[route.body]}}}
    return operation


def _parameters(route: Route, schemas: _Schemas) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": msgspec.json.schema(Identifier)}
        for name in re.findall(r"{(\w+)[^}]*}", route.path)
    ]
    if route.query:
        hints = get_type_hints(route.query, include_extras=True)
        found += [
            {
                "name": one.encode_name,
                "in": "query",
                "required": one.required,
                "schema": schemas[hints[one.name]],
            }
            for one in msgspec.structs.fields(route.query)
        ]
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


def _responses(route: Route, schemas: _Schemas) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, shape in route.answers.items():
        responses[str(status)] = {"description": _TITLES.get(status, "Done")}
        if shape is not None:
            responses[str(status)]["content"] = {route.produces: {"schema": schemas[shape]}}
    problem = {"application/problem+json": {"schema": schemas[ProblemDetails]}}
    for status in sorted(problems_of(route)):
        responses[str(status)] = {"description": _TITLES[status], "content": problem}
    return responses


def problems_of(route: Route) -> set[int]:
    """Return the statuses of failure that a client of this route may meet."""
    found = set(route.problems)
    if route.policy and not route.policy.public:
        found |= {401, 403, 429, 503}
    if "{" in route.path:
        found.add(404)
    if route.body is not None:
        found |= {400, 408, 415} if route.streams else {400, 408, 413, 415, 422}
    if route.query:
        found.add(422)
    return found


# --- the page --------------------------------------------------------------------------------------------------------

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/docs/swagger-ui.css"></head>
<body><main id="page"></main><script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script>
</body></html>
"""
_START = 'SwaggerUIBundle({url: "/openapi.json", dom_id: "#page", deepLinking: true, validatorUrl: null});\n'
_ONLY_FROM_HERE = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


@functools.cache
def _asset(name: str) -> bytes:
    found = importlib.util.find_spec("aiohttp_swagger3")  # its files only: the package itself is never imported
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError("the wheel with Swagger UI, aiohttp-swagger3, is not installed")
    return (Path(found.submodule_search_locations[0]) / "swagger_ui" / name).read_bytes()


def pages(title: str, described: dict[str, Any]) -> list[Route]:
    """Return the routes of the document and of the page that shows it."""
    page = _PAGE.format(title=html.escape(title))
    return [
        _static("/openapi.json", lambda: msgspec.json.encode(described), "application/json"),
        _static("/docs", page.encode, "text/html"),
        _static("/docs/start.js", _START.encode, "text/javascript"),
        _static("/docs/swagger-ui-bundle.js", lambda: _asset("swagger-ui-bundle.js"), "text/javascript"),
        _static("/docs/swagger-ui.css", lambda: _asset("swagger-ui.css"), "text/css"),
    ]


def _static(path: str, content: Any, content_type: str) -> Route:
    async def static(_: web.Request) -> web.StreamResponse:
        return web.Response(
            body=content(),
            content_type=content_type,
            charset="utf-8",
            headers={"Content-Security-Policy": _ONLY_FROM_HERE, "Cache-Control": "max-age=300"},
        )

    return Route("GET", path, static, PUBLIC, hidden=True)
