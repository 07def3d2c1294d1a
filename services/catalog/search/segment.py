"""Builds and merges segments: the postings and filter values of some thousand courses of one tenant. Pure.

A segment never changes. The courses in it are numbered from 0 in the order of their ids.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from services.catalog.search.grams import Codes, codes_of
from shared.domain import Course, LocalizedText

MOST = 8192
"""The most courses of a segment; the time and memory of a merge grow with this number."""
PROSE = 200
"""The search reads this many characters of a description, from its beginning, in each language."""
TAGS = 20
"""The search reads this many tags of a course, the first ones."""
LEVELS = ("beginner", "intermediate", "advanced", "mixed")

Integers = NDArray[np.int32]
Flags = NDArray[np.bool_]
Numbers = NDArray[np.intp]
"""Numbers of courses within a segment."""


class Names:
    """Gives a number, from 0, to each value that courses have, such as a language. Only one thread may add values.

    A value keeps its number, and is never removed.
    """

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._numbers: dict[Any, int] = {}

    def number(self, value: Any) -> int:
        """Return the number of a value; a new value gets the next number."""
        number = self._numbers.get(value)
        if number is None:
            number = self._numbers[value] = len(self.values)
            self.values.append(value)
        return number

    def known(self, value: Any) -> int:
        """Return the number of a value, -1 if it is unknown."""
        return self._numbers.get(value, -1)


class Vocabulary(Struct, frozen=True):
    """The numbers of a tenant's providers (Thai name, English name), languages, and skills (framework, id)."""

    providers: Names
    languages: Names
    skills: Names


@dataclass(frozen=True)
class Postings:
    """For each n-gram, the numbers of the courses that contain it.

    `codes`: (n,) the codes of the n-grams, ascending. `docs[starts[i]:starts[i + 1]]`: the numbers of the courses with
    the n-gram `codes[i]`, ascending.
    """

    codes: Codes
    starts: Integers
    docs: NDArray[np.uint16]

    def of(self, lows: Codes, highs: Codes) -> list[Numbers]:
        """Return, for each pair of bounds, the numbers of the courses with an n-gram code c, low <= c < high.

        `lows` and `highs` are (P,); the list has P arrays, in which each number is once, in ascending order.
        """
        first, last = np.searchsorted(self.codes, lows), np.searchsorted(self.codes, highs)
        bounds = zip(self.starts[first].tolist(), self.starts[last].tolist(), strict=True)
        found = [self.docs[begin:end].astype(np.intp) for begin, end in bounds]  # arrays are fast to index by these
        return [one if end - begin <= 1 else np.unique(one) for one, begin, end in zip(found, first, last, strict=True)]

    def count(self, lows: Codes, highs: Codes) -> NDArray[np.int64]:
        """Return, for each pair of bounds, the number of entries with an n-gram code c, low <= c < high.

        `lows`, `highs` and the result are (P,). A course counts once for each of its n-grams.
        """
        first, last = np.searchsorted(self.codes, lows), np.searchsorted(self.codes, highs)
        return self.starts[last].astype(np.int64) - self.starts[first].astype(np.int64)


@dataclass(frozen=True)
class Rows:
    """Several rows for each course, such as the skills that it teaches.

    `values` is (fields of a row, rows). The rows of course `n` are `values[:, starts[n]:starts[n + 1]]`.
    """

    starts: Integers
    values: NDArray[Any]

    def any(self, wanted: Flags) -> Flags:
        """Return a mask (courses,) of the courses with at least one wanted row. `wanted`: a mask (rows,)."""
        before = np.concatenate([[0], np.cumsum(wanted)])
        return np.asarray(before[self.starts[1:]] > before[self.starts[:-1]])

    def within(self, courses: Flags) -> NDArray[Any]:
        """Return the rows of the courses in a mask, in their order, as an array (fields of a row, rows)."""
        return np.asarray(self.values[:, np.repeat(courses, np.diff(self.starts))])


@dataclass(frozen=True, eq=False)
class Segment:
    """What the search knows of some courses. The number of a course is its place in `ids`; arrays are (courses,).

    `titles` and `rest` are the postings of titles and of other texts; `rest` leaves out n-grams of the title.
    `title_size`: the number of different n-grams of a title in one language. `provider`: a number of the vocabulary.
    `level`: an index of LEVELS, -1 for none. `languages`: a row (language) for each language. `taught`: a row (skill,
    level before, level after) for each skill; languages and skills are numbers of the vocabulary.
    """

    ids: list[str]
    titles: Postings
    rest: Postings
    title_size: Integers
    provider: Integers
    hours: NDArray[np.float64]
    level: NDArray[np.int8]
    languages: Rows
    taught: Rows

    @cached_property
    def numbers(self) -> dict[str, int]:
        """{course id: number of the course in this segment}."""
        return {name: number for number, name in enumerate(self.ids)}


