"""The texts of an item of QTI, in each language, as far as text alone can show them. Pure."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator

from services.assessment.item_bank.formats.xml import local_name
from shared.errors import InvalidInput

_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_NOT_SHOWN = {
    "img", "object", "audio", "video", "math", "table", "picture", "iframe", "svg", "sup", "sub",
    "qti-printed-variable", "include", "canvas", "embed", "input", "select", "textarea", "script", "del", "s", "strike",
    "rt", "qti-template-block", "qti-template-inline",
}  # fmt: skip
"""What a text cannot show, or not without another meaning: 2<sup>3</sup> is no 23."""
_BLOCKS = {
    "p", "div", "br", "li", "dt", "dd", "pre", "blockquote", "section", "article", "figure", "figcaption", "hr",
    "h1", "h2", "h3", "h4", "h5", "h6", "qti-prompt", "qti-content-body", "qti-choice-interaction",
}  # fmt: skip
"""Elements before and after which a new line begins."""
_NOT_FOR_OFFICERS = ("qti-feedback", "qti-rubric-block", "style")
"""How the names of elements begin whose text is shown after the answer, to others, or to nobody."""
_OWN_NUMBERS = ("type", "start", "reversed", "style")
"""Attributes of a numbered list whose items are not numbered from 1 on."""


def texts_of(element: ET.Element, usual: str | None) -> dict[str, str]:
    """Return the text of an element by language; text without a language has the item's usual one."""
    found: dict[str | None, list[str]] = {}
    for language, text in _spoken(element, usual):
        if language:
            found.setdefault(language, []).append(text)
        elif text.isspace():  # the end of a line, in every language
            for parts in found.values():
                parts.append(text)
    texts = {language: re.sub(r"[ \t\r\n]+", " ", "".join(parts)).strip() for language, parts in found.items()}
    return {language: text for language, text in texts.items() if text and language in ("th", "en")}


def _spoken(element: ET.Element, usual: str | None) -> Iterator[tuple[str | None, str]]:
    """Yield the text of an element, each part with its language; of an interaction, the text of its prompt."""
    name = local_name(element)
    language = language_of(element) or usual
    if name.startswith(_NOT_FOR_OFFICERS):
        return
    if name in _BLOCKS:
        yield None, " "
    is_interaction = name == "qti-choice-interaction"
    if element.text and not is_interaction:
        yield language, element.text
    number = 0
    for one in element:
        if is_interaction and local_name(one) != "qti-prompt":
            continue
        number += local_name(one) == "li"
        parts = _spoken(one, language)
        yield from _numbered(number, parts) if (name, local_name(one)) == ("ol", "li") else parts
        if one.tail and not is_interaction:
            yield language, one.tail
    if name in _BLOCKS:
        yield None, " "


def _numbered(number: int, parts: Iterable[tuple[str | None, str]]) -> Iterator[tuple[str | None, str]]:
    """Yield the text of an item of a numbered list, with its number in each language."""
    begun = set[str | None]()
    for language, text in parts:
        if not text.isspace() and language not in begun:
            begun.add(language)
            yield language, f"{number}. "
        yield language, text


def text_faults(body: ET.Element, usual: str | None) -> list[InvalidInput]:
    """Return why the text of an item cannot be shown as it is meant; `usual` as for `texts_of`."""
    found = [
        InvalidInput(f"<{one}> cannot be shown; an item holds text only", "qti-item-body")
        for one in sorted({local_name(part) for part in body.iter()} & _NOT_SHOWN)
    ]
    if any(map(_has_own_numbers, body.iter())):
        found.append(InvalidInput("<ol> with numbers of its own cannot be shown", "qti-item-body"))
    shown = [body, *(part for part in body.iter() if local_name(part) == "qti-simple-choice")]
    parts = (part for one in shown for part in _spoken(one, usual))
    if any(language is None and any(map(str.isalnum, text)) for language, text in parts):
        found.append(InvalidInput("the language of a text is not stated; write xml:lang", "qti-item-body"))
    return found


def language_of(element: ET.Element) -> str | None:
    """Return the language that an element states, without its region."""
    language = element.get(_LANGUAGE)
    return language.split("-")[0].lower() if language else None


def _has_own_numbers(part: ET.Element) -> bool:
    return local_name(part) == "ol" and any(part.get(name, "1") != "1" for name in _OWN_NUMBERS)
