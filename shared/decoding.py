"""Decodes the data of clients into structs: every error names its field, and dates and texts are checked.

No text may contain a control character other than tabs and line ends, because programs display and compare these
characters differently.

decode(raw, Course)              JSON; Malformed if it is not JSON, InvalidInput naming the field
convert(given, ListCourses)      data that are decoded already, such as a query
faults(given, Course)            every fault of decoded data, each naming its field
decode_patch(raw)                JSON of any shape, a merge patch (`shared.merge_patch`)
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import date, datetime
from functools import lru_cache
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import inspect

from shared.decoder_messages import MISSING, NOT_ALLOWED, UNKNOWN, plainly
from shared.domain import LocalizedText
from shared.errors import InvalidInput, Malformed

T = TypeVar("T")

FIRST_YEAR, LAST_YEAR = 1900, 2199
"""The years that a date in a request may lie in."""

_BUDDHIST = 543
_LONGEST = 300
_TIME = plainly("Invalid RFC3339 encoded datetime")
_LOST_PLUS = re.compile(r":\d\d(\.\d+)? \d\d(:?\d\d)?$", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_PLACE = re.compile(r"^(?P<text>.*?)(?: - at (?P<key>`key` in )?`\$(?P<place>[^`]*)`)?$", re.DOTALL)
_NOT_A_TEXT = re.compile(r"( or null)?, not a text$")
_FIELD = re.compile(r"(unknown|required) field `(.*?)`?$", re.DOTALL)
_LOOSE = msgspec.json.Decoder(float_hook=float)
"""A decoder that reads a number out of range as infinite, so that the error names the field."""
_TOKEN = re.compile(r"\.([^.\[\]]+)|\[([^\]]+)\]")


def decode(raw: bytes, shape: type[T]) -> T:
    """Return JSON decoded into a struct type, after all checks of this module.

    Raises Malformed if it is not JSON, InvalidInput naming the wrong field.
    """
    try:
        found = msgspec.json.decode(raw, type=shape)
    except msgspec.ValidationError as error:
        raise _invalid(error, shape, _loosely(raw)) from error
    except _NOT_JSON as error:
        raise _malformed(error, raw) from error
    # Finding single bytes, with which every match begins, is ten times as fast as the expression.
    if (b"\\" in raw or b"\x7f" in raw or b"\xc2" in raw) and _MAY_HOLD_CONTROLS.search(raw):
        _check_controls(_loosely(raw))
    check(found, shape)
    refuse_repeated_names(raw)
    return found


def decode_patch(raw: bytes) -> object:
    """Return a merge patch, which is JSON of any shape. Raises Malformed; InvalidInput for a repeated name."""
    found = _of_any_shape(raw)
    _refuse_repeated_names(raw, found)
    return found


def refuse_repeated_names(raw: bytes) -> None:
    """Raise InvalidInput naming a field that an object gives twice: decoders keep only the last value.

    Raises Malformed if `raw` is not JSON, which a decoder does not notice in the values of fields that it skips.
    """
    _refuse_repeated_names(raw, _of_any_shape(raw))


def _of_any_shape(raw: bytes) -> object:
    try:
        return _LOOSE.decode(raw)
    except msgspec.ValidationError as error:
        raise Malformed("a number in the body has too many digits") from error
    except _NOT_JSON as error:
        raise _malformed(error, raw) from error


def _refuse_repeated_names(raw: bytes, found: object) -> None:
    try:
        # Nearly always as many colons are left: nothing is repeated. An escaped colon could stand in for a lost one.
        if b"\\u003" not in raw and msgspec.json.encode(found).count(b":") == raw.count(b":"):
            return
        whole = json.loads(raw, object_pairs_hook=_marked, parse_int=str, parse_float=str)
    except RecursionError as error:
        raise too_deep() from error
    waiting: list[tuple[str, object]] = [("", whole)]
    while waiting:
        place, value = waiting.pop()
        if value is _TWICE:
            raise InvalidInput("is given twice", _at(place))
        if isinstance(value, dict):
            waiting += [(f"{place}.{name[:_LONGEST]}", one) for name, one in reversed(value.items())]
        elif isinstance(value, list):
            waiting += [(f"{place}[{number}]", one) for number, one in reversed([*enumerate(value)])]


_TWICE = object()
"""The value of a field that its object gives twice."""


def _marked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        found |= {name: _TWICE for name, count in counts.items() if count > 1}
    return found


_NOT_JSON = (RecursionError, msgspec.DecodeError, UnicodeDecodeError)
"""What invalid JSON raises. A ValidationError is a DecodeError too, and is caught before."""


def _malformed(error: Exception, raw: bytes) -> Malformed:
    """Return the error of a body that is not JSON. Raises InvalidInput if one of its texts is no Unicode."""
    if not raw.strip():
        return Malformed("the body is empty")
    if b"\\ud" in raw.lower():  # half of a pair, which msgspec reports as a body that breaks off
        with suppress(ValueError, RecursionError):
            _refuse_controls(json.loads(raw), "")
    try:
        raw.decode()
    except UnicodeDecodeError as wrong:
        return Malformed(f"the body is not UTF-8 (byte {wrong.start})")
    return too_deep() if isinstance(error, RecursionError) else Malformed(f"the body is not JSON: {error}")


def convert(given: object, shape: type[T], *, strict: bool = True) -> T:
    """Return builtins converted into a struct type; without `strict`, texts are read as numbers and dates.

    Raises InvalidInput naming the wrong field, Malformed if the data are nested too deeply.
    """
    if not strict:
        _check_times(given, shape, "")
    try:
        found = msgspec.convert(given, shape, strict=strict)
    except msgspec.ValidationError as error:
        raise _invalid(error, shape, given, strict=strict) from error
    except RecursionError as error:
        raise too_deep() from error
    _check_controls(given)
    check(found, shape)
    return found


def faults(given: object, shape: Any, *, strict: bool = True) -> list[InvalidInput]:
    """Return all faults of builtins for a struct type, by field; empty if there are none.

    `strict`: as in `convert`. Checks of a whole object are made only if its fields are valid. Raises Malformed if the
    data are nested too deeply.
    """
    try:
        convert(given, shape, strict=strict)
    except InvalidInput as first:
        try:
            return [*_faults(given, shape, "", strict=strict)] or [first]
        except RecursionError as error:  # since Python 3.12 msgspec goes deeper than Python's own calls can
            raise too_deep() from error
    return []


def _faults(given: object, shape: Any, place: str, *, strict: bool) -> Iterator[InvalidInput]:
    found = False
    for inner in _parts_with_faults(given, shape, place, strict=strict):
        found = True
        yield inner
    if not found:
        try:
            convert(given, shape, strict=strict)
        except InvalidInput as error:
            inside = error.field or ""
            joined = f"{place}{inside}" if inside.startswith("[") else f"{place}.{inside}" if inside else place
            yield InvalidInput(error.detail, _at(joined))


def _parts_with_faults(given: object, shape: Any, place: str, *, strict: bool) -> Iterator[InvalidInput]:
    """Yield the faults in the fields of an object, or in the items of a list."""
    for one in _members(shape):
        if isinstance(given, dict) and isinstance(one, type) and issubclass(one, msgspec.Struct):
            inner = dict(_fields(one))
            known = f"; there are: {', '.join(inner)}"
            for name in given:
                if name not in inner:
                    yield InvalidInput(f"{UNKNOWN}{known}", _at(f"{place}.{str(name)[:_LONGEST]}"))
                    known = ""  # reported already
            for field in msgspec.structs.fields(one):
                name = field.encode_name
                if name in given:
                    yield from _faults(given[name], inner[name], f"{place}.{name}", strict=strict)
                elif field.required:
                    yield InvalidInput(MISSING, _at(f"{place}.{name}"))
        elif isinstance(given, list) and get_origin(one) is list:
            for i, item in enumerate(given):
                yield from _faults(item, get_args(one)[0], f"{place}[{i}]", strict=strict)


def check(found: object, shape: Any) -> None:
    """Reject dates with a year out of range, and localized texts without a visible character, at any depth.

    `shape`: the type of `found`. Raises InvalidInput naming the field, Malformed if the value is nested too deeply.
    """
    if not _is_checked(shape):
        return
    try:
        _check_values(found, "")
    except RecursionError as error:
        raise too_deep() from error


def too_deep() -> Malformed:
    """Return the error of data that are nested too deeply."""
    return Malformed("lists and objects are nested too deep")


# --- control characters ----------------------------------------------------------------------------------------------

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_MAY_HOLD_CONTROLS = re.compile(rb"\\u00[0189]|\\u007[fF]|\\[bf]|\x7f|\xc2[\x80-\x9f]")
"""Matches JSON that may hold a control character: escaped, or not escaped if it is DEL or one of those after it."""


def _check_controls(given: object) -> None:
    """Reject texts and keys with control characters other than tabs and line ends, at any depth.

    Raises InvalidInput naming the field, Malformed if the value is nested too deeply.
    """
    try:
        _refuse_controls(given, "")
    except RecursionError as error:
        raise too_deep() from error


def _refuse_controls(given: object, place: str) -> None:
    if isinstance(given, str):
        if found := _CONTROL.search(given):
            if "\ud800" <= found[0] <= "\udfff":
                raise InvalidInput(f"holds the unpaired surrogate U+{ord(found[0]):04X}", _at(place))
            raise InvalidInput(f"holds the control character U+{ord(found[0]):04X}", _at(place))
    elif isinstance(given, Mapping):
        for key, value in given.items():
            name = str(key)
            if _CONTROL.search(name):
                raise InvalidInput("holds a name with a control character", _at(place))
            _refuse_controls(value, f"{place}.{name}")
    elif isinstance(given, list | tuple):
        for i, item in enumerate(given):
            _refuse_controls(item, f"{place}[{i}]")


# --- dates and texts -------------------------------------------------------------------------------------------------


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


def _check_values(value: object, place: str) -> None:
    if isinstance(value, LocalizedText):
        if value.shows_nothing:
            raise InvalidInput(
                "shows nothing: neither its Thai nor its English text has a visible character", _at(place)
            )
    elif isinstance(value, msgspec.Struct):
        _look_at_fields(value, place)
    elif isinstance(value, list):
        for i, item in enumerate(value):
            _check_values(item, f"{place}[{i}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_values(item, f"{place}.{key}")
    elif isinstance(value, date):
        _look_at_year(value.year, place)


def _look_at_fields(value: msgspec.Struct, place: str) -> None:
    for name, encoded in _checked_fields(type(value)):
        inner = getattr(value, name)
        # Most are absent, or a date in range: their place is not put together.
        if inner is not None and not (isinstance(inner, date) and FIRST_YEAR <= inner.year <= LAST_YEAR):
            _check_values(inner, f"{place}.{encoded}")


def _look_at_year(year: int, place: str) -> None:
    if FIRST_YEAR <= year <= LAST_YEAR:
        return
    meant = year - _BUDDHIST
    if FIRST_YEAR <= meant <= LAST_YEAR:
        raise InvalidInput(f"{year} looks like a Buddhist year; is {meant} meant?", _at(place))
    raise InvalidInput(f"the year is to lie between {FIRST_YEAR} and {LAST_YEAR}", _at(place))


def _check_times(given: object, shape: Any, place: str) -> None:
    """Reject a text that does not begin with a date if a time is expected.

    A bare number would count as seconds since 1970. Raises InvalidInput naming the field.
    """
    for one in _members(shape):
        if one is datetime and isinstance(given, str) and not _DATE.match(given):
            raise InvalidInput(_TIME, _at(place))
        if one is datetime and isinstance(given, str) and _LOST_PLUS.search(given):
            raise InvalidInput("has a space for the `+` of its zone; in an address, write `+` as `%2B`", _at(place))
        if isinstance(given, dict) and isinstance(one, type) and issubclass(one, msgspec.Struct):
            for name, inner in _fields(one):
                if name in given:
                    _check_times(given[name], inner, f"{place}.{name}")


def _at(place: str) -> str | None:
    """Return the dotted name of a field, None for the whole value. A key may be empty."""
    return place.removeprefix(".") if place else None


# --- what another version has written --------------------------------------------------------------------------------


def stored(given: Any, shape: type[T]) -> T:
    """Return a decoded document or event (builtins) of any version as a struct. Raises msgspec.ValidationError.

    Fields that only another version knows are ignored. In requests they are rejected, so that clients notice mistakes.
    """
    try:
        return msgspec.convert(given, shape)
    except msgspec.ValidationError:
        return msgspec.convert(_known(given, shape), shape)


def _known(given: Any, shape: Any) -> Any:
    """Return builtins without the fields that a shape does not have, at any depth."""
    for one in _members(shape):
        if isinstance(given, dict) and isinstance(one, type) and issubclass(one, msgspec.Struct):
            return {name: _known(given[name], inner) for name, inner in _fields(one) if name in given}
        if isinstance(given, list) and isinstance(one, type) and issubclass(one, msgspec.Struct):  # a row, in its order
            return [_known(item, inner) for item, (_, inner) in zip(given, _fields(one), strict=False)]
        if isinstance(given, list) and get_origin(one) is list:
            return [_known(item, get_args(one)[0]) for item in given]
        if isinstance(given, dict) and get_origin(one) is dict:
            return {name: _known(item, get_args(one)[1]) for name, item in given.items()}
    return given


@lru_cache(maxsize=256)
def _fields(shape: type[msgspec.Struct]) -> list[tuple[str, Any]]:
    """Return the fields of a shape as they are encoded, each with its type."""
    hints = get_type_hints(shape, include_extras=True)
    names = zip(shape.__struct_fields__, shape.__struct_encode_fields__, strict=True)
    return [(encoded, hints[name]) for name, encoded in names]


# --- naming the field ------------------------------------------------------------------------------------------------


def _invalid(error: msgspec.ValidationError, shape: Any, given: object, *, strict: bool = True) -> InvalidInput:
    """Return the error that names the field. Not `strict`: every value is a text, so no message says `not a text`."""
    match = _PLACE.match(str(error))
    if match is None:
        return InvalidInput(str(error)[:_LONGEST])
    text, place, found = plainly(match["text"])[:_LONGEST], "", shape
    if not strict:
        text = _NOT_A_TEXT.sub("", text)
    for name, index in _TOKEN.findall(match["place"] or ""):
        step = name or index
        if index == "...":
            step = _wrong_key(found, given)
        place += f"[{index}]" if index.isdigit() else f".{step}"
        found, given = _inside(found, given, step)
    if match["key"]:
        place = f"{place}.{_wrong_key(found, given)}"
    if named := _FIELD.search(match["text"]):
        place = f"{place}.{named[2][:_LONGEST]}"
        fields = [name for one in _members(found) for name in getattr(one, "__struct_encode_fields__", ())]
        if named[1] == "unknown" and fields:
            text = f"{text}; there are: {', '.join(fields)}"
    elif allowed := [str(value) for one in _members(found) if get_origin(one) is Literal for value in get_args(one)]:
        text = f"{NOT_ALLOWED}; allowed: {', '.join(allowed)}"
    return InvalidInput(text, _at(place))


def _loosely(raw: bytes) -> object:
    try:
        return _LOOSE.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # wrong further on, too
        return None


def _members(shape: Any) -> Iterator[Any]:
    """Yield the members of a union, without their annotations."""
    if get_origin(shape) is Annotated:
        yield from _members(get_args(shape)[0])
    elif get_origin(shape) in (Union, UnionType):
        for one in get_args(shape):
            yield from _members(one)
    else:
        yield shape


def _inside(shape: Any, given: Any, step: str) -> tuple[Any, Any]:
    """Return the shape and the value one step further in: a field, a key or a position in a list."""
    if isinstance(given, list):
        given = given[int(step)] if step.isdigit() and int(step) < len(given) else None
    else:
        given = given.get(step) if isinstance(given, Mapping) else None
    for one in _members(shape):
        if isinstance(one, type) and issubclass(one, msgspec.Struct):
            names = dict(zip(one.__struct_encode_fields__, one.__struct_fields__, strict=True))
            if step in names:
                return get_type_hints(one, include_extras=True)[names[step]], given
        elif get_origin(one) is list:
            return get_args(one)[0], given
        elif get_origin(one) is dict:
            return get_args(one)[1], given
    return Any, given


def _wrong_key(shape: Any, given: Any) -> str:
    """Return the first key of a mapping that is invalid or has an invalid value."""
    for one in _members(shape):
        if get_origin(one) is dict and isinstance(given, Mapping):
            for key, value in given.items():
                try:
                    msgspec.convert({key: value}, one)
                except msgspec.ValidationError:
                    return str(key)[:_LONGEST]
    return "..."
