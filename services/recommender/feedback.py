"""Statements of an officer about courses, and their effect on the next path. No I/O.

The newest statement about a course that was not taken back is valid; `undo` takes back the newest. A completion is a
fact: it is valid, whatever statements follow, until it is taken back itself.

    completed      done at a time: the level that it taught then counts as reached; never suggested again
    started        stays at the start of the path, in the path's order, unless the course is withdrawn
    not_relevant   never suggested to this officer; not allowed for a mandatory course
    not_now        its cost is multiplied by 1.5
    pin            kept in the path, with its prerequisites, if it fits
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct, field

from shared.domain import Teaches
from shared.errors import Conflict, InvalidInput

FeedbackType = Literal["completed", "started", "not_relevant", "not_now", "pin"]
Action = Literal[FeedbackType, "undo"]

DEFERRED_FACTOR = 1.5
"""The cost factor of a course that is not wanted now."""

RETAINED_PER_COURSE = 5
"""The most statements about one course that are kept and can be taken back: the newest, and the newest completion."""

MOST_COURSES = 2000
MOST_ROWS = 2000
"""Rows of what completed courses taught that are stored per officer, some 300 kB; for further ones the catalog is
used."""

_CLOCK_SKEW = timedelta(minutes=5)


class Statement(Struct, frozen=True, omit_defaults=True):
    """One statement about a course. `sequence` counts an officer's statements; `at` is when the statement became true.

    `taught`: what a completed course taught at that time, so that the level reached does not depend on later changes.
    """

    sequence: int
    course: str
    action: FeedbackType
    at: datetime
    taught: list[Teaches] = []


class Feedback(Struct, frozen=True):
    """The valid statements of an officer, in order; stored as `said`. `sequence` grows by one with every change."""

    sequence: int = 0
    statements: list[Statement] = field(default_factory=list, name="said")

    def about(self, course: str) -> list[Statement]:
        """Return the valid statements about a course, oldest first."""
        return [statement for statement in self.statements if statement.course == course]

    def current(self) -> dict[str, Statement]:
        """Return course -> newest statement about it, in the order in which these statements were made."""
        newest = {statement.course: statement for statement in self.statements}
        return dict(sorted(newest.items(), key=lambda item: item[1].sequence))

    def completed_at(self) -> dict[str, datetime]:
        """Return course -> completion time, ordered by course id."""
        found = {statement.course: statement.at for statement in self.statements if statement.action == "completed"}
        return dict(sorted(found.items()))

    def taught(self) -> dict[str, list[Teaches]]:
        """Return completed course -> what it taught when it was completed, if that was recorded."""
        return {
            statement.course: statement.taught
            for statement in self.statements
            if statement.action == "completed" and statement.taught
        }

    def courses_with(self, action: FeedbackType) -> list[str]:
        """Return the courses whose newest statement is `action`, oldest statement first, without completed courses."""
        done = self.completed_at()
        return [name for name, statement in self.current().items() if statement.action == action and name not in done]

    def started(self, path: Sequence[str]) -> list[str]:
        """Return the started courses: those in `path` first, in its order; then the others, oldest statement first.

        `path`: the ids of the previous path's courses.
        """
        held = self.courses_with("started")
        return [course for course in path if course in held] + [course for course in held if course not in path]

    def cost_multipliers(self) -> dict[str, float]:
        """Return course -> the factor that multiplies its cost, for courses that were put off (`not_now`)."""
        return dict.fromkeys(sorted(self.courses_with("not_now")), DEFERRED_FACTOR)


def apply_feedback(  # noqa: PLR0913 - one statement, given by name
    feedback: Feedback,
    course: str,
    action: Action,
    *,
    at: datetime,
    now: datetime,
    mandatory: Collection[str] = (),
    teaches: Sequence[Teaches] = (),
) -> Feedback:
    """Return the feedback with one more statement, or without the one that is taken back.

    `teaches`: what the course teaches now; stored with a completion while the size limit permits.

    Raises InvalidInput for a time in the future, Conflict for a statement that is not allowed: dismissing a mandatory
    course, taking back a missing statement, starting a completed course, or a statement about one course too many.
    """
    sequence = feedback.sequence + 1
    about = feedback.about(course)
    if action == "undo":
        if not about:
            raise Conflict("there is no statement about this course to take back", "course")
        return Feedback(sequence, [statement for statement in feedback.statements if statement != about[-1]])
    if at > now + _CLOCK_SKEW:
        raise InvalidInput("is in the future", "at")
    if action == "not_relevant" and course in mandatory:
        raise Conflict("a mandatory course cannot be dismissed", "action")
    if action == "started" and course in feedback.completed_at():
        raise Conflict("is completed already; take that back first", "action")
    if not about and len(feedback.current()) >= MOST_COURSES:
        raise Conflict(f"feedback about {MOST_COURSES} courses is stored already; undo some of it first", "course")
    completed = [statement for statement in about if statement.action == "completed"]
    spare = [statement for statement in about if statement not in completed[-1:]]
    dropped = spare[: max(0, len(about) - RETAINED_PER_COURSE + 1)]
    kept = [one for one in feedback.statements if one not in dropped]
    room = MOST_ROWS - sum(len(one.taught) for one in kept)
    taught = list(teaches) if action == "completed" and len(teaches) <= room else []
    return Feedback(sequence, [*kept, Statement(sequence, course, action, at, taught)])
