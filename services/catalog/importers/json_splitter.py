"""Splits JSON that arrives in pieces into the objects that may be courses, and says what else a list of them holds. Pure.

No document is decoded as a whole, so it may have any length; each object may have ROW_LIMIT bytes.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Literal

import msgspec

from services.catalog.importers import objects
from shared.decoding import refuse_repeated_names
from shared.errors import InvalidInput, Malformed, TooLarge
from shared.imports.rows import ROW_LIMIT, beginning

_PIECE = 64 * 1024
NESTED = 1000
"""The most lists and objects inside each other, because no decoder reads more. A course with more is refused alone; if
it is too large as well, the rest of the document is not read."""
_LOOKS = 20
"""The most times that an incomplete object is decoded; lists that begin later belong to the object."""

_STRUCTURE = re.compile(rb'["{}\[\]\\]')
_DIVIDERS = b" \t\r\n,;\x1e"
"""What may be between the objects of a list, or between lines of objects."""

_STRING_END = re.compile(rb'["\\]')
_LISTS = re.compile(
    rf'"(?:@graph|itemListElement|schema:itemListElement|{"|".join(objects.LISTS)}|({"|".join(objects.VAGUE_LISTS)}))"'
    r"\s*:\s*$".encode()
)
"""A name before a list of courses; the group matches a name that a single course may use for its lessons."""


class TooDeep(Exception):
    """Raised for an item that is too large and nested too deeply; `byte`, from 1, is where it becomes too deep."""

    def __init__(self, byte: int) -> None:
        super().__init__()
        self.byte = byte


class Splitter:
    """Splits JSON that arrives in pieces into items: objects that are in a list of courses, or stand alone.

    An object of courses by their codes that is too large for one item gives several lists of courses, also if it is the
    value of a name of a list of courses.

    Raises TooDeep if an item is both nested too deeply and too large, because it may never end.
    """

    def __init__(self, by_code: Callable[[Mapping[str, Any]], list[Any]]) -> None:
        """`by_code` returns the courses of an object that holds nothing but courses by their codes, else nothing."""
        self._by_code = by_code
        self._left = b""
        self._before = 0
        """The number of bytes of the JSON before those in `_left`."""
        self._stack = bytearray()
        """The brackets that are open."""
        self._base = 0
        """The depth of the list whose items are cut out."""
        self._is_listed = True
        """Whether each value at that depth is an item: not so in the rest of an object that held a list of courses."""
        self._item = bytearray()
        self._in_string = False
        self._over = False
        self._deep: int | None = None
        """The byte of the JSON at which the item becomes nested too deeply."""
        self._inner: tuple[int, bytes] | None = None
        """The byte of the item at which a list or an object begins that holds courses, unless the object around it is a
        course; and the brackets that are open there."""
        self._looks = 0
        self._ends = (0, 0)
        """The bytes of the item at which the last two objects end that are values of it, 0 without them."""
        self._divided: Literal["", "by code", "counted"] = ""
        """Whether courses were cut off the item, and whether they stand under codes or are only counted."""

    def _start_item(self) -> None:
        """Begin a new item, and forget the one before."""
        self._item.clear()
        self._over, self._deep, self._inner, self._looks = False, None, None, 0
        self._ends, self._divided = (0, 0), ""

    def feed(self, piece: bytes) -> Iterator[bytes | Malformed | TooLarge]:
        for at in range(0, len(piece), _PIECE):
            part = piece[at : at + _PIECE]
            if self._inner and self._inner[1].endswith(b"{") and self._is_too_long(part):
                yield from self._open(*self._inner)
            if self._ends[0] and self._deep is None and self._is_too_long(part):
                yield from self._divide()
            if self._inner and self._is_too_long(part):
                yield from self._open(*self._inner)
            yield from self._feed(part)

    def _is_too_long(self, part: bytes) -> bool:
        return len(self._item) + len(part) > ROW_LIMIT

    def _divide(self) -> Iterator[bytes]:
        """Cut off the courses of an object that holds them by their codes; leave another object as it is."""
        end = next((end for end in self._ends[::-1] if self._item[end:].lstrip().startswith(b",")), 0)
        whole = bytes(self._item[:end]) + b"}"
        node = _object(whole)
        if not node or not (self._divided or self._by_code(node)):
            return
        divided = self._divided or ("counted" if [*node] in objects.counts(len(node)) else "by code")
        rest = bytes(self._item[end:]).lstrip()[1:]
        yield _courses_in(whole, node, divided)
        self._start_item()
        self._item += b"{" + rest
        self._divided = divided

    def _note_end(self, sign: bytes, end: int) -> None:
        """Note the byte of the item at which a value of it ends, if the value and the item are objects."""
        if sign == b"}" and len(self._stack) == self._base + 1 and self._stack.endswith(b"{"):
            self._ends = (self._ends[1], end)

    def _open(self, begin: int, stack: bytes) -> Iterator[bytes | Malformed | TooLarge]:
        """Split what begins at a byte of the item into items, because the object around it is too long for one course.

        `stack`: the brackets that are open there.
        """
        inside = bytes(self._item[begin:]) + self._left
        self._start_item()
        self._before -= len(inside) - len(self._left)
        self._left, self._in_string = b"", False
        self._stack, self._base = bytearray(stack), len(stack)
        self._is_listed = True
        yield from self._feed(inside)

    def _go_beyond(self) -> None:
        """Go on with the rest of an object that held a list or an object of courses."""
        self._base, self._is_listed = len(self._stack) + 1 if self._stack else 0, not self._stack

    def _feed(self, piece: bytes) -> Iterator[bytes | Malformed | TooLarge]:
        data = self._left + piece
        self._left = b""
        start = place = 0
        while mark := (_STRING_END if self._in_string else _STRUCTURE).search(data, place):
            place = mark.end()
            sign = mark[0]
            if sign == b"\\":
                if place == len(data):  # the next piece has not come yet
                    self._keep(data[start : place - 1])
                    self._left = b"\\"
                    self._before += place - 1
                    return
                place += 1
            elif sign == b'"':
                self._in_string = not self._in_string
            elif sign in b"{[":
                if self._deep is None and len(self._stack) >= NESTED:
                    self._deep = self._before + place
                if self._deep is None and self._opens_list(data, start, place):
                    self._base, self._is_listed = len(self._stack) + 1, True
                    self._start_item()
                    start = place
                elif len(self._stack) == self._base:
                    yield from self._between(data[start : mark.start()])
                    start = mark.start()
                self._stack += sign
            elif self._stack:
                if len(self._stack) == self._base and sign == b"]":
                    yield from self._between(data[start : mark.start()])
                    start = mark.start()
                self._stack.pop()
                self._note_end(sign, len(self._item) + place - start)
                if len(self._stack) < self._base:
                    self._go_beyond()
                    self._start_item()
                    start = place
                elif len(self._stack) == self._base and self._is_in_list() and (sign == b"}" or self._is_listed):
                    self._keep(data[start:place])
                    yield from self._cut(is_object=sign == b"}")
                    start = place
        self._keep(data[start:])
        self._before += len(data)

    def end(self) -> Iterator[bytes | Malformed | TooLarge]:
        if self._stack or self._in_string:
            yield Malformed("the JSON breaks off")
        else:
            yield from self._between(b"")

    def _between(self, part: bytes) -> Iterator[Malformed]:
        """Yield what is wrong with each value between the objects of a list, or with a text between objects.

        `part`: the bytes between the item so far and the next object, or the end of the list. Begins a new item.
        """
        text, over = (bytes(self._item) + part).strip(_DIVIDERS), self._over
        self._start_item()
        if not self._is_listed:
            return
        if over:
            yield Malformed(f"over {ROW_LIMIT} bytes of the list are no objects")
        values: list[object] = [text.decode(errors="replace")] if text else []
        if self._base:
            with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                values = msgspec.json.decode(b"[" + text + b"]", type=list)
        for one in values:
            yield Malformed(f"{_shown(one)} is no object, so it is no course")

    def _is_in_list(self) -> bool:
        """Return whether an object at the depth of the items is an item; after a list, the rest of its object is not."""
        return self._is_listed or self._stack[self._base - 1 : self._base] == b"["

    def _opens_list(self, data: bytes, start: int, end: int) -> bool:
        """Return whether the bracket before `end` opens a list of courses. `data[start:end]` is not in the item yet.

        A list that may hold the lessons of a course stays in the item, because only the end of the object shows which
        of both it is. So does an object that may hold courses by their codes.
        """
        begin = end - 1
        is_list = data[begin:end] == b"["
        if not self._stack:
            return is_list
        if b"[" in self._stack:
            return False
        found = _LISTS.search(bytes(self._item[-200:]) + data[max(start, begin - 200) : begin])
        if found is None or self._is_of_course(data[start:begin]):
            return False
        is_vague = bool(found[1])
        if is_list and not is_vague and len(self._stack) == 1:
            return True
        if self._inner is None and is_list:
            self._inner = len(self._item) + end - start, bytes(self._stack) + b"["
        elif self._inner is None and not is_vague:
            self._inner = len(self._item) + begin - start, bytes(self._stack)
        return False

    def _is_of_course(self, part: bytes) -> bool:
        """Return whether a list holds the lessons of a course, because the object around it describes a course so far.

        `part`: the bytes between the item so far and the list.
        """
        self._looks += 1
        if self._looks > _LOOKS:
            return True
        try:
            node = msgspec.json.decode(bytes(self._item) + part + b"null" + b"}" * len(self._stack))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        for _ in self._stack[1:]:  # the object that holds the list is the last value of each one around it
            node = [*node.values()][-1] if isinstance(node, dict) else None
        return isinstance(node, dict) and objects.is_studied(objects.short_names(node))

    def _keep(self, part: bytes) -> None:
        if self._over or len(self._item) + len(part) > ROW_LIMIT:
            if self._deep is not None:
                raise TooDeep(self._deep)
            self._over = True
            self._item.clear()
        else:
            self._item += part

    def _cut(self, *, is_object: bool) -> Iterator[bytes | Malformed | TooLarge]:
        part: bytes | Malformed | TooLarge = bytes(self._item)
        if self._over:
            part = TooLarge(f"a course may hold {ROW_LIMIT} bytes")
        elif self._deep is not None:
            part = Malformed("lists and objects are nested too deep")
        elif self._divided and (node := _object(whole := bytes(self._item))) is not None:
            part = _courses_in(whole, node, self._divided)
        elif not is_object:
            part = Malformed(f"{_shown(bytes(self._item).decode(errors='replace'))} is a list, so it is no course")
        self._start_item()
        if self._stack.endswith(b"{"):
            self._go_beyond()
        yield part


def _object(raw: bytes) -> dict[str, Any] | None:
    """Return a JSON object, None for other bytes."""
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _courses_in(raw: bytes, node: Mapping[str, Any], divided: Literal["by code", "counted"]) -> bytes:
    """Return the courses of an object as a list; the object itself if a name in it is repeated, so that it is refused."""
    try:
        refuse_repeated_names(raw)
    except (InvalidInput, Malformed):
        return raw
    return msgspec.json.encode([*node.values()] if divided == "counted" else objects.coded(node))


def _shown(value: object) -> str:
    """Return the first characters of a value of JSON, in which API keys and passwords are masked."""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return repr(beginning(text) or "")
