"""Grade exports of learning platforms: which column holds what, and the graded activities of each row. Pure.

A table has one row for each graded activity, whose name stands in a column or in the request, or one row for each
officer and a column of scores for each activity (a gradebook). `map` states the columns as in an import of courses;
`default` states what no column holds: `activity=Safety quiz,maximum=10,taken_at=2026-01-05,date_order=mdy`.
"""

import math
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial

import msgspec
from msgspec import Struct

from services.assessment.xapi.mapping import ActivityRules
from services.assessment.xapi.statements import Verb
from shared.domain import Identifier
from shared.errors import InvalidInput, Malformed, Problem, TooLarge, Warned
from shared.imports.columns import MappedTable, mapped, pairs
from shared.imports.dates import DateOrder, InvalidDate, moment_of
from shared.imports.numerals import LONGEST_WORDS, NUMBER, THAI_DIGITS, number_of
from shared.imports.rows import ROW_LIMIT, Row, refusal, refused
from shared.imports.tables import is_empty, unguarded
from shared.texts import folded

FACTS = ("officer", "activity", "score", "maximum", "outcome", "taken_at")
"""What a column may hold. `outcome`: passed, failed or completed, in words."""

_DEFAULTS = ("activity", "maximum", "taken_at", "date_order")
_MANY = ("score",)

NAMES: dict[str, str] = {
    "officer": "officer,officer id,sis user id,sis id,id number,idnumber,employee id,employee number,staff id,personnel id,student id,learner id,user id,userid,username,user name,login,login id,sis login id,รหัสเจ้าหน้าที่,รหัสพนักงาน,รหัสบุคลากร,เลขประจำตัว,เลขประจำตัวเจ้าหน้าที่,เลขประจำตัวพนักงาน,รหัสประจำตัว,รหัสประจำตัวพนักงาน,รหัสผู้เรียน,รหัสผู้เข้าสอบ,รหัสผู้เข้าอบรม,รหัสผู้ใช้,รหัสผู้ใช้งาน,ชื่อผู้ใช้,ชื่อผู้ใช้งาน,รหัส",
    "activity": "activity,activity name,activity id,quiz,quiz name,quiz title,test,test name,exam,exam name,assessment,assessment name,assignment,item name,item title,item id,learning item,course,course name,course title,course id,training,training title,กิจกรรม,ชื่อกิจกรรม,แบบทดสอบ,ชื่อแบบทดสอบ,ชุดข้อสอบ,ชื่อชุดข้อสอบ,การสอบ,ชื่อการสอบ,หัวข้อสอบ,วิชาสอบ,หลักสูตร,ชื่อหลักสูตร,วิชา,ชื่อวิชา,รายวิชา,ชื่อรายวิชา",
    "score": "score,total score,total points,raw score,test score,quiz score,transcript score,grade,mark,marks,points,percent,percentage,คะแนน,คะแนนที่ได้,คะแนนสอบ,คะแนนรวม,คะแนนทดสอบ,คะแนนหลังเรียน,ผลคะแนน,ร้อยละ",
    "maximum": "maximum,max,max score,maximum score,maximum points,points possible,max points,max grade,out of,คะแนนเต็ม,เต็ม",
    "outcome": "outcome,result,success,passed,pass fail,status,completion status,transcript status,ผล,ผลสอบ,ผลการสอบ,ผลการทดสอบ,ผลการประเมิน,ผลการอบรม,ผลการเรียน,สถานะ,สถานะการเรียน,สถานะการสอบ",
    "taken_at": "taken at,date,time,timestamp,date taken,test date,exam date,completed,completed on,completed at,completion date,completion time,date completed,transcript completed date,finished,finished on,submitted,submitted at,submission time,submission date,end time,วันที่,วันที่สอบ,วันสอบ,วันเวลาที่สอบ,วันที่และเวลา,วันที่ทำแบบทดสอบ,วันที่ส่ง,วันที่ทดสอบ,วันที่เรียนจบ,วันที่จบ,วันที่ประเมิน,ประทับเวลา,เวลาที่ส่ง",
}
"""{fact: the usual names of its column, separated by commas}; the first name is the surest sign of the fact."""

