"""Finds the courses that match a query, with scores, filters, facets, and cursors for further pages. Pure.

The fewer courses contain an n-gram of the query, the larger is its weight; an n-gram that no course contains is
probably misspelt, and has a small weight. A course matches if its title contains n-grams with a large enough share of
the weight, or its title and other texts together contain nearly all. All weights are integers and are in the cursor, so
a score never changes between two pages.
"""

import math
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from heapq import nsmallest
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from services.catalog.model import (
    CourseFacets,
    HoursCount,
    LanguageCount,
    ListCourses,
    ProviderCount,
    SkillCount,
)
from services.catalog.search.grams import FIRST_TRIGRAM, Codes, codes_of, single_range, words_of
from services.catalog.search.index import SearchIndex
from services.catalog.search.segment import LEVELS, Flags, Numbers, Segment
from services.catalog.search.tenant import AlivePart, TenantCourses
from shared.domain import LocalizedText
from shared.errors import InvalidInput, UnknownName
from shared.texts import folded, shows_something

TITLE_SHARE = 0.45
"""A course matches if its title contains n-grams with at least this share of the query's weight."""
WHOLE_SHARE = 0.8
"""A course also matches if its title and other texts together contain at least this share."""
FACETS = 50
HOURS = (2.0, 5.0, 10.0, 20.0, 40.0)
T = TypeVar("T")
CURSOR_MARK = "~"
"""The beginning of every cursor; no id begins with it."""

_TERMS = 100
_STEPS = 8
_UNKNOWN = 0.3
_SCALE = 1_000_000
_REST_SHARE = 0.5
_LENGTH_SHARE = 0.15
_NUMBERS = 1 << 16
_SWAPPED = 100
"""Only in this many characters of a query, from its beginning, are neighbouring characters exchanged."""


@dataclass(frozen=True)
class Found:
    """A page of a search. `courses`: (tenant, id), the best match first. `next`: the cursor of the following page.

    `total` and `facets` count all matching courses. `query` holds the words that were searched: if the words of the
    request match nothing, these have exchanged characters.
    """

    courses: list[tuple[str, str]]
    total: int
    next: str | None
    facets: CourseFacets
    query: str


class _Cursor(msgspec.Struct, frozen=True, array_like=True):
    """Where a page of a search ended. `search`: what `_search_of` returns. `weights`: one byte for each n-gram.

    `score` and `id`: those of the last course of the page. `swaps`: the places of characters of the query that are
    exchanged with the next character.
    """

    search: bytes
    weights: bytes
    score: int
    id: str
    swaps: bytes = b""


def find(index: SearchIndex, tenant: str, wanted: ListCourses) -> Found:
    """Return a page of the matching courses that a tenant sees. Raises InvalidInput, which names the parameter.

    If the words match no course, even without filters, they are searched again with two neighbouring characters of a
    word exchanged, because that is a frequent typing error: `ข้อมลู`.
    """
    cursor = _read_cursor(wanted, tenant)
    if cursor is not None:
        return _page(index, tenant, wanted, cursor, cursor.swaps)
    found = _page(index, tenant, wanted, None, b"")
    if found.total or not (swaps := _swaps(index, tenant, wanted.q or "")):
        return found
    if _page(index, tenant, ListCourses(q=wanted.q, limit=1), None, b"").total:
        return found  # the words are right, and the filters leave nothing
    return _page(index, tenant, wanted, None, swaps)


