"""What becomes of an officer's levels and job group when the framework has another version. Pure.

Levels stay as they were measured; they are mapped to the current version whenever they are used. So the same profile
and framework always give the same levels, whenever the officer was registered or assessed.
"""

from collections.abc import Iterable, Mapping
from math import hypot
from typing import NamedTuple

from msgspec.structs import replace

from shared.domain import Framework, SkillLevel, VersionMapping, millionths
from shared.paths import Succession, Successor

SHARE: Mapping[str, float] = {"exact": 1.0, "broader": 1.0, "partial": 0.5}
"""The share of a level that counts for the successor: half for a skill that only overlaps."""

DOUBT: Mapping[str, float] = {"exact": 0.0, "broader": 0.5, "partial": 1.0}
"""The standard deviation that a mapping adds, in levels of a scale from 0 to 4."""

_Rank = tuple[float, float, bool, float, str]
"""How well a level counts for a skill; the largest counts. At the end stands the former skill that the level is of, or
"" for the skill itself."""

_USUAL_TOP = 4
_LARGEST_SD = 100.0


class CarriedLevels(NamedTuple):
    """The levels in the framework's current skills, by skill, and what became of the former skills."""

    levels: dict[str, SkillLevel]
    successions: list[Succession]


def carried(levels: Iterable[SkillLevel], framework: Framework) -> CarriedLevels:
    """Return the levels in the current skills of a framework, from levels measured under any of its versions.

    If several levels map to one skill, the closest kind of mapping wins, with a measurement of the skill itself counted
    as exact; then the later measurement; then the skill itself before a former one; then the lower level, because an
    officer has to have every skill that became a part of the new one.
    """
    found: dict[str, tuple[_Rank, SkillLevel]] = {}
    former: dict[str, list[VersionMapping]] = {}
    for held in sorted(levels, key=lambda one: one.skill):
        if held.framework != framework.id:
            continue
        if held.skill in framework.skills_by_id:
            _offer(found, held, (0.0, held.measured_at.timestamp(), True, 0.0, ""))
            continue
        former[held.skill] = framework.successors.get(("skill", held.skill), [])
        for row in former[held.skill]:
            level = _through(held, row, framework)
            rank = (-DOUBT[row.kind], held.measured_at.timestamp(), False, -level.level, held.skill)
            _offer(found, level, rank)
    origins = {skill: rank[-1] for skill, (rank, _) in found.items()}
    successions = [_succession(skill, rows, framework, origins) for skill, rows in former.items()]
    return CarriedLevels({skill: found[skill][1] for skill in sorted(found)}, successions)


def job_group_of(job_group: str, framework: Framework) -> tuple[str, list[Succession]]:
    """Return the job group that counts for the officer now, and what became of `job_group` if it no longer exists."""
    groups = {group.id: group.title for group in framework.job_groups}
    if job_group in groups:
        return job_group, []
    rows = framework.successors.get(("job_group", job_group), [])
    targets = [Successor(row.target, groups[row.target], row.kind) for row in rows]
    succession = Succession("job_group", job_group, targets, rows[0].title if rows else None)
    return (rows[0].target if rows else job_group), [succession]


def stage_of(stage: str | None, job_group: str, framework: Framework) -> tuple[str | None, list[Succession]]:
    """Return the stage whose requirements count for the officer now, and that `stage` ended if it no longer exists.

    What is required at every stage counts then (None). The stage stays as it is if the job group has no such
    requirement: nothing would be required of the officer.
    """
    if stage is None or any(one.id == stage for one in framework.stages):
        return stage, []
    return None if framework.required(job_group, None) else stage, [Succession("stage", stage)]


def _offer(found: dict[str, tuple[_Rank, SkillLevel]], level: SkillLevel, rank: _Rank) -> None:
    if level.skill not in found or found[level.skill][0] < rank:
        found[level.skill] = rank, level


def carried_level(level: float, row: VersionMapping, top: float) -> float:
    """Return the level in the successor that a level of the former skill counts as.

    `row`: the version mapping of the two skills. `top`: the highest level of the framework's scale.
    """
    return millionths(level * SHARE[row.kind] * _scaled(row, top))


def _scaled(row: VersionMapping, top: float) -> float:
    return top / row.scale_top if row.scale_top else 1.0


def _through(held: SkillLevel, row: VersionMapping, framework: Framework) -> SkillLevel:
    top = framework.max_level
    sd = hypot(held.sd * _scaled(row, top), DOUBT[row.kind] * top / _USUAL_TOP)
    level = carried_level(held.level, row, top)
    return replace(held, skill=row.target, level=level, sd=min(millionths(sd), _LARGEST_SD))


def _succession(skill: str, rows: list[VersionMapping], framework: Framework, origins: Mapping[str, str]) -> Succession:
    """Return what became of a skill. `origins`: {skill: the former one whose level counts for it}."""
    targets = [Successor(row.target, framework.skills_by_id[row.target].title, row.kind) for row in rows]
    surpassed = [row.target for row in rows if origins[row.target] != skill]
    return Succession("skill", skill, targets, rows[0].title if rows else None, surpassed)
