"""The compiled planner gives the same bytes as the rule in plain Python that stands beside it to be read."""

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from services.recommender.model import Estimate, Inputs, Rule
from services.recommender.ranking import recommend, reference, reference_prices
from services.recommender.recompute import first_difference
from shared.errors import InvalidInput
from shared.skills import Course, Prerequisite
from tests.builders import MOMENT, after, at, catalogue, course, framework, inputs, view_of
from tests.evaluation import real
from tests.evaluation.generate import course_id
from tests.evaluation.worlds import HOURS, World, generated

YARDSTICK = framework(
    {f"s{n:02}": 2 + n % 3 for n in range(6)}, weights={"s01": 2.5, "s02": 0.3, "s05": 0}, others=["s06", "s07"]
)
IDS = [f"c{n:05}" for n in range(25)]


def entangled(count: int, skills: int, seed: int) -> list[Course]:
    """Return generated courses, as they are published, with what the builder does not know."""
    draw = random.Random(seed)

    def condition(depth: int) -> Prerequisite:
        kind = draw.randrange(4 if depth else 2)
        if kind == 0:
            return after(f"c{draw.randrange(count + 2):05}")
        if kind == 1:
            other = {"of": "other"} if draw.random() < 0.2 else {}
            return at(f"s{draw.randrange(skills):02}", draw.choice([0.5, 1, 2, 3.2]), **other)
        parts = [condition(depth - 1) for _ in range(draw.randint(1, 3))]
        return Prerequisite(any=parts) if kind == 2 else Prerequisite(all=parts)

    courses = []
    for one in catalogue(count, skills, seed):
        change: dict[str, Any] = {"modality": draw.choice(["online", "classroom", "blended"])}
        if draw.random() < 0.3:
            change["requires"] = [*one.requires, condition(2)]
        if draw.random() < 0.1:
            change["teaches"] = [*one.teaches, *course("x", ("s00", 0, draw.choice([1, 4])), of="other").teaches]
        if draw.random() < 0.3:
            change["hours"] = draw.choice([2, 2.2, 2.4, 0.1, 100])
        courses.append(msgspec.structs.replace(one, **change))
    return msgspec.json.decode(msgspec.json.encode(courses), type=list[Course])


def some(most: int) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from([*IDS, "gone"]), max_size=most, unique=True)


def often_none(values: st.SearchStrategy[Any], nothing: Any) -> st.SearchStrategy[Any]:
    return st.one_of(st.just(nothing), st.just(nothing), values)


RULES = st.lists(
    st.one_of(
        st.builds(Rule, st.just("course"), st.lists(st.sampled_from(IDS), min_size=1, max_size=6), st.sampled_from([0.0, 2.0])),
        st.builds(Rule, st.just("language"), st.just(["en"]), st.sampled_from([-1.0, 3.0])),
        st.builds(Rule, st.just("modality"), st.just(["online", "blended"]), st.sampled_from([-1.0, 1.3])),
        st.builds(Rule, st.just("skill"), st.just(["s01", "s04"]), st.sampled_from([0.0, 20.0])),
        st.builds(Rule, st.just("provider"), st.just(["About provider"]), st.just(7.0)),
    ),
    max_size=2,
)  # fmt: skip


@st.composite
def officers(draw: st.DrawFn) -> Inputs:
    """An officer with something of everything that a plan depends on."""
    levels = draw(
        st.dictionaries(st.sampled_from([f"s{n:02}" for n in range(8)]), st.sampled_from([0, 0.5, 1, 1.33, 2, 3]))
    )
    sd, measured = draw(st.sampled_from([0, 0.4, 1])), draw(st.sampled_from([None, MOMENT]))
    mandatory = draw(often_none(some(2), []))
    return msgspec.structs.replace(
        inputs(
            YARDSTICK,
            budget_hours=draw(st.sampled_from([None, 0, 7.5, 20, 60])),
            languages=draw(often_none(st.just(["th"]), [])),
            max_steps=draw(often_none(st.integers(0, 4), None)),
            completed=draw(often_none(some(3), [])),
            rules=draw(often_none(RULES, [])),
            mandatory=mandatory,
            excluded=[name for name in draw(often_none(some(4), [])) if name not in mandatory],
            slowed=dict.fromkeys(draw(often_none(some(4), [])), 1.5),
            pinned=draw(often_none(some(2), [])),
            started=draw(often_none(some(2), [])),
            completed_at={name: MOMENT + timedelta(n - 1) for n, name in enumerate(draw(often_none(some(2), [])))},
            previous=draw(often_none(some(6), [])),
            elsewhere=draw(often_none(st.just({"other": {"s00": 1.5}}), {})),
        ),
        levels={skill: Estimate(level, sd, measured) for skill, level in levels.items()},
    )


def differences(plan: Inputs, courses: Sequence[Course]) -> str | None:
    """Return where the two paths first differ; None where every byte is the same."""
    one = msgspec.json.encode(recommend(plan, view_of(courses)))
    other = msgspec.json.encode(reference.recommend(plan, courses, 1))
    if one == other:
        return None
    return first_difference(msgspec.json.decode(one), msgspec.json.decode(other)) or "the bytes"


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(officers(), st.builds(entangled, st.integers(0, 25), st.sampled_from([3, 8]), st.integers(0, 10_000)))
def test_a_small_world_gives_the_same_bytes(plan: Inputs, courses: list[Course]) -> None:
    try:
        plan.check()
    except InvalidInput as refused:  # both refuse alike
        with pytest.raises(InvalidInput, match=refused.detail.split("'")[0][:10]):
            reference.recommend(plan, courses, 1)
        return
    assert differences(plan, courses) is None


def drawn(world: World, count: int) -> list[Inputs]:
    chance = np.random.default_rng(11)
    return [world.officer(chance, HOURS) for _ in range(count)]


def test_a_generated_world_gives_the_same_bytes_whatever_was_done_and_said() -> None:
    world = generated(1000, 200, 3)
    view = world.view()
    for number, plan in enumerate(drawn(world, 6)):
        before = [step.course.id for step in recommend(plan, view).steps]
        said: dict[str, Any] = {
            "completed": [],
            "previous": before[1:],
            "started": before[2:3],
            "pinned": [course_id(7)],
        }
        said |= {"slowed": dict.fromkeys(before[3:5], 1.5), "excluded": before[:1]} if number % 2 else {}
        for one in (plan, msgspec.structs.replace(plan, **said)):
            assert differences(one, list(world.courses)) is None


@pytest.mark.skipif(real.folder() is None, reason="DATASETS_DIR is not set")
def test_real_courses_give_the_same_bytes() -> None:
    world = real.real_courses()
    for plan in drawn(world, 3):
        assert differences(plan, list(world.courses)) is None


def test_nothing_compiled_is_within_reach_of_the_readable_rule() -> None:
    for module in (reference, reference_prices):
        assert [name for name, value in vars(module).items() if hasattr(value, "py_func")] == []