def _page(index: SearchIndex, tenant: str, wanted: ListCourses, cursor: _Cursor | None, swaps: bytes) -> Found:
    owners = index.sees(tenant)
    skills = _required_skills(index, tenant, wanted)
    text = _swapped(_compared(wanted.q or ""), swaps) if swaps else wanted.q or ""
    query = _Query(text)
    parts = [(name, owned, part, query.postings(part)) for name, owned in owners for part in owned.parts]
    if cursor is None:
        weights = query.weights([found for *_, found in parts], sum(len(part.segment.ids) for _, _, part, _ in parts))
    elif len(cursor.weights) == len(query.lows):
        weights = list(cursor.weights)
    else:
        raise _not_a_cursor()
    hidden = index.hidden(tenant)
    tally = _Tally()
    best: list[tuple[int, str, str]] = []
    filters = {name: _Filter(owned, wanted, skills) for name, owned in owners}
    for name, owned, part, postings in parts:
        matches, score = query.scored(part, postings, weights)
        matches &= part.alive & filters[name].of(part.segment)
        if hidden and name != tenant:
            matches[[place for course in hidden if (place := part.place(course)) >= 0]] = False
        tally.add(owned, part, matches)
        best += [(-points, course, name) for points, course in _best(part, matches, score, cursor, wanted.limit + 1)]
    page = nsmallest(wanted.limit + 1, best)
    more = None
    if len(page) > wanted.limit:
        points, course, _ = page[wanted.limit - 1]
        more = _written(_Cursor(_search_of(wanted, tenant), bytes(weights), -points, course, swaps))
    courses = [(name, course) for _, course, name in page[: wanted.limit]]
    return Found(courses, tally.total, more, tally.facets(), text)


def _best(
    part: AlivePart, matches: Flags, score: NDArray[np.int64], cursor: _Cursor | None, most: int
) -> list[tuple[int, str]]:
    """Return the best courses of a part after a cursor with their scores; equal scores are ordered by id."""
    if cursor is not None:
        numbers = np.arange(len(score))
        behind = bisect_right(part.segment.ids, cursor.id)
        matches = matches & ((score < cursor.score) | ((score == cursor.score) & (numbers >= behind)))
    places = np.flatnonzero(matches)
    if len(places) > most:
        rank = score[places] * _NUMBERS - places
        places = places[np.argpartition(-rank, most)[:most]]
    return [(int(score[place]), part.segment.ids[place]) for place in places]


# --- words -----------------------------------------------------------------------------------------------------------


class _Query:
    """The n-grams of a query, as ranges of codes: trigrams first, then bigrams and single characters."""

    def __init__(self, text: str) -> None:
        self.empty = not shows_something(text)
        codes, _ = codes_of([text], bigrams=True)
        every = [int(code) for code in dict.fromkeys(codes.tolist())]
        trigrams = [code for code in every if code >= FIRST_TRIGRAM][:_TERMS]
        bigrams = [code for code in every if code < FIRST_TRIGRAM][:_TERMS]
        ranges = [(code, code + 1) for code in (*trigrams, *bigrams)]
        if not every:
            ranges += [single_range(word) for word in dict.fromkeys(words_of(text)) if len(word) == 1][:1]
        self.trigrams = len(trigrams)
        self.lows: Codes = np.array([low for low, _ in ranges], dtype=np.uint64)
        self.highs: Codes = np.array([high for _, high in ranges], dtype=np.uint64)

    def postings(self, part: AlivePart) -> tuple[list[Numbers], list[Numbers]]:
        """Return, for each n-gram, the numbers of the courses with it in the title; and for each trigram, elsewhere."""
        rest = slice(self.trigrams)
        return part.segment.titles.of(self.lows, self.highs), part.segment.rest.of(self.lows[rest], self.highs[rest])

    def weights(self, found: Sequence[tuple[list[Numbers], list[Numbers]]], courses: int) -> list[int]:
        """Return the weight of each n-gram, from 1 to 255; the fewer of the courses contain it, the larger it is."""
        count = Counter[int]()
        for titles, rest in found:
            for places in (titles, rest):
                for term, docs in enumerate(places):
                    count[term] += len(docs)
        most = math.log1p(max(1, courses)) * _UNKNOWN
        rarity = [math.log1p(courses / count[term]) if count[term] else most for term in range(len(self.lows))]
        return [min(255, max(1, round(_STEPS * one))) for one in rarity]

    def scored(
        self,
        part: AlivePart,
        postings: tuple[list[Numbers], list[Numbers]],
        weights: Sequence[int],
    ) -> tuple[Flags, NDArray[np.int64]]:
        """Return a mask of the courses of a part that match, and their scores."""
        size = len(part.segment.ids)
        if self.empty:
            return np.ones(size, dtype=np.bool_), np.zeros(size, dtype=np.int64)
        long, short, rest = (np.zeros(size, dtype=np.int32) for _ in range(3))
        for term, docs in enumerate(postings[0]):
            (long if term < self.trigrams else short)[docs] += weights[term]
        for docs, weight in zip(postings[1], weights, strict=False):
            rest[docs] += weight
        in_title = (long + short) / max(1, sum(weights))
        whole = (long + rest) / max(1, sum(weights[: self.trigrams])) if self.trigrams else in_title
        fits = np.minimum(1.0, len(self.lows) / np.maximum(1, part.segment.title_size))
        score = in_title * (1 - _LENGTH_SHARE + _LENGTH_SHARE * fits) + whole * _REST_SHARE
        return (in_title >= TITLE_SHARE) | (whole >= WHOLE_SHARE), np.rint(score * _SCALE).astype(np.int64)


