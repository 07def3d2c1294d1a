"""Serves the built web pages from memory.

The names of the files contain a hash, so browsers may cache all files except the index. If the pages are not built, the
rest of the portal works, and the address of the index answers with an explanation.
"""

import gzip
import hashlib
from pathlib import Path

from aiohttp import hdrs, web
from msgspec import Struct

from services.portal.compression import accepts_gzip, gzip_tag
from shared.errors import NotFound
from shared.preconditions import Tag
from shared.routes import not_modified

BUILT = Path(__file__).parents[1] / "pages" / "dist"
"""The directory into which `make pages` writes the built pages."""

INDEX = "index.html"
STATIC = "static"

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
POLICY = (
    "default-src 'none'; "
    "script-src 'self'; "
    "style-src 'self'; "
    "img-src 'self'; "
    "font-src 'self'; "
    "connect-src 'self'; "
    "form-action 'self'; "
    "base-uri 'none'; "
    "frame-ancestors 'none'"
)
GUARDS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_NOT_BUILT = (
    "ยังไม่ได้สร้างหน้าเว็บ: ให้ผู้ดูแลระบบเรียก `make pages` (ต้องมี Node 20.19 ขึ้นไป) แล้วเปิดพอร์ทัลใหม่\n"
    "The pages are not built: run `make pages` (it takes Node 20.19 or newer), then start the portal again.\n"
)


class Asset(Struct, frozen=True):
    """A file of the pages with its headers. `packed`: the contents in gzip, None if gzip saves little.

    `caching`: the value of `Cache-Control`.
    """

    body: bytes
    packed: bytes | None
    content_type: str
    etag: str
    caching: str


def read_assets(folder: Path = BUILT) -> dict[str, Asset]:
    """Return {name: file} of the built pages in a folder, the only files that are served; empty if there are none."""
    if not (folder / INDEX).is_file():
        return {}
    named = {path.name: path for path in sorted((folder / STATIC).glob("*")) if path.suffix in _TYPES}
    assets = {name: _asset(path, "public, max-age=31536000, immutable") for name, path in named.items()}
    return assets | {INDEX: _asset(folder / INDEX, "no-cache")}


def _asset(path: Path, caching: str) -> Asset:
    body = path.read_bytes()
    packed = gzip.compress(body, mtime=0)
    smaller = packed if len(packed) < len(body) * 0.9 else None
    return Asset(body, smaller, _TYPES[path.suffix], hashlib.sha256(body).hexdigest()[:32], caching)


class Page:
    """Serves the index and the other files of the pages to anybody. `assets`: {name: file} from `read_assets`."""

    def __init__(self, assets: dict[str, Asset]) -> None:
        self._assets = assets

    async def get_page(self, request: web.Request) -> web.Response:
        """Return the index of the pages, 304 if the browser has it already, 503 if the pages are not built."""
        if not self._assets:
            headers = {**GUARDS, hdrs.CACHE_CONTROL: "no-store"}
            return web.Response(text=_NOT_BUILT, status=503, content_type="text/plain", headers=headers)
        return self._answer(request, INDEX)

    async def get_asset(self, request: web.Request) -> web.Response:
        """Return a file of the pages, 304 if the browser has it already. Raises NotFound."""
        name = request.match_info["name"]
        if name == INDEX:
            raise NotFound("no such file")
        return self._answer(request, name)

    def _answer(self, request: web.Request, name: str) -> web.Response:
        asset = self._assets.get(name)
        if asset is None:
            raise NotFound("no such file")
        packed = asset.packed is not None and accepts_gzip(request.headers.getall(hdrs.ACCEPT_ENCODING, []))
        etag = gzip_tag(f'"{asset.etag}"') if packed else f'"{asset.etag}"'
        found = not_modified(request, Tag(etag[1:-1])) or self._body(asset, etag, packed=packed)
        found.headers.update(GUARDS)
        found.headers[hdrs.CACHE_CONTROL] = asset.caching
        if asset.packed is not None:
            found.headers[hdrs.VARY] = hdrs.ACCEPT_ENCODING
        return found

    @staticmethod
    def _body(asset: Asset, etag: str, *, packed: bool) -> web.Response:
        headers = {hdrs.CONTENT_TYPE: asset.content_type, hdrs.ETAG: etag}
        if packed:
            return web.Response(body=asset.packed, headers={**headers, hdrs.CONTENT_ENCODING: "gzip"})
        return web.Response(body=asset.body, headers=headers)
