"""Rewrites what the JSON decoder reports about a value as sentences of this project. Pure.

plainly("Expected `int | null`, got `str`")     "is to be a whole number or null, not a text"
plainly("Expected `str` of length <= 200")      "is to hold at most 200 characters"
"""

import re
from collections.abc import Callable

MISSING, UNKNOWN, NOT_ALLOWED = "is missing", "is not a known field", "is none of the allowed values"
_TIME = "is to be a date with a time to the second and a zone, such as 2026-11-02T09:00:00+07:00"
PATTERNS = {
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$(?!\n)": (
        "is to be 1 to 64 of the characters A-Z, a-z, 0-9, `.`, `_` and `-`, with a letter or a digit first"
    ),
    r"^[a-z]{2,3}$(?!\n)": "is to be the code of a language, such as th",
    r"^[!-~]{1,200}$(?!\n)": "is to be 1 to 200 printable ASCII characters without spaces",
    r"^https?://": "is to be an address that begins with https:// or http://",
    r"^[A-Za-z][A-Za-z0-9+.-]*:\S+$(?!\n)": "is to be an IRI, such as https://lms.example.org/quiz/1",
}
"""{pattern of a text in a struct: the sentence that states what the text is to be}."""

_WHOLE = {
    "Invalid RFC3339 encoded datetime": _TIME,
    "Expected `datetime` with a timezone component": _TIME,
    "Invalid RFC3339 encoded date": "is to be a date, such as 2026-11-02",
    "Invalid UUID": "is to be a UUID, such as 123e4567-e89b-12d3-a456-426614174000",
    "Integer value out of range": "is a number out of range",
    "Number out of range": "is a number out of range",
    "Out of range": "is a number out of range",
    **{f"Expected `str` matching regex {pattern!r}": text for pattern, text in PATTERNS.items()},
}
_TYPES = {
    "int": "a whole number", "float": "a number", "str": "a text", "bool": "true or false", "array": "a list",
    "object": "an object", "null": "null", "date": "a date", "datetime": "a date with a time", "uuid": "a UUID",
}  # fmt: skip
_COUNTED = {"str": "characters", "array": "items", "object": "entries"}
_BOUNDS = {">=": "of at least", "<=": "of at most", ">": "above", "<": "below"}
_BEGINS = {
    "Object missing required field": MISSING,
    "Object contains unknown field": UNKNOWN,
    "Invalid enum value": NOT_ALLOWED,  # what was sent is not repeated: it may be a secret
    "Invalid value": NOT_ALLOWED,
}
_RULES: list[tuple[str, Callable[[re.Match[str]], str]]] = [
    ("Expected `([^`]*)`", lambda found: f"is to be {_types(found[1])}"),
    ("Expected `([^`]*)`, got `([^`]*)`", lambda found: f"is to be {_types(found[1])}, not {_types(found[2])}"),
    (
        r"Expected `([^`]*)` (>=|<=|>|<) (\S+)",
        lambda found: f"is to be {_types(found[1])} {_BOUNDS[found[2]]} {found[3].removesuffix('.0')}",
    ),
    (r"Expected `[^`]*` of (?:length >=|at least length) 1", lambda _: "is empty"),
    (r"Expected `([^`]*)` of length <= (\d+)", lambda found: f"is to hold at most {found[2]} {_counted(found[1])}"),
    (
        r"Expected `([^`]*)` of (?:length >=|at least length) (\d+)",
        lambda found: f"is to hold at least {found[2]} {_counted(found[1])}",
    ),
    (
        r"Expected `([^`]*)` of length (\d+)(?: to (\d+))?",
        lambda found: f"is to hold {found[2]} to {found[3] or found[2]} {_counted(found[1])}",
    ),
    (r"Expected `[^`]*` that's a multiple of (\S+)", lambda found: f"is to be a multiple of {found[1]}"),
]


def plainly(message: str) -> str:
    """Return the sentence for a message of the decoder, or the message if it is not a known one.

    `message`: without the path of the field that the decoder writes at its end.
    """
    if message in _WHOLE:
        return _WHOLE[message]
    begins = (text for begin, text in _BEGINS.items() if message.startswith(begin))
    rules = (text(found) for pattern, text in _RULES if (found := re.fullmatch(pattern, message)))
    return next(begins, None) or next(rules, message)


def _types(names: str) -> str:
    return " or ".join(_TYPES.get(name, name) for name in names.split(" | "))


def _counted(name: str) -> str:
    return _COUNTED.get(name, "items")
