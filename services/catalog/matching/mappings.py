"""Converts a row of a course, which names a skill of one framework, to the same skill of another framework.

    mappings = SkillMappings(frameworks)
    for one in mappings.of(row, "agency"): ...      # the same skills in the framework "agency", with levels

Two skills are the same if a framework says so by a relation `exact_match`. The relation names the other skill as
`framework/skill`, by its id, or by an address that ends with the id (ESCO, CASE). It holds in both directions. An id
that several of the frameworks have is ambiguous, and is left out.

If a row names a skill that only a former version of the framework had, its successors take its place. The levels are
converted by the same rule as the levels of officers (shared/succession.py).
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from msgspec import Struct

from shared.domain import Framework, Teaches
from shared.succession import carried_level

_NO_LEVELS = 2
"""A scale of two levels only tells whether somebody has a skill, so it gives no level on another scale."""

Key = tuple[str, str]
"""Framework id and skill id. The framework id is empty for any framework that the tenant does not see."""


class MappedSkill(Struct, frozen=True):
    """The skill in a framework that a row of a course stands for.

    `origin`: the framework and the skill that the row names. `levels`: the levels before and after the course on the
    scale of the new framework, None if they cannot be converted.
    """

    skill: str
    origin: Key
    levels: tuple[float, float] | None


class SkillMappings:
    """The skills that are the same in several of the frameworks that a tenant sees. `frameworks`: {id: framework}."""

    def __init__(self, frameworks: Mapping[str, Framework]) -> None:
        self._scales = {name: sorted({step.level for step in one.scale}) for name, one in frameworks.items()}
        self._skills = {name: one.skills_by_id.keys() for name, one in frameworks.items()}
        self._frameworks = frameworks
        self._same = defaultdict[Key, dict[Key, None]](dict)
        for name, framework in frameworks.items():
            for relation in framework.relations:
                if relation.kind == "exact_match" and (other := self._named(name, relation.target)) is not None:
                    own = (name, relation.origin)
                    self._same[other][own] = None
                    self._same[own][other] = None

    def of(self, row: Teaches, framework: str) -> Iterator[MappedSkill]:
        """Yield the skills of a framework that a row of a course stands for; `framework` is an id.

        If the row names a skill of a former version of this framework, these are the successors of the skill. If the
        row names another framework, these are the skills that are the same by an `exact_match`.
        """
        if row.framework == framework:
            yield from self._successors(row, framework)
            return
        known = row.framework if row.framework in self._skills else ""
        for name, skill in self._same.get((known, row.skill), {}) | self._same.get((row.framework, row.skill), {}):
            if name == framework:
                yield MappedSkill(skill, (row.framework, row.skill), self._levels(row, framework))

    def _successors(self, row: Teaches, framework: str) -> Iterator[MappedSkill]:
        top = self._frameworks[framework].max_level
        for one in self._frameworks[framework].successors.get(("skill", row.skill), []):
            low, high = (min(carried_level(level, one, top), top) for level in (row.from_level, row.to_level))
            if high > low:
                yield MappedSkill(one.target, (framework, row.skill), (low, high))

    def _named(self, home: str, target: str) -> Key | None:
        """Return the skill that a relation of the framework `home` names; None if it is not known which."""
        framework, divided, skill = target.partition("/")
        if divided and "://" not in target:
            there = framework not in self._skills or skill in self._skills[framework]
            return (framework, skill) if there and framework != home else None
        name = re.split(r"[/#]", target.rstrip("/"))[-1]
        holders = [one for one, skills in self._skills.items() if one != home and name in skills]
        if len(holders) > 1 or not name or (not holders and name in self._skills[home]):
            return None
        return (holders[0], name) if holders else ("", name)

    def _levels(self, row: Teaches, framework: str) -> tuple[float, float] | None:
        theirs, ours = self._scales.get(row.framework, []), self._scales[framework]
        if theirs == ours:
            return row.from_level, row.to_level
        if len(theirs) <= _NO_LEVELS or len(ours) < _NO_LEVELS:
            return None

        def place(level: float) -> int:
            share = (level - theirs[0]) / (theirs[-1] - theirs[0])
            wanted = ours[0] + min(max(share, 0.0), 1.0) * (ours[-1] - ours[0])
            return min(range(len(ours)), key=lambda at: abs(ours[at] - wanted))

        low, high = place(row.from_level), place(row.to_level)
        if high <= low:
            low, high = (low, low + 1) if low + 1 < len(ours) else (low - 1, low)
        return ours[low], ours[high]
