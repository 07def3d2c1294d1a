"""Applies JSON merge patches (RFC 7396) to stored values."""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from shared.decoder_messages import MISSING
from shared.decoding import convert
from shared.errors import InvalidInput, TooLarge
from shared.value_checks import too_deep

T = TypeVar("T")


def patched(present: T, patch: object, most: int) -> T:
    """Return a value with a JSON merge patch (RFC 7396) applied: absent fields stay, null removes a field.

    Only the fields in the patch are checked again: an earlier version may have allowed the value of another one. Raises
    InvalidInput naming the field, TooLarge if the JSON of the result is over `most` bytes.
    """
    try:
        whole = _merged(msgspec.to_builtins(present), patch)
        length = len(msgspec.json.encode(whole))
    except RecursionError as error:
        raise too_deep() from error
    if length > most:
        raise TooLarge(f"with this patch it would hold {length} bytes; there may be {most}")
    try:
        return convert(whole, type(present))
    except InvalidInput as problem:
        name = re.split(r"[.\[]", problem.field or "")[0]
        if not isinstance(patch, dict) or name in patch:
            raise
        found: T = _with_fields_of(present, whole, patch, problem)
        return found


def _with_fields_of(present: Any, whole: Any, patch: Mapping[str, object], problem: InvalidInput) -> Any:
    """Return a struct in which only the fields of a patch are converted, from the merged builtins `whole`.

    Raises InvalidInput naming the field; `problem` if the fields do not fit together.
    """
    fields = [(one, one.encode_name in patch) for one in msgspec.structs.fields(type(present))]
    part = msgspec.defstruct(
        type(present).__name__,
        [(one.name, one.type if given else Any, msgspec.UNSET) for one, given in fields],
        rename={one.name: one.encode_name for one, _ in fields},
        forbid_unknown_fields=True,
    )
    found = convert({name: value for name, value in whole.items() if name in patch}, part)
    changes = {}
    for one, given in fields:
        if not given:
            continue
        value = getattr(found, one.name)
        if value is msgspec.UNSET and one.required:
            raise InvalidInput(MISSING, one.encode_name)
        default = one.default if one.default_factory is msgspec.NODEFAULT else one.default_factory()
        changes[one.name] = default if value is msgspec.UNSET else value
    try:
        return msgspec.structs.replace(present, **changes)
    except ValueError as error:
        raise problem from error


def _merged(present: object, patch: object) -> object:
    if not isinstance(patch, dict):
        return patch
    whole = dict(present) if isinstance(present, dict) else {}
    for name, value in patch.items():
        if value is None:
            whole.pop(name, None)
        else:
            whole[name] = _merged(whole.get(name), value)
    return whole
