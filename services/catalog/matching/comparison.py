"""Computes how similar courses are to the labels of skills, and to courses whose skills are known (examples).

    index = SimilarityIndex(framework.skills, examples)
    found = index.of(courses)        # found.labels, .titles, .examples: courses x skills, from 0 to 1

The `NEIGHBOURS` examples that are most similar to a course vote for the skills that they teach. The weight of a vote
is similarity ** SHARPNESS. The result for a skill is its share of all votes, times the largest similarity among these
examples. Both constants were chosen on courses that are not in any published figure.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from services.catalog.matching.similarity import Floats, NgramSimilarity, Similarity
from services.catalog.matching.texts import CourseText, labels_of, languages, normalised
from shared.domain import Course, Skill

NEIGHBOURS = 20
SHARPNESS = 4
AT_ONCE = 4_000_000
"""The most similarities that are in memory at a time."""

Positions = NDArray[np.intp]


class Example(Struct, frozen=True):
    """A course whose skills in a framework are known: its id, its titles, and the ids of these skills."""

    id: str
    titles: tuple[str, ...]
    skills: frozenset[str]

    @classmethod
    def of_courses(cls, courses: Iterable[Course], framework: str) -> "list[Example]":
        """Return an example for each course that teaches a skill of `framework`, an id."""
        taught = [(one, frozenset(row.skill for row in one.teaches if row.framework == framework)) for one in courses]
        return [cls(one.id, tuple(languages(one.title)), skills) for one, skills in taught if skills]


class SimilarityTable(Struct, frozen=True):
    """How similar courses are to skills; every array is (courses, skills).

    `labels`: the similarity of any text of the course to the most similar label of the skill, from 0 to 1. `titles`:
    that of its titles, and of its tags that equal the title of the skill. `examples`: the result of the vote of the
    nearest examples, from 0 to 1. `nearest`: the index of the nearest example that teaches the skill, -1 if none of the
    voting examples does.
    """

    labels: Floats
    titles: Floats
    examples: Floats
    nearest: Positions


class Comparison(Struct, frozen=True):
    """The similarities of a batch of courses, with the texts that were compared.

    `texts` holds the texts of all courses, one course after the other. `rows`, (courses,), is the index of the first
    text of each course. `alike`, (texts, labels), is the similarity of each text to each label, from 0 to 1.
    """

    found: SimilarityTable
    texts: list[str]
    rows: Positions
    alike: Floats


class SimilarityIndex:
    """Computes how similar courses are to the skills of one framework, by labels and by `examples`."""

    def __init__(
        self,
        skills: Sequence[Skill],
        examples: Sequence[Example] = (),
        similarity: Callable[[Sequence[str], Sequence[str]], Similarity] = NgramSimilarity,
    ) -> None:
        self.skills = [skill.id for skill in skills]
        self.examples = [one for one in examples if one.titles]
        named = [labels_of(skill) for skill in skills]
        self.labels = [label for labels in named for label in labels]
        self._columns = _starts([len(labels) for labels in named])
        self._named: dict[str, list[int]] = {}
        """{label: the columns of the skills that have it}."""
        for place, labels in enumerate(named):
            for label in labels:
                self._named.setdefault(label, []).append(place)
        self._entitled: dict[str, list[int]] = {}
        """{title: the columns of the skills that have it}."""
        for place, skill in enumerate(skills):
            for title in dict.fromkeys(map(normalised, languages(skill.title))):
                self._entitled.setdefault(title, []).append(place)
        known = [list(map(normalised, one.titles)) for one in self.examples]
        self._titles = _starts([len(titles) for titles in known])
        self._places = {one.id: place for place, one in enumerate(self.examples)}
        self._similarity = similarity(self.labels, [text for titles in known for text in titles])
        column = {skill: place for place, skill in enumerate(self.skills)}
        self._teaches = np.zeros((len(known), -(-len(column) // 8)), dtype=np.uint8)
        """A bit for each skill, examples x bytes."""
        for row, example in enumerate(self.examples):
            taught = np.zeros(len(column), dtype=np.bool_)
            taught[[column[skill] for skill in example.skills & column.keys()]] = True
            self._teaches[row] = np.packbits(taught)

    def of(self, courses: Sequence[CourseText]) -> SimilarityTable:
        """Return the similarities of courses to skills. An example with the same id as a course has no vote for it."""
        parts = [self.compare(batch).found for batch in self.batches(courses)]
        return SimilarityTable(
            *(np.concatenate([getattr(part, name) for part in parts]) for name in SimilarityTable.__struct_fields__)
        )

    def batches(self, courses: Sequence[CourseText]) -> Iterator[Sequence[CourseText]]:
        """Yield the courses in batches, each with at most `AT_ONCE` similarities; a single course may have more."""
        most = AT_ONCE // max(len(self.labels), len(self.examples), 1)
        start = texts = 0
        for at, course in enumerate(courses):
            own = course.most_pieces()
            if at > start and texts + own > most:
                yield courses[start:at]
                start, texts = at, 0
            texts += own
        if start < len(courses):
            yield courses[start:]

    def compare(self, courses: Sequence[CourseText]) -> Comparison:
        """Return the similarities of a batch of courses, at least one, to the labels and to the examples."""
        read = [course.pieces() for course in courses]
        texts = [text for pieces, _ in read for text in pieces]
        rows = _starts([len(pieces) for pieces, _ in read])
        vectors = self._similarity.read(texts)
        alike = self._similarity.to_labels(vectors)
        for start, (pieces, count) in zip(rows, read, strict=True):
            for at, text in enumerate(pieces[count:], start + count):
                if text in self._named:
                    alike[at] = self._named_alone(alike[at], self._named[text])
        by_skill = np.maximum.reduceat(alike, self._columns, axis=1)
        of_titles = [start + at for start, (_, count) in zip(rows, read, strict=True) for at in range(count)]
        title_rows = _starts([count for _, count in read])
        labels = np.maximum.reduceat(by_skill, rows, axis=0)
        titles = np.maximum.reduceat(by_skill[of_titles], title_rows, axis=0)
        for row, (start, (pieces, count)) in enumerate(zip(rows, read, strict=True)):
            for at, text in enumerate(pieces[count:], start + count):
                if skills_of_title := self._entitled.get(text):
                    titles[row, skills_of_title] = by_skill[at, skills_of_title]
        examples, nearest = self._votes(courses, vectors[of_titles], title_rows)
        return Comparison(SimilarityTable(labels, titles, examples, nearest), texts, rows, alike)

    def _named_alone(self, alike: Floats, skills: Sequence[int]) -> Floats:
        """Return the similarities of a text to the labels, (labels,), with 0 for other skills than `skills`."""
        kept, ends = np.zeros_like(alike), [*self._columns, len(self.labels)]
        for skill in skills:
            kept[ends[skill] : ends[skill + 1]] = alike[ends[skill] : ends[skill + 1]]
        return kept

    def best(self, compared: Comparison, course: int, skill: int) -> tuple[str, str]:
        """Return (text of a course, label of a skill), the pair of the highest similarity.

        `course` and `skill` are indices of the rows and columns of `compared.found`.
        """
        ends = [*compared.rows, len(compared.texts)], [*self._columns, len(self.labels)]
        first, column = ends[0][course], ends[1][skill]
        part = compared.alike[first : ends[0][course + 1], column : ends[1][skill + 1]]
        text, label = np.unravel_index(int(part.argmax()), part.shape)
        return compared.texts[first + int(text)], self.labels[column + int(label)]

    def _votes(self, courses: Sequence[CourseText], vectors: Any, rows: Positions) -> tuple[Floats, Positions]:
        """Return two arrays, courses x skills: the votes, and the index of the nearest example for the skill."""
        shape = (len(courses), len(self.skills))
        votes, nearest = np.zeros(shape, dtype=np.float32), np.full(shape, -1, dtype=np.intp)
        if not self.examples:
            return votes, nearest
        alike = np.maximum.reduceat(self._similarity.to_examples(vectors), rows, axis=0)
        alike = np.maximum.reduceat(alike, self._titles, axis=1)
        for row, course in enumerate(courses):
            if (own := self._places.get(course.id)) is not None:
                alike[row, own] = 0.0
        most = min(NEIGHBOURS, len(self.examples))
        chosen = np.argpartition(-alike, most - 1, axis=1)[:, :most]
        chosen.sort(axis=1)
        near = np.take_along_axis(alike, chosen, axis=1)
        order = np.argsort(-near, axis=1, kind="stable")
        chosen, near = np.take_along_axis(chosen, order, axis=1), np.take_along_axis(near, order, axis=1)
        weights = near**SHARPNESS
        share = weights / np.maximum(weights.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny) * near[:, :1]
        for row in range(len(courses)):
            taught = np.unpackbits(self._teaches[chosen[row]], axis=1, count=len(self.skills)).astype(np.float32)
            votes[row] = share[row] @ taught
            voted = votes[row] > 0
            nearest[row, voted] = chosen[row, taught[:, voted].argmax(axis=0)]
        return votes, nearest


def _starts(sizes: Sequence[int]) -> Positions:
    """Return the index at which each of consecutive groups of these sizes begins; no group is empty."""
    return np.cumsum([0, *sizes[:-1]], dtype=np.intp)
