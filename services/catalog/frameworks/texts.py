"""Cleans texts of framework files, and converts texts, numbers and identifiers between files and frameworks. Pure."""

import hashlib
import html
import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from services.catalog.markup import without_tags
from shared.domain import LocalizedText, Prose
from shared.texts import folded, in_both_languages, shows_something

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_THAI = re.compile("[\u0e01-\u0e3a\u0e40-\u0e4e]")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_BOTH_ALIKE = re.compile(
    r"(?=[^A-Za-z/()|]*[\u0e01-\u0e4e])(?P<th>[^A-Za-z/()|]+)(?P<mark>[/(|])\s*"
    r"(?P<en>(?=[^a-z]*[A-Za-z][a-z]{2})[A-Za-z][A-Za-z0-9 ,.&'-]*[A-Za-z0-9.])\s*\)?"
)
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_READ_AS_LATIN = re.compile("(?:[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})+")
"""Letters in UTF-8 whose bytes were read as Latin-1; control characters among them show that it is so."""


@dataclass
class Given:
    """A text of a file: `text` if its language is not stated, and `by_language`, {language: text}.

    `th` and `en` return the cleaned text in a language, empty if there is none.
    """

    text: str = ""
    by_language: Mapping[str, str] = field(default_factory=dict)

    def th(self) -> str:
        return clean(self.by_language.get("th", self.text if _is_thai(self.text) else ""))

    def en(self) -> str:
        plain = "" if _is_thai(self.text) else self.text
        others = (words for language, words in self.by_language.items() if language != "th")
        return clean(self.by_language.get("en") or plain or next(others, ""))


def title_of(words: str) -> Given:
    """Return the title that a text holds, perhaps in both languages as `ผู้บริหาร / Executives`."""
    return Given(words, in_both_languages(clean(words)))


def titles_together(titles: Collection[str]) -> dict[str, Given]:
    """Return {title: the title in both languages} if all of several titles are written alike: `ผู้บริหาร (Executives)`.

    Empty for other titles. One title alone does not tell a name in English from an addition: `การออกแบบ (Figma)`.
    """
    found = {title: _BOTH_ALIKE.fullmatch(clean(title)) for title in titles}
    parts = {title: one for title, one in found.items() if one}
    marks = {one["mark"] for one in parts.values()}
    if len(parts) < max(2, len(found)) or len(marks) > 1:
        return {}
    return {title: Given(title, {"th": one["th"].rstrip(), "en": one["en"]}) for title, one in parts.items()}


def clean(words: str) -> str:
    """Return a text without HTML, control characters and outer spaces, in NFC; empty if it shows nothing.

    Entities such as `&amp;` are replaced. Letters in UTF-8 that were read as Latin-1 are restored.
    """
    if words.isascii() and words.isprintable() and "&" not in words and "<" not in words:
        return words.strip()
    words = _READ_AS_LATIN.sub(_restored, without_tags(words))
    words = _ENTITY.sub(lambda found: html.unescape(found[0]), words) if "&" in words else words
    words = unicodedata.normalize("NFC", _UNSEEN.sub("", words)).replace("\r\n", "\n").strip()
    return words if shows_something(words) else ""


def _restored(found: re.Match[str]) -> str:
    words = found[0]
    if not _UNSEEN.search(words):
        return words
    try:
        return words.encode("latin-1").decode()
    except UnicodeDecodeError:
        return words


def plain(text: LocalizedText | Prose | None) -> str:
    """Return the English text, or else the Thai one, for a format with one language; empty without a text."""
    return (text.en or text.th or "") if text else ""


def escaped(words: str) -> str:
    """Return a text in which what looks like HTML is escaped, so that `clean` returns the original text."""
    words = _ENTITY.sub(lambda found: f"&amp;{found[0][1:]}", words)
    return words if without_tags(words) == words else words.replace("<", "&lt;")


def decimal(number: float) -> str:
    """Return a level or a weight as a decimal number of at most six decimals, without zeros at its end."""
    return f"{number:.6f}".rstrip("0").rstrip(".")


def identifier(raw: str) -> str:
    """Return the text if it is a valid identifier, otherwise a valid one made of its ASCII letters and digits.

    If this loses letters, a hash of the text is added, so that different texts give different identifiers.
    """
    if _IDENTIFIER.fullmatch(raw):
        return raw
    words = clean(raw)
    if _IDENTIFIER.fullmatch(words):
        return words
    slug = re.sub(r"[^a-z0-9._]+", "-", unicodedata.normalize("NFKD", words).casefold()).strip("-._")
    if slug and _IDENTIFIER.fullmatch(slug) and slug == folded(words).replace(" ", "-"):
        return slug
    return f"{slug[:55].strip('-._') or 'id'}-{hashlib.sha256(folded(words).encode()).hexdigest()[:8]}"


def _is_thai(words: str) -> bool:
    return bool(_THAI.search(words))
