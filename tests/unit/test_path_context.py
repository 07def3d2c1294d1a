"""What a path is shown with: the part of the framework that it names, and no more of it."""

from datetime import date
from itertools import product

import msgspec

from services.recommender.api.paths import part_of
from shared.domain import Area, Framework, JobGroup, Prerequisite, Relation, Requirement, ScaleLevel, Skill, Stage
from shared.paths import UNRENDERED, Closes, CourseCard, Coverage, LearningPath, Step, Versions
from tests.support.builders import text

WHOLE = Framework(
    id="fw",
    title=text("framework"),
    scale=[ScaleLevel(level, text(f"level {level}")) for level in range(4)],
    areas=[Area(f"area-{i}", text(f"area {i}")) for i in range(4)],
    skills=[
        Skill(f"skill-{i}-{j}", f"area-{i}", text(f"skill {i} {j}"), descriptors=[ScaleLevel(1, text("can"))])
        for i, j in product(range(4), range(3))
    ],
    job_groups=[JobGroup(name, text(name)) for name in ("clerk", "head", "it")],
    stages=[Stage(name, text(name)) for name in ("new", "old")],
    requirements=[
        Requirement("clerk", "skill-0-0", 2),
        Requirement("clerk", "skill-0-1", 2, stage="new"),
        Requirement("clerk", "skill-0-2", 2, stage="old"),
        Requirement("it", "skill-3-0", 3),
    ],
    relations=[Relation("precedes", "skill-3-0", "skill-0-0")],
    version=7,
)


def path(*requires: Prerequisite, job_group: str = "clerk", stage: str | None = "new") -> LearningPath:
    closes = [Closes("skill-1-0", text("skill 1 0"), 0, 1, 2, 1, 1)]
    step = Step(1, CourseCard("c", text("c"), text("p"), 1, ["th"]), closes, list(requires), UNRENDERED, 1, 1, 1)
    coverage, versions = Coverage(0, 1, 1, 1, 1), Versions(1, "fw@7", 1, "1")
    return LearningPath(
        "ready", job_group, "fw", [step], [], [], coverage, 1, versions, date(2026, 11, 26), UNRENDERED, stage=stage
    )


def test_the_part_lists_what_the_path_names_in_the_frameworks_order() -> None:
    level = Prerequisite(framework="fw", skill="skill-2-1", level=1)
    either = Prerequisite(any=[Prerequisite(course="other"), Prerequisite(all=[level])])
    elsewhere = Prerequisite(framework="another", skill="skill-3-2", level=1)
    part = part_of(WHOLE, path(either, elsewhere))
    assert [skill.id for skill in part.skills] == ["skill-0-0", "skill-0-1", "skill-1-0", "skill-2-1"]
    assert [area.id for area in part.areas] == ["area-0", "area-1", "area-2"]
    assert (part.title, part.scale, part.version) == (WHOLE.title, WHOLE.scale, 7)


def test_the_part_contains_nothing_of_other_job_groups_and_stages() -> None:
    part = part_of(WHOLE, path())
    assert [one.id for one in part.job_groups] == ["clerk"]
    assert [one.id for one in part.stages] == ["new"]
    assert {row.skill for row in part.requirements} == {"skill-0-0", "skill-0-1"}
    encoded = msgspec.json.encode(part).decode()
    assert [word for word in ("it", "head", "skill-3-0", "old", "descriptors") if f'"{word}"' in encoded] == []


def test_a_path_of_a_removed_job_group_or_stage_has_a_part_too() -> None:
    assert part_of(WHOLE, path(job_group="gone", stage=None)).job_groups == []
    assert part_of(WHOLE, path(stage="gone")).stages == []
