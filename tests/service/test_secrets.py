"""A secret that is sent in the wrong place, or in a request that cannot be read, is neither answered nor logged."""

import gzip
import json
from dataclasses import dataclass

import pytest

from tests.support.all_services import HERE, Services
from tests.support.raw_http import logged
from tests.unit.test_raw_http import UNREADABLE

SECRET = "0123456789abcdef.planted-secret-planted-secret-planted-secr"  # looks like a key
WORD = "planted-word"  # looks like nothing
_JSON = "Content-Type: application/json"


@dataclass(frozen=True)
class Sent:
    """A request with secrets in it; `body` follows the head."""

    method: str
    path: str
    headers: tuple[str, ...] = ()
    body: bytes = b""
    key: bool = True


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


READS = {
    "catalog": f"/v1/courses/{HERE}",
    "assessment": f"/v1/officers/{HERE}",
    "recommender": f"/v1/officers/{HERE}/path",
    "portal": f"/api/v1/officers/{HERE}/path",
}
CHANGES = {
    "catalog": ("PUT", f"/v1/courses/{HERE}"),
    "assessment": ("POST", f"/v1/officers/{HERE}/assessments"),
    "recommender": ("POST", f"/v1/officers/{HERE}/feedback"),
    "portal": ("POST", f"/api/v1/officers/{HERE}/assessments"),
}


def sent_to(name: str) -> list[Sent]:
    """Return requests that a service refuses, each with a secret where it does not belong, and some that it takes."""
    method, change = CHANGES[name]
    read = READS[name]
    found = []
    for secret in (SECRET, WORD):
        raw = secret.encode()
        found += [
            Sent("GET", read, (f"Authorization: Bearer {secret}",), key=False),
            Sent("GET", read, (f"Authorization: Basic {secret}",), key=False),
            Sent("GET", read, (f"Authorization: {secret}",), key=False),
            Sent("GET", read, (f"Cookie: learning-path={secret}; {secret}=1",), key=False),
            Sent("GET", read, (f"X-Any: {secret}", f"User-Agent: {secret}", f"X-Forwarded-For: {secret}")),
            Sent("GET", read, (f"X-Request-Id: {secret} {secret}", f"traceparent: {secret}", f"Referer: {secret}")),
            Sent("GET", read, (f"If-Match: {secret}", f"If-None-Match: {secret}", f"Last-Event-ID: {secret}")),
            Sent("GET", read, (f"Accept: {secret}", f"Content-Type: {secret}", f"Origin: https://{secret}")),
            Sent("GET", read, (f"Expect: {secret}",)),
            Sent("GET", f"{read}?limit={secret}&at={secret}"),
            Sent("GET", f"/v1/{secret}/{secret}?key={secret}"),
            Sent("GET", f"/api/v1/{secret}?key={secret}"),
            Sent("GET", f"/v1/officers/%00{secret}"),
            Sent(secret.split("-")[0].upper() if "." not in secret else "TRACE", f"/{secret}"),
            Sent(method, change, ("Content-Type: application/json",), raw),
            Sent(method, change, ("Content-Type: application/json",), b'{"' + b"x" * 10 + b'": "' + raw),
            Sent(method, change, ("Content-Type: application/json",), _json([secret])),
            Sent(method, change, ("Content-Type: application/json",), _json(secret)),
            Sent(method, change, ("Content-Type: application/json",), _json({"kind": secret, "taken_at": secret})),
            Sent(method, change, ("Content-Type: application/json",), _json({"title": secret, "action": [secret]})),
            Sent(method, change, ("Content-Encoding: gzip",), raw),
            Sent(method, change, (f"Content-Encoding: {secret}",), raw),
            Sent(method, change, ("Content-Encoding: gzip",), gzip.compress(raw)[:-4]),
            Sent(method, change, (f"Idempotency-Key: {secret} {secret}",), _json({"kind": secret})),
            Sent(method, change, (f"If-Match: {secret}",), _json({"kind": secret})),
            Sent("POST", "/session", (), _json({"key": secret}), key=False),
            Sent("POST", "/session", (), _json({"key": [secret]}), key=False),
            Sent("POST", "/session", (), _json({"key": f"{secret}\n{secret}"}), key=False),
            Sent("POST", "/session", (f"Origin: https://{secret}",), _json({"key": secret}), key=False),
        ]
    # A field that nobody knows is named in the answer, so only what looks like a key can be left out of it.
    found += [Sent("GET", f"{read}?{SECRET}=1"), Sent("GET", f"{read}?lang={SECRET}")]
    bodies = [{SECRET: 1}, {"title": {SECRET: "x"}}, {"results": [{SECRET: 1}]}]
    return found + [Sent(method, change, ("Idempotency-Key: k", _JSON), _json(body)) for body in bodies]


@pytest.mark.parametrize("name", READS)
async def test_no_secret_is_answered_or_logged_wherever_it_is_sent(services: Services, name: str) -> None:
    service = services[name]
    key = await service.key("admin" if name == "catalog" else "platform")
    outputs: list[tuple[object, bytes]] = []
    with logged() as written:
        for sent in sent_to(name):
            lines = [f"{sent.method} {sent.path} HTTP/1.1", "Host: x", *sent.headers]
            lines += [f"Authorization: Bearer {key}"] if sent.key else []
            lines += [f"Content-Length: {len(sent.body)}"] if sent.body else []
            got = await service.send("\r\n".join([*lines, "", ""]).encode() + sent.body)
            assert got.status < 500, (sent, got)
            outputs.append((sent, repr(got).encode()))
        for case, raw in UNREADABLE.items():
            got = await service.send(raw)
            assert got.status == 400
            outputs.append((case, repr(got).encode()))
        cut = f"{CHANGES[name][0]} {CHANGES[name][1]} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n".encode()
        got = await service.send(cut + b"Transfer-Encoding: chunked\r\n\r\n", b"zz" + WORD.encode() + b"\r\n")
        assert got.status == 400
        outputs.append(("chunk", repr(got).encode()))
    for one in services.values():
        metrics = await (await one.client.get("/metrics")).read()
        outputs.append(("metrics", metrics))
    log = written.getvalue()
    for what, text in [*outputs, *(("log", line) for line in log.splitlines())]:
        for secret in (b"planted", key.partition(".")[2].encode()):
            assert secret not in text, (what, text)
    assert all(isinstance(json.loads(line), dict) for line in log.splitlines())
