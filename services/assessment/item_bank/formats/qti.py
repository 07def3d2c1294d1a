"""An item bank as 1EdTech QTI 3.0: choice interactions, one XML file per item, in a package with its manifest.

Thai and English are adjacent `span` elements with `xml:lang`. Skill, level and parameters, for which QTI has no
element, are outcome declarations with default values (`SKILL`, `LEVEL`, `DISCRIMINATION`, ...). A graded item has no
correct response, but a mapping that gives each option a score; the scores order the options. If a mapping gives one
option a higher score and all others the same lower one, that option is the right one of a choice item. Packages of
other systems may contain each item twice, once per language, under one identifier. A single item may be an XML file
without a package. No file outside the package is opened.
"""

import io
import re
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

from services.assessment.item_bank.formats.qti_texts import language_of, text_faults, texts_of
from services.assessment.item_bank.formats.reading import (
    BankReading,
    GivenRow,
    ItemDefaults,
    builtins_of,
    items_of,
    number_of,
)
from services.assessment.item_bank.formats.xml import local_name, parse
from services.assessment.item_bank.model import ITEMS_LIMIT, Item, ItemBank
from shared.errors import InvalidInput, Malformed, Problem, TooLarge
from shared.imports.archives import UNREADABLE, files_in, why_unreadable

UNPACKED_LIMIT = 64 * 1024 * 1024
_MEMBERS_LIMIT = ITEMS_LIMIT * 2 + 100
_MEMBER_LIMIT = 2 * 1024 * 1024
_MANIFEST_LIMIT = 16 * 1024 * 1024
"""The most bytes of a manifest: it names every item twice, by an id of up to 64 characters."""
_NAMESPACE = "http://www.imsglobal.org/xsd/imsqtiasi_v3p0"
_PACKAGE = "http://www.imsglobal.org/xsd/qti/qtiv3p0/imscp_v1p1"
_TEMPLATES = "https://purl.imsglobal.org/spec/qti/v3p0/rptemplates"
_ITEM_TYPE = "imsqti_item_xmlv3p0"
_BASE = "{http://www.w3.org/XML/1998/namespace}base"
_ZIP = b"PK\x03\x04"
_NUMBERS = {"LEVEL": "level", "DISCRIMINATION": "discrimination", "DIFFICULTY": "difficulty", "ANSWERS": "answers"}
_TEXTS = {"SKILL": "skill", "LABEL": "label", "SOURCE": "source"}
_FIXED = (1980, 1, 1, 0, 0, 0)
_CONTROL = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ELSEWHERE = {
    "qti-assessment-stimulus-ref": "a stimulus in another file",
    "qti-template-declaration": "values that are made up anew each time",
}


@dataclass
class _Row(GivenRow):
    """A row with `names`: the identifiers of the choices."""

    names: list[str] = field(default_factory=list)


# --- reading ---------------------------------------------------------------------------------------------------------


def read(raw: bytes, defaults: ItemDefaults) -> BankReading:
    """Return the items of a package or of a single XML file. Raises Malformed, TooLarge."""
    files = _unpacked(raw) if raw.startswith(_ZIP) else [("", raw)]
    rows: list[_Row] = []
    places: dict[str, int] = {}
    for name, content in files:
        row = _row(name, content)
        place = places.setdefault(row.id, len(rows)) if row.id else -1
        if 0 <= place < len(rows) and _other_language(rows[place], row):
            rows[place] = _merged(rows[place], row)
        else:
            rows.append(row)
    return BankReading(items_of(rows, defaults))


