"""Checks decoded values: control characters, the years of dates, and texts without a visible character. Pure.

No text may contain a control character other than tabs and line ends, because programs display and compare these
characters differently.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from functools import lru_cache
from typing import Any, get_type_hints

import msgspec
from msgspec import inspect

from shared.domain import LocalizedText
from shared.errors import InvalidInput, Malformed

FIRST_YEAR, LAST_YEAR = 1900, 2199
"""The years that a date in a request may lie in."""

_BUDDHIST = 543
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_MAY_HOLD_CONTROLS = re.compile(rb"\\u00[0189]|\\u007[fF]|\\[bf]|\x7f|\xc2[\x80-\x9f]")
"""Matches JSON that may hold a control character: escaped, or not escaped if it is DEL or one of those after it."""


def may_hold_controls(raw: bytes) -> bool:
    """Return whether JSON may hold a control character; if not, `check_controls` has nothing to find."""
    # Finding single bytes, with which every match begins, is ten times as fast as the expression.
    return (b"\\" in raw or b"\x7f" in raw or b"\xc2" in raw) and _MAY_HOLD_CONTROLS.search(raw) is not None


def check_controls(given: object) -> None:
    """Reject texts and keys with control characters other than tabs and line ends, at any depth.

    Raises InvalidInput naming the field, Malformed if the value is nested too deeply.
    """
    try:
        refuse_controls(given, "")
    except RecursionError as error:
        raise too_deep() from error


def refuse_controls(given: object, place: str) -> None:
    """Do what `check_controls` does for the value at a place. Raises RecursionError if it is nested too deeply."""
    if isinstance(given, str):
        if found := _CONTROL.search(given):
            if "\ud800" <= found[0] <= "\udfff":
                raise InvalidInput(f"holds the unpaired surrogate U+{ord(found[0]):04X}", field_at(place))
            raise InvalidInput(f"holds the control character U+{ord(found[0]):04X}", field_at(place))
    elif isinstance(given, Mapping):
        for key, value in given.items():
            name = str(key)
            if _CONTROL.search(name):
                raise InvalidInput("holds a name with a control character", field_at(place))
            refuse_controls(value, f"{place}.{name}")
    elif isinstance(given, list | tuple):
        for i, item in enumerate(given):
            refuse_controls(item, f"{place}[{i}]")


def check_values(found: object, shape: Any) -> None:
    """Reject dates with a year out of range, and localized texts without a visible character, at any depth.

    `shape`: the type of `found`. Raises InvalidInput naming the field, Malformed if the value is nested too deeply.
    """
    if not _is_checked(shape):
        return
    try:
        _look_at(found, "")
    except RecursionError as error:
        raise too_deep() from error


@lru_cache(maxsize=512)
def _is_checked(shape: Any) -> bool:
    """Return whether a shape contains a date or a LocalizedText."""
    return any(
        isinstance(one, inspect.DateType | inspect.DateTimeType)
        or (isinstance(one, inspect.StructType) and issubclass(one.cls, LocalizedText))
        for one in types_within([shape])
    )


def types_within(shapes: Iterable[Any]) -> Iterator[inspect.Type]:
    """Yield the types that occur in some shapes, at any depth."""
    seen: set[int] = set()
    left: list[Any] = [inspect.type_info(shape) for shape in shapes]
    while left:
        one = left.pop()
        if id(one) not in seen:
            seen.add(id(one))
            yield one
            left += [field.type for field in getattr(one, "fields", ())]
            left += getattr(one, "types", ())
            names = ("item_type", "key_type", "value_type", "type")
            left += [inner for name in names if (inner := getattr(one, name, None))]


@lru_cache(maxsize=256)
def _checked_fields(shape: type[msgspec.Struct]) -> list[tuple[str, str]]:
    """Return the fields of a shape that may hold a date or a LocalizedText, with their encoded names."""
    hints = get_type_hints(shape, include_extras=True)
    names = zip(shape.__struct_fields__, shape.__struct_encode_fields__, strict=True)
    return [(name, encoded) for name, encoded in names if _is_checked(hints[name])]


def _look_at(value: object, place: str) -> None:
    if isinstance(value, LocalizedText):
        if value.shows_nothing:
            raise InvalidInput(
                "shows nothing: neither its Thai nor its English text has a visible character", field_at(place)
            )
    elif isinstance(value, msgspec.Struct):
        _look_at_fields(value, place)
    elif isinstance(value, list):
        for i, item in enumerate(value):
            _look_at(item, f"{place}[{i}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            _look_at(item, f"{place}.{key}")
    elif isinstance(value, date):
        _look_at_year(value.year, place)


def _look_at_fields(value: msgspec.Struct, place: str) -> None:
    for name, encoded in _checked_fields(type(value)):
        inner = getattr(value, name)
        # Most are absent, or a date in range: their place is not put together.
        if inner is not None and not (isinstance(inner, date) and FIRST_YEAR <= inner.year <= LAST_YEAR):
            _look_at(inner, f"{place}.{encoded}")


def _look_at_year(year: int, place: str) -> None:
    if FIRST_YEAR <= year <= LAST_YEAR:
        return
    meant = year - _BUDDHIST
    if FIRST_YEAR <= meant <= LAST_YEAR:
        raise InvalidInput(f"{year} looks like a Buddhist year; is {meant} meant?", field_at(place))
    raise InvalidInput(f"the year is to lie between {FIRST_YEAR} and {LAST_YEAR}", field_at(place))


def too_deep() -> Malformed:
    """Return the error of data that are nested too deeply."""
    return Malformed("lists and objects are nested too deep")


def field_at(place: str) -> str | None:
    """Return the dotted name of a field, None for the whole value. A key may be empty."""
    return place.removeprefix(".") if place else None
