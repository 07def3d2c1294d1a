"""`python -m tests.evaluation.search`: how often a course is found by its title, written as people write it.

Known-item search among the courses of thaimooc and Coursera: each Thai title of thaimooc, and each tenth English one of
Coursera, is looked for as it is, without one of its tone marks, with a letter left out, doubled, or exchanged with the
next; and so is a part of it, of 12 characters at least. Found: the course, or one of the same title, is among the
first five.
"""

import random
from collections.abc import Callable, Iterator
from itertools import islice

import msgspec
from rich.console import Console
from rich.table import Table

from services.catalog.model import ListCourses
from services.catalog.search.find import find
from services.catalog.search.index import SearchIndex, fold_events, tidy
from shared.cloudevents import from_kafka, to_kafka
from shared.domain import Course, LocalizedText
from shared.events import CoursePublished, Event, new_event
from shared.texts import folded
from tests.evaluation import real

_FIRST = 5
_PART = 12
_LIMIT = 200
_TONE_MARKS = "\u0e48\u0e49\u0e4a\u0e4b\u0e4c\u0e47"
Change = Callable[[str, random.Random], str | None]


def courses() -> Iterator[Course]:
    """Yield the courses by their titles."""
    for number, row in enumerate(islice(real.read("thaimooc_400/course_data.csv"), 400)):
        th, en = row["Title (TH)"].strip()[:300], row["Title (EN)"].strip()[:300]
        yield _course(f"thaimooc-{number}", LocalizedText(th or None, en or None))
    for number, row in enumerate(real.read("coursera_5164_forstmaple/coursera_courses.csv")):
        if title := row["course_name"].strip()[:300]:
            yield _course(f"coursera-{number}", LocalizedText(en=title))


def _course(name: str, title: LocalizedText) -> Course:
    return Course(id=name, title=title, provider=LocalizedText(en="Provider"), hours=1.0, languages=["th"])


def indexed(every: list[Course]) -> SearchIndex:
    """Return an index of courses."""
    events: list[Event] = []
    for stamp, course in enumerate(every, 1):
        envelope = new_event("/evaluation", f"t/{course.id}", 1, CoursePublished("t", course))
        events.append(from_kafka(*to_kafka(msgspec.structs.replace(envelope, catalog_revision=stamp))))
    return tidy(fold_events(SearchIndex.empty(), events))


def without_a_tone_mark(text: str, chance: random.Random) -> str | None:
    """Return a text without one of its tone marks, None if it has none."""
    places = [place for place, char in enumerate(text) if char in _TONE_MARKS]
    return _without(text, chance.choice(places)) if places else None


def without_a_letter(text: str, chance: random.Random) -> str | None:
    """Return a text without one of its characters."""
    return _without(text, chance.randrange(len(text)))


def with_a_doubled_letter(text: str, chance: random.Random) -> str | None:
    """Return a text with one of its characters twice."""
    place = chance.randrange(len(text))
    return text[: place + 1] + text[place:]


def with_exchanged_letters(text: str, chance: random.Random) -> str | None:
    """Return a text with two neighbours exchanged."""
    place = chance.randrange(len(text) - 1) if len(text) > 1 else 0
    return text[:place] + text[place : place + 2][::-1] + text[place + 2 :]


def _without(text: str, place: int) -> str:
    return text[:place] + text[place + 1 :]


CHANGES: dict[str, Change] = {
    "as it is": lambda text, _: text,
    "without a tone mark": without_a_tone_mark,
    "a letter left out": without_a_letter,
    "a letter doubled": with_a_doubled_letter,
    "two letters exchanged": with_exchanged_letters,
}


def recall(index: SearchIndex, every: list[Course], change: Change, *, part: bool, thai: bool) -> tuple[int, int]:
    """Return how many of the titles were found, and how many were looked for."""
    chance = random.Random(11)  # noqa: S311 - the same queries each time
    titles = {course.id: course.title for course in every}
    found = count = 0
    for course in every if thai else every[400::10]:
        text = course.title.th if thai else course.title.en
        if not text or (part and len(text) < 2 * _PART):
            continue
        if part:
            begin = chance.randrange(len(text) - _PART)
            text = text[begin : begin + chance.randrange(_PART, 2 * _PART)]
        query = change(text[:_LIMIT], chance)
        if query is None or not query.strip():
            continue
        count += 1
        page = find(index, "t", ListCourses(q=query[:_LIMIT], limit=_FIRST))
        names = {folded(one) for _, name in page.courses for one in (titles[name].th, titles[name].en) if one}
        found += any(folded(one) in names for one in (course.title.th, course.title.en) if one)
    return found, count


def main() -> None:
    """Print recall among the first five."""
    every = list(courses())
    index = indexed(every)
    shown = Table(title=f"found among the first {_FIRST} of {len(every):,} courses")
    for name in ("query", "Thai title", "English title", "part of a Thai title", "part of an English title"):
        shown.add_column(name, justify="left" if name == "query" else "right")
    for name, change in CHANGES.items():
        cells = []
        for part in (False, True):
            for thai in (True, False):
                found, count = recall(index, every, change, part=part, thai=thai)
                cells.append(f"{found / count:.3f} of {count}" if count else "-")
        shown.add_row(name, *cells)
    Console(width=120).print(shown)


if __name__ == "__main__":
    main()
