"""The table of templates from which every sentence of a path is rendered, and the renderer.

A template is an ICU message: arguments, `plural` (`one`, `other`, `#` for the number) and `select`. Quoting is not
supported, so it contains no apostrophe. To render in another language, translate the table, which `GET /v1/messages`
publishes, and use any ICU message library.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

import msgspec

from shared.domain import LocalizedText

Language = Literal["th", "en"]
LANGUAGES: tuple[Language, ...] = ("th", "en")
Value = str | int | float | bool | LocalizedText
Values = Mapping[str, Value]

TEMPLATES: dict[str, dict[Language, str]] = msgspec.json.decode(
    Path(__file__).with_name("templates.json").read_bytes(), type=dict[str, dict[Language, str]]
)
"""{code: {language: template}}, as in `templates.json`."""

FEWEST_DECIMALS, MOST_DECIMALS = 2, 6
"""A number is shown with at most two decimals, or with up to six if otherwise two different numbers of a message, or a
number and 0, would look alike. Levels and hours are kept to the millionth."""

_PLAIN = re.compile(r"[^{}#]+|#")
_ARGUMENT = re.compile(r"{\s*(\w+)\s*(?:,\s*(plural|select)\s*,)?")
_OPTION = re.compile(r"\s*(\w+)\s*{")

Fill = Callable[[Values, int], str]
"""Fills a template with values; numbers are shown with at most so many decimals."""

_NO_NUMBERS = (bool, str, LocalizedText)


def render(code: str, values: Values, languages: Sequence[Language]) -> list[str]:
    """Return a sentence in each of these languages. Raises KeyError for an unknown code or a missing value."""
    places = decimals(values)
    return [_filled(code, language)(values, places) for language in languages]


@cache
def _filled(code: str, language: Language) -> Fill:
    template = TEMPLATES[code][language]
    fill, end = compiled(template, language)
    if end != len(template):
        raise ValueError(f"{code}: the template in {language} has a bracket too many")
    return fill


def compiled(template: str, language: Language, start: int = 0, counted: str | None = None) -> tuple[Fill, int]:
    """Return a function that fills a template, and the position at which the template ends.

    A nested template is parsed from `start` to its closing bracket. `counted`: the argument whose number `#` shows.
    Raises ValueError for an invalid template.
    """
    parts: list[str | Fill] = []
    place = start
    while place < len(template) and template[place] != "}":
        if plain := _PLAIN.match(template, place):
            parts.append(_argument(counted, language) if counted and plain[0] == "#" else plain[0])
            place = plain.end()
            continue
        if (argument := _ARGUMENT.match(template, place)) is None:
            raise ValueError(f"no argument at {template[place : place + 20]!r}")
        name, kind, place = argument[1], argument[2], argument.end()
        options: dict[str, Fill] = {}
        while kind and (option := _OPTION.match(template, place)):
            number_sign = name if kind == "plural" else counted
            options[option[1]], place = compiled(template, language, option.end(), number_sign)
            place += 1
        if template[place : place + 1] != "}" or (kind and "other" not in options):
            raise ValueError(f"{name} does not end, or has no `other`")
        place += 1
        parts.append(_choice(name, kind, options) if kind else _argument(name, language))
    return _joined(parts), place


def _joined(parts: list[str | Fill]) -> Fill:
    """Return a function that fills parts of a template; some of them are plain text."""
    fills = [part for part in parts if not isinstance(part, str)]
    form = "".join([part.replace("%", "%%") if isinstance(part, str) else "%s" for part in parts])
    if not fills:
        plain = form.replace("%%", "%")
        return lambda *_: plain

    def fill(values: Values, places: int) -> str:
        return form % tuple([part(values, places) for part in fills])

    return fill if form != "%s" else fills[0]


def _argument(name: str, language: Language) -> Fill:
    def fill(values: Values, places: int) -> str:
        value = values[name]
        if isinstance(value, LocalizedText):
            return (value.th or value.en or "") if language == "th" else (value.en or value.th or "")
        return value if isinstance(value, str) else number(value, places)

    return fill


def _choice(name: str, kind: str, options: Mapping[str, Fill]) -> Fill:
    def fill(values: Values, places: int) -> str:
        value = values[name]
        if kind == "select" or isinstance(value, str | LocalizedText):
            chosen = str(value).lower() if isinstance(value, bool) else str(value)
        else:
            chosen = "one" if number(value, places) == "1" else "other"
        return options.get(chosen, options["other"])(values, places)

    return fill


@lru_cache(maxsize=4096)
def number(value: float, places: int = FEWEST_DECIMALS) -> str:
    """Return a number as text with at most `places` decimals and no trailing zeros."""
    return f"{value + 0:.{places}f}".rstrip("0").rstrip(".")  # 0 has no sign: -0.0 and 0.0 are one key of the cache


def decimals(values: Values) -> int:
    """Return the fewest decimals, two to six, with which different numbers of a message, and 0, look different."""
    numbers = {value for value in values.values() if not isinstance(value, _NO_NUMBERS)} | {0}
    for places in range(FEWEST_DECIMALS, MOST_DECIMALS):
        if len({round(value, places) for value in numbers}) == len(numbers):
            return places
    return MOST_DECIMALS
