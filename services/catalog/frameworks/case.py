"""Reads a framework from a 1EdTech CASE package, 1.0 or 1.1: a document, items and associations between them.

An item with children becomes an area; an item without children becomes a skill of the area that its parent is. CASE has
no field for the scale, requirements and titles in two languages: they are in `extensions`, which 1.1 allows. If the
associations `isChildOf` have a cycle, the package is rejected, and the error names the cycle. `case_writing` writes
packages.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from services.catalog.frameworks.builder import Builder
from services.catalog.frameworks.case_levels import (
    LevelItem,
    ScoredLevel,
    criteria_of,
    descriptors_of,
    is_level_type,
    scale_of,
)
from services.catalog.frameworks.own import json_of, mapping_of, string_of
from services.catalog.frameworks.report import Options, Reading
from services.catalog.frameworks.tables import Source
from services.catalog.frameworks.texts import Given, clean, escaped, identifier
from shared.domain import (
    LocalizedText,
    Requirement,
    ScaleLevel,
    Stage,
    VersionMapping,
    cycle_text,
    find_cycle,
)
from shared.errors import InvalidInput
from shared.texts import folded

EXTENSION = "learning-path-framework"
_DOCUMENT = ("identifier", "title", "description", "uri", "lastChangeDateTime", "creator", "caseVersion", "language")
_ITEM = (
    "identifier", "uri", "fullStatement", "abbreviatedStatement", "humanCodingScheme", "alternativeLabel", "notes",
    "conceptKeywords", "CFItemType", "CFItemTypeURI", "lastChangeDateTime", "CFDocumentURI", "language",
)  # fmt: skip
_ASSOCIATION = (
    "identifier", "uri", "associationType", "originNodeURI", "destinationNodeURI", "sequenceNumber",
    "lastChangeDateTime", "CFDocumentURI",
)  # fmt: skip
_TEXTS = (
    "identifier", "uri", "title", "fullStatement", "abbreviatedStatement", "humanCodingScheme", "alternativeLabel",
    "notes", "description", "CFItemType", "language",
)  # fmt: skip
_PARTS = ("CFDocument", "CFItems", "CFAssociations", "CFRubrics", "extensions")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_NUMBER = re.compile(r"\d{1,18}")
CHILD, _PART = "isChildOf", "isPartOf"
_Association = tuple[str, str, str, str, Any]
"""An association as (identifier, type, origin, destination, the whole object)."""

AREA, SKILL, JOB_GROUP = "Area", "Skill", "Job group"


def read(sources: list[Source], options: Options) -> Reading:
    """Return the framework of a CASE package, the only file, with a report.

    Raises Malformed, TooLarge; InvalidInput if it is no CASE package.
    """
    builder = Builder(options)
    given = json_of(sources, builder)
    if isinstance(given, dict) and isinstance(given.get("CFPackage"), dict):
        given = given["CFPackage"]
    if not isinstance(given, dict) or not isinstance(given.get("CFDocument"), dict):
        raise InvalidInput("is no CASE package: it has no object CFDocument, or more than one", "CFDocument")
    return _Package(given, builder).read()


class _Package:
    def __init__(self, given: Mapping[str, Any], builder: Builder) -> None:
        self._builder = builder
        self._given = given
        self._document: dict[str, Any] = given["CFDocument"]
        self._extension = mapping_of(mapping_of(self._document.get("extensions")).get(EXTENSION))
        self._items: dict[str, dict[str, Any]] = {}
        self._spelt: dict[str, str] = {}
        """{identifier, a UUID in lower case: the spelling of its item}."""
        self._addresses: dict[str, str] = {}
        """{URI of an item: its identifier}."""
        self._parents: dict[str, list[str]] = {}
        self._children: dict[str, int] = {}
        self._levels: dict[str, list[LevelItem]] = {}
        self._descriptors: dict[str, list[ScaleLevel]] = {}
        """{identifier of a skill: what the package says of its levels}."""
        self._left_out: set[str] = set()
        """The items that are levels of others."""
        self._nesting = CHILD
        """The type of the associations that put items under each other."""

    def read(self) -> Reading:
        builder = self._builder
        document = string_of(self._document, "identifier")
        self._spelt[_compared(document)] = document
        self._addresses[string_of(self._document, "uri")] = document
        self._note_fields(self._document, _DOCUMENT, "CFDocument")
        for name in self._given:
            rows = self._given[name]
            if isinstance(rows, dict):
                rows = [one for found in rows.values() for one in (found if isinstance(found, list) else [found])]
            for row in rows if isinstance(rows, list) and name not in _PARTS else []:
                builder.not_kept(name, string_of(row, "title"))
        for i, item in enumerate(self._list("CFItems")):
            self._take_item(item, f"CFItems[{i}]")
        associations = [*self._associations()]
        self._take_tree(associations)
        cycles = find_cycle((child, parent) for child, parents in self._parents.items() for parent in parents)
        if cycles:
            reason = f"`{self._nesting}` is a cycle: {cycle_text(cycles)}; its items have no place in the framework"
            builder.fault(reason, field="CFAssociations", verdict="untrue")
            self._give_head()
            self._give_scale()
            return builder.build()
        self._take_levels()
        self._give_scale()
        kinds = {key: self._kind(key, item) for key, item in self._items.items()}
        for key, item in self._items.items():
            self._give_item(key, item, kinds)
        self._take_others(associations, kinds)
        self._give_head()
        return builder.build()

    # --- reading the package -----------------------------------------------------------------------------------------

    def _list(self, name: str) -> list[Any]:
        rows = self._given.get(name) or []
        if isinstance(rows, list):
            self._builder.rows += len(rows)
            return rows
        self._builder.fault("is to be a list", field=name, verdict="untrue")
        return []

    def _take_item(self, item: Any, place: str) -> None:
        key = string_of(item, "identifier")
        key = self._spelt.setdefault(_compared(key), key)
        if not clean(key):
            self._builder.fault("has no identifier", id=place, field=f"{place}.identifier", verdict="untrue")
        elif key in self._items:
            same = item == self._items[key]
            reason = "is given twice" if same else "the same identifier as an earlier item, which says otherwise"
            verdict: Any = "changed" if same else "untrue"
            self._builder.fault(reason, id=key, field=f"{place}.identifier", verdict=verdict)
        else:
            self._items[key] = item
            self._addresses.setdefault(string_of(item, "uri"), key)
            self._note_fields(item, _ITEM, "CFItem")

    def _note_fields(self, given: Mapping[str, Any], known: Iterable[str], what: str) -> None:
        for name, value in given.items():
            if name not in known and value not in (None, "", [], {}):
                if name != "extensions":
                    self._builder.not_kept(f"{what}.{name}", str(value))
                elif others := [key for key in mapping_of(value) if key != EXTENSION]:
                    self._builder.not_kept(f"{what}.extensions", ", ".join(others))
            elif name in _TEXTS and not isinstance(value, str | int | float | None):
                self._builder.not_kept(f"{what}.{name} that is no text", str(value))

    def _associations(self) -> Iterable[_Association]:
        """Yield the associations that have a type, an origin and a destination; report the others as faults."""
        for i, one in enumerate(self._list("CFAssociations")):
            name = string_of(one, "identifier") or f"CFAssociations[{i}]"
            kind = string_of(one, "associationType")
            origin, destination = (
                self._end(mapping_of(one).get(field)) for field in ("originNodeURI", "destinationNodeURI")
            )
            missing = [
                field
                for field, value in (
                    ("associationType", kind),
                    ("originNodeURI", origin),
                    ("destinationNodeURI", destination),
                )
                if not value
            ]
            for field in missing:
                self._builder.fault(f"has no {field}", id=name, field=f"CFAssociations[{i}].{field}")
            if not missing:
                self._note_fields(one, _ASSOCIATION, "CFAssociation")
                yield name, kind, origin, destination, one

    def _end(self, given: Any) -> str:
        """Return the identifier of one end of an association, or else its URI; empty without both.

        A URI stands for the item that has it, or whose identifier, a UUID, ends it.
        """
        name, address = (
            (given, given) if isinstance(given, str) else (string_of(given, "identifier"), string_of(given, "uri"))
        )
        last = address.rpartition("/")[2].removeprefix("urn:uuid:")
        if name and (spelt := self._spelt.get(_compared(name))):
            return spelt
        if address and (
            found := self._addresses.get(address) or (_UUID.fullmatch(last) and self._spelt.get(last.lower()))
        ):
            return found
        return name or address

    def _take_tree(self, associations: Iterable[_Association]) -> None:
        """Record the parent of each item, and sort the items in the order of the package."""
        document = string_of(self._document, "identifier")
        tree = [one for one in associations if one[1] == CHILD]
        parts = [one for one in associations if one[1] == _PART and {one[2], one[3]} <= self._items.keys()]
        if parts and not any(one[3] in self._items for one in tree):
            self._builder.assume("no `isChildOf` puts an item under another one; `isPartOf` is taken for it")
            self._nesting = _PART
            nested = {one[2] for one in parts}
            tree = [*parts, *(one for one in tree if one[2] not in nested)]
        places = {key: i for i, key in enumerate(self._items)}
        numbers: dict[str, float] = {}
        siblings: dict[str, list[str]] = {}
        for name, _, child, parent, whole in tree:
            if child not in self._items:
                self._builder.fault(f"origin {child!r} is not in the package", id=name, field="originNodeURI")
                continue
            number = whole.get("sequenceNumber")
            number = int(number) if isinstance(number, str) and _NUMBER.fullmatch(number) else number
            if child not in numbers:
                numbers[child] = number if isinstance(number, int | float) else len(tree)
                siblings.setdefault(parent, []).append(child)
            if parent in self._items:
                parents = self._parents.setdefault(child, [])
                if parents and not is_level_type(_kind_of(self._items[child])):
                    self._builder.not_kept(f"{self._nesting} a second parent", f"{child} → {parent}")
                parents.append(parent)
                self._children[parent] = self._children.get(parent, 0) + 1
            elif parent != document:
                reason = f"destination {parent!r} is not in the package; the item is put under the document"
                self._builder.fault(reason, id=name, field="destinationNodeURI", verdict="changed")
        for children in siblings.values():  # they only exchange positions with each other
            theirs = sorted(places[child] for child in children)
            children.sort(key=lambda child: (numbers[child], places[child]))
            places |= dict(zip(children, theirs, strict=True))
        self._items = dict(sorted(self._items.items(), key=lambda pair: places[pair[0]]))

    def _kind(self, key: str, item: Mapping[str, Any]) -> str:
        if self._children.get(key):
            return AREA
        kind = folded(_kind_of(item))
        return next((one for one in (AREA, JOB_GROUP) if folded(one) == kind), SKILL)

    # --- passing items to the builder --------------------------------------------------------------------------------

    def _give_item(self, key: str, item: Mapping[str, Any], kinds: Mapping[str, str]) -> None:
        builder, extension = self._builder, mapping_of(mapping_of(item.get("extensions")).get(EXTENSION))
        title, description, synonyms = self._words(item, extension)
        self._note_language(string_of(item, "language"), "items")
        name = str(extension.get("id") or key)
        more: dict[str, Any] = {"description": description}
        if "provenance" in extension:
            more["provenance"] = extension["provenance"]
        parent = next(iter(self._parents.get(key, [])), None)
        if kinds[key] == JOB_GROUP:
            builder.job_group(name, title, **more)
        elif kinds[key] == AREA:
            builder.area(name, title, **more)
            if parent is not None:
                builder.relate("child_of", name, self._name(parent))
        else:
            if (code := string_of(item, "humanCodingScheme")) and "code" not in extension:
                more["code"] = clean(code)
            if key in self._descriptors:
                more["descriptors"] = sorted(self._descriptors[key], key=lambda one: one.level)
            more |= {field: extension[field] for field in ("code", "descriptors") if field in extension}
            more["synonyms"] = extension.get("synonyms", synonyms)
            area = self._name(parent) if parent is not None else self._root()
            builder.skill(name, title, area=area, **more)

    def _words(self, item: Mapping[str, Any], extension: Mapping[str, Any]) -> tuple[Given, Given, list[LocalizedText]]:
        """Return title, description and synonyms of an item."""
        statement, label = string_of(item, "fullStatement"), string_of(item, "alternativeLabel")
        short = string_of(item, "abbreviatedStatement")
        statement = statement or short
        title, synonyms = Given(statement), [Given(words) for words in _strings(item.get("conceptKeywords"))]
        both = mapping_of(extension.get("title"))
        if _is_one_of(statement, both):
            title = _exactly(both)
        elif label and bool(Given(label).th()) != bool(title.th()):
            thai, english = (statement, label) if title.th() else (label, statement)
            title = Given("", {"th": thai, "en": english})
        elif label:
            synonyms.append(Given(label))
        description = Given(string_of(item, "notes"))
        if stated := mapping_of(extension.get("description")):
            description = _exactly(stated)
        if short and len(clean(statement)) > len(clean(short)) and not both:
            title, description = Given(short), Given("\n".join(filter(None, (statement, string_of(item, "notes")))))
        texts = (
            self._builder.text(one, row=None, id=string_of(item, "identifier"), field="synonyms") for one in synonyms
        )
        return title, description, [text for text in texts if text]

    def _name(self, key: str) -> str:
        extension = mapping_of(mapping_of(self._items[key].get("extensions")).get(EXTENSION))
        return str(extension.get("id") or key)

    def _root(self) -> str:
        """Return the area for items without a parent item."""
        name = f"under-{identifier(string_of(self._document, 'identifier') or 'document')}"[:64]
        if not self._builder.has("areas", name):
            self._builder.area(name, Given(string_of(self._document, "title") or "Document"))
            self._builder.assume("skills directly under the document are put into an area named like it")
        return name

    def _take_others(self, associations: Iterable[_Association], kinds: Mapping[str, str]) -> None:
        for name, kind, origin, destination, whole in associations:
            if kind == CHILD or (kind == self._nesting and {origin, destination} <= kinds.keys() | self._left_out):
                continue
            if kind not in ("precedes", "exactMatchOf") or {origin, destination} & self._left_out:
                self._builder.not_kept(f"association {kind}", f"{origin} → {destination}")
            elif kind == "precedes" and (missing := [one for one in (origin, destination) if one not in kinds]):
                self._builder.fault(f"{missing[0]!r} is not in the package", id=name, field="CFAssociations")
            elif origin not in kinds:
                self._builder.fault(f"origin {origin!r} is not in the package", id=name, field="originNodeURI")
            elif any(kinds.get(one, SKILL) != SKILL for one in (origin, destination)):
                self._builder.not_kept(f"association {kind} of a group of items", f"{origin} → {destination}")
            elif kind == "precedes":
                self._builder.relate("precedes", self._name(origin), self._name(destination))
            else:
                address = string_of(whole["destinationNodeURI"], "uri") or destination
                target = self._name(destination) if destination in kinds else address
                self._builder.relate("exact_match", self._name(origin), target)

    def _give_head(self) -> None:
        builder, extension = self._builder, self._extension
        name = str(extension.get("id") or identifier(string_of(self._document, "identifier") or "document"))
        title = Given(string_of(self._document, "title"))
        both = mapping_of(extension.get("title"))
        if _is_one_of(title.text, both):
            title = _exactly(both)
        stated = string_of(self._document, "description")
        self._note_language(string_of(self._document, "language"), "the package")
        if "description" not in extension and stated:
            extension = {
                **extension,
                "description": builder.text(Given(stated), row=None, id=name, field="description"),
            }
        builder.head(
            id=name,
            title=builder.text(title, row=None, id=name, field="CFDocument.title"),
            **{
                field: extension[field]
                for field in ("description", "provenance", "version", "retired")
                if field in extension
            },
        )
        for part, shape in (("stages", Stage), ("requirements", Requirement), ("mappings", VersionMapping)):
            rows = extension.get(part) or []
            for i, row in enumerate(rows if isinstance(rows, list) else []):
                builder.take(part, shape, row, f"CFDocument.extensions.{EXTENSION}.{part}[{i}]")

    def _note_language(self, given: str, whose: str) -> None:
        if given.lower().partition("-")[0] not in ("", "en", "th"):
            self._builder.assume(f"the words of {whose} are in {given[:20].lower()!r}; they are kept as English ones")

    # --- levels ------------------------------------------------------------------------------------------------------

    def _take_levels(self) -> None:
        """Take the items that are levels out of the others, and put them under the skills whose levels they are."""
        levels = {
            key for key, item in self._items.items() if is_level_type(_kind_of(item)) and not self._children.get(key)
        }
        for key in levels & self._parents.keys():
            for parent in self._parents[key]:
                self._children[parent] -= 1
        for key, item in [*self._items.items()]:
            if key not in levels:
                continue
            above = [parent for parent in self._parents.pop(key, []) if not self._children[parent]]
            name, words, _ = self._words(item, {})
            for parent in above:
                level = LevelItem(key, string_of(item, "humanCodingScheme"), name, words)
                self._levels.setdefault(parent, []).append(level)
            if not above:
                self._builder.not_kept("level that is under no skill", name.text)
            del self._items[key]
            self._left_out.add(key)

    def _give_scale(self) -> None:
        """Pass the scale to the builder, and take the descriptors of the skills."""
        builder = self._builder
        extended = self._extension.get("scale")
        criteria = criteria_of(self._given.get("CFRubrics"), builder)
        lists = {tuple((level.score, level.name) for level in levels): None for _, levels in criteria}
        rubric = next(iter(lists)) if len(lists) == 1 else ()
        scale: dict[float, Given] = {}
        if builder.options.scale:
            scale = {float(i): Given(name) for i, name in enumerate(builder.options.scale)}
        elif isinstance(extended, list):
            for i, row in enumerate(extended):
                builder.take("scale", ScaleLevel, row, f"CFDocument.extensions.{EXTENSION}.scale[{i}]")
        else:
            if len(lists) > 1:
                builder.not_kept(f"CFRubrics with {len(lists)} different lists of levels")
            scale = {level: Given(title) for level, title in rubric} or scale_of(self._levels.values(), builder)
        for level, title in scale.items():
            builder.level(level, title)
        for about, levels in criteria:
            self._take_descriptors(self._end(about) if about else "", levels, scale if rubric else {})
        for key, items in self._levels.items():
            self._descriptors.setdefault(key, []).extend(descriptors_of(items, scale, builder))

    def _take_descriptors(self, about: str, levels: Iterable[ScoredLevel], scale: Mapping[float, Given]) -> None:
        """Take the descriptions of a rubric that is about a skill as its descriptors; report the others."""
        for level in levels:
            if level.words and level.score in scale and about in self._items and not self._children.get(about):
                steps = self._builder.descriptors(level.score, Given(level.words))
                self._descriptors.setdefault(about, []).extend(steps)
            elif level.words:
                self._builder.not_kept("description of a level of a rubric", level.words)


def _kind_of(item: Mapping[str, Any]) -> str:
    """Return the type of an item, which may be in the link to its definition alone."""
    return string_of(item, "CFItemType") or string_of(item.get("CFItemTypeURI"), "title")


def _is_one_of(words: str, texts: Mapping[str, Any]) -> bool:
    return clean(words) in {form for text in texts.values() for form in (str(text), clean(str(text)))}


def _exactly(texts: Mapping[str, Any]) -> Given:
    """Return texts of an extension, in which nothing is HTML."""
    return Given("", {language: escaped(str(words)) for language, words in texts.items()})


def _strings(given: Any) -> list[str]:
    given = [given] if isinstance(given, str) else given
    return [one for one in given if isinstance(one, str)] if isinstance(given, list) else []


def _compared(key: str) -> str:
    """Return the form in which identifiers are compared: a UUID in lower case, others unchanged."""
    return key.lower() if _UUID.fullmatch(key) else key
