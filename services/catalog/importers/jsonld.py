"""Reads courses from JSON: schema.org JSON-LD, alone or inside HTML, or plain objects (`objects` reads these). Pure.

The document may be an object, a list, a `@graph`, an `ItemList`, an object with a list under a usual name, or lines of
objects. It is split into its nodes while it arrives, so it may have any length.

A `@context` is never fetched: names are read as those of schema.org, with or without its address or prefix. A course
may refer by `@id` to a node that is no course, such as its provider. If that node comes later, the course waits for it;
up to a thousand courses wait.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import msgspec

from services.catalog.importers import objects
from services.catalog.importers.durations import duration_of
from services.catalog.importers.facts import Fact, course_row
from services.catalog.importers.tables import Options
from services.catalog.importers.totals import totals_row
from shared.decoding import refuse_repeated_names
from shared.domain import Course
from shared.errors import InvalidInput, Malformed, TooLarge, Warned
from shared.imports.rows import ROW_LIMIT, Row, beginning, refused

_HTML_LIMIT = 16 * 1024 * 1024
_PIECE = 64 * 1024
_NODES = 10_000
_HELD = 1000
_DEPTH = 10
"""The most objects around a course, such as a page, an organisation or a list."""
_NESTED = 1000
"""The most lists and objects inside each other, because no decoder reads more. A course with more is refused alone; if
it is too large as well, the rest of the document is not read."""
_LOOKS = 20
"""The most times that an incomplete object is decoded; lists that begin later belong to the object."""

_STRUCTURE = re.compile(rb'["{}\[\]\\]')
_UNWRAPPED = re.compile(rb"^\s*(?://)?\s*(?:<!\[CDATA\[|<!--)|(?://)?\s*(?:\]\]>|-->)\s*$")
"""What hides a script from programs that do not know scripts."""

_DIVIDERS = b" \t\r\n,;\x1e"
"""What may be between the objects of a list, or between lines of objects."""

_STRING_END = re.compile(rb'["\\]')
_LISTS = re.compile(
    rf'"(?:@graph|itemListElement|schema:itemListElement|{"|".join(objects.LISTS)}|({"|".join(objects.VAGUE_LISTS)}))"'
    r"\s*:\s*$".encode()
)
"""A name before a list of courses; the group matches a name that a single course may use for its lessons."""

_HAS_DIGIT = re.compile(r"\d")
_PREFIX = re.compile(r"^(?:https?://schema\.org/|schema:|sdo:)")
_COURSES = frozenset({"Course", "EducationalOccupationalProgram", "LearningResource"})
_HOLDERS = (
    "item", "itemListElement", "mainEntity", "hasPart", "hasOfferCatalog", "makesOffer", "itemOffered",
    "hasCourse", *objects.LISTS, *objects.VAGUE_LISTS, *objects.WRAPPERS,
)  # fmt: skip
"""The properties by which a node that is no course holds courses."""

_REFERENCES = ("provider", "publisher", "creator", "hasCourseInstance")


class JsonLdReader:
    """Reads courses from JSON that arrives in pieces. The row number of the first course is 1."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._splitter = _Splitter()
        self._number = 0
        self._nodes: dict[str, Mapping[str, Any]] = {}
        self._held: list[tuple[int, dict[str, Any]]] = []
        """Courses that name nodes that have not come yet."""
        self._html: bytearray | None = None
        self._begun = False
        self._others = 0
        """The objects that are no course, and have no property that may hold courses."""

    def feed(self, piece: bytes) -> Iterator[Row[Course] | None]:
        """Yield the rows that end in the next bytes of the document.

        Raises TooLarge for a page of HTML over 16 MiB; Malformed if a course is too large and nested too deeply.
        """
        if not self._begun:
            piece = piece.removeprefix(b"\xef\xbb\xbf").lstrip()
            if not piece:
                return
            self._begun = True
            if piece[:1] not in b"{[":
                self._html = bytearray()
        if self._html is None:
            yield from self._rows(self._splitter.feed(piece))
            return
        self._html += piece
        if len(self._html) > _HTML_LIMIT:
            raise TooLarge(f"a page that holds JSON-LD may hold {_HTML_LIMIT} bytes")

    def end(self) -> Iterator[Row[Course] | None]:
        """Yield the remaining rows.

        Raises Malformed as `feed` does, for a page of HTML without JSON-LD, and for JSON of which no object is a course.
        """
        if self._html is None:
            yield from self._rows(self._splitter.end())
            yield from self._kept_back()
            self._refuse_other_objects()
            return
        found = False
        for script in _scripts(bytes(self._html)):
            found = True
            splitter = _Splitter()
            yield from self._rows(splitter.feed(script.strip()))
            yield from self._rows(splitter.end())
        if not found:
            raise Malformed("this is neither JSON-LD nor a page that holds some")
        yield from self._kept_back()
        self._refuse_other_objects()

    def _refuse_other_objects(self) -> None:
        if self._others and not self._number:
            raise Malformed("no object in the JSON is a course: none has the type Course or a field with a title")

    def _kept_back(self) -> Iterator[Row[Course] | None]:
        for number, node in self._held:
            yield self._row(number, node)
        self._held.clear()

    def _rows(self, parts: Iterator[bytes | Malformed | TooLarge]) -> Iterator[Row[Course] | None]:
        try:
            for part in parts:
                yield from self._of_part(part)
        except _TooDeep as error:
            yield from self._kept_back()
            raise Malformed(
                f"lists and objects are nested more than {_NESTED} deep in row {self._number + 1}, "
                f"at byte {error.byte} of the JSON; the rest is not read"
            ) from error

    def _of_part(self, part: bytes | Malformed | TooLarge) -> Iterator[Row[Course] | None]:
        if isinstance(part, Malformed | TooLarge):
            self._number += 1
            yield refused(self._number, part)
            return
        try:
            found = msgspec.json.decode(part)
            refuse_repeated_names(part)
        except (InvalidInput, Malformed) as problem:
            self._number += 1
            yield refused(self._number, problem, part[:2000].decode(errors="replace"))
            return
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self._number += 1
            yield refused(self._number, Malformed(f"is not JSON: {error}"), part[:2000].decode(errors="replace"))
            return
        for node in found if isinstance(found, list) else [found]:
            yield from self._of_node(node)

    def _of_node(self, node: object) -> Iterator[Row[Course] | None]:
        """Yield the row of a course, or of each course that a page or an organisation holds."""
        waiting, depth = [node], 0
        while waiting and depth < _DEPTH:
            depth += 1
            inner: list[object] = []
            for one in waiting:
                if not isinstance(one, dict):
                    continue
                short = _short(one)
                if _types(short) & _COURSES or _is_plain(short):
                    self._number += 1
                    if self._waits(short):
                        self._held.append((self._number, short))
                    else:
                        yield self._row(self._number, short)
                    continue
                self._others += short.keys().isdisjoint(_HOLDERS) and not _by_code(short)
                if isinstance(name := short.get("@id"), str) and len(self._nodes) < _NODES:
                    self._nodes[name] = short
                if "BreadcrumbList" not in _types(short):
                    inner += [part for name in _HOLDERS for part in _held_in(name, short.get(name))]
                    inner += _by_code(short)
            waiting = inner
        yield None

    def _waits(self, node: Mapping[str, Any]) -> bool:
        """Return whether a course names a node that has not come yet."""
        references = [one for name in _REFERENCES for one in _many(node.get(name)) if isinstance(one, dict)]
        return len(self._held) < _HELD and any(
            _is_reference(one) and str(one["@id"]) not in self._nodes for one in references
        )

    def _row(self, number: int, node: dict[str, Any]) -> Row[Course]:
        try:
            stated, warnings = _Facts(node, self._nodes).stated()
            if _is_plain(node):
                stated = objects.stated_of(node) | stated
        except RecursionError:
            return refused(number, Malformed("objects are nested too deep"))
        if row := totals_row(number, stated):
            return row
        row = course_row(number, stated, self._options.defaults)
        row.warnings = [*warnings, *row.warnings]
        return row