_FACT_OF = {name: (fact, place) for fact, names in NAMES.items() for place, name in enumerate(names.split(","))}
_VERBS: dict[str, Verb] = {
    **dict.fromkeys(("passed", "pass", "yes", "true", "ผ่าน", "ผ่านเกณฑ์", "สอบผ่าน"), "passed"),
    **dict.fromkeys(
        ("failed", "fail", "not passed", "no", "false", "ไม่ผ่าน", "ไม่ผ่านเกณฑ์", "สอบไม่ผ่าน", "สอบตก", "ตก"), "failed"
    ),
    **dict.fromkeys(
        (
            "completed",
            "complete",
            "course completed",
            "course complete",
            "course_complete",
            "เรียนจบ",
            "จบ",
            "จบหลักสูตร",
            "สำเร็จ",
            "อบรมจบ",
        ),
        "completed",
    ),
}
_UNGRADED = frozenset((
    "ex", "excused", "absent", "not yet graded", "needs grading", "not graded", "ungraded", "in progress", "ongoing",
    "started", "not started", "not attempted", "never submitted", "not submitted", "missing", "abandoned",
    "incomplete", "not completed", "not complete", "enrolled", "registered", "pending",
    "ขาดสอบ", "ไม่เข้าสอบ", "ไม่มาสอบ", "ไม่ได้สอบ", "ยังไม่ส่ง", "ไม่ส่ง", "รอตรวจ", "รอผล", "รอผลสอบ", "รอประกาศผล",
    "กำลังเรียน", "กำลังทำ", "กำลังดำเนินการ", "อยู่ระหว่างเรียน", "อยู่ระหว่างดำเนินการ", "ยังไม่เริ่ม", "ยังไม่เรียน",
    "ยังไม่สอบ", "ยังไม่จบ", "เรียนไม่จบ", "ไม่จบ", "ไม่สำเร็จ", "ลงทะเบียนแล้ว",
))  # fmt: skip
"""States in which there is no grade yet; platforms write 0 in its place."""
_STATES = _UNGRADED | frozenset((
    "n/a", "na", "not available", "ไม่มี", "finished", "done", "ended", "submitted", "turned in", "graded", "marked",
    "late", "on time", "overdue", "active", "inactive",
    "เสร็จสิ้น", "เสร็จสมบูรณ์", "เสร็จแล้ว", "ส่งแล้ว", "ส่งช้า", "ตรวจแล้ว",
))  # fmt: skip
"""States of an attempt or of a learner, which say nothing about a result."""

_KNOWN = "passed, failed, completed (ผ่าน, ไม่ผ่าน, เรียนจบ)"
_OF_MAXIMUM = re.compile(r"(?P<score>\S.*?)\s*(?:/|จาก|out of)\s*(?P<maximum>\S.*)")
_IN_NAME = re.compile(
    rf"(?:(?<!\d)/(?!\s*(?:19|20|25)\d\d\b)|เต็ม|out of|max\.?)\s*(?P<maximum>{NUMBER})|"
    rf"\((?P<points>{NUMBER})\s*(?:คะแนน|points?|pts)\)"
)
"""The maximum in the name of a column: `Grade/10.00`, but not `Quiz 1/2569`, which is a term of a year."""

_FORMS = ("percentage|ร้อยละ|เปอร์เซ็นต์", "real|จำนวนจริง|ค่าจริง", "letter|ตัวอักษร")
"""How Moodle says in the name of a column in which form it holds a grade; the maximum of a percentage is known."""
_CAPTIONS = 10
"""The most rows above the one that names the columns."""

_REMARK = re.compile(r"\((?:feedback|คำติชม|ความคิดเห็น|ข้อเสนอแนะ|ผลป้อนกลับ)\)$")
"""The end of the name of a column in which Moodle writes a teacher's words beside a grade."""

_MAXIMA = frozenset(("points possible", "points", "max points", "maximum", "คะแนนเต็ม"))
"""What begins a row that holds the maxima of the columns."""

_OPEN_EDX = frozenset(("certificate eligible", "enrollment track"))
"""Columns of a report of Open edX, whose `Student ID` is a number of its own database."""

_FORM = re.compile(rf"\s*\(({'|'.join(_FORMS)})\)$")
_PERCENT = re.compile(r"%|percent|ร้อยละ|เปอร์เซ็นต์")
_WEIGHT = re.compile(rf"(?!100\b)\b{NUMBER}\s*(?:%|percent|เปอร์เซ็นต์)|ร้อยละ\s*(?!100\b){NUMBER}")
"""In the name of a column, what the activity counts in the whole: `Exam (30 %)`; its scores may have any maximum."""
_HUNDRED = 100.0


class GradedActivity(Struct, frozen=True):
    """The result of one activity. `score`: from 0 to 1, None without one. `column`: the name of the result's column."""

    activity: str
    verb: Verb
    score: float | None
    column: str


