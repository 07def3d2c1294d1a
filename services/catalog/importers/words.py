"""Reads the text of a cell, in Thai or English: its visible text, a list, a level, a language or a modality. Pure.

A function returns None if the text does not state the value; it does not guess.
"""

import ast
import html
import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Literal

from services.catalog.markup import without_tags
from services.catalog.model import EducationalLevel
from shared.imports.numerals import LONGEST_WORDS
from shared.imports.tables import has_no_result
from shared.texts import folded

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_NOTHING = frozenset(
    folded(word)
    for word in (
        "", "-", "--", "—", "n/a", "na", "n.a.", "none", "none.", "null", "nil", "nan", "not mentioned", "not-mentioned",
        "not stated", "unknown", "tbd", "tba", "[]", "{}", "ไม่มี", "ไม่ระบุ", "ไม่กำหนด", "ไม่ได้ระบุ", "ว่าง", "aucun", "aucune", "ninguno", "ninguna",
        "keine", "tidak ada", "tiada", "không", "không có", "无", "無", "なし",
        "(ว่าง)", "(blank)", "loading...",
    )
)  # fmt: skip
_LONGEST_NOTHING = 40
_LEAST_GAPS = 2


def plain(text: str, *, is_html: bool = True) -> str:
    """Return the visible text of a cell, without HTML, control characters and outer spaces.

    Entities such as `&amp;` are replaced once. Tags and entities stay if the text is not HTML.
    """
    if is_html:
        text = without_tags(html.unescape(text) if "&" in text else text)
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip().strip("\ufeff\u200b").strip()


def is_placeholder(text: str) -> bool:
    """Return whether a cell says that there is no value: it is empty, or holds `N/A`, `#REF!`, `...`, `ไม่ระบุ`.

    A formula is no value either: `=HYPERLINK("https://x.org","A")`.
    """
    if has_no_result(text):
        return True
    if len(text) > _LONGEST_NOTHING:
        return False
    return folded(text) in _NOTHING or not any(char.isalnum() for char in text)


_BULLETS = re.compile(r"(?:^|\n)\s*[-–*•·▪]\s+|\s[•·▪]\s")
_FIRST_NUMBER = re.compile(r"\s*1[.)]\s+\S")
_NUMBERS = re.compile(r"(?:^|\s)\d{1,2}[.)]\s+(?=\S)")
_KEYS = re.compile(r";#\d+(?:;#|$)|;#")
"""What SharePoint writes between the items of a list, with their numbers: `first;#1;#second;#2`."""


def list_of(text: str, *, is_html: bool = True) -> list[str]:
    """Return the different items of a list, which may be written in several forms.

    The forms are JSON, a Python literal, and items separated by line ends, bullets, numbers, `;`, `|` or `,`. Commas
    inside brackets do not separate items. If nothing else separates items, two or more spaces do, if there are several
    such gaps. Placeholders such as `N/A` are left out. `is_html`: as for `plain`.
    """
    text = text.strip()
    if text[:1] in "[(" and text[-1:] in "])":
        for read in (json.loads, ast.literal_eval):
            try:
                found = read(text)
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                continue
            if isinstance(found, list | tuple):
                return _distinct(
                    plain(str(one), is_html=is_html) for one in found if isinstance(one, str | int | float)
                )
    text = plain(text, is_html=is_html)  # before it is divided: an entity ends with a semicolon
    if text.startswith("{") and text.endswith("}") and ":" not in text:
        text = text[1:-1].replace('"', "")  # an array as PostgreSQL writes it
    text = _KEYS.sub("\n", _BULLETS.sub("\n", text))
    if _FIRST_NUMBER.match(text):
        text = _NUMBERS.sub("\n", text)
    for mark in ("\n", ";", "|"):
        if mark in text:
            return _distinct(text.split(mark))
    parts = [*_between_commas(text)]
    if len(parts) == 1 and text.count("  ") >= _LEAST_GAPS:
        parts = re.split(" {2,}", text)
    return _distinct(parts)


