"""Whether a text shows anything, and whether two texts are the same name. Pure."""

import re
import unicodedata
from functools import lru_cache
from urllib.parse import urlsplit

# Letters and symbols by their category, blank by their shape: Hangul fillers, the empty Braille pattern, the musical
# null note head and the object replacement character.
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800\U0001d159\ufffc")
_SHOWN = frozenset("LNPS")
_NIKHAHIT_AND_AA = re.compile("\u0e4d([\u0e48-\u0e4b]*)\u0e32")
_MARK_BEFORE_VOWEL = re.compile("([\u0e48-\u0e4c]+)([\u0e31\u0e34-\u0e3a\u0e47]+)")
_SARA_AM_BEFORE_MARK = re.compile("\u0e33([\u0e48-\u0e4b]+)")
_WITH_DECIMAL = re.compile(r"(\d+)\.0+")
_LIKE_LATIN = frozenset("АВЕЅІЈКМНОРСТУХаеорсухѕіјΑΒΕΖΗΙΚΜΝΟΡΤΥΧο")
_SPACES = re.compile(r"\s+")
_BETWEEN_NAMES = re.compile(
    r"\s*[/|()\[\]]\s*|\s+[-–:]\s+|(?<=[\u0e01-\u0e4e])\s+(?=[A-Za-z])|(?<=[A-Za-z.])\s+(?=[\u0e01-\u0e4e])"
)

_THAI = re.compile("[\u0e01-\u0e4e]")
_BETWEEN_LANGUAGES = re.compile(r"[ \t]*[/|\n]\s*")
_LONGEST_IN_BOTH = 600
_ENGLISH = re.compile(r"[A-Za-z][\x20-\x7e‘’“”–—]*")
_LAST_WORD, _FIRST_WORD = re.compile(r"[A-Za-z][\w.+#-]*[^\w\s]*$"), re.compile(r"^[^\w\s]*[A-Za-z][\w.+#-]*")
_NO_TITLE = frozenset((
    "online", "onsite", "site", "hybrid", "blended", "elearning", "learning", "zoom", "webinar", "workshop", "video",
    "english", "thai", "basic", "beginner", "intermediate", "advanced", "course", "class", "batch", "level", "part",
    "phase", "module", "group", "type", "day", "days", "hour", "hours", "hrs", "new", "free", "and",
))  # fmt: skip
"""Words that tell something of a title before them, and are no title in English."""


def shows_something(text: str) -> bool:
    """Return whether a text has a visible character.

    Spaces, controls, zero-width and bidirectional marks, fillers and combining marks without a letter are not visible.
    """
    if text and text[0].isalnum() and text[0] not in _BLANK:  # as nearly every text begins
        return True
    return any(unicodedata.category(char)[0] in _SHOWN and char not in _BLANK for char in text)


def blank_in(text: str) -> str | None:
    """Return the first character that shows nothing: a space, a line end, an invisible one; None if there is none."""
    return next((char for char in text if char == " " or char in _BLANK or not char.isprintable()), None)


def names_host(url: str) -> bool:
    """Return whether an address names a host: `https://`, `https:///a` and `https://:80` do not."""
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:  # brackets that hold no IPv6 address, for one
        return False


def fold(text: str) -> str:
    """Return the canonical spelling of a name, for comparison.

    The spelling is in NFC and case-folded, has no zero-width characters, and no spaces but single ones between words.
    In Thai, nikhahit with sara aa becomes sara am, two sara e become sara ae, and a tone mark stands before sara am and
    after other vowels of the same letter.
    """
    text = unicodedata.normalize("NFC", text)
    if without_width := [char for char in set(text) if _has_no_width(char)]:
        text = text.translate(dict.fromkeys(map(ord, without_width)))
    text = _NIKHAHIT_AND_AA.sub("\\1\u0e33", text).replace("\u0e40\u0e40", "\u0e41")
    text = _SARA_AM_BEFORE_MARK.sub("\\1\u0e33", _MARK_BEFORE_VOWEL.sub(r"\2\1", text))
    return unicodedata.normalize("NFC", _SPACES.sub(" ", text).strip().casefold())


