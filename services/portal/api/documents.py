"""Serves the OpenAPI documents of all services as one site, where admins can try the routes."""

import html
import re
from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout, hdrs, web

from services.portal.api.forwarding import PREFIX, owner_of
from services.portal.api.page import GUARDS
from services.portal.replicas import Replicas
from shared import api_page
from shared.app import DOCUMENT
from shared.errors import NotFound, Unavailable

PLACE = "/docs"
OWN = "portal"

_TIMEOUT = ClientTimeout(total=10)
_NOT_FORWARDED = "The portal does not forward this route: send the request to the service itself."
_SIGNED_IN = "Requests from this page go through the portal as the user who is signed in: no key is needed."


class ApiSite:
    """Serves a page for each service, the service's OpenAPI document, and the files of the page.

    `owners`: {service: its replicas}; the document is fetched from one of them.
    """

    def __init__(self, client: ClientSession, owners: Mapping[str, Replicas]) -> None:
        self._client = client
        self._owners = owners

    async def go_to_first(self, _: web.Request) -> web.Response:
        """Redirect to the page of the first service. Only admins may call this."""
        return web.Response(status=303, headers={hdrs.LOCATION: f"{PLACE}/{next(iter(self._owners))}"})

    async def get_page(self, request: web.Request) -> web.Response:
        """Return the page that shows the OpenAPI document of a service. Only admins may call this. Raises NotFound."""
        service = self._named(request)
        names = [*self._owners, OWN]
        links = "".join(
            f'<a href="{PLACE}/{name}"{" aria-current=page" if name == service else ""}>{html.escape(name)}</a> '
            for name in names
        )
        nav = f'<nav aria-label="Services"><a href="/">Portal</a> {links}</nav>'
        head = f"<header>{nav}</header>"
        address = f"{PLACE}/{service}/openapi.json"
        return _answer(api_page.page(service, address, f"{PLACE}/assets", head).encode(), "text/html")

    async def get_document(self, request: web.Request) -> web.Response:
        """Return the OpenAPI document of a service, changed so that requests go through the portal.

        Only admins may call this. Raises NotFound for an unknown service, Unavailable if no replica answers.
        """
        service = self._named(request)
        if service == OWN:
            return _answer(msgspec.json.encode(request.app[DOCUMENT]), "application/json")
        found = through_portal(await self._asked(service), service)
        return _answer(msgspec.json.encode(found), "application/json")

    async def get_asset(self, request: web.Request) -> web.Response:
        """Return a file that the pages need, such as a script. Only admins may call this. Raises NotFound."""
        found = api_page.asset(request.match_info["name"])
        if found is None:
            raise NotFound("no such file")
        return _answer(*found)

    def _named(self, request: web.Request) -> str:
        service = request.match_info["service"]
        if service != OWN and service not in self._owners:
            raise NotFound("no such service")
        return service

    async def _asked(self, service: str) -> dict[str, Any]:
        replicas = self._owners[service]
        for address in replicas.in_order():
            try:
                async with self._client.get(
                    f"{address}/openapi.json", headers={"Accept-Encoding": "identity"}, timeout=_TIMEOUT
                ) as answer:
                    answer.raise_for_status()
                    found = msgspec.json.decode(await answer.read(), type=dict[str, Any])
            except (ClientError, TimeoutError, msgspec.DecodeError):
                replicas.failed(address)
                continue
            replicas.answered(address)
            return found
        raise Unavailable(f"the {service} service does not answer; try again soon")


def through_portal(described: dict[str, Any], service: str) -> dict[str, Any]:
    """Return the OpenAPI document of a service with the portal as its server.

    Operations that the portal does not forward are marked with `x-not-forwarded`.
    """
    paths = {
        path: {method: _marked(one, forwarded=_is_forwarded(path, service)) for method, one in methods.items()}
        for path, methods in described.get("paths", {}).items()
    }
    info = described.get("info", {})
    info = {**info, "description": f"{info.get('description', '')}\n\n{_SIGNED_IN}"}
    return {**described, "info": info, "servers": [{"url": PREFIX}], "paths": paths}


def _is_forwarded(path: str, service: str) -> bool:
    return owner_of(re.sub(r"{\w+}", "a", path)) == service


def _marked(operation: dict[str, Any], *, forwarded: bool) -> dict[str, Any]:
    if forwarded:
        return operation
    text = f"{_NOT_FORWARDED}\n\n{operation.get('description', '')}".strip()
    return {**operation, "description": text, "x-not-forwarded": True}


def _answer(body: bytes, content_type: str) -> web.Response:
    headers = {**GUARDS, hdrs.CACHE_CONTROL: "no-store"}
    return web.Response(body=body, content_type=content_type, charset="utf-8", headers=headers)
