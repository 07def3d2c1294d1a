"""Serves the officers' page and its files from memory; browsers revalidate them by ETag."""

import hashlib
from pathlib import Path

from aiohttp import web
from msgspec import Struct

from shared.errors import NotFound
from shared.preconditions import Tag
from shared.routes import not_modified

FOLDER = Path(__file__).parents[1] / "web"
INDEX = "index.html"

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_POLICY = (
    "default-src 'none'; "
    "script-src 'self'; "
    "style-src 'self'; "
    "img-src 'self'; "
    "connect-src 'self'; "
    "form-action 'self'; "
    "base-uri 'none'; "
    "frame-ancestors 'none'"
)
_GUARDS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


class Asset(Struct, frozen=True):
    """A file of the page, with what a browser needs to know of it."""

    body: bytes
    content_type: str
    etag: str


def read_assets(folder: Path = FOLDER) -> dict[str, Asset]:
    """Return the page's files by name; nothing outside this table is ever served."""
    assets = {}
    for path in sorted(folder.iterdir()):
        if path.suffix in _TYPES:
            body = path.read_bytes()
            assets[path.name] = Asset(body, _TYPES[path.suffix], hashlib.sha256(body).hexdigest()[:32])
    return assets


class Page:
    """Serves the page."""

    def __init__(self, assets: dict[str, Asset]) -> None:
        self._assets = assets

    async def get_page(self, request: web.Request) -> web.Response:
        """Return the officers' page."""
        return self._answer(request, INDEX)

    async def get_asset(self, request: web.Request) -> web.Response:
        """Return a file of the page. 304 where the browser has it already."""
        return self._answer(request, request.match_info["name"])

    def _answer(self, request: web.Request, name: str) -> web.Response:
        asset = self._assets.get(name)
        if asset is None:
            raise NotFound("no such file")
        found = not_modified(request, Tag(asset.etag))
        if found is None:
            headers = {"Content-Type": asset.content_type, "ETag": f'"{asset.etag}"'}
            found = web.Response(body=asset.body, headers=headers)
        found.headers.update(_GUARDS)
        return found
