"""One plan for a made-up officer, so that everything that is compiled is there before the first real one. No I/O."""

from datetime import UTC, date, datetime

from services.recommender.model import Estimate, Inputs
from services.recommender.ranking.index import Snapshot
from services.recommender.solving import plan_stateless
from shared.skills import (
    SHARED_TENANT,
    Area,
    Course,
    Framework,
    JobGroup,
    Prerequisite,
    Requirement,
    ScaleLevel,
    Skill,
    Teaches,
    Text,
)

_NAME = Text(th="ตัวอย่าง", en="Example")
_DAY = date(2026, 1, 1)


def warm_up() -> None:
    """Plan once, with prerequisites, a budget, a mandatory, a pinned and a completed course. Takes long only once."""
    view = Snapshot().put_courses(SHARED_TENANT, _courses(), 1).view(SHARED_TENANT)
    inputs = Inputs(
        tenant=SHARED_TENANT,
        framework=_framework(),
        as_of=_DAY,
        job_group="group",
        levels={"one": Estimate(0, 0.5)},
        budget_hours=20,
        mandatory=["first"],
        pinned=["second"],
        completed_at={"third": datetime(2026, 1, 1, tzinfo=UTC)},
    )
    plan_stateless(inputs, view)


def _framework() -> Framework:
    return Framework(
        id="example",
        title=_NAME,
        scale=[ScaleLevel(level, _NAME) for level in range(5)],
        areas=[Area("area", _NAME)],
        skills=[Skill("one", "area", _NAME), Skill("two", "area", _NAME)],
        job_groups=[JobGroup("group", _NAME)],
        requirements=[Requirement("group", "one", 4), Requirement("group", "two", 3)],
    )


def _courses() -> list[Course]:
    return [
        _course("first", "one", 0, 2),
        _course("second", "one", 2, 4, Prerequisite(course="first")),
        _course("third", "two", 0, 1),
        _course("fourth", "two", 1, 3, Prerequisite(framework="example", skill="one", level=2)),
    ]


def _course(name: str, skill: str, low: float, high: float, *requires: Prerequisite) -> Course:
    return Course(
        id=name,
        title=_NAME,
        provider=_NAME,
        hours=3,
        languages=["th"],
        teaches=[Teaches("example", skill, low, high)],
        requires=list(requires),
    )