def build(courses: Sequence[Course], vocabulary: Vocabulary) -> Segment:
    """Return a segment of courses. The courses must be in the order of their ids, and no two ids may be equal.

    New providers, languages and skills are added to `vocabulary`.
    """
    title_codes, title_docs = codes_of([_title(course) for course in courses], bigrams=True)
    rest_codes, rest_docs = codes_of([_rest(course) for course in courses], bigrams=False)
    codes = _distinct(np.concatenate([title_codes, rest_codes]))
    titles = _distinct(_keys(np.searchsorted(codes, title_codes), title_docs))
    rest = _distinct(_keys(np.searchsorted(codes, rest_codes), rest_docs))
    if len(titles):
        rest = rest[titles[np.minimum(np.searchsorted(titles, rest), len(titles) - 1)] != rest]
    languages = [sum(1 for text in (course.title.th, course.title.en) if text) for course in courses]
    size = np.bincount((titles & _DOC).astype(np.int64), minlength=len(courses)) / languages
    return Segment(
        ids=[course.id for course in courses],
        titles=_postings(codes, titles),
        rest=_postings(codes, rest),
        title_size=size.astype(np.int32),
        provider=np.array([vocabulary.providers.number(_both(one.provider)) for one in courses], dtype=np.int32),
        hours=np.array([course.hours for course in courses]),
        level=np.array([_level(course) for course in courses], dtype=np.int8),
        languages=_rows([[(vocabulary.languages.number(one),) for one in course.languages] for course in courses], 1),
        taught=_rows([_taught(course, vocabulary) for course in courses], 3),
    )


def merge(parts: Sequence[tuple[Segment, Flags]]) -> Segment:
    """Return one segment with the live courses of several segments. `parts`: (segment, mask of its live courses)."""
    ids = [(name, at) for at, name in enumerate(name for part, _ in parts for name in part.ids)]
    kept = np.concatenate([alive for _, alive in parts])
    order = np.array([at for _, at in sorted(one for one in ids if kept[one[1]])], dtype=np.int64)
    number = np.full(len(ids), -1, dtype=np.int64)
    number[order] = np.arange(len(order))
    offsets = np.cumsum([0, *(len(part.ids) for part, _ in parts)])
    numbers = [number[begin:end] for begin, end in pairwise(offsets)]
    segments = [part for part, _ in parts]
    return Segment(
        ids=[ids[at][0] for at in order],
        titles=_merged([one.titles for one in segments], numbers),
        rest=_merged([one.rest for one in segments], numbers),
        title_size=np.concatenate([one.title_size for one in segments])[order],
        provider=np.concatenate([one.provider for one in segments])[order],
        hours=np.concatenate([one.hours for one in segments])[order],
        level=np.concatenate([one.level for one in segments])[order],
        languages=_gathered([one.languages for one in segments], order),
        taught=_gathered([one.taught for one in segments], order),
    )


# --- postings --------------------------------------------------------------------------------------------------------

_DOC = np.uint64(0xFFFF)
_DOC_BITS = np.uint64(16)


def _distinct(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the distinct values in order."""
    ordered = np.sort(values)
    return ordered[np.append(True, ordered[1:] != ordered[:-1])] if len(ordered) else ordered


def _keys(places: NDArray[np.int64], docs: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return one sortable number for each pair of an n-gram's index and a course."""
    return (places.astype(np.uint64) << _DOC_BITS) | docs.astype(np.uint64)


def _postings(codes: Codes, keys: NDArray[np.uint64]) -> Postings:
    """Return the postings of sorted keys, without codes that no key has."""
    count = np.bincount((keys >> _DOC_BITS).astype(np.int64), minlength=len(codes))
    used = count > 0
    starts = np.concatenate([[0], np.cumsum(count[used])]).astype(np.int32)
    return Postings(codes[used], starts, (keys & _DOC).astype(np.uint16))


def _merged(parts: Sequence[Postings], numbers: Sequence[NDArray[np.int64]]) -> Postings:
    codes = _distinct(np.concatenate([part.codes for part in parts]))
    keys = []
    for part, number in zip(parts, numbers, strict=True):
        docs = number[part.docs]
        places = np.repeat(np.searchsorted(codes, part.codes), np.diff(part.starts))
        keys.append(_keys(places[docs >= 0], docs[docs >= 0]))
    return _postings(codes, np.sort(np.concatenate(keys)))


# --- what is filtered by ---------------------------------------------------------------------------------------------


def _rows(rows: Sequence[Sequence[tuple[float, ...]]], width: int) -> Rows:
    starts = np.cumsum([0, *(len(one) for one in rows)]).astype(np.int32)
    values = np.array([row for one in rows for row in one], dtype=np.float64).reshape(-1, width).T
    return Rows(starts, values)


def _gathered(parts: Sequence[Rows], order: NDArray[np.int64]) -> Rows:
    """Return the rows of the courses of several parts in a new order."""
    values = np.concatenate([part.values for part in parts], axis=1)
    offsets = np.cumsum([0, *(part.values.shape[1] for part in parts)])
    begins = np.concatenate([part.starts[:-1] + begin for part, begin in zip(parts, offsets, strict=False)])[order]
    counts = np.concatenate([np.diff(part.starts) for part in parts])[order]
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    place = np.repeat(begins - starts[:-1], counts) + np.arange(starts[-1])
    return Rows(starts, values[:, place])


def _taught(course: Course, vocabulary: Vocabulary) -> list[tuple[float, ...]]:
    return [
        (vocabulary.skills.number((row.framework, row.skill)), row.from_level, row.to_level) for row in course.teaches
    ]


def _level(course: Course) -> int:
    return LEVELS.index(course.educational_level) if course.educational_level else -1


def _both(text: LocalizedText) -> tuple[str | None, str | None]:
    return text.th, text.en


def _title(course: Course) -> str:
    return " \t ".join(filter(None, (course.title.th, course.title.en, course.code)))


def _rest(course: Course) -> str:
    descriptions = (course.description.th, course.description.en) if course.description else ()
    named = (course.id, course.provider.th, course.provider.en, *course.tags[:TAGS])
    return " \t ".join([*filter(None, named), *(text[:PROSE] for text in descriptions if text)])
