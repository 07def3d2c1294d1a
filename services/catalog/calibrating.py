"""`python -m services.catalog calibrate`: fits the confidence of matches on courses whose right skills are known.

--labelled FILE --framework FILE [--examples FILE]    from files, without MongoDB
    the courses, one JSON object per line: {"id", "title": {"th", "en"}, "description", "tags", "skills": [ids], "set"};
    a course with an empty list is known to teach none of the skills. The thresholds hold in every set of courses.
    Examples: courses as they are imported
--tenant TENANT                                        from what people of a tenant have confirmed and rejected
--output FILE    where the calibration is written; the service reads the one that MATCHING_CALIBRATION names
--data TEXT      a short description of the data; stored in the calibration
"""

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
from msgspec import Struct

from services.catalog.match_store import MatchStore
from services.catalog.matching import CourseText, Example, SimilarityIndex
from services.catalog.matching.calibration import Calibration, decoded, encoded, fit, fit_rows
from services.catalog.store import CatalogStore
from shared.console import where
from shared.decoding import decode
from shared.domain import Course, Framework, LocalizedText
from shared.errors import InvalidInput, Problem
from shared.mongo import connected
from shared.settings import CatalogSettings, load

T = TypeVar("T")


class LabelledCourse(Struct, frozen=True, forbid_unknown_fields=True):
    """A course of a labelled file. `skills`: the ids of all skills of the framework that the course teaches.

    `set`: the name of the set that the course is from, if the file has courses of several kinds of catalogs.
    """

    id: str
    title: LocalizedText
    skills: list[str] = []
    description: LocalizedText | None = None
    tags: list[str] = []
    set: str = ""


def of_files(labelled: Path, framework: Path, examples: Path | None, data: str) -> Calibration:
    """Return the calibration that is fitted on the courses of a labelled file.

    `examples`: a file of courses to compare with. `data`: a description of the data. Raises InvalidInput, which names
    the file.
    """
    read = decode(_bytes(framework), Framework)
    known = _lines(examples, Course) if examples else []
    index = SimilarityIndex(read.skills, Example.of_courses(known, read.id))
    courses = _lines(labelled, LabelledCourse)
    unknown = {skill for course in courses for skill in course.skills} - set(index.skills)
    if unknown:
        raise InvalidInput(f"{read.id} has no skill {min(unknown)!r}", str(labelled))
    if not courses:
        raise InvalidInput("holds no course", str(labelled))
    right = np.array([[skill in course.skills for skill in index.skills] for course in courses])
    described = [CourseText(one.id, one.title, one.description, tuple(one.tags)) for one in courses]
    return fit(index.of(described), right, data, sets=[one.set for one in courses])


async def of_decisions(settings: CatalogSettings, tenant: str, data: str) -> Calibration:
    """Return the calibration that is fitted on the matches that people of a tenant have decided.

    `data`: a description of the data. Raises Unavailable; InvalidInput if there are too few decisions to learn from.
    """
    with connected(settings, "catalog") as client:
        database = client[settings.database("catalog")]
        store = MatchStore(database, CatalogStore(database))
        decided = [(match, match.titles) async for match in store.decided(tenant) if match.mapped_from is None]
    compared = [(one, titles) for one, titles in decided if titles is not None]
    if not compared:
        raise InvalidInput("nobody has confirmed or rejected a match that this release proposed", "tenant")
    right = [one.row is not None and one.row.skill == one.skill for one, _ in compared]
    labels, titles, examples = np.array([(one.labels, titles, one.examples) for one, titles in compared]).T
    return fit_rows(labels, titles, examples, np.array(right), data)


def read_calibration(path: Path) -> Calibration:
    """Return the calibration that a file holds. Raises InvalidInput, which names the file."""
    try:
        return decoded(_bytes(path))
    except msgspec.MsgspecError as error:
        raise InvalidInput(f"holds no calibration: {error}", str(path)) from error


def main(arguments: Sequence[str]) -> str:
    """Run `calibrate` with its arguments; return a summary to print. Raises SystemExit with the reason of a failure."""
    parser = argparse.ArgumentParser(prog="python -m services.catalog calibrate", description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--labelled", type=Path)
    source.add_argument("--tenant")
    parser.add_argument("--framework", type=Path)
    parser.add_argument("--examples", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--data", required=True)
    args = parser.parse_args(arguments)
    if args.labelled and not args.framework:
        parser.error("--labelled needs --framework")
    try:
        if args.tenant:
            fitted = asyncio.run(of_decisions(load(CatalogSettings), args.tenant, args.data))
        else:
            fitted = of_files(args.labelled, args.framework, args.examples, args.data)
        args.output.write_bytes(encoded(fitted))
    except Problem as problem:
        raise SystemExit(f"calibrate: {where(problem.field)}{problem.detail}") from problem
    except OSError as error:
        raise SystemExit(f"calibrate: {error}") from error
    quality = "; ".join(
        f"{name}: " * bool(name)
        + f"precision {one.precision:.2f}, recall {one.recall:.2f}, calibration error {one.error:.3f}"
        for name, one in fitted.measured.items()
    )
    return (
        f"calibrate: {fitted.courses} courses, {fitted.right} right rows; enters at {fitted.enters:.2f}; {quality}; "
        f"written to {args.output}"
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
                raise InvalidInput(f"line {number}: {where(error.field)}{error.detail}", f"{path}") from error
    return rows
