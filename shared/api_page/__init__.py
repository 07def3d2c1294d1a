"""The page that shows a service's OpenAPI document without internet access: Swagger UI with a style of the project.

document_route(document)                         -> the route /openapi.json, served by shared.app
page_routes("Catalog")                           -> the routes of /docs
"""

import functools
import html
import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from shared.auth import PUBLIC
from shared.routes import Route

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><link rel="stylesheet" href="{assets}/swagger-ui.css">
<link rel="stylesheet" href="{assets}/site.css"></head>
<body><a class="skip" id="skip" href="#main">Skip to the content</a>{head}
<main id="main" tabindex="-1"><h1>API: {title}</h1><div id="page" data-document="{address}"></div></main>
<footer>A request that is tried here is a real one: it reads and changes stored data.</footer>
<script src="{assets}/swagger-ui-bundle.js"></script><script src="{assets}/start.js"></script></body></html>
"""
_FILES = {
    "start.js": "text/javascript",
    "site.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
}
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
    if name not in _FILES:
        return None
    own = Path(__file__).parent / name
    content = own.read_bytes() if own.exists() else _installed(name)
    if name == "swagger-ui.css":  # the policy allows no pictures inside a style
        content = _EMBEDDED.sub(b"none", content)
    return content, _FILES[name]


def _installed(name: str) -> bytes:
    found = importlib.util.find_spec("aiohttp_swagger3")  # its files only: the package itself is never imported
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError("the wheel with Swagger UI, aiohttp-swagger3, is not installed")
    return (Path(found.submodule_search_locations[0]) / "swagger_ui" / name).read_bytes()


def page(title: str, address: str, assets: str, head: str = "") -> str:
    """Return the page that shows the OpenAPI document at `address`.

    `assets`: the folder of the page's scripts and styles. `head`: HTML that comes before the main part.
    """
    return _PAGE.format(title=html.escape(title), address=html.escape(address), assets=html.escape(assets), head=head)


def document_route(described: dict[str, Any]) -> Route:
    """Return the route `/openapi.json`, which serves the OpenAPI document `described`."""
    return _static("/openapi.json", lambda: (msgspec.json.encode(described), "application/json"))


def page_routes(title: str) -> list[Route]:
    """Return the routes of the page and its files. Addresses are relative, so a proxy may serve them under a path."""
    return [
        _static("/docs", lambda: (page(title, "openapi.json", "docs").encode(), "text/html")),
        *(_static(f"/docs/{name}", functools.partial(asset, name)) for name in _FILES),
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
