"""The stored matches of a course, and the effect of people's decisions on them. Pure.

A match is `proposed` until a person decides. `confirmed` and `corrected` ones are rows of what the course teaches; a
`rejected` one is not proposed again while the course's text stays the same. A decision may be changed by another one.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, field
from msgspec.structs import replace

from services.catalog.matching import CourseText, Proposal
from services.catalog.matching.texts import PIECE, PIECES, languages, normalised
from shared.domain import Course, Identifier, Level, LocalizedText, MatchedRow, Teaches, keep_millionths, millionths
from shared.errors import InvalidInput, NotFound, Problem
from shared.texts import letters_of

Status = Annotated[
    Literal["proposed", "confirmed", "rejected", "corrected"], Meta(description="what people have made of a match")
]
Share = Annotated[float, Meta(ge=0, le=1, description="from 0 to 1")]
DECISIONS = 20
"""How many decisions of a match are kept: the latest ones."""
_COMPARED = 2 * PIECE * PIECES
"""How many characters of a text are compared with skills, at most."""

_NEVER = datetime.min.replace(tzinfo=UTC)
LEAST_DOUBT = 0.000_001
"""The distance from 0 and from 1 that every announced confidence keeps."""
LEAST_CHANGE = 0.05
"""By how much the confidence of an entry must change to be stored and announced without a change of the levels: a new
course changes it a little for most other courses of its catalog."""
AT_ONCE = 500
"""The most matches that one request decides."""


class SkillSpan(Struct, frozen=True, forbid_unknown_fields=True):
    """A skill of the same framework, and the levels before and after the course."""

    skill: Identifier
    from_level: Level = field(name="from")
    to_level: Level = field(name="to")

    def __post_init__(self) -> None:
        if self.to_level <= self.from_level:
            raise ValueError("`to` must be above `from`")
        keep_millionths(self, "from_level", "to_level")


class MatchDecision(Struct, frozen=True):
    """A person's decision on a match, when, and by which key."""

    status: Status
    by: str
    at: datetime


class Match(Struct, frozen=True):
    """A skill that a course probably teaches, from a level to a level.

    `confidence`: the probability that it teaches the skill; `entry_confidence`: that whoever holds `from` can enter it
    then. It is announced with their product. `words`: the words of the course that matched; `like`: a similar course
    that teaches the skill. `corrected`: what the course teaches instead. `labels` and `examples`: the similarities from
    which `confidence` is computed; at `threshold` or more, four of five matches were right. `mapped_from`: the same
    skill in another framework, as the provider states it; if the levels are converted from there, `source` is `mapped`.
    `rejected_for`: the texts, by digest, and the skills that it was mapped from, for which people have rejected it.
    """

    framework: Identifier
    skill: Identifier
    from_level: Level = field(name="from")
    to_level: Level = field(name="to")
    confidence: Share
    entry_confidence: Share = 1.0
    status: Status = "proposed"
    source: Literal["matched", "mapped"] = "matched"
    words: list[str] = []
    like: Identifier | None = None
    corrected: SkillSpan | None = None
    decisions: list[MatchDecision] = []
    labels: Share = 0.0
    examples: Share = 0.0
    text: str = ""
    threshold: Share = 1.0
    mapped_from: "MatchName | None" = None
    rejected_for: list[str] = []

    def with_levels(self, low: float, high: float, entry_confidence: float) -> "Match":
        """Return the match with levels that were estimated again; itself if they differ too little to be stored."""
        same = (low, high) == (self.from_level, self.to_level)
        if same and abs(entry_confidence - self.entry_confidence) < LEAST_CHANGE:
            return self
        return replace(self, from_level=low, to_level=high, entry_confidence=entry_confidence)

    @property
    def announced_confidence(self) -> float:
        """The probability that the course teaches the skill and can be entered at `from`, above 0 and below 1."""
        return min(max(millionths(self.confidence * self.entry_confidence), LEAST_DOUBT), 1 - LEAST_DOUBT)

    @property
    def cause(self) -> str:
        """The reason for the proposal: the skill that it is mapped from, or else the text of the course."""
        return self.source_skill or self.text

    @property
    def key(self) -> tuple[str, str]:
        """Framework and skill."""
        return self.framework, self.skill

    @property
    def source_skill(self) -> str | None:
        """The skill that it is mapped from, as `framework/skill`."""
        return f"{self.mapped_from.framework}/{self.mapped_from.skill}" if self.mapped_from else None

    @property
    def succeeds(self) -> bool:
        """Whether it replaces a skill of an earlier version of the same framework."""
        return self.mapped_from is not None and self.mapped_from.framework == self.framework

    @property
    def row(self) -> Teaches | None:
        """The row that the decision adds to what the course teaches, None if it adds none."""
        if self.status == "confirmed":
            return Teaches(self.framework, self.skill, self.from_level, self.to_level)
        if self.status == "corrected" and self.corrected is not None:
            right = self.corrected
            return Teaches(self.framework, right.skill, right.from_level, right.to_level)
        return None


