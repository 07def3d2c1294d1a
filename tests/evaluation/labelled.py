"""Courses with labels by this project: which skills of the shipped framework each of them teaches.

    thaimooc            400 Thai courses by their titles; both passes of labelling name a right skill
    edx, coursera       English courses by their titles and tags, as an import of the set reads them; the first pass
                        names the right skills, and a second one over a part of them says how often it would differ

The labels are in `labels/`, by the ids or the row numbers of the sets; titles and tags are read from DATASETS_DIR.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from services.catalog.importers import ListReader, Options
from services.catalog.matching import CourseText
from shared.domain import Course, Framework, LocalizedText
from tests.evaluation import real, report

LABELS = Path(__file__).parent / "labels"
SEED = report.ROOT / "deploy" / "seed"
THAI, PLATFORMS = "thaimooc", ("edx", "coursera")
Labels = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Labelled:
    """Courses of a set with the ids of the skills that each one teaches."""

    name: str
    courses: list[CourseText]
    skills: list[set[str]]

    def right(self, skills: Sequence[str]) -> np.ndarray:
        """Return which of `skills` each course teaches: courses x skills."""
        return np.array([[skill in taught for skill in skills] for taught in self.skills])


@dataclass(frozen=True)
class Agreement:
    """How two passes of labelling agree: the pairs that one of them alone names, and Cohen's kappa over all pairs."""

    courses: int
    disagreements: int
    kappa: float

    @classmethod
    def of(cls, first: Labels, second: Labels, courses: int) -> "Agreement":
        """Return the agreement of two passes over `courses` courses, of which those without skills may be missing."""
        one, other = (
            {(course, skill) for course, taught in labels.items() for skill in taught} for labels in (first, second)
        )
        pairs = courses * len(framework().skills)
        agreed = 1 - len(one ^ other) / pairs
        chance = (len(one) * len(other) + (pairs - len(one)) * (pairs - len(other))) / pairs**2
        return cls(courses, len(one ^ other), (agreed - chance) / (1 - chance))


def framework() -> Framework:
    """Return the shipped framework, to which the labels refer."""
    return msgspec.json.decode((SEED / "frameworks" / "th-digital-2018.json").read_bytes(), type=Framework)


def thai(*, thai_alone: bool = False) -> Labelled:
    """Return the 400 courses by their titles in Thai and English, or in Thai alone where they have one."""
    read = _read("thaimooc.json")
    courses = []
    for row in list(real.read("thaimooc_400/course_data.csv"))[: read["courses"]]:
        th, en = row["Title (TH)"].strip(), row["Title (EN)"].strip()
        english = None if en in ("", "null") or thai_alone else en[:300]
        courses.append(CourseText(row["Course Code"], LocalizedText(th=th[:300], en=english)))
    both = [set(read["first"].get(one.id, ())) & set(read["second"].get(one.id, ())) for one in courses]
    return Labelled(THAI, courses, both)


def thai_agreement() -> Agreement:
    """Return how the two passes over the Thai courses agree."""
    read = _read("thaimooc.json")
    return Agreement.of(read["first"], read["second"], read["courses"])


def platform(name: str, part: str = "random") -> Labelled:
    """Return a part of the labelled courses of `edx` or `coursera`: drawn at `random`, or from the `similar` ones."""
    read = _read("platforms.json")["sets"][name]
    by_row = _imported(read["file"])
    rows: list[int] = read[part]
    courses = [CourseText.of(by_row[row], framework().id, {}) for row in rows]
    return Labelled(name, courses, [set(read["first"].get(str(row), ())) for row in rows])


def sets() -> list[Labelled]:
    """Return the labelled courses that were not chosen for their similarity: the Thai ones first."""
    return [thai(), *(platform(name) for name in PLATFORMS)]


def platform_agreement() -> Agreement:
    """Return how the two passes agree over the courses of the platforms that were labelled twice."""
    first: dict[str, list[str]] = {}
    second: dict[str, list[str]] = {}
    courses = 0
    for name, read in _read("platforms.json")["sets"].items():
        courses += len(read["again"])
        for row in map(str, read["again"]):
            first[f"{name} {row}"] = read["first"].get(row, [])
            second[f"{name} {row}"] = read["second"].get(row, [])
    return Agreement.of(first, second, courses)


def _imported(file: str) -> dict[int, Course]:
    """Return the courses of a file by their row numbers, with its columns as the importer guesses them."""
    found = real.folder()
    assert found is not None, f"{real.SETTING} is not set"
    reader = ListReader("csv", Options(columns="guess"))
    rows = [*reader.feed((found / file).read_bytes()), *reader.end()]
    reader.close()
    return {row.number: row.content for row in rows if row is not None and isinstance(row.content, Course)}


def _read(name: str) -> Any:
    return json.loads((LABELS / name).read_text(encoding="utf-8"))
