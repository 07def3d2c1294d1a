"""The stored matches of a course, and the effect of people's decisions on them. Pure.

A match is `proposed` until a person decides. A `confirmed` or `corrected` match adds a row to what the course teaches.
A `rejected` match is not proposed again while the text of the course stays the same. A later decision replaces an
earlier one.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, field
from msgspec.structs import replace

from services.catalog.matching import Proposal
from services.catalog.matching.texts import PIECE, PIECES, languages, normalised
from shared.domain import Course, Identifier, Level, MatchedRow, Teaches, keep_millionths, millionths
from shared.errors import NotFound
from shared.texts import letters_of

Status = Annotated[
    Literal["proposed", "confirmed", "rejected", "corrected"], Meta(description="what people have made of a match")
]
Share = Annotated[float, Meta(ge=0, le=1, description="from 0 to 1")]
DECISIONS = 20
"""The most decisions of a match that are stored; the oldest ones are dropped."""
_COMPARED = 2 * PIECE * PIECES
"""The most characters of a text of a course that its digest covers."""

_NEVER = datetime.min.replace(tzinfo=UTC)
LEAST_DOUBT = 0.000_001
"""An announced confidence is at least this number, and at most 1 minus this number."""
LEAST_CHANGE = 0.05
"""A new entry confidence with the same levels is stored and announced only if it differs by at least this much: a new
course changes the entry confidence of most other courses a little."""


class SkillSpan(Struct, frozen=True, forbid_unknown_fields=True):
    """A skill that a course teaches, with the levels before (`from`) and after (`to`) the course.

    Raises ValueError if `to` is not above `from`.
    """

    skill: Identifier
    from_level: Level = field(name="from")
    to_level: Level = field(name="to")

    def __post_init__(self) -> None:
        if self.to_level <= self.from_level:
            raise ValueError("`to` must be above `from`")
        keep_millionths(self, "from_level", "to_level")


class MatchDecision(Struct, frozen=True):
    """A person's decision on a match. `by`: the id of the API key. `at`: the time."""

    status: Status
    by: str
    at: datetime