class MatchName(Struct, frozen=True, forbid_unknown_fields=True):
    """One match of a course."""

    framework: Identifier
    skill: Identifier


class MatchCorrection(MatchName, frozen=True, forbid_unknown_fields=True):
    """One match of a course, and what the course teaches instead."""

    right: SkillSpan


class CourseMatchName(MatchName, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One match of any course.

    `seen`: its status when it was displayed. If somebody else has decided it differently since then, that stays (409).
    """

    course: Identifier
    seen: Status | None = None


class CourseMatchCorrection(CourseMatchName, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A correction of one match: its course and skill, and what the course teaches instead (`right`)."""

    right: SkillSpan


def text_of(course: Course) -> str:
    """Return a short digest of a course's title, tags and the beginning of its description.

    Spaces, punctuation, case, Unicode's forms and the order of tags do not change it.
    """
    texts = [*languages(course.title), *sorted(set(map(letters_of, course.tags))), *languages(course.description)]
    return _digest(letters_of(normalised(text[:_COMPARED])) for text in texts)


def former_text_of(course: Course) -> str:
    """Return the digest that earlier releases stored; it depends on spaces and punctuation."""
    pieces, _ = CourseText.of(replace(course, teaches=[]), "", {}).pieces()
    return _digest(pieces)


def texts_of(course: Course, before: Iterable[Match]) -> list[str]:
    """Return the digest of a course's text, and that of earlier releases if matches may be rejected for it."""
    digests = [text_of(course)]
    if any(_rejected_for(match) for match in before):
        digests.append(former_text_of(course))
    return digests


def _digest(texts: Iterable[str]) -> str:
    return blake2b("\n".join(texts).encode(), digest_size=8).hexdigest()


def proposed(
    before: Sequence[Match],
    found: Mapping[str, Sequence[Proposal]],
    texts: Sequence[str],
    given: Sequence[Teaches],
    threshold: float = 1.0,
) -> list[Match]:
    """Return the matches of a course after it was matched again: decided ones stay, other proposals are replaced.

    `found`: framework id -> proposals. Skills that the course teaches are not proposed, nor those rejected for the same
    text or the same mapping, also if another text was proposed meanwhile. A proposal with the same levels keeps the
    confidence of its entry, which was estimated together with those of other courses. `threshold`: that of the
    calibration; `texts`: the digest of the text, and perhaps that of earlier releases.
    """
    known_by = {match.key: match for match in before}
    taught = {(row.framework, row.skill) for row in given}
    fresh: list[Match] = []
    for framework, proposals in found.items():
        for one in proposals:
            known = known_by.get((framework, one.skill))
            if (framework, one.skill) in taught or (known and _stays(known, one, texts)):
                continue
            fresh.append(
                Match(
                    framework=framework,
                    skill=one.skill,
                    from_level=one.from_level,
                    to_level=one.to_level,
                    confidence=one.confidence,
                    entry_confidence=_entry_confidence(known, one),
                    words=one.words,
                    like=one.like,
                    labels=one.labels,
                    examples=one.examples,
                    text=texts[0],
                    threshold=threshold,
                    decisions=known.decisions if known is not None else [],
                    rejected_for=_rejected_for(known) if known is not None else [],
                    source="mapped" if one.levels_mapped else "matched",
                    mapped_from=MatchName(*one.mapped_from) if one.mapped_from else None,
                )
            )
    replaced = {match.key for match in fresh}
    stay = [match for key, match in known_by.items() if key not in replaced]
    return [
        *(match for match in stay if match.status != "proposed"),
        *(
            replace(match, status="rejected")
            for match in stay
            if match.status == "proposed" and match.rejected_for and match.framework in found
        ),
        *fresh,
    ]


def _entry_confidence(known: Match | None, found: Proposal) -> float:
    """Return the confidence of the entry of a proposal: the stored one if its levels are the same."""
    source = "mapped" if found.levels_mapped else "matched"
    if known is None or known.status != "proposed" or known.source != source:
        return found.entry_confidence
    same = (known.from_level, known.to_level) == (found.from_level, found.to_level)
    return known.entry_confidence if same else found.entry_confidence


def _stays(known: Match, found: Proposal, texts: Sequence[str]) -> bool:
    """Return whether a decided match stays as it is, instead of what is proposed now.

    A rejected one does if it was rejected for the same reason: for one of these texts, or for the same mapping.
    """
    if known.status in ("confirmed", "corrected"):
        return True
    causes = ("/".join(found.mapped_from),) if found.mapped_from is not None else texts
    return not set(_rejected_for(known)).isdisjoint(causes)


def _rejected_for(match: Match) -> list[str]:
    """Return what a match was rejected for; earlier releases stored only the last."""
    return match.rejected_for or ([match.cause] if match.status == "rejected" else [])


def decide(
    matches: Sequence[Match], name: MatchName, decision: MatchDecision, right: SkillSpan | None = None
) -> list[Match]:
    """Return the matches after a decision; the same object if nothing changed. Raises NotFound."""
    for place, match in enumerate(matches):
        if match.key == (name.framework, name.skill):
            if match.status == decision.status and match.corrected == right:
                return list(matches)
            last = [*match.decisions, decision][-DECISIONS:]
            causes = [*match.rejected_for, match.cause][-DECISIONS:] if decision.status == "rejected" else []
            changed = replace(match, status=decision.status, corrected=right, decisions=last, rejected_for=causes)
            return [*matches[:place], changed, *matches[place + 1 :]]
    raise NotFound(f"{name.skill!r} of {name.framework!r} is not among this course's matches")


def rows_of(matches: Sequence[Match]) -> list[Teaches]:
    """Return the rows made by people's decisions; for each skill the last decision counts."""
    if not matches:
        return []
    decided = sorted(matches, key=lambda match: match.decisions[-1].at if match.decisions else _NEVER)
    return list({(row.framework, row.skill): row for match in decided if (row := match.row)}.values())


def given_rows(course: Course, matches: Sequence[Match]) -> list[Teaches]:
    """Return the rows that the provider stated, without those made by decisions."""
    made = rows_of(matches)
    return [row for row in course.teaches if row not in made]


def with_decisions(course: Course, before: Sequence[Match], after: Sequence[Match]) -> Course:
    """Return a course after decisions changed: outdated rows of decisions removed, new ones added.

    A new row replaces another one of the same skill. Rows that the provider has put since stay.
    """
    made, makes = rows_of(before), rows_of(after)
    fresh = [row for row in makes if row not in made]
    names = {(row.framework, row.skill) for row in fresh}
    stay = [
        row for row in course.teaches if (row not in made or row in makes) and (row.framework, row.skill) not in names
    ]
    return replace(course, teaches=[*stay, *fresh])


def with_confirmed(course: Course, matches: Sequence[Match]) -> Course:
    """Return a course that was put, with the rows that people confirmed before, and without what only the catalog adds.

    The confirmed rows stay in frameworks in which it was put without rows.
    """
    given = [row for row in course.teaches if row.mapped_from is None]
    if not matches and not course.matched and len(given) == len(course.teaches):
        return course
    named = {row.framework for row in given}
    stay = [row for row in rows_of(matches) if row.framework not in named]
    return replace(course, teaches=[*given, *stay], matched=[])


def announced(course: Course, matches: Sequence[Match]) -> Course:
    """Return a course as it is announced and shown: its proposals are in `matched`, apart from what it teaches.

    Left out are proposals for skills that the course teaches, and proposals in frameworks in which the provider states
    a skill, unless they are successors of a former skill there. Rows that are mapped with their levels are among those
    that the course teaches, with `mapped_from`.
    """
    if not matches and not course.matched:
        return course
    frameworks = {row.framework for row in given_rows(course, matches)}
    taught = {(row.framework, row.skill) for row in course.teaches}
    open_ones = [
        match
        for match in matches
        if match.status == "proposed"
        and (match.framework not in frameworks or match.succeeds)
        and match.key not in taught
    ]
    mapped = [
        Teaches(one.framework, one.skill, one.from_level, one.to_level, one.source_skill)
        for one in sorted(open_ones, key=lambda one: one.key)
        if one.source == "mapped"
    ]
    rows = [
        MatchedRow(
            framework=match.framework,
            skill=match.skill,
            from_level=match.from_level,
            to_level=match.to_level,
            confidence=match.announced_confidence,
            threshold=match.threshold,
            mapped_from=match.source_skill or UNSET,
        )
        for match in open_ones
        if match.source == "matched"
    ]
    matched = sorted([*course.matched, *rows], key=lambda row: (row.framework, row.skill))
    return replace(course, teaches=[*course.teaches, *mapped], matched=matched)


# --- requests and answers --------------------------------------------------------------------------------------------


class DecideMatches(Struct, frozen=True, forbid_unknown_fields=True):
    """Matches of one course to confirm or to reject."""

    matches: Annotated[list[MatchName], Meta(min_length=1, max_length=AT_ONCE)]


class CorrectMatches(Struct, frozen=True, forbid_unknown_fields=True):
    """Matches of one course, each with what the course teaches instead."""

    matches: Annotated[list[MatchCorrection], Meta(min_length=1, max_length=AT_ONCE)]


class DecideCourseMatches(Struct, frozen=True, forbid_unknown_fields=True):
    """Matches of several courses to confirm or to reject."""

    matches: Annotated[list[CourseMatchName], Meta(min_length=1, max_length=AT_ONCE)]


class CorrectCourseMatches(Struct, frozen=True, forbid_unknown_fields=True):
    """Matches of several courses, each with what its course teaches instead."""

    matches: Annotated[list[CourseMatchCorrection], Meta(min_length=1, max_length=AT_ONCE)]


class CourseMatches(Struct, frozen=True):
    """The matches of a course. At a confidence of `threshold` or more, four of five matches were right."""

    course: str
    revision: int
    matches: list[Match]
    threshold: float
    waiting: bool


class MatchedTitle(Struct, frozen=True):
    """The title of a course, with those of its matches that were requested."""

    course: str
    title: LocalizedText
    matches: list[Match]


class MatchPage(Struct, frozen=True):
    """Courses with matches, by id. `next` is the `after` of the following page, null on the last one."""

    courses: list[MatchedTitle]
    next: str | None
    threshold: float


class ListMatches(Struct, frozen=True, forbid_unknown_fields=True):
    """Which matches: by status, framework, skill, and lowest and highest confidence; `limit` counts courses."""

    status: Status | None = None
    framework: Identifier | None = None
    skill: Identifier | None = None
    least: Share = 0.0
    most: Share = 1.0
    after: Annotated[str, Meta(max_length=64)] = ""
    limit: Annotated[int, Meta(ge=1, le=500)] = 100

    def wants(self, match: Match) -> bool:
        """Return whether a match fits the request."""
        return (
            self.status in (None, match.status)
            and self.framework in (None, match.framework)
            and self.skill in (None, match.skill)
            and self.least <= match.confidence <= self.most
        )


class MatchProblem(Struct, frozen=True, omit_defaults=True):
    """The reason why a decision was rejected."""

    status: int
    detail: str
    field: str | None = None

    @classmethod
    def of(cls, problem: Problem) -> "MatchProblem":
        """Return a problem in the form of a result."""
        return cls(problem.status, problem.detail, problem.field)


class MatchResult(Struct, frozen=True, omit_defaults=True):
    """The result of one of several decisions, in their order."""

    course: str
    framework: str
    skill: str
    result: Literal["changed", "unchanged", "refused"]
    revision: int | None = None
    problem: MatchProblem | None = None


class MatchResults(Struct, frozen=True):
    """The results of several decisions."""

    results: list[MatchResult]


def check_right(right: SkillSpan, place: str, top: float | None, skills: frozenset[str]) -> None:
    """Raise InvalidInput, naming the field, if the framework lacks what a correction names."""
    if top is None:
        raise InvalidInput("the framework is not there any more", f"{place}.framework")
    if right.skill not in skills:
        raise InvalidInput(f"the framework has no skill {right.skill!r}", f"{place}.skill")
    if right.to_level > top:
        raise InvalidInput(f"above the scale's top, {top:g}", f"{place}.to")