class GradedRow(Struct, frozen=True):
    """The graded activities of one officer. `taken_at` None: the row has no time."""

    officer: str
    taken_at: datetime | None
    activities: list[GradedActivity]


class GradeTable(MappedTable):
    """Converts rows of cells to graded activities; the first row names the columns.

    `rules`: those of the tenant's mapping. A column whose name a rule maps holds the scores of the activity of this
    name.
    """

    def __init__(self, rules: ActivityRules, columns: str, default: str | None = None) -> None:
        """`columns`, `default`: the texts of the parameters `map` and `default`. Raises InvalidInput naming `default`."""
        super().__init__()
        self._rules, self._asked = rules, columns
        self._maxima: dict[int, float] = {}
        self._captions = 0
        defaults = dict(pairs(default or "", "default", _DEFAULTS))
        self._activity = defaults.get("activity") or None
        try:
            self._maximum = _number(defaults["maximum"]) if "maximum" in defaults else None
            self._order = _order(defaults["date_order"]) if "date_order" in defaults else None
            self._taken_at = _moment(defaults["taken_at"], self._order) if "taken_at" in defaults else None
        except ValueError as error:
            raise InvalidInput(str(error), "default") from error

    def row(self, number: int, cells: Sequence[str]) -> Row[GradedRow] | None:
        """Return a row of graded activities; None for the header and what is above it, an empty row and one of maxima.

        Raises InvalidInput naming `map` or `default` if the header lacks a needed column.
        """
        if is_empty(cells):
            return None
        if self._header is None:
            self._begin(cells)
            return None
        if sum(map(len, cells)) > ROW_LIMIT:
            return refused(number, TooLarge(f"a row may hold {ROW_LIMIT} bytes"), cells[0])
        if not is_empty(cells[len(self._header) :]):
            problem = Malformed(f"has {len(cells)} columns; the first row has {len(self._header)}")
            return refused(number, problem, " ".join(cells).strip())
        cells = [unguarded(cell).strip() for cell in cells]
        first = folded(next(filter(None, cells)))
        is_no_id = " " in first or not first.isascii()
        if first in _MAXIMA and (is_no_id or not self._cell("officer", cells)):
            self._maxima = {
                place: read for place in self._columns.get("score", []) if (read := number_of(cells[place]))
            }
            return None
        return self._read(number, cells)

    def _begin(self, cells: Sequence[str]) -> None:
        """Take the names of the columns from a row, unless it holds one text above them, such as the report's title."""
        if len(cells) > 1 and sum(map(bool, map(str.strip, cells))) == 1 and self._captions < _CAPTIONS:
            self._captions += 1
            return
        self._header = [" ".join(unguarded(cell).split()) for cell in cells]
        self._columns = self._mapped(self._header)

    def _read(self, number: int, cells: Sequence[str]) -> Row[GradedRow]:
        problems: list[Problem] = []
        activities: list[GradedActivity] = []
        taken_at = self._taken_at
        try:
            officer = self._officer(cells)
        except InvalidInput as problem:
            officer = ""
            problems.append(problem)
        try:
            activities = [*self._activities(cells)]
        except InvalidInput as problem:
            problems.append(problem)
        if text := _text(self._cell("taken_at", cells)):
            try:
                taken_at = _moment(text, self._order)
            except ValueError as error:
                problems.append(InvalidInput(str(error), self._name("taken_at")))
        elif taken_at is None and activities:
            problems.append(InvalidInput("says no time of the result", self._name("taken_at")))
        row = Row[GradedRow](number, begins=officer or " ".join(" ".join(cells).split())[:60])
        if problems:
            row.problems = [refusal(problem) for problem in problems]
            return row
        row.content = GradedRow(officer, taken_at, activities)
        if not activities:
            row.warnings = [Warned(self._name("score"), "the row holds no score")]
        elif word := self._unknown_outcome(cells):
            row.warnings = [Warned(self._name("outcome"), f"{_no_outcome(word)}; the score counts alone")]
        return row

    def _officer(self, cells: Sequence[str]) -> str:
        try:
            return msgspec.convert(self._cell("officer", cells).translate(THAI_DIGITS), Identifier)
        except msgspec.ValidationError as error:
            raise InvalidInput("is no id of an officer", self._name("officer")) from error

    def _activities(self, cells: Sequence[str]) -> Iterable[GradedActivity]:
        """Yield the graded activities of a row. Raises InvalidInput naming the column."""
        outcome = _VERBS.get(folded(self._cell("outcome", cells)))
        if (word := self._unknown_outcome(cells)) and not any(
            _text(cells[at]) for at in self._columns.get("score", [])
        ):
            raise InvalidInput(_no_outcome(word), self._name("outcome"))
        activity = self._cell("activity", cells) or self._activity
        for place in self._columns.get("score", []):
            name = (self._header or [])[place]
            if score := _text(cells[place]):
                if not outcome and (verb := _VERBS.get(folded(score))):
                    yield GradedActivity(activity or name, verb, None, name)
                    continue
                if not any(map(str.isdecimal, score)):
                    raise InvalidInput(f"{score[:40]!r} is no number and no known outcome; known are {_KNOWN}", name)
                try:
                    share = _share(score, self._maximum_of(place, cells), percentages=_is_percentage(folded(name)))
                except ValueError as error:
                    raise InvalidInput(str(error), name) from error
                if share or folded(self._cell("outcome", cells)) not in _UNGRADED:
                    verb = self._verb(activity or name, outcome)
                    yield GradedActivity(activity or name, verb, share, name)
            elif outcome and activity:
                yield GradedActivity(activity, outcome, None, self._name("outcome"))
        if outcome and not self._columns.get("score"):
            yield GradedActivity(activity or self._name("outcome"), outcome, None, self._name("outcome"))

    def _verb(self, activity: str, outcome: Verb | None) -> Verb:
        """Return the verb of a score: beside `completed` it is `scored`, unless no rule takes the activity with it."""
        if outcome == "completed" and self._rules.maps(activity, "scored"):
            return "scored"
        return outcome or "scored"

    def _unknown_outcome(self, cells: Sequence[str]) -> str:
        """Return the word of an outcome that is not known; empty if it is known, or says nothing."""
        text = _text(self._cell("outcome", cells))
        return "" if folded(text) in _VERBS else text

    def _maximum_of(self, place: int, cells: Sequence[str]) -> float | None:
        """Return the maximum of a score: that of the row, of the column, or of the request."""
        if given := self._cell("maximum", cells):
            return _number(given)
        if place in self._maxima:
            return self._maxima[place]
        name = folded((self._header or [])[place].translate(THAI_DIGITS))
        if found := _IN_NAME.search(name):
            return _number(found["maximum"] or found["points"])
        return _HUNDRED if self._maximum != 1 and _is_percentage(name) else self._maximum

    def _cell(self, fact: str, cells: Sequence[str]) -> str:
        numbers = self._columns.get(fact)
        return cells[numbers[0]] if numbers else ""

    def _name(self, fact: str) -> str:
        """Return the name of the column that holds a fact, or the fact."""
        numbers = self._columns.get(fact)
        return (self._header or [])[numbers[0]] if numbers else fact

    def _mapped(self, header: Sequence[str]) -> dict[str, list[int]]:
        """Return which columns hold which fact. Raises InvalidInput naming `map` or `default`."""
        guess = partial(_guessed, rules=self._rules, one_activity=self._activity is not None)
        found = mapped(self._asked, header, FACTS, _MANY, guess)
        names = ", ".join(header)[:1000]
        if "officer" not in found:
            raise InvalidInput(f"no column holds the officers; there are: {names}", "map")
        if "score" not in found and "outcome" not in found:
            detail = (
                "no column holds a score or an activity of the mapping, whose rules name a column in full or by its "
                f"beginning with *; there are: {names}"
            )
            raise InvalidInput(detail, "map")
        one = "activity" in found or self._activity is not None
        if one and len(found.get("score", [])) > 1:
            raise InvalidInput("only one column of scores may stand beside one of activities", "map")
        read = [header[number] for number in found.get("score", found.get("outcome", []))]
        if not one and not any(map(self._rules.maps, read)):
            detail = f"the mapping has no activity {read[0][:100]!r}; name the activity, or the column that holds it"
            raise InvalidInput(detail, "map")
        if "taken_at" not in found and self._taken_at is None:
            raise InvalidInput("no column holds the time; give it, such as default=taken_at=2026-01-05", "default")
        return found