def _compared(text: str) -> str:
    return " ".join(words_of(text))


def _swapped(text: str, places: bytes) -> str:
    """Return a text in which the character at each place is exchanged with the next one."""
    chars = list(text)
    for place in places:
        if place + 1 >= len(chars):
            raise _not_a_cursor()
        chars[place], chars[place + 1] = chars[place + 1], chars[place]
    return "".join(chars)


def _swaps(index: SearchIndex, tenant: str, text: str) -> bytes:
    """Return, for each word of a query, the place of the exchange that makes its rarest trigram more frequent."""
    text = _compared(text)[:_SWAPPED]
    words = [word.span() for word in re.finditer(r"\S{3,}", text)]
    tries = [(begin, end, place) for begin, end in words for place in (-1, *range(begin, end - 1))]
    if not tries:
        return b""
    spellings = [_swapped(text, bytes([place] if place >= 0 else []))[begin:end] for begin, end, place in tries]
    codes, numbers = codes_of(spellings, bigrams=False)
    known, positions = np.unique(codes, return_inverse=True)
    count = np.zeros(len(known), dtype=np.int64)
    for part in (part for _, owned in index.sees(tenant) for part in owned.parts):
        count += part.segment.titles.count(known, known + np.uint64(1))
    rarest = np.full(len(tries), np.iinfo(np.int64).max)
    np.minimum.at(rarest, numbers, count[positions])
    best: dict[int, tuple[int, int]] = {}
    for (begin, _, place), frequency in zip(tries, rarest.tolist(), strict=True):
        if begin not in best or frequency > best[begin][0]:
            best[begin] = frequency, place
    return bytes(place for _, place in best.values() if place >= 0)


# --- filters ---------------------------------------------------------------------------------------------------------


def _required_skills(index: SearchIndex, tenant: str, wanted: ListCourses) -> set[tuple[str, str]] | None:
    """Return the skills that a job group requires, as (framework, skill); None without a job group."""
    if wanted.job_group is None:
        return None
    frameworks = index.frameworks(tenant)
    if wanted.framework is not None and wanted.framework not in frameworks:
        raise UnknownName("no such framework", "framework")
    names = [wanted.framework] if wanted.framework is not None else list(frameworks)
    if not any(wanted.job_group in frameworks[name] for name in names):
        raise UnknownName("no such job group in the frameworks that you see, or in the one named", "job_group")
    return {(name, skill) for name in names for skill in frameworks[name].get(wanted.job_group, ())}


class _Filter:
    """The filters of a search other than `q`, for the courses of one tenant."""

    def __init__(self, owned: TenantCourses, wanted: ListCourses, required: set[tuple[str, str]] | None) -> None:
        names = owned.vocabulary
        self._wanted = wanted
        self._language = None if wanted.language is None else names.languages.known(wanted.language)
        self._providers: list[int] | None = None
        if wanted.provider is not None:
            name = folded(wanted.provider)
            self._providers = [
                at for at, both in enumerate(names.providers.values) if name in [folded(one) for one in both if one]
            ]
        self._level = wanted.level if isinstance(wanted.level, float) else None
        self._skills: Flags | None = None
        if (wanted.framework, wanted.skill, self._level, required) != (None, None, None, None):
            self._skills = np.array(
                [
                    wanted.framework in (None, framework)
                    and wanted.skill in (None, skill)
                    and (required is None or (framework, skill) in required)
                    for framework, skill in names.skills.values
                ],
                dtype=np.bool_,
            )

    def of(self, segment: Segment) -> Flags:
        """Return a mask of the courses of a segment that pass the filters."""
        found = np.ones(len(segment.ids), dtype=np.bool_)
        if self._language is not None:
            found &= segment.languages.any(segment.languages.values[0] == self._language)
        if self._providers is not None:
            found &= np.isin(segment.provider, self._providers)
        if self._wanted.max_hours is not None:
            found &= segment.hours <= self._wanted.max_hours
        if isinstance(self._wanted.level, str):
            found &= segment.level == LEVELS.index(self._wanted.level)
        if self._skills is not None:
            skill, before, after = segment.taught.values
            rows = np.append(self._skills, False)[skill.astype(np.int64)]
            if self._level is not None:
                rows &= (before < self._level) & (self._level <= after)
            found &= segment.taught.any(rows)
        return found


