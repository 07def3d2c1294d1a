"""Parses XML from outside: document types are rejected, so there are no entities and nothing is fetched."""

import re
import xml.etree.ElementTree as ET
from xml.parsers import expat

from shared.errors import Malformed, TooLarge

_DEPTH = 60
_ELEMENTS = 400_000
_WINDOWS_874 = re.compile(rb"""\s*<\?xml[^>]{0,100}encoding\s*=\s*["']windows-874["']""", re.IGNORECASE)


def parse(raw: bytes) -> ET.Element:
    """Return the root element of an XML file; a tag is `{namespace}name`. Raises Malformed, TooLarge."""
    tree = ET.TreeBuilder()
    depth = count = 0
    is_thai = _WINDOWS_874.match(raw) is not None  # which Python knows as cp874 only
    parser = expat.ParserCreate("cp874" if is_thai else None, namespace_separator="}")
    parser.buffer_text = True

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth, count
        depth, count = depth + 1, count + 1
        if depth > _DEPTH or count > _ELEMENTS:
            raise TooLarge(f"elements may stand {_DEPTH} deep, and {_ELEMENTS} in a file")
        tree.start(_qualified(tag), {_qualified(name): value for name, value in attributes.items()})

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        tree.end(_qualified(tag))

    def refuse(*_: object) -> None:
        raise Malformed("a document type (DOCTYPE) is not allowed")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = tree.data
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(raw, True)  # noqa: FBT003 - a C function
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise Malformed(f"the XML cannot be read: {error}") from error
    return tree.close()


def local_name(element: ET.Element) -> str:
    """Return the name of an element without its namespace."""
    return str(element.tag).rpartition("}")[2]


def _qualified(name: str) -> str:
    return f"{{{name}" if "}" in name else name