def _guessed(header: Sequence[str], rules: ActivityRules, *, one_activity: bool) -> dict[str, list[int]]:
    """Guess which columns hold which fact: by their names, and scores of activities by the mapping.

    `one_activity`: the request names the activity of all rows.
    """
    best: dict[str, tuple[int, int]] = {}
    for number, name in enumerate(header):
        if known := _FACT_OF.get(_plain(name)):
            fact, place = known
            best[fact] = min(best.get(fact, (place, number)), (place, number))
    found = {fact: [number] for fact, (_, number) in best.items()}
    plain = [_plain(name) for name in header]
    if "username" in plain and not _OPEN_EDX.isdisjoint(plain):
        found["officer"] = [plain.index("username")]
    if "activity" in found and not {"score", "outcome"} & found.keys() and rules.maps(header[found["activity"][0]]):
        del found["activity"]  # the name of an activity, such as `Quiz`
    if "activity" not in found and not one_activity:
        taken = {numbers[0] for fact, numbers in found.items() if fact != "score"}
        named = [number for number, name in enumerate(header) if number not in taken and rules.maps(name)]
        scores = [number for number in named if not _REMARK.search(folded(header[number]))]
        if scores:
            found["score"] = _one_of_each(scores, header)
    return found


def _one_of_each(scores: Sequence[int], header: Sequence[str]) -> list[int]:
    """Return one column of each activity: Moodle writes a grade as a percentage, a number and a letter side by side."""
    best: dict[str, tuple[int, int]] = {}
    for number in scores:
        name = folded(header[number])
        form = found[1] if (found := _FORM.search(name)) else ""
        rank = next((place for place, forms in enumerate(_FORMS) if form in forms.split("|")), 0)
        activity = _FORM.sub("", name) if form else f"{name} {number}"
        best[activity] = min(best.get(activity, (rank, number)), (rank, number))
    return sorted(number for _, number in best.values())