# --- facets ----------------------------------------------------------------------------------------------------------


class _Tally:
    """Counts properties of the found courses."""

    def __init__(self) -> None:
        self.total = 0
        self._providers = Counter[tuple[str | None, str | None]]()
        self._languages = Counter[str]()
        self._skills = Counter[tuple[str, str]]()
        self._hours = np.zeros(len(HOURS) + 1, dtype=np.int64)

    def add(self, owned: TenantCourses, part: AlivePart, matches: Flags) -> None:
        """Count the courses of a part that match."""
        self.total += int(np.count_nonzero(matches))
        segment, names = part.segment, owned.vocabulary
        self._providers.update(_counted(segment.provider[matches], names.providers.values))
        self._languages.update(_counted(segment.languages.within(matches)[0], names.languages.values))
        self._skills.update(_counted(segment.taught.within(matches)[0], names.skills.values))
        bands = np.searchsorted(np.array(HOURS), segment.hours[matches])
        self._hours += np.bincount(bands, minlength=len(HOURS) + 1)

    def facets(self) -> CourseFacets:
        """Return the counts, the most frequent first."""
        bounds = [*zip((0.0, *HOURS), (*HOURS, None), strict=True)]
        return CourseFacets(
            provider=[ProviderCount(LocalizedText(*both), n) for both, n in _first(self._providers)],
            language=[LanguageCount(language, n) for language, n in _first(self._languages)],
            skill=[SkillCount(*skill, n) for skill, n in _first(self._skills)],
            hours=[HoursCount(*both, int(n)) for both, n in zip(bounds, self._hours, strict=True) if n],
        )


def _first(count: Counter[T]) -> list[tuple[T, int]]:
    """Return the most frequent values; of equally frequent ones the first by name."""
    return nsmallest(FACETS, count.items(), key=lambda one: (-one[1], str(one[0])))


def _counted(numbers: NDArray[Any], values: Sequence[T]) -> Mapping[T, int]:
    count = np.bincount(numbers.astype(np.int64), minlength=len(values))
    return {values[at]: int(count[at]) for at in np.flatnonzero(count).tolist()}


# --- cursors ---------------------------------------------------------------------------------------------------------


def _search_of(wanted: ListCourses, tenant: str) -> bytes:
    """Return a digest of the tenant and the search; a cursor holds it, so that it fits no other search."""
    unpaged = msgspec.structs.replace(wanted, after="", limit=1)
    return blake2b(msgspec.json.encode([tenant, unpaged]), digest_size=8).digest()


def _written(cursor: _Cursor) -> str:
    return CURSOR_MARK + urlsafe_b64encode(msgspec.msgpack.encode(cursor)).decode().rstrip("=")


def _read_cursor(wanted: ListCourses, tenant: str) -> _Cursor | None:
    if not wanted.after:
        return None
    text = wanted.after.removeprefix(CURSOR_MARK)
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        cursor = msgspec.msgpack.decode(raw, type=_Cursor)
    except (ValueError, msgspec.DecodeError) as error:
        raise _not_a_cursor() from error
    if cursor.search != _search_of(wanted, tenant):
        raise InvalidInput("belongs to another search; begin with the first page", "after")
    if abs(cursor.score) >= _NUMBERS * _SCALE:
        raise _not_a_cursor()
    return cursor


def _not_a_cursor() -> InvalidInput:
    return InvalidInput("is not the `next` of a page of this search", "after")