def _between_commas(text: str) -> Iterator[str]:
    """Yield the parts between commas that are not inside brackets."""
    begin = depth = 0
    for mark in re.finditer(r"[,、()\[\]]", text):
        if mark[0] in "([":
            depth += 1
        elif mark[0] in ")]":
            depth = max(depth - 1, 0)
        elif not depth:
            yield text[begin : mark.start()]
            begin = mark.end()
    yield text[begin:]


def _distinct(parts: Iterable[str]) -> list[str]:
    found: dict[str, str] = {}
    for part in parts:
        if not is_placeholder(one := part.strip()):
            found.setdefault(folded(one), one)
    return list(found.values())


# --- what is offered -------------------------------------------------------------------------------------------------

_NO = ("0", "false", "no", "n", "f", "off", "ไม่", "ไม่ใช่")
NOT_OFFERED = frozenset(
    folded(word)
    for word in (
        *_NO, "deleted", "unpublished", "not published", "hidden", "inactive", "disabled", "retired", "withdrawn",
        "suspended", "cancelled", "canceled", "draft", "archived", "discontinued", "unavailable", "not available", "closed",
        "enrollment closed", "enrolment closed", "closed for enrollment", "closed for enrolment", "registration closed",
        "ended", "concluded", "completed", "expired", "on hold", "paused", "deprecated", "in development", "under development", "coming soon",
        "not open", "not yet open", "not yet available", "not offered", "temporarily closed",
        "ไม่เผยแพร่", "ซ่อน", "ยกเลิก", "ยกเลิกแล้ว", "ยกเลิกการอบรม", "ปิด", "ปิดแล้ว", "ปิดใช้งาน", "ปิดหลักสูตร", "ปิดรับสมัคร",
        "ปิดรับสมัครแล้ว", "ปิดการรับสมัคร", "ปิดการรับสมัครแล้ว", "ปิดรับลงทะเบียน", "ปิดลงทะเบียน", "ปิดการลงทะเบียน", "ปิดอบรม",
        "ไม่เปิดรับสมัคร", "ไม่เปิดสอน", "ไม่เปิดอบรม", "งดรับสมัคร", "งดเปิดสอน", "หมดเขตรับสมัคร", "สิ้นสุดการรับสมัคร", "สิ้นสุด", "สิ้นสุดแล้ว", "เสร็จสิ้น", "เสร็จสิ้นแล้ว",
        "ไม่เปิด", "ไม่เปิดให้บริการ", "ยังไม่เปิด", "ยังไม่เปิดสอน", "ยังไม่เปิดรับสมัคร", "ยังไม่เผยแพร่", "รอเปิด", "รอเปิดรับสมัคร", "เร็ว ๆ นี้",
        "ระงับ", "ระงับการใช้งาน", "ระงับชั่วคราว", "พัก", "พักหลักสูตร", "พักการสอน", "ปิดชั่วคราว", "ปิดการสอน", "อยู่ระหว่างพัฒนา",
        "อยู่ระหว่างปรับปรุง", "หมดอายุ", "เลิกใช้", "ฉบับร่าง", "แบบร่าง", "ลบ", "ลบแล้ว",
    )
)  # fmt: skip
"""What a status says of a course that is not offered."""

HIDDEN = frozenset(map(folded, ("1", "true", "yes", "y", "t", "on", "ใช่")))
"""What says that a course is hidden."""

# --- levels, languages, ways of teaching -----------------------------------------------------------------------------