class Match(Struct, frozen=True):
    """A skill that a course probably teaches, with the levels before (`from`) and after (`to`) the course.

    `confidence`: the probability that the course teaches the skill.
    `entry_level`: the level from which an officer can take the course together with the courses that it requires; null
    if it is `from`.
    `entry_confidence`: the probability that an officer at this level can do so, if the course teaches the skill. The
    products of it with `confidence` and with `threshold` are announced.
    `threshold`: the least confidence at which four of five matches were right.
    `status`: what people decided. `corrected`: what the course teaches instead. `decisions`: the latest decisions.
    `words`: words that the course and the skill share. `like`: the id of a similar course that teaches the skill.
    `labels`, `titles` and `examples`: the similarities from which `confidence` is computed. `titles` is null where an
    earlier release compared: its similarities are others.
    `text`: the digest of the course's text when the match was proposed.
    `mapped_from`: the framework and the skill that the provider states, if this skill follows from them by a mapping.
    `source`: `mapped` if the levels are converted from the levels that the provider states, otherwise `matched`.
    `rejected_for`: the reasons of past rejections: the digest of a text, or a `framework/skill` of `mapped_from`.
    """

    framework: Identifier
    skill: Identifier
    from_level: Level = field(name="from")
    to_level: Level = field(name="to")
    confidence: Share
    entry_level: Level | None = None
    entry_confidence: Share = 1.0
    status: Status = "proposed"
    source: Literal["matched", "mapped"] = "matched"
    words: list[str] = []
    like: Identifier | None = None
    corrected: SkillSpan | None = None
    decisions: list[MatchDecision] = []
    labels: Share = 0.0
    titles: Share | None = None
    examples: Share = 0.0
    text: str = ""
    threshold: Share = 1.0
    mapped_from: "MatchName | None" = None
    rejected_for: list[str] = []

    def with_levels(self, low: float, high: float, entry: float | None, entry_confidence: float) -> "Match":
        """Return the match with newly estimated levels, and the level and the confidence of the entry.

        Returns the match itself if the levels are the same and the confidence differs by less than `LEAST_CHANGE`.
        """
        entry = None if entry == low else entry
        same = (low, high, entry) == (self.from_level, self.to_level, self.entry_level)
        if same and abs(entry_confidence - self.entry_confidence) < LEAST_CHANGE:
            return self
        return replace(self, from_level=low, to_level=high, entry_level=entry, entry_confidence=entry_confidence)

    @property
    def announced_confidence(self) -> float:
        """The probability that the course teaches the skill and can be entered at the entry level: above 0, below 1."""
        return min(max(millionths(self.confidence * self.entry_confidence), LEAST_DOUBT), 1 - LEAST_DOUBT)

    @property
    def announced_threshold(self) -> float:
        """`threshold` for the announced confidence: `confidence` alone decides, whatever the entry confidence is.

        A threshold of 1, which no match reaches, stays.
        """
        return 1.0 if self.threshold >= 1 else millionths(self.threshold * self.entry_confidence)

    @property
    def cause(self) -> str:
        """The reason for the proposal: `source_skill` if there is one, otherwise the digest of the course's text."""
        return self.source_skill or self.text

    @property
    def key(self) -> tuple[str, str]:
        """(framework, skill): the name of the match among the matches of its course."""
        return self.framework, self.skill

    @property
    def source_skill(self) -> str | None:
        """The skill of `mapped_from` as `framework/skill`; None if the match does not come from a mapping."""
        return f"{self.mapped_from.framework}/{self.mapped_from.skill}" if self.mapped_from else None

    @property
    def succeeds(self) -> bool:
        """Whether the skill replaces a skill of an earlier version of the same framework."""
        return self.mapped_from is not None and self.mapped_from.framework == self.framework

    @property
    def row(self) -> Teaches | None:
        """The row that the match adds to what the course teaches; None unless it is confirmed or corrected."""
        if self.status == "confirmed":
            return Teaches(self.framework, self.skill, self.from_level, self.to_level)
        if self.status == "corrected" and self.corrected is not None:
            right = self.corrected
            return Teaches(self.framework, right.skill, right.from_level, right.to_level)
        return None


class MatchName(Struct, frozen=True, forbid_unknown_fields=True):
    """Names one match of a course by its framework and skill."""

    framework: Identifier
    skill: Identifier


def text_of(course: Course) -> str:
    """Return a digest of a course's title, tags and the beginning of its description, as 16 hexadecimal digits.

    Spaces, punctuation, case, Unicode's forms and the order of the tags do not change the digest.
    """
    texts = [*languages(course.title), *sorted(set(map(letters_of, course.tags))), *languages(course.description)]
    letters = [letters_of(normalised(text[:_COMPARED])) for text in texts]
    return blake2b("\n".join(letters).encode(), digest_size=8).hexdigest()


