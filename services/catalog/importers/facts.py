"""Makes a course from facts, which are the texts of a file. Pure.

A fact has a name (`FACTS`) and is a text or a list of texts. A fact that the file does not state comes from `defaults`.
If hours, languages or provider are stated nowhere, they are assumed, and the course lists them in `assumed`.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from services.catalog.importers.durations import UNITS_OF_PERIODS, doubtful_hours, duration_of, is_pace
from services.catalog.importers.prerequisites import code_key, conditions_of, requires_nothing
from services.catalog.importers.words import (
    HIDDEN,
    KINDS,
    NOT_OFFERED,
    is_placeholder,
    language_of,
    language_of_writing,
    level_of,
    list_of,
    modality_of,
    plain,
)
from shared.decoding import convert
from shared.domain import Completions, Course, Rating
from shared.errors import InvalidInput, Warned
from shared.imports.dates import InvalidDate, date_of, span_of
from shared.imports.numerals import count_of, number_of
from shared.imports.rows import Row, RowProblem, refusal, row_of
from shared.texts import blank_in, doubtful_in_id, folded, in_both_languages, names_host, visible
from shared.value_checks import FIRST_YEAR, LAST_YEAR

Fact = str | list[str]

FACTS = (
    "id", "code", "title", "title_th", "title_en", "provider", "provider_th", "provider_en", "hours", "duration",
    "languages", "level", "tags", "prerequisites", "description", "description_th", "description_en", "url", "modality",
    "starts", "ends", "rating", "rating_count", "started", "completed", "accredited_against", "offered", "hidden", "duration_unit",
    "weeks", "weekly_hours", "weekly_hours_most",
    "teaches", "requires",
    "educational_level", "corequisites", "antirequisites", "stated", "assumed", "example",
)  # fmt: skip
"""The names of facts. Those from `teaches` on are only in files that this project exported, with lists as JSON."""

MANY = frozenset({"tags", "accredited_against", "offered", "hidden"})
"""The facts that several columns may hold together."""

ASSUMED_HOURS = 10.0
"""The hours of a course if neither the file nor a default states them; the course lists them in `assumed`."""

NOT_ENFORCED = "kept as text and not enforced"
"""How the warning of prerequisites begins that are not understood."""

NOT_STATED = {"th": "ไม่ระบุผู้จัด", "en": "Provider not stated"}
_LONGEST, _SHORT, _MOST_TAGS, _MOST_STATED, _LONGEST_URL = 5000, 300, 200, 2000, 2000
_VALID_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ROUNDED = re.compile(r"\d(?:[.,]\d+)?e\+\d{2,3}", re.IGNORECASE)
"""A long number as a spreadsheet writes it, which several courses may share: `2.02E+11`."""

_BARE = re.compile(r"[\d๐-๙.,\s]+(?:(?:[-–—]|ถึง|to)[\d๐-๙.,\s]+)?")
"""A number or a range without a unit."""

_BETWEEN = re.compile(r"^[\d๐-๙.,]+\s*(?:[-–—]|ถึง|to)\s*[\d๐-๙.,]+$")
_PERIOD = re.compile(rf"(?<![a-z])(?:{UNITS_OF_PERIODS})(?![a-z])")
_LANGUAGES_JOINED = re.compile(r"(?:[/&+]|และ(?:ภาษา)?|\sand\s)(?![^()]*\))")
"""What is between the languages of one cell, except inside brackets: `Chinese (Simplified/Traditional)` is one."""

_SUBTITLES = re.compile(r"\S+ (?:subtitles?|captions?)$|(?:คำบรรยาย|ซับ)", re.IGNORECASE)
_CODE_LENGTH = 2
_TRACKING = re.compile(r"utm_\w+|fbclid|gclid|ref")


def course_row(
    number: int, stated: Mapping[str, Fact], defaults: Mapping[str, str], *, is_html: bool = True
) -> Row[Course]:
    """Return the row with the course that facts describe, or with the problems for which it is rejected.

    `number`: the number of the row in the file. `stated`: the facts of the row. `defaults`: facts for rows without
    them. `is_html`: whether texts may hold HTML; those of this project's own exports do not.
    """
    return _Draft(number, stated, defaults, is_html=is_html).row()


def identifier(text: str) -> str:
    """Return the id that a provider uses if it is a valid identifier, otherwise an identifier made from it."""
    text = visible(text)
    return text if _VALID_ID.fullmatch(text) else _named(text, folded(text))


def id_by_code(provider: str, code: str) -> str:
    """Return an id made from a provider and the code of its course; `CS 101` and `cs101` give the same id."""
    return _named(f"{folded(provider)}-{code_key(code)}", f"{folded(provider)}\0{code_key(code)}")


def id_by_url(url: str) -> str:
    """Return an id made from the address of a course, without tracking parameters, user and password."""
    try:
        parts = urlsplit(url)
    except ValueError:  # for example an unclosed bracket: the address is then treated as text
        return _named(url, folded(url))
    query = urlencode([pair for pair in parse_qsl(parts.query) if not _TRACKING.fullmatch(pair[0])])
    host = parts.netloc.rpartition("@")[2].lower().removeprefix("www.")  # an id never holds a user or a password
    path = parts.path.rstrip("/")
    return _named(path.rpartition("/")[2] or host, urlunsplit(("", host, path, query, "")))


def _named(words: str, key: str) -> str:
    ascii_words = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9.]+", "-", ascii_words).strip("-.")[:40].rstrip("-.")
    digest = hashlib.blake2b(key.encode(), digest_size=6).hexdigest()
    return f"{slug}-{digest}" if slug else f"c-{digest}"


class _Draft:
    def __init__(self, number: int, stated: Mapping[str, Fact], defaults: Mapping[str, str], *, is_html: bool) -> None:
        self._number = number
        self._is_html = is_html
        self._stated = stated
        self._defaults = defaults
        self._given: dict[str, Any] = {}
        self._titles: dict[str, str] = {}
        """The title as in the file, from which an id is made: {language: text}; one that is written in both is Thai."""
        self._warnings: list[Warned] = []
        self._words: dict[str, str] = {}
        self._assumed: list[str] = []
        self._doubtful: list[str] = []

    def row(self) -> Row[Course]:
        given = self._given
        self._leave_out_rounded()
        self._names()
        provider = self._provider()
        given["id"] = self._id(provider)
        if code := self._text("code"):
            given["code"] = code
        self._hours()
        self._languages()
        self._description()
        self._tags()
        self._level()
        self._entry(provider)
        self._dates()
        self._rest()
        self._own()
        if self._words:
            given["stated"] = self._words | given.get("stated", {})
        if self._assumed or "assumed" in given:
            given["assumed"] = list(dict.fromkeys([*given.get("assumed", []), *self._assumed]))
        shown = self._text("id") or self._text("code") or next(iter(self._in_both("title").values()), "")
        shown = shown or self._text("url") or next(iter(self._in_both("description").values()), "")
        row = row_of(self._number, given, Course, self._warnings, shown[:60] or None)
        row.doubtful = self._doubtful
        if "title" not in given:
            row.problems = [self._without_title(), *(one for one in row.problems if one.field != "title")]
        if refused := self._not_offered():
            field, words = refused
            row.problems.append(refusal(InvalidInput(f"{words[:100]!r} says that it is not offered", field)))
        return row

    def _not_offered(self) -> tuple[str, str] | None:
        """Return (fact, words) if a fact says that the provider does not offer the course, otherwise None."""
        for name, words in (("offered", NOT_OFFERED), ("hidden", HIDDEN)):
            fact = self._stated.get(name) or self._defaults.get(name, "")
            for text in map(plain, fact if isinstance(fact, list) else [fact]):
                if folded(text.rstrip(".! ")) in words:
                    return name, text
        return None

    def _without_title(self) -> RowProblem:
        stated = next(iter(self._in_both("title").values()), "")
        detail = f"{stated[:100]!r} is no title" if stated else "is missing: a course needs a title"
        return refusal(InvalidInput(detail, "title"))

    # --- reading a fact ----------------------------------------------------------------------------------------------

    def _text(self, name: str) -> str:
        """Return a fact as one text, empty if the file does not state it."""
        for source in (self._stated, self._defaults):
            fact = source.get(name)
            if not fact:
                continue
            text = plain("; ".join(fact) if isinstance(fact, list) else fact, is_html=self._is_html)
            if text and (name.startswith("title") or not is_placeholder(text)):
                return text
        return ""

    def _items(self, name: str) -> list[str]:
        fact = self._stated.get(name) or self._defaults.get(name, "")
        parts = fact if isinstance(fact, list) else [fact]
        items = [item for part in parts for item in list_of(part, is_html=self._is_html)]
        return list({folded(item): item for item in reversed(items)}.values())[::-1]

    def _warn(self, field: str, detail: str) -> None:
        self._warnings.append(Warned(field, detail))

    def _in_both(self, name: str) -> dict[str, str]:
        """Return {language: text}; the language is that of the column, or is detected from the letters of the text."""
        found = {language: self._text(f"{name}_{language}") for language in ("th", "en")}
        if plain_text := self._text(name):
            language = language_of_writing(plain_text)
            found[language] = found[language] or plain_text
        return {language: text for language, text in found.items() if text}

    # --- the facts ---------------------------------------------------------------------------------------------------

    def _names(self) -> None:
        title = self._in_both("title")
        titles = {language: text for language, text in title.items() if not is_placeholder(text)}
        by_language = any(self._stated.get(f"title_{language}") for language in title)
        if not titles and by_language and self._text("id"):  # its provider calls it so, as our own export of it does
            titles = title
        if titles:
            self._titles = titles
            both = in_both_languages(titles.get("th", "")) if len(titles) == 1 and not by_language else {}
            self._given["title"] = both or titles

    def _provider(self) -> str:
        provider = self._in_both("provider")
        if not provider:
            self._assumed.append("provider")
        self._given["provider"] = provider or NOT_STATED
        return provider.get("en") or provider.get("th") or ""

    def _leave_out_rounded(self) -> None:
        for name in ("id", "code"):
            if doubt := doubtful_in_id(words := self._text(name)):
                self._warn(name, doubt)
            if _ROUNDED.fullmatch(words):
                self._stated = {fact: text for fact, text in self._stated.items() if fact != name}
                detail = (
                    f"{words[:100]!r} is a number of which a spreadsheet kept only the first digits; it is left out"
                )
                self._warn(name, detail)

    def _id(self, provider: str) -> str:
        if own := self._text("id"):
            return identifier(own)
        if code := self._text("code"):
            return id_by_code(provider, code)
        if url := self._url():
            return id_by_url(url)
        title = self._titles
        words = title.get("en") or title.get("th") or ""
        return _named(words, "\0".join(map(folded, (provider, title.get("th", ""), title.get("en", "")))))

    def _url(self) -> str:
        """Return the address of the course; empty if the file states none, or a text that is no address."""
        url = self._text("url")
        if re.match(r"(?:[\w-]+\.)+[a-z]{2,}(?:/|$)", url):
            url = f"https://{url}"
        scheme, _, rest = url.partition(":")
        if scheme.lower() not in ("http", "https") or not rest.startswith("//") or not names_host(url):
            return ""
        if len(url) > _LONGEST_URL or blank_in(url):
            return ""
        return f"{scheme.lower()}:{rest}"

    def _stated_duration(self) -> str:
        """Return the duration as one text, from the facts that hold its number, its unit, or weeks and hours per week."""
        words, unit = self._text("duration"), self._text("duration_unit")
        if unit and re.fullmatch(r"[\d๐-๙.,\s]+", words):
            return f"{words} {unit}"
        weeks = self._text("weeks") or words
        if number_of(self._text("hours") or "0") != 0:
            return words
        if not weeks or number_of(weeks) == 0:
            return self._pace_alone() or words
        if words and not ((read := duration_of(words)) and read.assumed and not _BARE.fullmatch(words)):
            return words
        if _BARE.fullmatch(weeks):
            weeks = f"{weeks} weeks"
        for rate in self._paces():
            stated = f"{weeks}, {rate}"
            if (read := duration_of(stated)) and not read.assumed and not read.unread:
                return stated
        return weeks

    def _paces(self) -> list[str]:
        """Return what the time of each week may mean, the words of the file first; empty if the file states none."""
        pace = (self._text("weekly_hours"), self._text("weekly_hours_most"))
        each = "-".join(dict.fromkeys(filter(None, pace)))
        if ":" in each and (clock := duration_of(each)):
            each = f"{clock.hours:g} hours"
        return [each, f"{each} per week", f"{each} hours per week"] if each and number_of(each) != 0 else []

    def _pace_alone(self) -> str:
        """Return the time of each week, if nothing states for how many weeks; it may state that itself."""
        paces = self._paces()
        if paces and _PERIOD.search(folded(paces[0])) and duration_of(paces[0]):
            return paces[0]
        return next(filter(is_pace, paces), paces[0] if paces and not duration_of(paces[0]) else "")

    def _hours(self) -> None:
        words = self._stated_duration()
        hours_text = _BETWEEN.sub(r"\g<0> hours", self._text("hours"))
        number = number_of(hours_text) if re.fullmatch(r"[\d๐-๙.,\s]+|[ก-๎\s]+", hours_text) else None
        number = number or None  # platforms write 0 for a duration that they do not know
        if stated := words or (hours_text if number is None else ""):
            self._words["duration"] = stated[:_MOST_STATED]
        if number is not None:
            self._given["hours"] = number
            if doubtful_hours(text := hours_text.strip()):
                self._doubt(text, number, text)
            return
        read = duration_of(hours_text) if hours_text else None
        if read is not None:
            words = hours_text
        elif words:
            read = duration_of(words)
        if read is None:
            self._assume_hours(words or hours_text)
        else:
            self._given["hours"] = read.hours
            if read.assumed:
                detail = f"{read.hours:g} are assumed for {words[:100]!r}"
                without_unit = f"{read.hours:g} are assumed for {words[:100]!r}, because no unit is stated"
                self._warn("hours", without_unit if _BARE.fullmatch(words) else detail)
            elif read.between:
                self._warn("hours", f"{read.hours:g}, the middle, are taken for {words[:100]!r}")
            if read.doubtful:
                self._doubt(read.doubtful, read.hours, words)
            if read.unread:
                left = ", ".join(read.unread)
                self._warn("hours", f"{read.hours:g} are taken for {words[:100]!r}, without {left!r}")
        if read is None or read.assumed:
            self._assumed.append("hours")

    def _assume_hours(self, words: str) -> None:
        self._given["hours"] = hours = ASSUMED_HOURS
        if is_pace(words):
            detail = f"{words[:100]!r} is a pace, and no length of the course is stated; {hours:g} are assumed"
        elif words:
            detail = f"no duration is read from {words[:100]!r}; {hours:g} are assumed"
        else:
            detail = f"not stated; {hours:g} are assumed"
        self._warn("hours", detail)

    def _doubt(self, number: str, hours: float, words: str) -> None:
        minutes = re.sub(r"[.,]", ":", number)
        detail = f"{hours:g} are taken for {words[:100]!r}; write {minutes} if that is hours and minutes"
        self._warn("hours", detail)

    def _languages(self) -> None:
        codes: list[str] = []
        for name in (name for item in self._items("languages") for name in _names_of_languages(item)):
            if code := language_of(name):
                codes.append(code)
            else:
                self._warn("languages", f"{name[:100]!r} is no language that is known here")
        if not codes:
            title = self._given.get("title", {})
            codes = ["th"] if "th" in title else ["en"]
            self._assumed.append("languages")
        self._given["languages"] = list(dict.fromkeys(codes))

    def _description(self) -> None:
        text = self._in_both("description")
        for language, words in text.items():
            if len(words) > _LONGEST:
                text[language] = words[:_LONGEST]
                self._warn(f"description.{language}", f"cut to {_LONGEST} of {len(words)} characters")
        if text:
            self._given["description"] = text

    def _tags(self) -> None:
        for name, most in (("tags", _MOST_TAGS), ("accredited_against", 20)):
            items = self._items(name)
            kept = [item for item in items if len(item) <= _SHORT][:most]
            if len(kept) < len(items):
                self._warn(name, f"{len(items) - len(kept)} are left out: too long, or more than {most}")
            if kept:
                self._given[name] = kept

    def _level(self) -> None:
        if not (words := self._text("level")):
            return
        if level := level_of(words):
            self._given["educational_level"] = level
            self._words["level"] = words[:_MOST_STATED]
        else:
            self._warn("educational_level", f"no level is read from {words[:100]!r}")

    def _entry(self, provider: str) -> None:
        fact = self._stated.get("prerequisites", "")
        words = plain("; ".join(fact) if isinstance(fact, list) else fact)
        if is_placeholder(words):
            return
        by_id = bool(self._text("id"))

        def identify(code: str) -> str:
            return identifier(code) if by_id else id_by_code(provider, code)

        listed = list_of(words) if words.startswith("[") else []
        text = " and ".join(f"({item})" for item in listed) if listed else words
        self._words["prerequisites"] = words[:_MOST_STATED]
        if requires_nothing(words):
            return
        found = conditions_of(text, identify, ids=by_id)
        if not found.understood:
            self._warn("requires", f"kept as text and not enforced: {words[:100]!r}")
            return
        if not found.whole:
            self._warn("requires", f"what is no course in it is kept as text and not enforced: {words[:100]!r}")
        if found.requires:
            self._given["requires"] = msgspec.to_builtins(found.requires)
            self._doubtful = found.doubtful
        for name in ("corequisites", "antirequisites"):
            if ids := list(dict.fromkeys(getattr(found, name))):
                self._given[name] = ids

    def _dates(self) -> None:
        stated = {name: self._text(name) for name in ("starts", "ends")}
        if not stated["ends"] and (days := span_of(stated["starts"])):
            stated = dict(zip(stated, days, strict=True))
        for name, words in stated.items():
            if not words:
                continue
            try:
                found = date_of(words, last=name == "ends")
                if found and not FIRST_YEAR <= found.year <= LAST_YEAR:
                    self._warn(name, f"{words[:100]!r}: there is no such year")
                elif found:
                    self._given[name] = found.isoformat()
            except InvalidDate as error:
                self._warn(name, f"{words[:100]!r}: {error}")

    def _warn_of_url(self, words: str) -> None:
        detail = f"{words[:100]!r} is no address with http:// or https:// and a host; it is left out"
        if len(words) > _LONGEST_URL:
            detail = f"left out: an address may hold {_LONGEST_URL} characters"
        elif re.match("https?:", words, re.IGNORECASE) and blank_in(words):
            detail = "left out: an address may hold no space, line end or invisible character"
        self._warn("url", detail)

    def _rest(self) -> None:
        if url := self._url():
            self._given["url"] = url
        elif words := self._text("url"):
            self._warn_of_url(words)
        if words := self._text("modality"):
            if modality := modality_of(words):
                self._given["modality"] = modality
            elif folded(words.replace("_", " ")) not in KINDS:
                self._warn("modality", f"{words[:100]!r} is neither online, classroom nor blended")
        for name, first, second in (
            ("rating", ("mean", "rating"), ("count", "rating_count")),
            ("completions", ("started", "started"), ("completed", "completed")),
        ):
            numbers = {
                key: (number_of if key == "mean" else count_of)(self._text(fact)) for key, fact in (first, second)
            }
            if any(number is None for number in numbers.values()):
                missing = [fact for key, fact in (first, second) if numbers[key] is None]
                if unread := [words for fact in missing if (words := self._text(fact))]:
                    self._warn(name, f"left out: no number is read from {unread[0][:100]!r}")
                elif len(missing) < len(numbers):
                    self._warn(name, f"left out: {missing[0]} is not stated")
                continue
            whole = {key: value if key == "mean" else int(value or 0) for key, value in numbers.items()}
            try:
                convert(whole, Rating if name == "rating" else Completions)
            except InvalidInput as error:
                self._warn(f"{name}.{error.field}" if error.field else name, f"left out: {error.detail}")
            else:
                self._given[name] = whole

    def _own(self) -> None:
        """Accept fields of this project's own export unchanged."""
        for name in ("teaches", "requires", "stated", "assumed", "corequisites", "antirequisites"):
            fact = self._stated.get(name, "")
            if not isinstance(fact, str) or is_placeholder(fact):
                continue
            try:
                self._given[name] = msgspec.json.decode(fact)
                self._doubtful = [] if name == "requires" else self._doubtful
            except msgspec.DecodeError:
                self._given[name] = list_of(fact) if name not in ("teaches", "stated") else fact
        if level := self._text("educational_level"):
            self._given["educational_level"] = level
        if (example := self._text("example").lower()) in ("true", "1", "yes"):
            self._given["example"] = bool(example)


def _names_of_languages(text: str) -> Iterator[str]:
    """Yield the languages of a cell: `Thai-English` are two, `Portuguese - Brazil` and `zh-Hans` are one.

    `English subtitles` are no language of the course.
    """
    for part in map(str.strip, _LANGUAGES_JOINED.split(text)):
        if _SUBTITLES.match(part):
            continue
        names = [name.strip() for name in re.split("[-–]", part)]
        yield from names if all(len(name) > _CODE_LENGTH and language_of(name) for name in names) else [part]
