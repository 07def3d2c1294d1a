"""Matches courses to the skills of a framework by similarity, with a calibrated confidence.

Pure: it reads nothing but its own resource.

    matcher = Matcher(framework, examples, shipped())
    for proposals in matcher.match([CourseText("c1", LocalizedText(th="การวิเคราะห์ข้อมูลเบื้องต้น")), ...]): ...

texts → similarity → comparison → calibration → levels → level_model, words, mappings → Matcher
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from services.catalog.matching.calibration import Calibration
from services.catalog.matching.comparison import Comparison, Example, SimilarityIndex
from services.catalog.matching.level_model import LevelRow, LevelTable, LevelWeights
from services.catalog.matching.level_model import shipped as shipped_levels
from services.catalog.matching.levels import span
from services.catalog.matching.mappings import MappedSkill
from services.catalog.matching.similarity import NgramSimilarity, Similarity
from services.catalog.matching.texts import CourseText, normalised
from services.catalog.matching.words import shared_words
from shared.domain import Framework, millionths

__all__ = ["MOST", "CourseText", "Example", "LevelRow", "LevelTable", "Matcher", "Proposal", "SimilarityIndex"]

MOST = 10
"""The most skills that are proposed for a course: those of the highest confidence."""


class Proposal(Struct, frozen=True):
    """A skill that a course probably teaches, with the levels before and after the course.

    `confidence`: the probability that the course teaches the skill, from 0 to 1.
    `labels`, `titles`, `examples`: the similarities of all texts and of the titles to the labels of the skill, and to
    courses that teach it, each from 0 to 1. `confidence` is computed from them.
    `words`: the words that the course shares with a label of the skill, or with the title of `like`.
    `like`: the id of the most similar course that teaches the skill; None if none of the nearest courses does.
    `entry_level`: the level from which an officer can take the course with the courses that it requires; None if it is
    `from_level`. `entry_confidence`: the probability that an officer at this level can do so, if the course teaches the
    skill; 1 if it is not estimated.
    `mapped_from`: the framework and the skill that the provider states, if this skill follows from them by a mapping.
    `levels_mapped`: whether the levels are those of the provider, converted to the scale of this framework.
    """

    skill: str
    from_level: float
    to_level: float
    confidence: float
    labels: float
    titles: float
    examples: float
    words: list[str]
    like: str | None
    entry_level: float | None = None
    entry_confidence: float = 1.0
    mapped_from: tuple[str, str] | None = None
    levels_mapped: bool = False


class Matcher:
    """Proposes the skills of one framework that courses probably teach.

    `examples` are courses whose skills are known; `calibration` converts similarity to confidence.
    """

    def __init__(
        self,
        framework: Framework,
        examples: Sequence[Example],
        calibration: Calibration,
        similarity: Callable[[Sequence[str], Sequence[str]], Similarity] = NgramSimilarity,
        levels: LevelWeights | None = None,
    ) -> None:
        self._skills = framework.skills
        self._by_id = framework.skills_by_id
        self._scale = framework.scale
        self._levels = levels or shipped_levels()
        self._calibration = calibration
        self._index = SimilarityIndex(framework.skills, examples, similarity)

    @property
    def size(self) -> int:
        """The number of skills of the framework; the matcher's memory grows in proportion to it."""
        return len(self._skills)

    def match(self, courses: Sequence[CourseText]) -> list[list[Proposal]]:
        """Return the proposals for each course, the most confident first, at most `MOST`.

        Only proposals that are confident enough to be shown are returned. The levels of all of them are estimated
        together, as if these courses were the whole catalog.
        """
        matched: list[list[Proposal]] = []
        for part in self._index.batches(courses):
            compared = self._index.compare(part)
            confidence = self._calibration.confidence(compared.found)
            for row, course in enumerate(part):
                certain = confidence[row]
                shown = np.flatnonzero(certain >= self._calibration.shown)
                order = shown[np.argsort(-certain[shown], kind="stable")][:MOST]
                matched.append([self._proposal(course, compared, row, int(at), certain[at]) for at in order])
        table = self.level_table()
        for course, proposals in zip(courses, matched, strict=True):
            table.add(course, [LevelRow(one.skill, one.confidence) for one in proposals])
        spans = iter(table.spans())
        return [
            [
                replace(
                    one,
                    from_level=levels.low,
                    to_level=levels.high,
                    entry_level=None if levels.entry == levels.low else levels.entry,
                    entry_confidence=levels.entry_confidence,
                )
                for one, levels in zip(proposals, spans, strict=False)
            ]
            for proposals in matched
        ]

    def with_mapped(
        self, course: CourseText, proposals: Sequence[Proposal], mapped: Iterable[MappedSkill]
    ) -> list[Proposal]:
        """Return `proposals` for a course, preceded by the skills of `mapped`, which have the confidence 1.

        A skill that is in both is returned once. If a mapping gives no levels, those of the proposal for the same skill
        are used, or else those that the rule in `levels` reads from the course's texts.
        """
        found = {one.skill: one for one in proposals}
        certain: dict[str, Proposal] = {}
        for one in mapped:
            low, high = one.levels or span(course, self._by_id[one.skill], self._scale)
            like = found.get(one.skill) or Proposal(one.skill, low, high, 1.0, 0.0, 0.0, 0.0, [], None)
            row = replace(like, confidence=1.0, mapped_from=one.origin)
            if one.levels is not None:
                row = replace(
                    row, from_level=low, to_level=high, entry_level=None, entry_confidence=1.0, levels_mapped=True
                )
            certain.setdefault(one.skill, row)
        return [*certain.values(), *(one for one in proposals if one.skill not in certain)]

    def level_table(self) -> LevelTable:
        """Return an empty table that estimates the levels of courses in this framework."""
        return LevelTable(self._skills, self._scale, self._levels)

    def _proposal(self, course: CourseText, compared: Comparison, row: int, skill: int, confidence: float) -> Proposal:
        found = compared.found
        nearest = int(found.nearest[row, skill])
        like = self._index.examples[nearest] if nearest >= 0 else None
        words = shared_words(*self._index.best(compared, row, skill)) if found.labels[row, skill] > 0 else []
        if not words and like is not None:
            titles = [normalised(title) for title in like.titles]
            words = [word for text in course.titles for title in titles for word in shared_words(text, title)]
        return Proposal(
            skill=self._skills[skill].id,
            from_level=0.0,
            to_level=0.0,
            confidence=millionths(float(confidence)),
            labels=millionths(float(found.labels[row, skill])),
            titles=millionths(float(found.titles[row, skill])),
            examples=millionths(float(found.examples[row, skill])),
            words=list(dict.fromkeys(words))[:5],
            like=like.id if like is not None else None,
        )