def proposed(
    before: Sequence[Match],
    found: Mapping[str, Sequence[Proposal]],
    text: str,
    given: Sequence[Teaches],
    threshold: float = 1.0,
) -> list[Match]:
    """Return the matches of a course after it was matched again: decided matches stay, proposals are replaced.

    `before`: the former matches. `found`: {framework id: new proposals}. `text`: the digest from `text_of`. `given`:
    the rows that the provider stated. `threshold`: the threshold of the calibration.

    A skill in `given` is not proposed, nor a skill that was rejected for the same text or the same mapping. A proposal
    with the same levels as before keeps its entry, which was estimated together with other courses.
    """
    known_by = {match.key: match for match in before}
    taught = {(row.framework, row.skill) for row in given}
    fresh: list[Match] = []
    for framework, proposals in found.items():
        for one in proposals:
            known = known_by.get((framework, one.skill))
            if (framework, one.skill) in taught or (known and _stays(known, one, text)):
                continue
            entry_level, entry_confidence = _entry(known, one)
            fresh.append(
                Match(
                    framework=framework,
                    skill=one.skill,
                    from_level=one.from_level,
                    to_level=one.to_level,
                    confidence=one.confidence,
                    entry_level=entry_level,
                    entry_confidence=entry_confidence,
                    words=one.words,
                    like=one.like,
                    labels=one.labels,
                    titles=one.titles,
                    examples=one.examples,
                    text=text,
                    threshold=threshold,
                    decisions=known.decisions if known is not None else [],
                    rejected_for=known.rejected_for if known is not None else [],
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


def _entry(known: Match | None, found: Proposal) -> tuple[float | None, float]:
    """Return level and confidence of the entry of a proposal: the stored ones if its levels are the same."""
    source = "mapped" if found.levels_mapped else "matched"
    same = (
        known is not None
        and (known.status, known.source) == ("proposed", source)
        and (known.from_level, known.to_level) == (found.from_level, found.to_level)
    )
    one = known if known is not None and same else found
    return one.entry_level, one.entry_confidence


def _stays(known: Match, found: Proposal, text: str) -> bool:
    """Return whether a known match stays as it is, so that the new proposal is dropped.

    A confirmed or corrected match stays. A rejected one stays if it was rejected for the same reason: the text, or the
    mapping.
    """
    if known.status in ("confirmed", "corrected"):
        return True
    return ("/".join(found.mapped_from) if found.mapped_from is not None else text) in known.rejected_for


def decide(
    matches: Sequence[Match], name: MatchName, decision: MatchDecision, right: SkillSpan | None = None
) -> list[Match]:
    """Return the matches of a course after a decision on the match `name`; an equal list if it changes nothing.

    `right`: for a correction, what the course teaches instead. Raises NotFound if there is no such match.
    """
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
    """Return the rows that confirmed and corrected matches add; if several name one skill, the last decision counts."""
    if not matches:
        return []
    decided = sorted(matches, key=lambda match: match.decisions[-1].at if match.decisions else _NEVER)
    return list({(row.framework, row.skill): row for match in decided if (row := match.row)}.values())


def given_rows(course: Course, matches: Sequence[Match]) -> list[Teaches]:
    """Return the rows of what a course teaches that its provider stated, without those of `rows_of(matches)`."""
    made = rows_of(matches)
    return [row for row in course.teaches if row not in made]


def with_decisions(course: Course, before: Sequence[Match], after: Sequence[Match]) -> Course:
    """Return a course after decisions changed its matches from `before` to `after`.

    The rows of `rows_of(before)` that are not in `rows_of(after)` are removed, and new rows are added. A new row
    replaces any other row of the same skill. Other rows of the provider stay.
    """
    made, makes = rows_of(before), rows_of(after)
    fresh = [row for row in makes if row not in made]
    names = {(row.framework, row.skill) for row in fresh}
    stay = [
        row for row in course.teaches if (row not in made or row in makes) and (row.framework, row.skill) not in names
    ]
    return replace(course, teaches=[*stay, *fresh])


def with_confirmed(course: Course, matches: Sequence[Match]) -> Course:
    """Return a course that a client put, with the rows that people confirmed before.

    The confirmed rows are added in frameworks in which the client put no row. What only the catalog sets is removed:
    `matched`, and rows that are mapped from another framework.
    """
    given = [row for row in course.teaches if row.mapped_from is None]
    if not matches and not course.matched and len(given) == len(course.teaches):
        return course
    named = {row.framework for row in given}
    stay = [row for row in rows_of(matches) if row.framework not in named]
    return replace(course, teaches=[*given, *stay], matched=[])


def announced(course: Course, matches: Sequence[Match]) -> Course:
    """Return a course as it is announced and shown, with its proposals.

    Proposals are listed in `matched`. A proposal whose levels are converted from those of the provider is listed in
    `teaches` instead, with `mapped_from`. Two kinds of proposals are left out: for skills that the course teaches, and
    in frameworks in which the provider states a skill (successors of a former skill are kept).
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
            from_level=match.from_level if match.entry_level is None else match.entry_level,
            to_level=match.to_level,
            confidence=match.announced_confidence,
            threshold=match.announced_threshold,
            mapped_from=match.source_skill or UNSET,
        )
        for match in open_ones
        if match.source == "matched"
    ]
    matched = sorted([*course.matched, *rows], key=lambda row: (row.framework, row.skill))
    return replace(course, teaches=[*course.teaches, *mapped], matched=matched)