def _scripts(page: bytes) -> Iterator[bytes]:
    """Yield the JSON-LD scripts of a page of HTML, in time that is linear also with scripts that do not end."""
    lower = page.lower()
    place = 0
    while (start := lower.find(b"<script", place)) >= 0:
        begin = lower.find(b">", start) + 1
        end = lower.find(b"</script", begin)
        if not begin or end < 0:
            return
        if b"ld+json" in lower[start:begin]:
            yield _UNWRAPPED.sub(b"", page[begin:end])
        place = end + 1


class _TooDeep(Exception):
    """Raised for an item that is too large and nested too deeply; `byte`, from 1, is where it becomes too deep."""

    def __init__(self, byte: int) -> None:
        super().__init__()
        self.byte = byte


class _Splitter:
    """Splits JSON that arrives in pieces into items: objects that are in a list of courses, or stand alone.

    Raises _TooDeep if an item is both nested too deeply and too large, because it may never end.
    """

    def __init__(self) -> None:
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
        self._list_depth = 1
        self._list_begins: int | None = None
        """The byte of the item at which a list begins that holds courses, unless the object around it is a course."""
        self._looks = 0

    def _start_item(self) -> None:
        """Begin a new item, and forget the one before."""
        self._item.clear()
        self._over, self._deep, self._list_begins, self._looks = False, None, None, 0

    def feed(self, piece: bytes) -> Iterator[bytes | Malformed | TooLarge]:
        for at in range(0, len(piece), _PIECE):
            part = piece[at : at + _PIECE]
            if self._list_begins is not None and len(self._item) + len(part) > ROW_LIMIT:
                yield from self._open_list(self._list_begins)
            yield from self._feed(part)

    def _open_list(self, begin: int) -> Iterator[bytes | Malformed | TooLarge]:
        """Split the list that begins at a byte of the item into items, because the object is too long for one course."""
        inside = bytes(self._item[begin:]) + self._left
        self._start_item()
        self._before -= len(inside) - len(self._left)
        self._left, self._in_string = b"", False
        self._stack, self._base = bytearray(b"{" * self._list_depth + b"["), self._list_depth + 1
        self._is_listed = True
        yield from self._feed(inside)

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
                if self._deep is None and len(self._stack) >= _NESTED:
                    self._deep = self._before + place
                if sign == b"[" and self._deep is None and self._opens_list(data, start, place):
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
                if len(self._stack) < self._base:
                    # beyond a list in an object comes the rest of that object
                    self._base, self._is_listed = len(self._stack) + 1 if self._stack else 0, not self._stack
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
        return not self._base or self._stack[self._base - 1 : self._base] == b"["

    def _opens_list(self, data: bytes, start: int, end: int) -> bool:
        """Return whether the bracket before `end` opens a list of courses. `data[start:end]` is not in the item yet.

        A list that may hold the lessons of a course stays in the item, because only the end of the object shows which
        of both it is.
        """
        if not self._stack:
            return True
        if b"[" in self._stack:
            return False
        before = end - 1  # without the bracket
        found = _LISTS.search(bytes(self._item[-200:]) + data[max(start, before - 200) : before])
        if found is None or self._is_of_course(data[start:before]):
            return False
        may_be_inside = bool(found[1]) or len(self._stack) > 1
        if may_be_inside and self._list_begins is None:
            self._list_begins = len(self._item) + end - start
            self._list_depth = len(self._stack)
        return not may_be_inside

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
        return isinstance(node, dict) and objects.is_studied(_short(node))

    def _keep(self, part: bytes) -> None:
        if self._over or len(self._item) + len(part) > ROW_LIMIT:
            if self._deep is not None:
                raise _TooDeep(self._deep)
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
        elif not is_object:
            part = Malformed(f"{_shown(bytes(self._item).decode(errors='replace'))} is a list, so it is no course")
        self._start_item()
        yield part