_LEVELS: list[tuple[EducationalLevel, str]] = [
    ("mixed", r"all levels|any level|^(?:all|any|ทั้งหมด)$|mixed|every level|ทุกระดับ|ทุกคน|หลายระดับ"),
    (
        "intermediate",
        (
            r"intermediate|medium|middle|working|practitioner|ปานกลาง|ระดับกลาง|ขั้นกลาง|กลาง|"
            r"中级|中級|trung cấp|trung bình|menengah|pertengahan|intermédiaire|intermedio|mittel|mittelstufe"
        ),
    ),
    (
        "advanced",
        (
            r"advanced|expert|proficient|master|สูง|เชี่ยวชาญ|ชำนาญ|"
            r"高级|高級|上級|nâng cao|lanjutan|lanjut|mahir|avancé|avanzado|fortgeschrittene?"
        ),
    ),
    (
        "beginner",
        (
            r"beginner|introductory|introduction|basic|foundation|foundational|fundamental|fundamentals|elementary|entry|"
            r"novice|starter|awareness|ความรู้พื้นฐาน|เบื้องต้น|เริ่มต้น|พื้นฐาน|ระดับต้น|ขั้นต้น|ต้น|ง่าย|"
            r"初级|初級|入门|入門|cơ bản|pemula|dasar|asas|débutant|principiante|anfänger"
        ),
    ),
]
_ABOUT_LEVELS = re.compile(
    r"\b(level|course|stage|and|to|or|of|the|for|learners?|students?)\b|สำหรับ|ผู้(?:เรียน)?|ระดับ|ขั้น|หลักสูตร|ถึง|และ"
)


def level_of(text: str) -> EducationalLevel | None:
    """Return the educational level that a text names; `mixed` if it names several, None for other texts."""
    return _level(text) if len(text) <= LONGEST_WORDS else None


@lru_cache(maxsize=4096)
def _level(text: str) -> EducationalLevel | None:
    left = folded(text)
    found: list[EducationalLevel] = []
    for level, pattern in _LEVELS:
        thai_or_word = rf"(?<![a-z])(?:{pattern})(?![a-z])"
        if re.search(thai_or_word, left):
            found.append(level)
            left = re.sub(thai_or_word, " ", left)
    if not found or re.search(r"[^\W\d_]", _ABOUT_LEVELS.sub(" ", left)):
        return None
    return found[0] if len(found) == 1 else "mixed"


_LANGUAGES = {
    "th": "thai tha ไทย", "en": "english eng อังกฤษ", "zh": "chinese mandarin cantonese 中文 汉语 漢語 zho chi จีน",
    "ja": "japanese 日本語 jpn ญี่ปุ่น", "ko": "korean 한국어 kor เกาหลี", "fr": "french français francais fra fre ฝรั่งเศส",
    "de": "german deutsch deu ger เยอรมัน", "es": "spanish español espanol castellano spa สเปน", "pt": "portuguese português por",
    "ru": "russian русский rus รัสเซีย", "ar": "arabic العربية ara อาหรับ", "it": "italian italiano ita", "nl": "dutch nld",
    "pl": "polish pol", "tr": "turkish türkçe tur", "vi": "vietnamese vie เวียดนาม", "id": "indonesian indonesia bahasa ind อินโดนีเซีย",
    "ms": "malay melayu malaysia msa มลายู มาเลย์", "hi": "hindi hin", "lo": "lao ลาว", "km": "khmer เขมร", "my": "burmese พม่า", "uk": "ukrainian",
    "el": "greek", "he": "hebrew", "sv": "swedish", "da": "danish", "no": "norwegian", "fi": "finnish", "cs": "czech",
    "hu": "hungarian", "ro": "romanian", "bg": "bulgarian", "ca": "catalan", "et": "estonian", "kk": "kazakh",
    "mn": "mongolian", "fa": "persian farsi", "ur": "urdu", "bn": "bengali", "ta": "tamil", "te": "telugu", "sk": "slovak",
    "sr": "serbian", "hr": "croatian", "lt": "lithuanian", "lv": "latvian", "eu": "basque", "tl": "tagalog filipino",
}  # fmt: skip
_COUNTRIES = {"jp": "ja", "cn": "zh", "vn": "vi", "us": "en", "gb": "en"}
"""Codes of countries in place of languages; none of them is the code of another language."""