def _plain(name: str) -> str:
    """Return the name of a column without the maximum or the unit that it states."""
    plain = folded(name[:LONGEST_WORDS].translate(THAI_DIGITS))
    plain = re.sub(r"\s*\([^)]*\)$|\s*/\s*[\d.,]+$|\s*%$", "", plain)
    return " ".join(re.sub(r"[_:/.*-]+", " ", plain).split())


def _text(cell: str) -> str:
    """Return a cell; empty if it means that there is no result."""
    return cell if any(map(str.isalnum, cell)) and folded(cell) not in _STATES else ""


def _is_percentage(name: str) -> bool:
    """Return whether the folded name of a column says that it holds percentages."""
    return bool(_PERCENT.search(_WEIGHT.sub("", name)))


def _share(text: str, maximum: float | None, *, percentages: bool) -> float:
    """Return a score from 0 to 1: `8/10`, `80 %`, or a number beside its maximum. Raises ValueError.

    `percentages`: whether the name of the column says percent. A spreadsheet may write 85 % there as 0.85.
    """
    plain = folded(text.translate(THAI_DIGITS))
    if found := _OF_MAXIMUM.fullmatch(plain):
        plain, maximum = found["score"], _number(found["maximum"])
    elif _PERCENT.search(plain):
        plain, maximum = _PERCENT.sub("", plain), _HUNDRED
    elif percentages and maximum == _HUNDRED and 0 < _number(plain) <= 1:
        raise ValueError(f"{text[:40]!r} may be a share or a percentage; write it with %, or give default=maximum=1")
    score = _number(plain)
    if maximum is None:
        raise ValueError("is a score without its maximum; give it, such as default=maximum=10")
    if not 0 <= score <= maximum or not maximum:
        raise ValueError(f"is not between 0 and the maximum, {maximum:g}")
    return score / maximum


def _number(text: str) -> float:
    """Return a number without other words. Raises ValueError."""
    plain = re.sub(r"\s*(?:คะแนน|points?|pts)\.?$", "", folded(text.translate(THAI_DIGITS)))
    found = number_of(plain) if re.fullmatch(NUMBER, plain) else None
    if found is None or not math.isfinite(found):
        raise ValueError(f"{text[:40]!r} is no number")
    return found


def _no_outcome(word: str) -> str:
    return f"{word[:40]!r} is no known outcome; known are {_KNOWN}"


def _order(text: str) -> DateOrder:
    """Return the order of a date's numbers. Raises ValueError."""
    orders: dict[str, DateOrder] = {"dmy": "dmy", "mdy": "mdy"}
    if text not in orders:
        raise ValueError(f"{text[:40]!r} is no date_order; there are: {', '.join(orders)}")
    return orders[text]


def _moment(text: str, order: DateOrder | None) -> datetime:
    """Return a time. Raises ValueError."""
    try:
        found = moment_of(text, order)
    except InvalidDate as error:
        raise ValueError(f"{text[:40]!r}: {error}") from error
    if found is None:
        raise ValueError(f"{text[:40]!r} is no time")
    return found
