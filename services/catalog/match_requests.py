"""The requests and answers about matches of courses. Pure."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from services.catalog.matches import Match, MatchName, Share, SkillSpan, Status
from shared.domain import Identifier, LocalizedText
from shared.errors import Problem

AT_ONCE = 500
"""The most matches that one request decides."""


class MatchCorrection(MatchName, frozen=True, forbid_unknown_fields=True):
    """A correction of one match of a course: `right` is what the course teaches instead."""

    right: SkillSpan


class CourseMatchName(MatchName, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Names one match by its course, framework and skill.

    `seen`: the status of the match when a person looked at it. If somebody else has decided otherwise since then, this
    decision is rejected with 409.
    """

    course: Identifier
    seen: Status | None = None


class CourseMatchCorrection(CourseMatchName, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A correction of one match of any course: `right` is what the course teaches instead."""

    right: SkillSpan


class DecideMatches(Struct, frozen=True, forbid_unknown_fields=True):
    """A request to confirm, or to reject, matches of one course."""

    matches: Annotated[list[MatchName], Meta(min_length=1, max_length=AT_ONCE)]


class CorrectMatches(Struct, frozen=True, forbid_unknown_fields=True):
    """A request to correct matches of one course."""

    matches: Annotated[list[MatchCorrection], Meta(min_length=1, max_length=AT_ONCE)]


class DecideCourseMatches(Struct, frozen=True, forbid_unknown_fields=True):
    """A request to confirm, or to reject, matches of several courses."""

    matches: Annotated[list[CourseMatchName], Meta(min_length=1, max_length=AT_ONCE)]


class CorrectCourseMatches(Struct, frozen=True, forbid_unknown_fields=True):
    """A request to correct matches of several courses."""

    matches: Annotated[list[CourseMatchCorrection], Meta(min_length=1, max_length=AT_ONCE)]


class CourseMatches(Struct, frozen=True):
    """The matches of a course. `revision`: the revision of the course.

    `threshold`: the least confidence at which four of five matches were right. `waiting`: whether the course is about
    to be matched again.
    """

    course: str
    revision: int
    matches: list[Match]
    threshold: float
    waiting: bool


class MatchedTitle(Struct, frozen=True):
    """The id and the title of a course, with the matches that the request asks for."""

    course: str
    title: LocalizedText
    matches: list[Match]


class MatchPage(Struct, frozen=True):
    """Courses with matches, in the order of their ids.

    `next` is the `after` of the following page, null on the last page. `threshold` is the least confidence at which
    four of five matches were right.
    """

    courses: list[MatchedTitle]
    next: str | None
    threshold: float


class ListMatches(Struct, frozen=True, forbid_unknown_fields=True):
    """Selects matches by status, framework, skill, and a confidence from `least` to `most`.

    A page has at most `limit` courses, with ids after `after`.
    """

    status: Status | None = None
    framework: Identifier | None = None
    skill: Identifier | None = None
    least: Share = 0.0
    most: Share = 1.0
    after: Annotated[str, Meta(max_length=64)] = ""
    limit: Annotated[int, Meta(ge=1, le=500)] = 100

    def wants(self, match: Match) -> bool:
        """Return whether the request selects a match."""
        return (
            self.status in (None, match.status)
            and self.framework in (None, match.framework)
            and self.skill in (None, match.skill)
            and self.least <= match.confidence <= self.most
        )


class MatchProblem(Struct, frozen=True, omit_defaults=True):
    """The reason why a decision was rejected: the HTTP status, a sentence, and the field that is wrong."""

    status: int
    detail: str
    field: str | None = None

    @classmethod
    def of(cls, problem: Problem) -> "MatchProblem":
        """Return a problem as a part of a MatchResult."""
        return cls(problem.status, problem.detail, problem.field)


class MatchResult(Struct, frozen=True, omit_defaults=True):
    """The result of one decision of a request.

    `revision`: the revision of the course, null if the decision was refused; then `problem` tells why.
    """

    course: str
    framework: str
    skill: str
    result: Literal["changed", "unchanged", "refused"]
    revision: int | None = None
    problem: MatchProblem | None = None


class MatchResults(Struct, frozen=True):
    """The results of the decisions of a request, in the order of the request."""

    results: list[MatchResult]
