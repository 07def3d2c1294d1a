"""Reads courses from JSON: schema.org JSON-LD, alone or inside HTML, or plain objects (`objects` reads these). Pure.

The document may be an object, a list, a `@graph`, an `ItemList`, an object with a list under a usual name, or lines of
objects. It is split into its nodes while it arrives, so it may have any length.

A `@context` is never fetched: names are read as those of schema.org, with or without its address or prefix. A course
may refer by `@id` to a node that is not a course, such as its provider. If that node comes later, the course waits for it;
up to a thousand courses wait.
"""

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from services.catalog.importers import objects
from services.catalog.importers.durations import duration_of
from services.catalog.importers.facts import Fact, course_row
from services.catalog.importers.json_splitter import NESTED, Splitter, TooDeep
from services.catalog.importers.tables import Options
from services.catalog.importers.totals import totals_row
from shared.decoding import refuse_repeated_names
from shared.domain import Course
from shared.errors import InvalidInput, Malformed, TooLarge, Warned
from shared.imports.rows import Row, refused

_HTML_LIMIT = 16 * 1024 * 1024
_NODES = 10_000
_HELD = 1000
_DEPTH = 10
"""The most objects around a course, such as a page, an organisation or a list."""
_UNWRAPPED = re.compile(rb"^\s*(?://)?\s*(?:<!\[CDATA\[|<!--)|(?://)?\s*(?:\]\]>|-->)\s*$")
"""What hides a script from programs that do not know scripts."""

_CONTROLS = re.compile(rb"[\x00-\x1f]")
_HAS_DIGIT = re.compile(r"\d")
_COURSES = frozenset({"course", "educationaloccupationalprogram", "learningresource"})
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
        self._splitter = Splitter(_by_code)
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

        Raises Malformed as `feed` does, for a page of HTML without JSON-LD, and for JSON in which no object is a course.
        """
        if self._html is None:
            yield from self._rows(self._splitter.end())
            yield from self._kept_back()
            self._refuse_other_objects()
            return
        found = False
        for script in _documents(bytes(self._html)):
            found = True
            splitter = Splitter(_by_code)
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
        except TooDeep as error:
            yield from self._kept_back()
            raise Malformed(
                f"lists and objects are nested more than {NESTED} deep in row {self._number + 1}, "
                f"at byte {error.byte} of the JSON; the rest is not read"
            ) from error

    def _of_part(self, part: bytes | Malformed | TooLarge) -> Iterator[Row[Course] | None]:
        if isinstance(part, Malformed | TooLarge):
            self._number += 1
            yield refused(self._number, part)
            return
        try:
            found = _decoded(part)
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
                short = objects.short_names(one)
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
                if "breadcrumblist" not in _types(short):
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


def _decoded(part: bytes) -> Any:
    """Return the value of a piece of JSON; a line end or a tab inside a text is read as a space.

    Raises msgspec.DecodeError, UnicodeDecodeError, InvalidInput for a name that is given twice, Malformed.
    """
    try:
        found = msgspec.json.decode(part)
    except msgspec.DecodeError:
        part = _CONTROLS.sub(b" ", part)
        found = msgspec.json.decode(part)
    refuse_repeated_names(part)
    return found


def _documents(page: bytes) -> Iterator[bytes]:
    """Yield the JSON of a page of HTML, or of a text of JSON that is itself JSON, as some programs encode it twice."""
    try:
        text = msgspec.json.decode(page, type=str).strip()
    except (msgspec.DecodeError, UnicodeDecodeError):
        text = ""
    if text.startswith(("{", "[")):
        yield text.encode()
    else:
        yield from _scripts(page)


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
            script = _UNWRAPPED.sub(b"", page[begin:end])
            is_escaped = b'"' not in script and b"&" in script
            yield html.unescape(script.decode(errors="replace")).encode() if is_escaped else script
        place = end + 1


# --- what a node states ----------------------------------------------------------------------------------------------


def _types(node: Mapping[str, Any]) -> set[str]:
    """Return the types of a node, in small letters, without address and prefix."""
    return {objects.PREFIX.sub("", str(one)).lower() for one in _many(node.get("@type", ""))}


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
    courses = [objects.short_names(one) for one in node.values() if isinstance(one, dict)]
    if len(courses) < len(node) or not all(map(_HAS_DIGIT.search, node)) or not all(map(_is_plain, courses)):
        return []
    return courses if [*node] in objects.counts(len(node)) else objects.coded(node)


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
        aligned = {name: self._aligned(name) for name in ("teaches", "educationalLevel")}
        for fact, name in (("id", "identifier"), ("code", "courseCode"), ("level", "educationalLevel")):
            values = [*_many(node.get(name)), *aligned.get(name, [])]
            if texts := [text for one in values if (text := self._name(one))]:
                self._facts[fact] = texts[0] if fact != "level" else ", ".join(texts)
        if languages := [text for one in _many(node.get("inLanguage")) if (text := self._language(one))]:
            self._facts["languages"] = languages
        tags = [
            text
            for name in ("teaches", "about", "keywords")
            for one in [*_many(node.get(name)), *aligned.get(name, [])]
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
        node = objects.short_names(value)
        if _is_reference(node):
            return dict(self._nodes.get(str(node["@id"]), {}))
        return node

    def _aligned(self, kind: str) -> list[dict[str, Any]]:
        """Return the alignments of a kind, such as `teaches`, which LRMI has in place of properties."""
        alignments = map(self._known, _many(self._node.get("educationalAlignment")))
        return [one for one in alignments if self._name(one.get("alignmentType")) == kind]

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
            return str(objects.short_names(value).get("alternateName") or self._name(value))
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
        required = [one for name in ("timeRequired", "timeToComplete") for one in _many(self._node.get(name))]
        times = [self._name(one) for one in required]
        for one in occasions:
            times += map(self._name, _many(one.get("courseWorkload")))
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
            if "course" in _types(node) and node.get("courseCode"):
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
