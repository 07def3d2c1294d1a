"""Reads the prerequisites of a course as providers write them: ids, lists, expressions and prose. Pure.

    "CS 101 and (MATH 2 or MATH 3)"                      requires: CS 101, any of MATH 2 and MATH 3
    "CS 101; concurrent with CS 102"                     a corequisite
    "not for those who took CS 99"                       an antirequisite
    "CS 101 or consent of instructor"                    requires CS 101; the consent is only in the text
    "CS 101 with a grade of C or better"                 requires CS 101; the grade is only in the text
    "CS 101 or 102"                                      requires any of CS 101 and CS 102
    "a good command of English"                          nothing is required; the text is kept and shown

If a text is not understood completely, none of its conditions is used, because a part of a condition can mean something
else.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from shared.domain import Prerequisite
from shared.texts import folded

_MOST = 2000
_DEPTH = 10
_NO_CODE = (
    r"(?!(?:grade|year|age|level|version|windows|office|python|class|week|java|html|css|top|form|unit|part|"
    r"iso|iec|ieee|nist|itil|cobit|pmp|togaf|covid|toeic|toefl|ielts|cefr|hsk|"
    r"อายุ|ชั้น|ปี|หมวด|ฉบับ|มอก\.?|พ\.?ศ\.?|ค\.?ศ\.?|พ\.?ร\.?[กฎบ]\.?)[\s-]*\d|"
    r"(?:excel|word|powerpoint|outlook)\s*(?:20\d\d|365))"
)
"""Words before a number that make no code of a course: tests, standards, laws, programs and years."""

_DOUBTFUL = re.compile(
    r"(?:iso|iec|ieee|nist|itil|cobit|prince|togaf|pmp|ccna|cissp|covid|toeic|toefl|ielts|cefr|hsk|jlpt|ic3|icdl|mos|"
    r"o-?net|(?:t-?)?gat|pat|grade|level|class|year|version|windows|office|excel|word|powerpoint|outlook|photoshop|"
    r"illustrator|autocad|spss|python|java|html|css|sql)(?:[\s_:.-]*\d[\w.-]*|-[a-z]\w*)?|"
    r"(?:b|m)\.?(?:sc|a|eng|ed|b\.?a)\.?|ph\.?d\.?|k-?12|m\.?[1-6]|\d\.\d{1,2}",
    re.IGNORECASE,
)
"""What may be the id or the code of a course, and is more often a test, a standard, a program, a class or a degree."""

_NO_RANGE = r"(?!-?\s?level)"
"""What may not follow a code: `CS 100-level` means many courses."""

_CODE = (
    rf"{_NO_CODE}(?-i:[A-Z\u0e01-\u0e2e][A-Za-z\u0e01-\u0e2e._]{{0,9}})[\s_:.-]?\d{{2,}}+{_NO_RANGE}(?:[\w-]|\.(?=\w))*|"
    rf"{_NO_CODE}(?-i:[A-Z]{{2,10}})[\s_:.-]?\d(?![\w.])|\d+\.\d+[A-Za-z]*|\d{{2,3}}-\d{{3}}[A-Za-z]*(?!\w)|\d{{5,}}(?!\w)|(?-i:[A-Z])(?![\w.-])"
)
_NUMBER = r"\d{2,4}(?![\w.-])"
_LETTERS = re.compile(r"([^\W\d]+[\s_:.-]?)(\d+)[A-Za-z]?")
"""A code whose letters also count for the number after it: `CS 101 or 102`."""

_SPAN = re.compile(r"[^\W\d]+[\s_:.-]?(\d{3,})\s?-\s?(\d{3,})")
"""Codes from one to another: `CS 101-103`."""

_NO_ID = (
    r"(?!(?:no|not|none|nor|neither|nil|xor|unless|except|without|if|any|all|yes|see|open|optional|optionally|recommended|"
    r"advised|preferred|waived|tba|tbc|tbd|basic|strong|good|some|prior|must|should|may|can|to|of|in|for|with|"
    r"(?:pre|co|anti)-?req\w*|level|year|grade|gpax?|credits?|points?|score)(?![\w-]))"
)
"""Words that are no ids, also in capital letters."""

_ID = rf"{_NO_ID}(?:(?=[\w.-]*[\d_.-])[A-Za-z0-9](?:[\w-]|\.(?=\w))*|(?-i:[A-Z][A-Z0-9]*)(?![\w.-]))"
_CONSENT = (
    r"(?:the\s+|an\s+|its\s+|their\s+)?equivalents?(?:\s+(?:course|experience|knowledge|background|skill)s?)?|เทียบเท่า|"
    r"(?:the\s+)?(?:consent|permission|approval)\s+(?:of|from|by)\s+(?:the\s+)?(?:instructor|department|lecturer|teacher|"
    r"advis[eo]r|faculty|school)s?|instructor'?s?\s+(?:consent|permission|approval)|"
    r"(?:ได้รับ)?(?:ความเห็นชอบ|อนุญาต|ความยินยอม)(?:จาก|ของ)?(?:อาจารย์)?(?:ผู้สอน|ภาควิชา|ประจำวิชา)"
)
"""What may take the place of a course and is no course of the catalog."""

_LETTER = r"[\"“'‘]?(?-i:[A-F])[+-]?[\"”'’]?(?!\w)"
_GRADE = (
    rf"(?:with\s+)?(?:an?\s+)?(?:min(?:imum|\.)?\s+)?(?:letter\s+)?grades?\s+(?:of\s+)?(?:at\s+least\s+)?(?:an?\s+)?{_LETTER}"
    rf"(?:\s+or\s+(?:better|higher|above))?(?:\s+in(?!\w))?|"
    rf"(?:with\s+)?(?:at\s+least\s+)?(?:an?\s+)?{_LETTER}\s+or\s+(?:better|higher|above)(?:\s+in(?!\w))?"
)
_NOT_AFTER = (
    r"not\s+(?:open\s+)?(?:for|to)\s+(?:those|students|anyone)\s+(?:who\s+(?:have\s+)?(?:took|taken|completed|passed)|"
    r"with\s+credit\s+(?:for|in))|(?:cannot|may\s+not|must\s+not)\s+(?:be\s+)?(?:taken?|have\s+taken)\s*(?:after)?|"
    r"no\s+credit\s+(?:for|after)|anti-?req(?:uisite)?s?\s*[:.]?|ไม่(?:เปิด)?(?:สำหรับ|รับ)ผู้ที่(?:เคย)?(?:เรียน|ผ่าน)"
)
_CONCURRENT = (
    r"(?:taken\s+)?concurrent(?:ly)?(?:\s+(?:enrollment|enrolment|registration))?\s*(?:with|in)?|"
    r"(?:pre-?(?:requisites?)?\s*(?:or|/)\s*)?co-?req(?:uisite)?s?\s*(?:of\s+)?[:.]?|(?:taken\s+)?together\s+with|เรียน(?:ควบคู่|พร้อม)(?:กัน)?(?:กับ)?"
)
_WORDS = [
    ("aside", rf"\((?:{_GRADE})\)|{_GRADE}|\((?:or|หรือ)\s*(?:{_CONSENT})\)"),
    ("open", r"[(\[]"),
    ("close", r"[)\]]"),
    ("consent", _CONSENT),
    ("not", _NOT_AFTER),
    ("with", _CONCURRENT),
    ("and", r"(?:and(?!/)|&|plus|และ|\+)"),
    ("or", r"(?:and/or|or|\||หรือ)"),
    (
        "choice",
        r"(?:at\s+least\s+)?one\s+of(?:\s+the\s+following)?\s*:?|any(?:\s+one)?\s+of|either(?:\s+of)?|หนึ่งใน|(?:วิชา)?ใด(?:วิชา)?หนึ่งใน",
    ),
    ("both", r"both"),
    ("slash", r"/"),
    ("comma", r","),
    ("stop", r"[;.\n]"),
    (
        "filler",
        (
            r"(?:pre-?req(?:uisite)?s?|requirements?|required|requires?|(?:successful\s+|prior\s+)?completion\s+of|"
            r"(?:(?:the\s+)?(?:students?|learners?)\s+)?(?:must|need\s+to)\s+(?:have\s+)?(?:successfully\s+)?(?:complete|take|pass)[dn]?|"
            r"(?:successfully\s+)?completed|passed|pass|courses?|all\s+of|วิชาบังคับก่อน|(?:ผู้เรียน|ผู้เข้าเรียน|นักศึกษา)?ต้อง(?:สอบ)?ผ่าน|"
            r"(?:ผู้เรียน|ผู้เข้าเรียน|นักศึกษา)?ต้องเคย|(?:เคย|สอบ)?ผ่าน|สอบได้|(?:ราย)?วิชา|หลักสูตร|เรียน|"
            r"(?:มา)?ก่อน(?=\s*(?:$|[;,.)\n]|และ|หรือ)))\s*:?"
        ),
    ),
]
_TOKEN, _TOKEN_OF_IDS = (
    re.compile(r"\s*(?:" + "|".join(f"(?P<{name}>{pattern})" for name, pattern in words) + ")", re.IGNORECASE)
    for words in (
        [*_WORDS, ("code", _CODE), ("number", _NUMBER)],
        [*_WORDS, ("code", _CODE), ("number", _NUMBER), ("identifier", _ID)],
    )
)
_CREDITS = re.compile(r"\(\d{1,2}[-–]\d{1,2}[-–]\d{1,2}\)")
"""The hours of a week that make up the credits of the course before it: `CS 101 (2-3-4)`."""

_BULLET = re.compile(r"(?:^|\n)\s*[-–*•·▪]\s+|\s[•·▪]\s")
_FIRST_NUMBER = re.compile(r"\s*1[.)]\s+[^\W\d]")
_ITEM_NUMBER = re.compile(r"(?:^|\s)\d{1,2}[.)]\s+(?=[^\W\d])")
"""What begins each item of a list, and is no part of it."""

_MAY_BE_CONCURRENT = re.compile(
    rf"({_CODE})\s*+(?:[,(]\s*+)?(?:(?:which\s+)?(?:may|can)\s+be\s+taken\s+concurrently|"
    r"(?:สามารถ)?(?:ลงทะเบียน)?(?:ศึกษา|เรียน)?(?:ควบคู่|พร้อม)(?:กัน)?ได้)\)?",
    re.IGNORECASE,
)
_WORD_END = re.compile(r"[A-Za-z]")
_NAMES = ("code", "number", "identifier")


_NOTHING = re.compile(
    r"(?:(?:course\s+)?pre-?requisites?|requirements?|วิชาบังคับก่อน|เงื่อนไขรายวิชา|พื้นฐานที่ต้องมี)?\s*[:=-]*\s*(?:"
    r"none(?:\s+(?:is|are))?(?:\s+(?:required|needed|necessary|enforced))?|nothing|ningun[oa]|aucune?|keine|"
    r"(?:there\s+are\s+)?no\s+(?:(?:prior|previous|formal|specific|special|programming|technical|background)\s+)*"
    r"(?:pre-?requisites?|requirements?|experience|knowledge|background|skills?)"
    r"(?:\s+(?:is|are))?(?:\s+(?:required|needed|necessary|assumed))?(?:\s+for\s+this\s+course)?|"
    r"ไม่มี(?:ราย)?(?:วิชา|เงื่อนไข|ข้อกำหนด)?(?:ที่)?(?:ต้อง)?(?:บังคับก่อน|บังคับ|ก่อนเรียน)?|ไม่มีวิชาที่ต้องเรียนก่อน|"
    r"ไม่(?:จำเป็น|ต้อง|จำเป็นต้อง)(?:มี|ใช้)(?:พื้นฐาน|ความรู้|ประสบการณ์)(?:ความรู้|มา)?(?:มาก่อน|ก่อน|ใดๆ|ใด\s*ๆ)?"
    r")\s*[.!]?"
)
"""A text that states that nothing is required."""


@dataclass
class Conditions:
    """What a text of prerequisites states: conditions, and the ids of corequisites and antirequisites.

    If `understood` is false, the lists are empty, and readers only see the text.
    """

    requires: list[Prerequisite] = field(default_factory=list)
    corequisites: list[str] = field(default_factory=list)
    antirequisites: list[str] = field(default_factory=list)
    understood: bool = True
    doubtful: list[str] = field(default_factory=list)
    """The required courses that are none unless there is such a course: `ISO27001`, `Excel 101`."""
    whole: bool = True
    """Whether the conditions hold everything that the text states; consent, a grade or an equivalent is left out."""


class _NotUnderstood(Exception):
    pass


def requires_nothing(text: str) -> bool:
    """Return whether a text says that nothing is required, as `No prior experience required` or `ไม่มีวิชาบังคับก่อน`."""
    return len(text) <= _MOST and _NOTHING.fullmatch(folded(text)) is not None


def conditions_of(text: str, identify: Callable[[str], str], *, ids: bool = False) -> Conditions:
    """Return the conditions that a text states. `identify` returns the id of a course from its code.

    If `ids` is true, the text may name courses by any identifier with a digit, `-`, `_` or `.`, or in capital letters,
    and not only by codes such as `CS 101`.
    """
    if len(text) > _MOST:
        return Conditions(understood=False)
    try:
        text = _MAY_BE_CONCURRENT.sub(r"concurrent with \1;", _CREDITS.sub("", _BULLET.sub("\n", text)))
        text = _ITEM_NUMBER.sub("\n", text) if _FIRST_NUMBER.match(text) else text
        return _Reader(_tokens(text, _TOKEN_OF_IDS if ids else _TOKEN), identify).conditions()
    except _NotUnderstood:
        return Conditions(understood=False)


def _may_be_beside(before: str, word: str) -> bool:
    """Return whether two words with nothing between them are two courses.

    In `GPA 2.00` and `5G 101` they are not, and neither in `CS101 1. CS102`, where a number begins an item of a list.
    """
    if not all(any(map(str.isdigit, one)) for one in (before, word)):
        return False
    return before.isdigit() == word.isdigit()


def _tokens(text: str, pattern: re.Pattern[str]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    place, beside = 0, False
    text = text.strip()
    while place < len(text):
        token = pattern.match(text, place)
        if token is None or token.lastgroup is None or not token[token.lastgroup]:
            raise _NotUnderstood
        word = token[token.lastgroup]
        if _WORD_END.match(word[-1]) and token.lastgroup != "code" and _WORD_END.match(text[token.end() :][:1]):
            raise _NotUnderstood  # it ends within a word
        if beside and token.lastgroup in _NAMES and not _may_be_beside(found[-1][1], word):
            raise _NotUnderstood
        if token.lastgroup == "number":
            found.append(("code", _with_letters(word, found, alone=pattern is _TOKEN_OF_IDS)))
        elif token.lastgroup != "filler":
            found.append(("code" if token.lastgroup == "identifier" else token.lastgroup, word))
        beside = token.lastgroup in _NAMES
        place = token.end()
    return found


def _with_letters(number: str, before: list[tuple[str, str]], *, alone: bool) -> str:
    """Return the code of a number that follows a code: `102` after `CS 101 or` is `CS 102`.

    `alone`: whether the number may be an id by itself.
    """
    joint, last = (
        [("", ""), ("", ""), *before][-1],
        next((word for kind, word in reversed(before) if kind == "code"), ""),
    )
    code = _LETTERS.fullmatch(last)
    if code and len(code[2]) == len(number) and joint[0] in ("and", "or", "comma", "slash"):
        return code[1] + number
    if not alone:
        raise _NotUnderstood
    return number


class _Reader:
    """Parses sentences in which `and` binds more than `or`; a comma means the next `and` or `or`, otherwise `and`."""

    def __init__(self, tokens: list[tuple[str, str]], identify: Callable[[str], str]) -> None:
        self._tokens = [token for token in tokens if token[0] != "aside"]
        self._at = 0
        self._identify = identify
        self._found = Conditions(whole=len(self._tokens) == len(tokens))

    def conditions(self) -> Conditions:
        while self._at < len(self._tokens):
            if self._kind() in ("stop", "comma", "and"):
                if self._kind() == "and" and (not self._at or self._kind(1) is None):
                    raise _NotUnderstood
                self._at += 1
            elif self._kind() in ("with", "not"):
                self._others()
            elif (one := self._any(0)) is not None:
                self._found.requires += one.all if isinstance(one.all, list) else [one]
        found = self._found
        if not (found.requires or found.corequisites or found.antirequisites):
            raise _NotUnderstood
        return found

    def _kind(self, ahead: int = 0) -> str | None:
        place = self._at + ahead
        return self._tokens[place][0] if place < len(self._tokens) else None

    def _others(self) -> None:
        """Read the courses after `concurrent with` or `not for those who took`; alternatives are not distinguished."""
        kind = self._kind()
        self._at += 1
        into = self._found.corequisites if kind == "with" else self._found.antirequisites
        before = len(into)
        while self._kind() in ("code", "comma", "or", "and", "slash", "open", "close", "choice", "both"):
            if self._kind() == "code":
                into.append(self._identify(self._tokens[self._at][1]))
            elif kind == "with" and self._kind() in ("or", "slash", "choice"):
                raise _NotUnderstood
            self._at += 1
        if len(into) == before:
            raise _NotUnderstood

    def _any(self, depth: int) -> Prerequisite | None:
        if depth > _DEPTH:
            raise _NotUnderstood
        branches = [self._all(depth)]
        while self._kind() == "or" or (self._kind() == "comma" and self._next_joint() == "or"):
            self._at += 1
            if self._kind() == "or":  # ", or"
                self._at += 1
            branches.append(self._all(depth))
        kept = [branch for branch in branches if branch is not None]
        return kept[0] if len(kept) == 1 else Prerequisite(any=kept) if kept else None

    def _all(self, depth: int) -> Prerequisite | None:
        parts = [self._operand(depth)]
        while self._kind() == "and" or (self._kind() == "comma" and self._next_joint() != "or"):
            ahead = 1 if self._kind(1) != "and" else 2
            if self._kind(ahead) in ("with", "not", None):
                break
            self._at += ahead
            parts.append(self._operand(depth))
        kept = [part for part in parts if part is not None]
        return kept[0] if len(kept) == 1 else Prerequisite(all=kept) if kept else None

    def _operand(self, depth: int) -> Prerequisite | None:
        """Read a condition with the `or equivalent` or `or consent` after it, which belongs to this condition alone."""
        found = self._one(depth)
        ahead = 1 if self._kind() == "comma" else 0
        if found is not None and (self._kind(ahead), self._kind(ahead + 1)) == ("or", "consent"):
            self._at += ahead + 2
            self._found.whole = False
        return found

    def _next_joint(self) -> str | None:
        """Return the next `and` or `or` of this list of codes, beyond its commas."""
        place = self._at
        while place < len(self._tokens) and self._tokens[place][0] in ("comma", "code", "slash"):
            place += 1
        return self._tokens[place][0] if place < len(self._tokens) else None

    def _one(self, depth: int) -> Prerequisite | None:
        kind = self._kind()
        if kind not in ("code", "consent", "open", "choice", "both"):
            raise _NotUnderstood
        word = self._tokens[self._at][1]
        self._at += 1
        if kind == "choice":
            return self._one_of(depth, word)
        if kind == "code":
            names = [self._course(word)]
            while self._kind() == "slash" and self._kind(1) == "code":
                names.append(self._course(self._tokens[self._at + 1][1]))
                self._at += 2
            return names[0] if len(names) == 1 else Prerequisite(any=names)
        if kind == "consent":
            self._found.whole = False
            return None
        if kind == "both":
            if depth > _DEPTH:
                raise _NotUnderstood
            return self._all(depth + 1)
        inner = self._any(depth + 1)
        if self._kind() != "close":
            raise _NotUnderstood
        self._at += 1
        return inner

    def _course(self, code: str) -> Prerequisite:
        if (span := _SPAN.fullmatch(code)) and len(span[1]) == len(span[2]) and int(span[1]) < int(span[2]):
            raise _NotUnderstood
        course = self._identify(code.rstrip("."))
        if _DOUBTFUL.fullmatch(code):
            self._found.doubtful.append(course)
        return Prerequisite(course=course)

    def _one_of(self, depth: int, word: str) -> Prerequisite | None:
        """Read the list after `one of` or `either`; after an `or`, the list ends before an `and`."""
        if depth > _DEPTH:
            raise _NotUnderstood
        bracketed = self._kind() == "open"
        self._at += bracketed
        listed, joint = [self._one(depth + 1)], ""
        while True:
            ahead = 1 if self._kind() == "comma" else 0
            if (kind := self._kind(ahead)) in ("or", "and"):
                if kind == "and" and (joint == "or" or folded(word).startswith("either")):
                    break
                joint = kind
                ahead += 1
            if not ahead or self._kind(ahead) not in ("code", "consent", "open", "both"):
                break
            self._at += ahead
            listed.append(self._one(depth + 1))
        if len(listed) == 1 or (bracketed and self._kind() != "close"):
            raise _NotUnderstood
        self._at += bracketed
        kept = [one for one in listed if one is not None]
        return kept[0] if len(kept) == 1 else Prerequisite(any=kept) if kept else None


def code_key(code: str) -> str:
    """Return the form in which the codes of courses are compared: `CS 101` and `cs101` are equal."""
    return folded(code).replace(" ", "")