def _shown(value: object) -> str:
    """Return the first characters of a value of JSON, in which API keys and passwords are masked."""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return repr(beginning(text) or "")


# --- what a node states ----------------------------------------------------------------------------------------------


def _short(node: Mapping[str, Any]) -> dict[str, Any]:
    return {_PREFIX.sub("", str(name)): value for name, value in node.items()}


def _types(node: Mapping[str, Any]) -> set[str]:
    return {_PREFIX.sub("", str(one)) for one in _many(node.get("@type", ""))}


def _is_plain(node: Mapping[str, Any]) -> bool:
    """Return whether a node without a type describes a course."""
    return _types(node) <= {""} and objects.is_course(node) and not objects.is_list(node)


def _held_in(name: str, value: Any) -> list[Any]:
    """Return the nodes in a property: the items of a list, or an object and the objects that it holds by id."""
    if name in objects.LISTS and isinstance(value, dict) and all(isinstance(one, dict) for one in value.values()):
        return [value] if _by_code(value) else [value, *value.values()]
    return _many(value)


def _by_code(node: Mapping[str, Any]) -> list[Any]:
    """Return the courses of an object that holds nothing else, by their codes: `{"CS1": {…}, "CS2": {…}}`.

    Every code holds a digit. A course without an id and a code gets the one under which it stands, unless these only
    count the courses.
    """
    courses = [_short(one) for one in node.values() if isinstance(one, dict)]
    if len(courses) < len(node) or not all(map(_HAS_DIGIT.search, node)) or not all(map(_is_plain, courses)):
        return []
    if [*node] in ([*map(str, range(len(node)))], [*map(str, range(1, len(node) + 1))]):
        return courses
    return [one if objects.is_named(one) else one | {"code": code} for code, one in zip(node, courses, strict=True)]


