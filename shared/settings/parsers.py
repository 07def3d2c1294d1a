"""Parsers of setting values: each returns the parsed value, or raises ValueError with what is expected."""

import re
import ssl
from itertools import pairwise
from typing import Any, Protocol
from zoneinfo import available_timezones

from shared import limits
from shared.auth import GIVEN_ROLES, Role

_DIGITS = re.compile("[0-9]{1,9}")
_LARGEST_PORT = 65535


class Parser(Protocol):
    """Returns the parsed value. Raises ValueError, whose message follows the name of the setting."""

    def __call__(self, text: str, /) -> Any: ...


def filled(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text.strip()


def filled_if_set(text: str) -> str:
    """Return a text unchanged; it may be empty, but not consist of spaces, which nobody means."""
    if text and not text.strip():
        raise ValueError("must not consist of spaces")
    return text


def namespace(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{0,30}", text):
        raise ValueError("may hold up to 30 letters, digits, dots, dashes and underscores")
    return text


def port(text: str) -> int:
    if not _DIGITS.fullmatch(text) or int(text) > _LARGEST_PORT:
        raise ValueError("must be a port number (0 takes a free one)")
    return int(text)


def seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value <= 3600:  # noqa: PLR2004 - an hour
        raise ValueError("must be a number of seconds between 0 and 3600")
    return value


def mongodb(text: str) -> str:
    if not text.strip().startswith(("mongodb://", "mongodb+srv://")):
        raise ValueError("must begin with mongodb:// or mongodb+srv://")
    return text.strip()


def servers(text: str) -> str:
    for server in text.split(","):
        host, _, port = server.strip().rpartition(":")
        if not host or not _DIGITS.fullmatch(port) or not 1 <= int(port) <= _LARGEST_PORT:
            raise ValueError("must be host:port, several separated by commas")
    return text


def one_of(*allowed: str) -> Parser:
    def parse(text: str) -> str:
        if text.upper() not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return text.upper()

    return parse


def ca_file(path: str) -> str:
    if path:
        try:
            ssl.create_default_context(cafile=path)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise ValueError(f"must be a readable file of PEM certificates: {error}") from error
    return path


def urls(text: str) -> tuple[str, ...]:
    values = [part.strip() for part in text.split(",")]
    for url in values:
        if not re.fullmatch(r"https?://(\[[0-9A-Fa-f:.]+\]|[^\s/?#@:;\[\]]+)(:\d{1,5})?(/[^\s?#]*)?", url):
            raise ValueError("must be an http:// or https:// address, several separated by commas")
    return tuple(dict.fromkeys(url.rstrip("/") for url in values))


def url_or_nothing(text: str) -> str:
    return urls(text)[0] if text.strip() else ""


def roles(text: str) -> tuple[tuple[str, Role], ...]:
    pairs: list[tuple[str, Role]] = []
    known: dict[str, Role] = {role: role for role in GIVEN_ROLES}
    for part in filter(None, (one.strip() for one in text.split(","))):
        value, _, role = (one.strip() for one in part.rpartition("="))
        if not value or role not in known:
            raise ValueError(f"must be value=role, separated by commas; a role is one of {', '.join(GIVEN_ROLES)}")
        pairs.append((value, known[role]))
    return tuple(pairs)


def whole_number(least: int, most: int) -> Parser:
    def parse(text: str) -> int:
        if not _DIGITS.fullmatch(text) or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number between {least} and {most}")
        return int(text)

    return parse


def number(least: float, most: float) -> Parser:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = most + 1
        if not least <= value <= most:
            raise ValueError(f"must be a number between {least:g} and {most:g}")
        return value

    return parse


def networks(text: str) -> str:
    try:
        limits.networks(text)
    except ValueError as error:
        raise ValueError("must be addresses or networks, 10.0.0.0/8, several separated by commas") from error
    return text


def flag(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0", "yes", "no"):
        raise ValueError("must be true or false")
    return text.lower() in ("true", "1", "yes")


def identifier(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", text):
        raise ValueError("must be an identifier: up to 64 letters, digits, dots, dashes and underscores")
    return text


def identifiers(text: str) -> tuple[str, ...]:
    return tuple(identifier(one.strip()) for one in text.split(",") if one.strip())


def zone(text: str) -> str:
    if text not in available_timezones():
        raise ValueError("must be a time zone such as Asia/Bangkok")
    return text


def pepper(text: str) -> bytes:
    text = text.strip()
    if len(text) < 16:  # noqa: PLR2004 - fewer could be guessed
        raise ValueError("must hold at least 16 characters")
    repeats = any(text[period:] == text[:-period] for period in range(1, len(text) * 3 // 4 + 1))
    steps = {ord(second) - ord(first) for first, second in pairwise(text)}
    if len(set(text)) < 8 or len(steps) < 6 or repeats:  # noqa: PLR2004 - nor by a pattern
        raise ValueError("must be random: it repeats itself, or holds too few different characters")
    return text.encode()
