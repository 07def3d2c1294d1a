"""Compares every answer that a test gets with the OpenAPI document of the service that gave it."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Self

import jsonschema
from aiohttp import ClientResponse, web
from aiohttp.connector import Connection

from shared.app import DOCUMENT, TABLE
from shared.errors import PROBLEMS, type_of

_UNROUTED = {400, 404, 405, 408, 417, 429, 431, 503}
"""The statuses of a request that reaches no route."""
_STATUSES = {type_of(problem.kind): problem.status for problem in PROBLEMS}
"""{type of a problem: its status}."""
_GENERAL = {
    *("cache-control", "connection", "content-encoding", "content-length", "content-type", "date", "set-cookie"),
    *("ratelimit", "ratelimit-policy", "transfer-encoding", "vary", "x-content-type-options", "x-request-id"),
}
"""The headers that any answer may have; every other one is documented."""


class Contract:
    """The OpenAPI document of a service. `hidden`: paths that are served and not documented.

    An answer with a property that the document does not name is a failure.
    """

    def __init__(self, document: Mapping[str, Any], hidden: Iterable[str] = ()) -> None:
        self._schemas = _closed(document["components"]["schemas"])
        self._hidden = [re.compile(re.sub(r"{[^}]*}", ".+", path)) for path in hidden]
        self._validators: dict[str, jsonschema.Draft202012Validator] = {}
        self._operations = [
            (method.upper(), _pattern(path), operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        ]

    def check_head(self, method: str, path: str, status: int, headers: Mapping[str, str]) -> None:
        """Compare status, headers and media type of an answer. Raises AssertionError."""
        where = f"{method} {path}: {status}"
        operation = self._operation(method, path)
        if operation is None:
            hidden = any(pattern.fullmatch(path) for pattern in self._hidden)
            assert hidden or status in _UNROUTED or method == "OPTIONS", f"{where}: the document has no such route"
            return
        described = operation["responses"].get(str(status))
        assert described is not None, f"{where}: the document has no such status"
        assert "X-Request-Id" in headers, f"{where}: no X-Request-Id"
        known = {name.lower(): header["required"] for name, header in described.get("headers", {}).items()}
        for name, required in known.items():
            assert name in headers or not required, f"{where}: no {name}"
        for name in headers:
            assert name.lower() in known.keys() | _GENERAL, f"{where}: the document has no header {name}"
        given = headers.get("Content-Type", "application/octet-stream").partition(";")[0]
        assert "content" not in described or given in described["content"], f"{where}: the document has no {given}"

    def check_body(self, method: str, path: str, status: int, media: str, body: bytes) -> None:
        """Compare the body of an answer whose head is right. Raises AssertionError."""
        operation = self._operation(method, path)
        where = f"{method} {path}: {status}"
        if media == "application/problem+json" and method != "HEAD":
            kind = json.loads(body)["type"]
            assert _STATUSES.get(kind) == status, f"{where}: the problem type is {kind}"
        if operation is None or method == "HEAD":
            return
        content = operation["responses"][str(status)].get("content")
        if content is None:
            assert not body, f"{where}: the document has no body"
        elif media.endswith("json") and (schema := content[media].get("schema")):
            for text in body.splitlines() if media == "application/x-ndjson" else [body]:
                error = jsonschema.exceptions.best_match(self._validator(schema).iter_errors(json.loads(text)))
                assert error is None, f"{where}: {error.json_path}: {error.message[:500]}"

    def _validator(self, schema: Mapping[str, Any]) -> jsonschema.Draft202012Validator:
        key = json.dumps(schema)
        if key not in self._validators:
            self._validators[key] = jsonschema.Draft202012Validator({"$defs": self._schemas, **_closed(schema)})
        return self._validators[key]

    def _operation(self, method: str, path: str) -> Mapping[str, Any] | None:
        wanted = "GET" if method == "HEAD" else method
        return next(
            (operation for name, pattern, operation in self._operations if name == wanted and pattern.fullmatch(path)),
            None,
        )


def _pattern(path: str) -> re.Pattern[str]:
    """Return the pattern of a documented path. No id has a colon, which begins a verb."""
    return re.compile(re.sub(r"\\{\w+\\}", "[^/:]+", re.escape(path)))


def _closed(schema: Any) -> Any:
    """Return a schema whose objects have no unnamed properties, and whose references are within one document."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _closed(one) for name, one in schema.items()}
    if isinstance(reference := found.get("$ref"), str):
        found["$ref"] = reference.replace("#/components/schemas/", "#/$defs/")
    if found.get("type") == "object" and "properties" in found:
        found.setdefault("additionalProperties", False)
    return found


def answers_of(app: web.Application) -> type[ClientResponse]:
    """Return a class of answers, for `ClientSession(response_class=...)`, that compare themselves with a document.

    The document is that of `app`. Status and headers are compared when they arrive, the body when a test reads it as a
    whole. The comparison raises AssertionError.
    """
    document: dict[str, Any] = app[DOCUMENT]
    contract = Contract(document, [route.path for route in app[TABLE] if route.hidden])

    class Answer(ClientResponse):
        async def start(self, connection: Connection) -> Self:
            await super().start(connection)
            contract.check_head(self.method, self.url.path, self.status, self.headers)
            return self

        async def read(self) -> bytes:
            unread = self._body is None
            body = await super().read()
            if unread:
                contract.check_body(self.method, self.url.path, self.status, self.content_type, body)
            return body

    return Answer
