"""Above 20,000 courses only champions have numbers in the search; columns tell what is so of the others."""

import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from services.recommender.inputs import Inputs
from services.recommender.plan_validator.validate import validate
from services.recommender.planner.course_spec import CourseSpec, LevelCondition
from services.recommender.planner.index import catalog
from services.recommender.planner.index.catalog import Snapshot, View
from services.recommender.planner.optimizer.solve import solve
from services.recommender.planner.pipeline import recommend
from services.recommender.planner.units import micro
from services.recommender.rules import EXCLUDE, Rule
from shared.domain import SHARED_TENANT, Completions, Course, MatchedRow, Prerequisite
from tests.support.builders import FRAMEWORK, TENANT, after, at, course, framework, inputs, view_of

SKILLS = [f"s{n}" for n in range(4)]


@pytest.fixture(autouse=True)
def few_champions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "CHAMPIONS_FROM", 50)
    monkeypatch.setattr(catalog, "MERGE_THRESHOLD", 30)


def drawn(draw: random.Random, name: str) -> Course:
    rows = [
        (skill, low, low + draw.choice([1, 2])) for skill in draw.sample(SKILLS, 1) for low in [draw.choice([0, 0, 1])]
    ]
    conditions = [
        after(f"c{draw.randrange(300)}"),
        at(draw.choice(SKILLS), draw.choice([1, 2])),
        Prerequisite(any=[after(f"c{draw.randrange(300)}"), at(draw.choice(SKILLS), 1)]),
    ]
    languages = draw.choice([["th"], ["en"], ["th", "en"]])
    requires = draw.sample(conditions, draw.choice([0, 0, 0, 1, 2]))
    return course(name, *rows, hours=draw.randrange(1, 30), requires=requires, languages=languages)


def world(seed: int) -> tuple[random.Random, View]:
    draw = random.Random(seed)  # noqa: S311 - not for secrets
    snapshot = Snapshot().put_courses(SHARED_TENANT, [drawn(draw, f"c{n}") for n in range(400)], 1)
    own = [drawn(draw, name) for name in ("own", "c1", "c2", "c3")]
    return draw, snapshot.put_courses(TENANT, own, 2).view(TENANT)


def drawn_inputs(draw: random.Random, **wishes: Any) -> Inputs:
    levels = {skill: draw.choice([0, 1]) for skill in SKILLS}
    excluded = [f"c{draw.randrange(400)}" for _ in range(20)]
    return inputs(framework(dict.fromkeys(SKILLS, 3)), levels, budget_hours=20, excluded=excluded, **wishes)


@pytest.mark.parametrize(
    "wishes",
    [
        {},
        {"languages": ["en"]},
        {"completed": ["c1", "c50", "c99"]},
        {"rules": [Rule(field="skill", values=["s1"], bias=EXCLUDE)]},
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_the_courses_that_teach_a_skill_are_those_found_by_decoding_each(seed: int, wishes: dict[str, Any]) -> None:
    draw, view = world(seed)
    found = solve(drawn_inputs(draw, **wishes), view)
    assert found.context.space.base_numbers is not None
    seen = 0
    everything = [name for name in {*view.catalog.base.ids, *view.catalog.overlay} if view.course(name)]
    for skill in SKILLS:
        for level in (1, 2, 3):
            condition = LevelCondition((FRAMEWORK, skill), micro(level))
            options = filter(None, map(found.available.option, everything))
            wanted = sorted((option.hours, option.id) for option in options if option.achieves(condition))
            assert [tuple(one) for one in found.available.achievers(condition)] == wanted
            seen += len(wanted)
    assert seen > 100


def test_a_course_whose_condition_no_array_answers_makes_the_answer_incomplete() -> None:
    teaching = [course(f"c{n:03}", ("s0", 0, 1), hours=1 + n) for n in range(60)]
    gate = course("gate", ("s1", 0, 1), hours=90)
    for last, incomplete in ((course("last", ("s0", 0, 1), hours=70, requires=[after("gate")]), True), (gate, False)):
        view = view_of([*teaching, gate, last])
        found = solve(inputs(framework({"s0": 2}, others=["s1"]), {"s0": 0}), view)
        assert found.context.space.base_numbers is not None
        next(found.available.achievers(LevelCondition((FRAMEWORK, "s0"), micro(1))))
        assert found.available.incomplete is incomplete


def test_a_pinned_course_may_need_a_course_that_is_no_champion() -> None:
    teaching = [course(f"c{n:02}", ("s0", 0, 1), hours=5 + n % 7) for n in range(80)]
    short = msgspec.structs.replace(course("short", ("s0", 0, 1), hours=2), completions=Completions(1000, 0))
    pinned = course("pinned", ("s1", 0, 2), hours=3, requires=[at("s0", 1)])
    view = view_of([*teaching, short, pinned])
    champions = view.catalog.base.champions
    assert champions is not None
    assert view.catalog.base.ids.index("short") not in champions[1]
    plan = inputs(framework({"s1": 2}, others=["s0"]), {"s0": 0, "s1": 0}, budget_hours=6, pinned=["pinned"])
    path = recommend(plan, view)
    assert validate(path, plan, view.course) == []
    assert [step.course.id for step in path.steps] == ["short", "pinned"]


def taught(number: int) -> Course:
    return course(f"c{number:04}", ("s0", 0, 1), hours=1 + number)


def only_matched(number: int) -> Course:
    row = MatchedRow(FRAMEWORK, "s0", 0, 1, 0.9, 0.4)
    return msgspec.structs.replace(course(f"c{number:04}", hours=1 + number), matched=[row])


@pytest.mark.parametrize("wishes", [{}, {"budget_hours": 0}, {"languages": ["en"]}])
@pytest.mark.parametrize("made", [taught, only_matched])
def test_a_plan_decodes_few_of_the_courses_that_lead_to_its_skills(
    monkeypatch: pytest.MonkeyPatch, made: Callable[[int], Course], wishes: dict[str, Any]
) -> None:
    looked_at: set[str] = set()
    spec, whole = View.spec, View.course

    def counted_spec(view: View, course_id: str) -> CourseSpec | None:
        looked_at.add(course_id)
        return spec(view, course_id)

    def counted_course(view: View, course_id: str) -> Course | None:
        looked_at.add(course_id)
        return whole(view, course_id)

    monkeypatch.setattr(View, "spec", counted_spec)
    monkeypatch.setattr(View, "course", counted_course)
    path = recommend(inputs(framework({"s0": 2}), {"s0": 0}, **wishes), view_of([made(n) for n in range(2000)]))
    assert path.open
    assert len(looked_at) < 50