def _is_reference(node: Mapping[str, Any]) -> bool:
    """Return whether a node is only a reference to another one: it has an `@id`, and at most a type."""
    return "@id" in node and set(node) <= {"@id", "@type"}


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


class _Facts:
    """Reads the facts of one node."""

    def __init__(self, node: dict[str, Any], nodes: Mapping[str, Mapping[str, Any]]) -> None:
        self._node = node
        self._nodes = nodes
        self._facts: dict[str, Fact] = {}
        self._warnings: list[Warned] = []

    def stated(self) -> tuple[dict[str, Fact], list[Warned]]:
        node = self._node
        for fact, name in (("title", "name"), ("description", "description")):
            self._in_languages(fact, node.get(name))
        provider = next((node[name] for name in ("provider", "publisher", "creator") if node.get(name)), None)
        named = [self._name(one) for one in _many(provider)]
        if any(named):
            self._facts["provider"] = next(name for name in named if name)
        elif isinstance(provider, dict | list):
            for one in _many(provider):
                self._in_languages("provider", self._known(one).get("name"))
        address = next(
            (
                one
                for name in ("url", "@id", "sameAs")
                for given in _many(node.get(name))
                if _is_url(one := given.get("@id", given.get("@value")) if isinstance(given, dict) else given)
            ),
            None,
        )
        if address:
            self._facts["url"] = address
        for fact, name in (("id", "identifier"), ("code", "courseCode"), ("level", "educationalLevel")):
            if texts := [text for one in _many(node.get(name)) if (text := self._name(one))]:
                self._facts[fact] = texts[0] if fact != "level" else ", ".join(texts)
        if languages := [text for one in _many(node.get("inLanguage")) if (text := self._language(one))]:
            self._facts["languages"] = languages
        tags = [
            text
            for name in ("teaches", "about", "keywords")
            for one in _many(node.get(name))
            for text in self._tags(one)
        ]
        if tags:
            self._facts["tags"] = tags
        self._instances()
        self._prerequisites()
        for name in ("hasPart", "hasCourse"):
            parts = [one for one in map(self._known, _many(node.get(name))) if _types(one) & _COURSES]
            if parts:
                first = self._name(parts[0])
                detail = f"courses that are parts of this one are left out: {len(parts)}, such as {first!r}"
                self._warnings.append(Warned(name, detail))
        rating = self._known(node.get("aggregateRating"))
        if rating:
            self._facts["rating"] = str(rating.get("ratingValue", ""))
            self._facts["rating_count"] = str(rating.get("ratingCount", rating.get("reviewCount", "")))
        return self._facts, self._warnings

    def _known(self, value: Any) -> dict[str, Any]:
        """Return a node; for a reference, the node that it names; empty for other values."""
        if isinstance(value, str):
            value = {"@id": value}
        if not isinstance(value, dict):
            return {}
        node = _short(value)
        if _is_reference(node):
            return dict(self._nodes.get(str(node["@id"]), {}))
        return node

    def _name(self, value: Any) -> str:
        if isinstance(value, dict) and "@value" not in value:
            node = self._known(value)
            value = next((node[key] for key in ("name", "value", "termCode", "targetName") if node.get(key)), "")
        if isinstance(value, dict):
            value = value.get("@value", "")
        if isinstance(value, list):
            value = value[0] if value else ""
        return str(value) if isinstance(value, str | int | float) else ""

    def _language(self, value: Any) -> str:
        if isinstance(value, dict):
            return str(_short(value).get("alternateName") or self._name(value))
        return self._name(value)

    def _tags(self, value: Any) -> list[str]:
        return [text] if (text := self._name(value)) else []

    def _in_languages(self, fact: str, value: Any) -> None:
        for one in _many(value):
            if isinstance(one, str):
                self._facts.setdefault(fact, one)
            elif isinstance(one, dict) and "@value" in one:
                language = str(one.get("@language", "")).lower()[:2]
                place = f"{fact}_{language}" if language in ("th", "en") else fact
                self._facts.setdefault(place, str(one["@value"]))
            elif isinstance(one, dict):
                for language in ("th", "en"):
                    if texts := [text for text in _many(one.get(language)) if isinstance(text, str)]:
                        self._facts.setdefault(f"{fact}_{language}", "\n".join(texts))

    def _instances(self) -> None:
        """Read modality, duration and dates from the first course instance that states them."""
        occasions = [self._known(one) for one in _many(self._node.get("hasCourseInstance"))]
        times = [self._name(self._node.get(name)) for name in ("timeRequired", "timeToComplete")]
        for one in occasions:
            times.append(self._name(one.get("courseWorkload")))
            for schedule in map(self._known, _many(one.get("courseSchedule"))):
                times += [_times(self._name(schedule.get("duration")), self._name(schedule.get("repeatCount")))]
        if found := [text for text in times if text]:
            read = [(text, duration) for text in found if (duration := duration_of(text))]
            certain = [text for text, duration in read if not duration.assumed]
            self._facts["duration"] = [*certain, *(text for text, _ in read), *found][0]
        modes = [self._name(mode) for one in [self._node, *occasions] for mode in _many(one.get("courseMode"))]
        if any(modes):
            self._facts["modality"] = ", ".join(mode for mode in modes if mode)
        if len(occasions) == 1:
            for fact, name in (("starts", "startDate"), ("ends", "endDate")):
                if text := self._name(occasions[0].get(name)):
                    self._facts[fact] = text

    def _prerequisites(self) -> None:
        words: list[str] = []
        for one in _many(self._node.get("coursePrerequisites")):
            node = self._known(one) if isinstance(one, dict) else {}
            if "Course" in _types(node) and node.get("courseCode"):
                words.append(str(node["courseCode"]))
            elif text := self._name(one) or str(node.get("url") or (isinstance(one, dict) and one.get("@id")) or ""):
                words.append(text)
        if words:
            self._facts["prerequisites"] = "; ".join(words)


def _is_url(value: object) -> bool:
    return isinstance(value, str) and bool(re.match(r"https?://", value))


def _times(duration: str, count: str) -> str:
    """Return a repeated duration, in hours."""
    each = duration_of(duration) if duration else None
    if each and re.fullmatch(r"\d{1,4}", count):
        return f"{each.hours * int(count):g} hours"
    return duration
