"""`python -m services.catalog calibrate`: fits the confidence of matches on courses whose right skills are known.

--labelled FILE --framework FILE [--examples FILE]    from files; MongoDB is not asked
    the courses, one JSON object a line: {"id", "title": {"th", "en"}, "description", "tags", "skills": [ids]};
    a course without skills is known to teach none. Examples: courses as they are imported
--tenant TENANT                                        from what people of a tenant have confirmed and rejected
--output FILE    where the calibration is written; the service reads the one that MATCHING_CALIBRATION names
--data TEXT      what the data is, in a few words; stored in the calibration
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
from msgspec import Struct

from services.catalog.matching import CourseText, Example, SimilarityIndex
from services.catalog.matching.calibration import Calibration, decoded, encoded, fit
from services.catalog.matching.texts import languages
from shared.decoding import decode
from shared.errors import InvalidInput, Problem
from shared.skills import Course, Framework, Text

T = TypeVar("T")


class LabelledCourse(Struct, frozen=True, forbid_unknown_fields=True):
    """A course, and the skills of the framework that it is known to teach."""

    id: str
    title: Text
    skills: list[str] = []
    description: Text | None = None
    tags: list[str] = []


def of_files(labelled: Path, framework: Path, examples: Path | None, data: str) -> Calibration:
    """Return the calibration of labelled courses. Raises InvalidInput naming the file."""
    read = decode(_bytes(framework), Framework)
    known = _lines(examples, Course) if examples else []
    index = SimilarityIndex(read.skills, [example for course in known if (example := example_of(course, read.id))])
    courses = _lines(labelled, LabelledCourse)
    unknown = {skill for course in courses for skill in course.skills} - set(index.skills)
    if unknown:
        raise InvalidInput(f"{read.id} has no skill {min(unknown)!r}", str(labelled))
    if not courses:
        raise InvalidInput("holds no course", str(labelled))
    right = np.array([[skill in course.skills for skill in index.skills] for course in courses])
    described = [CourseText(one.id, one.title, one.description, tuple(one.tags)) for one in courses]
    return fit(index.of(described), right, data)


def example_of(course: Course, framework: str) -> Example | None:
    """Return a course as an example of the skills that it teaches in a framework, None where it teaches none."""
    skills = frozenset(row.skill for row in course.teaches if row.framework == framework)
    return Example(course.id, tuple(languages(course.title)), skills) if skills else None


def read_calibration(path: Path) -> Calibration:
    """Return the calibration of a file. Raises InvalidInput naming it."""
    try:
        return decoded(_bytes(path))
    except msgspec.MsgspecError as error:
        raise InvalidInput(f"holds no calibration: {error}", str(path)) from error


def main(arguments: Sequence[str]) -> str:
    """Carry out the command; return what it says. Raises SystemExit with its reason."""
    parser = argparse.ArgumentParser(prog="python -m services.catalog calibrate", description=__doc__)
    parser.add_argument("--labelled", type=Path, required=True)
    parser.add_argument("--framework", type=Path, required=True)
    parser.add_argument("--examples", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--data", required=True)
    asked = parser.parse_args(arguments)
    try:
        fitted = of_files(asked.labelled, asked.framework, asked.examples, asked.data)
        asked.output.write_bytes(encoded(fitted))
    except (Problem, OSError) as error:
        raise SystemExit(f"calibrate: {error}") from error
    measured = fitted.measured
    return (
        f"calibrate: {fitted.courses} courses, {fitted.right} right rows; enters at {fitted.enters:.2f}: precision "
        f"{measured.precision:.2f}, recall {measured.recall:.2f}; calibration error {measured.error:.3f}; "
        f"written to {asked.output}"
    )


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}", str(path)) from error


def _lines(path: Path, shape: type[T]) -> list[T]:
    rows = []
    for number, line in enumerate(_bytes(path).splitlines(), start=1):
        if line.strip():
            try:
                rows.append(decode(line, shape))
            except Problem as error:
                raise InvalidInput(f"line {number}: {error.detail}", f"{path}") from error
    return rows