def visible(text: str) -> str:
    """Return a text without its characters that have no width, and without spaces around it."""
    if text.isascii() and text.isprintable():
        return text.strip()
    return "".join(char for char in text if not _has_no_width(char)).strip()


def letters_of(text: str) -> str:
    """Return the folded letters, marks and digits of a text, without spaces and punctuation."""
    return "".join(char for char in fold(text) if unicodedata.category(char)[0] in "LMN")


def doubtful_in_id(text: str) -> str | None:
    """Return what is wrong with an id that a program or a keyboard has changed; None if nothing shows that.

    `101.0` is how programs write a number of a column that has empty cells. In `С101` the letter is Cyrillic.
    """
    if found := _WITH_DECIMAL.fullmatch(text):
        return f"{text[:100]!r} looks like a number that a program wrote with decimals; is {found[1][:100]!r} meant?"
    letters = [char for char in text if char.isalpha()]
    if (alike := [char for char in letters if char in _LIKE_LATIN]) and all(
        char in _LIKE_LATIN or char.isascii() for char in letters
    ):
        script = unicodedata.name(alike[0]).partition(" ")[0].capitalize()
        return f"{text[:100]!r} holds letters that look Latin and are of another script: {script}"
    return None


def folded(text: str) -> str:
    """Return `fold(text)`, cached if the text is as short as names are, which repeat."""
    return _folded(text) if len(text) <= _LONGEST_NAME else fold(text)


_folded = lru_cache(maxsize=65_536)(fold)
_LONGEST_NAME = 300
"""The most characters of a title; longer texts would take the memory of all others in the cache."""


def names_in(text: str) -> list[str]:
    """Return the folded names in a text that may have one in each language: `ลำดับ / No.`, `กลุ่มงาน Job group`."""
    return [name for part in _BETWEEN_NAMES.split(_SPACES.sub(" ", text)) if (name := folded(part))]


def in_both_languages(title: str) -> dict[str, str]:
    """Return {"th": …, "en": …} of a title that is written in both, as `ผู้บริหาร / Executives`; empty for another one.

    A slash, a bar or a line end stands between them. In `AI/ML การใช้งาน` and `การใช้ Word / Excel` it does not: a Latin
    word beside it in the Thai part is not in the other part. `QA`, `Online` and `Batch 2` are no titles in English, and
    neither is one word behind a slash without spaces.
    """
    if len(title) > _LONGEST_IN_BOTH or not _THAI.search(title):
        return {}
    marks = _BETWEEN_LANGUAGES.finditer(title)
    for mark in sorted(marks, key=lambda one: len(one[0]) == 1):  # a slash without spaces may be in a name: UX/UI
        before, after = title[: mark.start()].strip(), title[mark.end() :].strip()
        for thai, english, beside in ((before, after, _LAST_WORD), (after, before, _FIRST_WORD)):
            if not _THAI.search(thai) or not _ENGLISH.fullmatch(english):
                continue
            words = re.findall(r"[a-z0-9]+", english.lower())
            latin = beside.search(thai)
            is_one = len(words) == 1 and (mark[0] in "/|" or english.isupper())
            is_title = any(len(word) > 2 and not word.isdigit() and word not in _NO_TITLE for word in words)  # noqa: PLR2004
            if is_title and not is_one and (not latin or {*re.findall(r"[a-z0-9]+", latin[0].lower())} <= {*words}):
                return {"th": thai, "en": english}
    return {}


@lru_cache(maxsize=4096)
def _has_no_width(char: str) -> bool:
    if unicodedata.category(char) == "Cf" or char in _BLANK or char == "\u034f":
        return True
    return "\ufe00" <= char <= "\ufe0f" or (unicodedata.category(char) == "Cc" and not char.isspace())
