"""Decodes the data of clients into structs: every error names its field, and the values are checked (`value_checks`).

decode(raw, Course)              JSON; Malformed if it is not JSON, InvalidInput naming the field
convert(given, ListCourses)      data that are decoded already, such as a query
faults(given, Course)            every fault of decoded data, each naming its field
decode_patch(raw)                JSON of any shape, a merge patch (`shared.merge_patch`)
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from shared.decoder_messages import MISSING, NOT_ALLOWED, UNKNOWN, plainly
from shared.errors import InvalidInput, Malformed
from shared.value_checks import check_controls, check_values, field_at, may_hold_controls, refuse_controls, too_deep

T = TypeVar("T")

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
    if may_hold_controls(raw):
        check_controls(_loosely(raw))
    check_values(found, shape)
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
            raise InvalidInput("is given twice", field_at(place))
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
            refuse_controls(json.loads(raw), "")
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
    check_controls(given)
    check_values(found, shape)
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
            yield InvalidInput(error.detail, field_at(joined))


def _parts_with_faults(given: object, shape: Any, place: str, *, strict: bool) -> Iterator[InvalidInput]:
    """Yield the faults in the fields of an object, or in the items of a list."""
    for one in _members(shape):
        if isinstance(given, dict) and isinstance(one, type) and issubclass(one, msgspec.Struct):
            inner = dict(_fields(one))
            known = f"; there are: {', '.join(inner)}"
            for name in given:
                if name not in inner:
                    yield InvalidInput(f"{UNKNOWN}{known}", field_at(f"{place}.{str(name)[:_LONGEST]}"))
                    known = ""  # reported already
            for field in msgspec.structs.fields(one):
                name = field.encode_name
                if name in given:
                    yield from _faults(given[name], inner[name], f"{place}.{name}", strict=strict)
                elif field.required:
                    yield InvalidInput(MISSING, field_at(f"{place}.{name}"))
        elif isinstance(given, list) and get_origin(one) is list:
            for i, item in enumerate(given):
                yield from _faults(item, get_args(one)[0], f"{place}[{i}]", strict=strict)


def _check_times(given: object, shape: Any, place: str) -> None:
    """Reject a text that does not begin with a date if a time is expected.

    A bare number would count as seconds since 1970. Raises InvalidInput naming the field.
    """
    for one in _members(shape):
        if one is datetime and isinstance(given, str) and not _DATE.match(given):
            raise InvalidInput(_TIME, field_at(place))
        if one is datetime and isinstance(given, str) and _LOST_PLUS.search(given):
            raise InvalidInput(
                "has a space for the `+` of its zone; in an address, write `+` as `%2B`", field_at(place)
            )
        if isinstance(given, dict) and isinstance(one, type) and issubclass(one, msgspec.Struct):
            for name, inner in _fields(one):
                if name in given:
                    _check_times(given[name], inner, f"{place}.{name}")


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
    return InvalidInput(text, field_at(place))


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
