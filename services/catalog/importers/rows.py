"""A row of a course list: its course, or all of its faults. Pure."""

from dataclasses import dataclass, field
from typing import Any

from services.catalog.model import RowProblem
from shared.decoding import convert, faults
from shared.domain import Course
from shared.errors import Problem, Warned

ROW_LIMIT = 256 * 1024
"""How much a row may hold, in bytes: as much as the body of a single PUT."""

WITHOUT_COURSE_LIMIT = 100_000
"""How many rows of an import may be empty or refused, before the rest is left unread."""

_BEGINS = 60


@dataclass
class Row:
    """A row, numbered from 1. `begins`: its id in the file, or its first words, to identify a refused row."""

    number: int
    course: Course | None = None
    begins: str | None = None
    problems: list[RowProblem] = field(default_factory=list)
    warnings: list[Warned] = field(default_factory=list)


def row_of(number: int, given: dict[str, Any], warnings: list[Warned] | None = None, begins: str | None = None) -> Row:
    """Return the row of a course given as builtin types."""
    row = Row(number, begins=(begins or _begins(given)), warnings=warnings or [])
    try:
        wrong: list[Problem] = list(faults(given, Course))
        if not wrong:
            row.course = convert(given, Course)
    except Problem as problem:
        wrong = [problem]
    row.problems = [refusal(problem) for problem in wrong]
    return row


def refused(number: int, problem: Problem, begins: str | None = None) -> Row:
    """Return a row that cannot be read."""
    return Row(number, begins=begins[:_BEGINS] if begins else None, problems=[refusal(problem)])


def refusal(problem: Problem) -> RowProblem:
    """Return a problem in the form used in the answer to a row."""
    return RowProblem(problem.status, problem.detail, problem.field)


def _begins(given: dict[str, Any]) -> str | None:
    named = given.get("id")
    if isinstance(named, str) and named:
        return named[:_BEGINS]
    title = given.get("title")
    words = [one for one in title.values() if isinstance(one, str)] if isinstance(title, dict) else []
    return words[0][:_BEGINS] if words else None