_ELSEWHERE = {
    "th": "thailändisch thaï thaïlandais tailandés thailand thái 泰语 泰文 泰語 タイ語",
    "en": "englisch anglais inglés ingles inggris inggeris anh 英语 英文 英語",
    "zh": "chinesisch chinois chino trung mandarin cina 汉语 华语 中国語", "ja": "japanisch japonais japonés jepang nhật 日语 日文",
    "ko": "koreanisch coréen coreano hàn 韩语 韓語", "fr": "französisch francés perancis pháp 法语 法語 フランス語",
    "de": "allemand alemán jerman đức 德语 德語 ドイツ語", "es": "spanisch espagnol tây 西班牙语 スペイン語", "vi": "việt vietnamesisch vietnamien",
    "pt": "portugiesisch portugais portugués", "ru": "russisch russe ruso", "ar": "arabisch arabe árabe",
    "it": "italienisch italien italia", "nl": "niederländisch néerlandais", "pl": "polnisch polonais", "tr": "türkisch turc turco",
}  # fmt: skip
"""The names of languages in the other languages whose names of columns are known."""

_CODES = {
    folded(word): code
    for languages in (_ELSEWHERE, _LANGUAGES)
    for code, words in languages.items()
    for word in words.split()
} | _COUNTRIES
_LANGUAGE = re.compile(r"^(?:ภาษา\s*|(?:bahasa|tiếng|langue)\s+)(?=.)")
"""The word for language before the name of one."""


def language_of(text: str) -> str | None:
    """Return the ISO 639 code of a language from its name or tag, such as `ภาษาไทย` or `en-US`; None if unknown."""
    name = folded(re.sub(r"[\u064b-\u0652]", "", text[:LONGEST_WORDS]))  # Arabic vowel signs
    if re.fullmatch(r"[a-z]{2}(?:[-_][a-z0-9]+)*", name):
        return _COUNTRIES.get(name[:2], name[:2])
    name = _LANGUAGE.sub("", name)
    word = re.split(r"[\s(\-_,/]", name, maxsplit=1)[0]
    return _CODES.get(name) or _CODES.get(word)


def language_of_writing(text: str) -> str:
    """Return `th` for a text with a Thai letter, otherwise `en`."""
    return "th" if re.search(r"[\u0e01-\u0e2e]", text) else "en"


_ONLINE_ROOM = re.compile(
    r"(?:virtual|online|remote|live)[\s_-]*(?:live[\s_-]*|online[\s_-]*)?(?:class(?:room|es)?|workshops?|full-?time|part-?time)\b|"
    r"\bvilt\b|ห้องเรียน(?:แบบ)?\s*(?:ออนไลน์|เสมือน(?:จริง)?)"
)
"""A room that is not in a building: `Virtual classroom`, `ห้องเรียนออนไลน์`."""

KINDS = frozenset(
    map(
        folded,
        (
            "course", "courses", "curriculum", "learning path", "learning program", "program", "programme", "event", "item",
            "article", "book", "audio", "podcast", "document", "material", "test", "assessment", "quiz", "หลักสูตร", "รายวิชา",
            "บทความ", "เอกสาร", "หนังสือ",
        ),
    )
)  # fmt: skip
"""What a column such as `Content type` may hold that says nothing about the modality."""

Modality = Literal["online", "classroom", "blended"]


def modality_of(text: str) -> Modality | None:
    """Return whether a text says that a course is online, in a classroom, or both (`blended`); None if neither."""
    name = _ONLINE_ROOM.sub(" online ", folded(text[:LONGEST_WORDS]))
    online = re.search(
        r"online|mooc|e-?learning|self-?paced|distance|virtual|remote|video|webinar|web-?based|on-?demand|"
        r"\b(?:wbt|zoom)\b|ออนไลน์|ทางไกล|ด้วยต(?:น|ัว)เอง",
        name,
    )
    onsite = re.search(
        r"on[-_ ]?site|on[-_ ]?campus|classroom|in[-_ ]?person|face|full-?time|part-?time|workshop|\b(?:ilt|f2f)\b|onground|"
        r"ห้องเรียน|ชั้นเรียน|ออนไซ[ตท]์",
        name,
    )
    if re.search(r"blended|hybrid|ผสม", name) or (online and onsite):
        return "blended"
    if online:
        return "online"
    return "classroom" if onsite or re.search(r"instructor-?\s?led|^instructor$|อบรม", name) else None
