"""What the auditor measures on: generated catalogs and officers, durations and levels as real sets write them."""

import numpy as np
import pytest

from shared.domain import courses_named
from tests.evaluation import real
from tests.evaluation.generate import draw
from tests.evaluation.problem import Problem
from tests.evaluation.quality import DRAWN, SYNTHETIC
from tests.evaluation.worlds import generated


def test_the_same_seed_draws_the_same_catalog_and_another_seed_another() -> None:
    one, same, other = (list(draw(200, 30, seed)) for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_a_generated_catalog_matches_its_description() -> None:
    drawn = draw(20_000, 200, 1)
    courses = list(drawn)
    assert [course.id for course in courses] == sorted({course.id for course in courses})
    assert {course.hours * 2 % 1 for course in courses} == {0}
    assert 0.5 <= min(course.hours for course in courses) <= max(course.hours for course in courses) <= 120
    assert np.mean([len(course.teaches) <= 5 for course in courses]) > 0.995
    assert max(len(course.teaches) for course in courses) > 30
    assert max(row.to_level for course in courses for row in course.teaches) <= 5
    known = {course.id for course in courses}
    named = [name for course in courses for name in courses_named(course.requires)]
    assert 0.25 < len(named) / len(courses) < 0.45
    assert 0 < sum(name not in known for name in named) < 200
    by_id = {course.id: course for course in courses}
    requires = {course.id: set(courses_named(course.requires)) for course in courses}
    assert any(a in requires[b] for a in by_id for b in requires[a] if b in by_id)


def test_officers_have_gaps_and_courses_that_can_be_entered() -> None:
    world = generated(300, 60, 4)
    chance = np.random.default_rng(4)
    for _ in range(10):
        problem = Problem(world.officer(chance, 40.0), world.courses)
        assert problem.value.gap > 0
        assert problem.budget == 40_000_000
        start = problem.start()
        assert any(problem.admits(start, candidate) for candidate in problem.candidates)


@pytest.mark.parametrize("name", [name for name in DRAWN if name != SYNTHETIC])
def test_a_world_of_another_shape_is_feasible_and_stays_on_its_scale(name: str) -> None:
    world = DRAWN[name](1)
    officer = world.officer(np.random.default_rng(1), 40.0)
    problem = Problem(officer, world.courses)
    reached = problem.studied(problem.candidates)
    assert 0 < problem.gained(reached) <= problem.value.gap
    assert max(row.to_level for course in world.courses for row in course.teaches) <= officer.framework.max_level
    assert list(DRAWN[name](1).courses) == list(world.courses) != list(DRAWN[name](2).courses)


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("Approx. 14 hours to complete", 14),
        ("1 hour 30 minutes", 1.5),
        ("45 minutes", 0.75),
        (" 3 - 6 Months", 180),
        ("1.5 – 3 years", 1080),
        ("4 weeks", 40),
        ("2 to 4 hours", 3),
        ("not-mentioned", 0),
        ("ساعتين", 0),
    ],
)
def test_a_duration_is_read_as_hours(text: str, hours: float) -> None:
    assert real.hours_of(text) == hours


@pytest.mark.parametrize(
    ("text", "level"),
    [("Beginner Level", "beginner"), ("Advanced ", "advanced"), ("Subtitles: English", ""), ("not-mentioned", "")],
)
def test_a_level_column_with_other_content_gives_no_level(text: str, level: str) -> None:
    assert real.level_of(text) == level


@pytest.mark.skipif(real.folder() is None, reason="DATASETS_DIR is not set")
@pytest.mark.parametrize("name", list(real.WORLDS))
def test_a_real_set_makes_a_world_with_something_to_learn(name: str) -> None:
    world = real.WORLDS[name]()
    problem = Problem(world.officer(np.random.default_rng(1), 200.0), world.courses)
    assert len(world.courses) > 500
    start = problem.start()
    reachable = problem.studied(problem.candidates)
    assert any(problem.gain(start, candidate) for candidate in reachable)
