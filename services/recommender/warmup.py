"""Plans for made-up officers, so that everything is compiled before the first real officer. No I/O.

It covers every kind of plan and question, on both memory layouts of a catalog: a delta with a base, and a base of its
own. Anything compiled later would make officers wait: a test checks that the list is complete.
"""

import gc
from datetime import UTC, date, datetime

from msgspec.structs import replace

from services.recommender.inputs import Estimate, Inputs
from services.recommender.plan_pool import plan_stateless
from services.recommender.planner import pipeline
from services.recommender.planner.index.catalog import MERGE_THRESHOLD, Snapshot
from services.recommender.planner.jit import signatures
from services.recommender.rules import INCLUDE_ONLY, Rule
from shared.domain import (
    SHARED_TENANT,
    Area,
    Course,
    Framework,
    JobGroup,
    LocalizedText,
    Prerequisite,
    Requirement,
    ScaleLevel,
    Skill,
    Teaches,
)

_NAME = LocalizedText(th="ตัวอย่าง", en="Example")
_DAY = date(2026, 1, 1)


def warm_up() -> None:
    """Compile everything that is not cached, without garbage collection: the compiler's objects stay.

    Raises RuntimeError if a function was compiled for two signatures, which means that its arrays have two memory
    layouts.
    """
    gc.disable()
    try:
        _plan_once()
    finally:
        gc.enable()
    if twice := [name for name, count in signatures().items() if count > 1]:
        raise RuntimeError(f"compiled for more than one signature: {', '.join(twice)}")


def _plan_once() -> None:
    """Plan, and answer every question about a path, once for every kind of officer and catalog."""
    few = Snapshot().put_courses(SHARED_TENANT, _courses(), 1)
    many = few.put_courses(SHARED_TENANT, [_course(f"more-{n}", "two", 0, 1) for n in range(MERGE_THRESHOLD + 1)], 2)
    both = many.put_courses("tenant", [_course("own", "one", 0, 1, Prerequisite(course="third"))], 3)
    for view in (few.view(SHARED_TENANT), many.view(SHARED_TENANT), both.view("tenant")):
        for inputs in _officers():
            path = plan_stateless(inputs, view)
            for course in ("first", "second", "third", "fourth"):
                pipeline.why_not(inputs, view, path, course)
            pipeline.similar_courses("first", view)
            again = [step.course.id for step in path.steps]
            plan_stateless(replace(inputs, previous=again, started=again[:1]), view)


def _officers() -> list[Inputs]:
    one = Inputs(
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
    preferring = replace(
        one,
        budget_hours=None,
        mandatory=[],
        pinned=[],
        completed_at={},
        cost_multipliers={"first": 1.5},
        rules=[Rule(field="course", values=["fourth"], bias=2.0)],
    )
    short = replace(preferring, cost_multipliers={}, rules=[], levels={}, budget_hours=3, max_steps=2)
    overlapping = replace(
        short,
        levels={"one": Estimate(0, 0.5), "two": Estimate(0, 0.5)},
        rules=[Rule(field="course", values=["fifth", "sixth"], bias=INCLUDE_ONLY)],
    )
    return [one, preferring, short, overlapping]


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
        _course("fifth", "one", 0, 4, also="two"),
        _course("sixth", "two", 0, 3, also="one"),
    ]


def _course(name: str, skill: str, low: float, high: float, *requires: Prerequisite, also: str = "") -> Course:
    more = [Teaches("example", also, 0, 1)] if also else []
    return Course(
        id=name,
        title=_NAME,
        provider=_NAME,
        hours=3,
        languages=["th"],
        teaches=[Teaches("example", skill, low, high), *more],
        requires=list(requires),
    )
