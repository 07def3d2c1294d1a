"""Reads the live stream of an officer's path (server-sent events), as the officer's page does."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec

from deploy.local.seed import answered, bearer


@dataclass(frozen=True)
class Message:
    """One event of a stream: its name, its id (empty if it has none) and its data."""

    event: str
    id: str
    data: Any


async def messages(
    session: aiohttp.ClientSession, portal_url: str, officer: str, key: str, last_event_id: str = ""
) -> AsyncGenerator[Message, None]:
    """Yield the events that the portal sends on the stream of an officer, until it ends. Raises aiohttp.ClientError.

    `last_event_id`: the revision of the path that the reader has, empty without one.
    """
    headers = {**bearer(key), "Accept": "text/event-stream"}
    if last_event_id:
        headers["Last-Event-ID"] = last_event_id
    timeout = aiohttp.ClientTimeout(total=None, sock_read=60)
    url = f"{portal_url}/v1/officers/{officer}/live"
    async with answered(session, "GET", url, headers=headers, timeout=timeout) as answer:
        answer.raise_for_status()
        fields: dict[str, str] = {}
        async for raw in answer.content:
            line = raw.decode().rstrip("\r\n")
            name, _, value = line.partition(":")
            if line and name:
                fields[name] = fields[name] + "\n" + value[1:] if name == "data" and name in fields else value.strip()
            elif not line and "data" in fields:
                yield Message(fields.get("event", "message"), fields.get("id", ""), msgspec.json.decode(fields["data"]))
                fields = {}