def _unpacked(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the items of a package, as its manifest lists them."""
    try:
        members = {one.filename: one for one in files_in(io.BytesIO(raw), _MEMBERS_LIMIT) if not one.is_dir()}
        package = zipfile.ZipFile(io.BytesIO(raw))
    except UNREADABLE as error:
        raise Malformed(f"the package cannot be opened: {why_unreadable(error)}") from error
    with package:
        if sum(info.file_size for info in members.values()) > UNPACKED_LIMIT:
            raise TooLarge(f"a package may hold {UNPACKED_LIMIT} bytes when it is decompressed")
        if "imsmanifest.xml" not in members:
            raise Malformed("a package needs imsmanifest.xml at its top")
        for listed in _listed(parse(_member(package, members["imsmanifest.xml"], _MANIFEST_LIMIT))):
            name = listed if listed in members else unquote(listed)
            if name not in members:
                raise Malformed(f"the manifest lists {name[:200]!r}, which is not in the package")
            yield name, _member(package, members[name])


def _member(package: zipfile.ZipFile, info: zipfile.ZipInfo, most: int = _MEMBER_LIMIT) -> bytes:
    """Return a file of a package, up to `most` bytes, even if its header states fewer."""
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Malformed(f"{info.filename[:200]!r} has a compression method that is not supported")
    try:
        with package.open(info) as opened:
            content = opened.read(most + 1)
    except UNREADABLE as error:
        raise Malformed(f"{info.filename[:200]!r} cannot be decompressed: {why_unreadable(error)}") from error
    if len(content) > most:
        raise TooLarge(f"{info.filename[:200]!r} holds more than {most} bytes")
    return content


def _listed(manifest: ET.Element) -> list[str]:
    """Return the item files that a manifest lists: addresses below the `xml:base` of what holds them."""
    names = []
    for resources in (one for one in manifest if local_name(one) == "resources"):
        for resource in resources:
            if local_name(resource) != "resource" or not resource.get("type", "").startswith("imsqti_item"):
                continue
            name = resource.get("href") or next(
                (one.get("href", "") for one in resource if local_name(one) == "file"), ""
            )
            bases = [one.get(_BASE, "") for one in (manifest, resources, resource)]
            names.append(str(PurePosixPath(*bases, name)))
    return list(dict.fromkeys(names))


def _row(name: str, content: bytes) -> _Row:
    """Return an item, or why the file is not one."""

    def refused(why: str) -> _Row:
        return _Row(faults=[InvalidInput(why, name[:200] or None)])

    try:
        root = parse(content)
    except Problem as problem:
        return refused(problem.detail)
    if local_name(root) in ("assessmentItem", "assessmentTest", "questestinterop"):
        return refused("this is an older version of QTI; convert it to 3.0")
    if local_name(root) != "qti-assessment-item":
        return refused(f"<{local_name(root)[:60]}> is no qti-assessment-item")
    interactions = [one for one in root.iter() if local_name(one).endswith("-interaction")]
    if len(interactions) != 1 or local_name(interactions[0]) != "qti-choice-interaction":
        return refused("an item is to hold one choice interaction and no other")
    return _given(root, interactions[0])


def _given(root: ET.Element, interaction: ET.Element) -> _Row:
    usual = language_of(root)
    choices = [one for one in interaction if local_name(one) == "qti-simple-choice"]
    names = [one.get("identifier", "") for one in choices]
    row = _Row({"id": root.get("identifier")}, names=names)
    body = next((one for one in root if local_name(one) == "qti-item-body"), interaction)
    row.item["stem"] = texts_of(body, usual)
    row.item["options"] = [texts_of(one, usual) for one in choices]
    row.item |= _outcomes(root)
    if root.get("adaptive") in ("true", "1"):
        row.faults.append(InvalidInput("changes with each attempt; an item is answered once", "adaptive"))
    row.faults += text_faults(body, usual)
    for part in root:
        if why := _ELSEWHERE.get(local_name(part)):
            row.faults.append(InvalidInput(f"refers to {why}; an item holds its whole text", "stem"))
    _set_key(row, _declaration(root, interaction.get("response-identifier")))
    _check_processing(row, root)
    return row


def _set_key(row: _Row, declaration: ET.Element | None) -> None:
    """Set the kind of an item and its right option, or the order of its options; add faults."""
    names = row.names
    if len(set(names)) < len(names):
        row.faults.append(InvalidInput("two choices have the same identifier", "options"))
    right = _values(declaration, "qti-correct-response")
    scores = _scores(declaration, names)
    if not right and len(scores) > len(set(scores)) == 2 and scores.count(max(scores)) == 1:  # noqa: PLR2004 - right and wrong
        right = [names[scores.index(max(scores))]]
    row.item["kind"] = "graded" if scores and not right else "choice"
    if len(right) > 1 or (declaration is not None and declaration.get("cardinality", "single") != "single"):
        row.faults.append(InvalidInput("one right option is needed, not several", "key"))
    elif right and right[0] in names:
        row.item["key"] = names.index(right[0])
        if scores and scores[row.item["key"]] < max(scores):
            row.faults.append(InvalidInput("the mapping gives another option more points than the right one", "key"))
    elif right:
        row.faults.append(InvalidInput(f"the correct response {right[0][:60]!r} is no choice", "key"))
    elif len(set(scores)) < len(scores):
        row.faults.append(InvalidInput("the mapping gives two options the same score", "options"))
    elif scores:
        order = sorted(range(len(scores)), key=scores.__getitem__)
        row.item["options"] = [row.item["options"][place] for place in order]
        row.names = [names[place] for place in order]


def _check_processing(row: _Row, root: ET.Element) -> None:
    """Add a fault if the response processing itself says which options give points."""
    right = {row.names[row.item["key"]]} if "key" in row.item else set()
    for processing in (one for one in root if local_name(one) == "qti-response-processing"):
        named = {name for one in _conditions(processing) if (name := _option_in(one)) is not None}
        is_inverted = any(
            _option_in(part) for one in _conditions(processing) if local_name(one) == "qti-not" for part in one.iter()
        )
        if is_inverted or (named & {*row.names}) - right:
            why = "the response processing has a rule of its own; state the right option as the correct response alone"
            row.faults.append(InvalidInput(why, "key"))


def _conditions(processing: ET.Element) -> Iterator[ET.Element]:
    """Yield the elements of a response processing that are not within one that sets an outcome."""
    for one in processing:
        if local_name(one) != "qti-set-outcome-value":
            yield one
            yield from _conditions(one)


def _option_in(condition: ET.Element) -> str | None:
    """Return the option that a condition compares with: its identifier, or the correct one as `correct`."""
    if local_name(condition) == "qti-correct":
        return "correct response"
    is_option = local_name(condition) == "qti-base-value" and condition.get("base-type") == "identifier"
    return (condition.text or "").strip() if is_option else None


def _declaration(root: ET.Element, name: str | None) -> ET.Element | None:
    """Return the response declaration of this name, or the first one if `name` is None."""
    declared = (one for one in root if local_name(one) == "qti-response-declaration")
    return next((one for one in declared if name in {None, one.get("identifier")}), None)


def _scores(declaration: ET.Element | None, names: list[str]) -> list[float]:
    """Return the score that a mapping gives each choice, within its bounds.

    Empty without a mapping, and if a score is no number.
    """
    mapping = next(
        (one for one in (declaration if declaration is not None else ()) if local_name(one) == "qti-mapping"), None
    )
    if mapping is None:
        return []
    given = {one.get("map-key"): one.get("mapped-value", "") for one in mapping}
    values = [number_of(given.get(name, mapping.get("default-value", "0"))) for name in names]
    least, most = number_of(mapping.get("lower-bound", "-inf")), number_of(mapping.get("upper-bound", "inf"))
    if any(isinstance(value, str) for value in (*values, least, most)):
        return []
    return [min(max(float(value), float(least)), float(most)) for value in values]


def _outcomes(root: ET.Element) -> dict[str, Any]:
    """Return skill, level, label, source and parameters."""
    given: dict[str, Any] = {}
    parameters: dict[str, Any] = {}
    for one in root:
        if local_name(one) != "qti-outcome-declaration":
            continue
        identifier, values = one.get("identifier", ""), _values(one, "qti-default-value")
        if not values:
            continue
        if identifier in _TEXTS:
            given[_TEXTS[identifier]] = values[0]
        elif identifier == "LEVEL":
            given["level"] = number_of(values[0])
        elif identifier in _NUMBERS:
            parameters[_NUMBERS[identifier]] = number_of(values[0])
        elif identifier == "THRESHOLDS":
            parameters["thresholds"] = [number_of(value) for value in values]
    return given | ({"parameters": parameters} if parameters else {})


def _values(parent: ET.Element | None, name: str) -> list[str]:
    holder = next((one for one in (parent if parent is not None else ()) if local_name(one) == name), None)
    values = holder.iter() if holder is not None else ()
    return [(one.text or "").strip() for one in values if local_name(one) == "qti-value"]


def _other_language(before: _Row, after: _Row) -> bool:
    """Return whether two rows are the same item in two languages."""
    texts = (before.item.get("stem"), after.item.get("stem"))
    return bool(texts[0] and texts[1] and before.names == after.names and not texts[0].keys() & texts[1].keys())


def _merged(before: _Row, after: _Row) -> _Row:
    options = [one | other for one, other in zip(before.item["options"], after.item["options"], strict=True)]
    item = {**after.item, **before.item, "stem": before.item["stem"] | after.item["stem"], "options": options}
    differing = [name for name in ("key", "kind", "skill", "level") if before.item.get(name) != after.item.get(name)]
    found = [InvalidInput("differs between the two languages of the item", name) for name in differing]
    faults = {(one.field, one.detail): one for one in (*before.faults, *after.faults, *found)}
    return _Row(item, [*faults.values()], before.names)


# --- writing ---------------------------------------------------------------------------------------------------------


def write(bank: ItemBank) -> bytes:
    """Return a package: the manifest, and one file per item. The same bank gives the same bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as package:
        _add(package, "imsmanifest.xml", _manifest(bank))
        for item in bank.items:
            _add(package, f"items/{item.id}.xml", _item(item))
    return packed.getvalue()


def _add(package: zipfile.ZipFile, name: str, root: ET.Element) -> None:
    info = zipfile.ZipInfo(name, _FIXED)
    info.compress_type = zipfile.ZIP_DEFLATED
    ET.indent(root)
    package.writestr(info, b'<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="utf-8") + b"\n")


def _manifest(bank: ItemBank) -> ET.Element:
    root = ET.Element("manifest", {"xmlns": _PACKAGE, "identifier": f"bank-{bank.id}"})
    about = ET.SubElement(root, "metadata")
    ET.SubElement(about, "schema").text = "QTI Package"
    ET.SubElement(about, "schemaversion").text = "3.0.0"
    ET.SubElement(root, "organizations")
    resources = ET.SubElement(root, "resources")
    for item in bank.items:
        href = f"items/{item.id}.xml"
        attributes = {"identifier": f"item-{item.id}", "type": _ITEM_TYPE, "href": href}
        ET.SubElement(ET.SubElement(resources, "resource", attributes), "file", {"href": href})
    return root


def _item(item: Item) -> ET.Element:
    given = builtins_of(item)
    names = [f"option-{number}" for number in range(1, len(item.options) + 1)]
    attributes = {"identifier": item.id, "title": item.id, "adaptive": "false", "time-dependent": "false"}
    root = ET.Element("qti-assessment-item", {"xmlns": _NAMESPACE, **attributes, "xml:lang": "th"})
    declared = {"identifier": "RESPONSE", "cardinality": "single", "base-type": "identifier"}
    response = ET.SubElement(root, "qti-response-declaration", declared)
    if item.key is not None:
        ET.SubElement(ET.SubElement(response, "qti-correct-response"), "qti-value").text = names[item.key]
    else:
        mapping = ET.SubElement(response, "qti-mapping", {"default-value": "0"})
        for number, name in enumerate(names):
            ET.SubElement(mapping, "qti-map-entry", {"map-key": name, "mapped-value": str(number)})
    _outcome(root, "SCORE", "float", [])
    for identifier, name in _TEXTS.items():
        _outcome(root, identifier, "string", [given[name]] if name in given else None)
    _outcome(root, "LEVEL", "float", [item.level])
    parameters = given.get("parameters", {})
    for identifier in ("DISCRIMINATION", "DIFFICULTY", "ANSWERS"):
        value = parameters.get(_NUMBERS[identifier])
        _outcome(
            root, identifier, "integer" if identifier == "ANSWERS" else "float", None if value is None else [value]
        )
    _outcome(root, "THRESHOLDS", "float", parameters.get("thresholds"), "ordered")
    body = ET.SubElement(root, "qti-item-body")
    attributes = {"response-identifier": "RESPONSE", "shuffle": "false", "max-choices": "1"}
    interaction = ET.SubElement(body, "qti-choice-interaction", attributes)
    _say(ET.SubElement(interaction, "qti-prompt"), given["stem"])
    for name, option in zip(names, given["options"], strict=True):
        _say(ET.SubElement(interaction, "qti-simple-choice", {"identifier": name}), option)
    template = "match_correct" if item.key is not None else "map_response"
    ET.SubElement(root, "qti-response-processing", {"template": f"{_TEMPLATES}/{template}.xml"})
    return root


def _outcome(
    root: ET.Element, identifier: str, kind: str, values: list[Any] | None, cardinality: str = "single"
) -> None:
    if values is None:
        return
    attributes = {"identifier": identifier, "cardinality": cardinality, "base-type": kind}
    declaration = ET.SubElement(root, "qti-outcome-declaration", attributes)
    if values:
        default = ET.SubElement(declaration, "qti-default-value")
        for value in values:
            ET.SubElement(default, "qti-value").text = _shown(value if isinstance(value, str) else repr(value))


def _say(element: ET.Element, texts: Mapping[str, str]) -> None:
    for language, text in texts.items():
        ET.SubElement(element, "span", {"xml:lang": language}).text = _shown(text)


def _shown(text: str) -> str:
    """Return a text without the characters that XML cannot hold."""
    return _CONTROL.sub("\ufffd", text)
